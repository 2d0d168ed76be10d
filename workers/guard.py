"""Flower behind a door: it asks everybody for a password, also for its figures, and answers to its own names alone."""

from __future__ import annotations

import base64
import hmac
import sys
from functools import partial
from importlib import import_module
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.web import RequestHandler, authenticated

from syncengine.settings import FLOWER_USER, Settings, draw_password

HEAD, BODY = 10.0, 15.0
"""Seconds for the head of a request, also of the first one, and for its body."""
OPEN = "/healthcheck"
"""What answers without a password: OK, and nothing else."""


class Refusal(RequestHandler):
    """Says why a request is not answered. It does not look at the request any further."""

    def initialize(self, status: int, why: str) -> None:
        """``why``: for whoever asks."""
        self._status, self._why = status, why

    def prepare(self) -> None:
        """Whatever the method is."""
        self.set_status(self._status)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        if self._status == 401:
            self.set_header("WWW-Authenticate", 'Basic realm="flower"')
        self.finish(f"{self._why}\n")

    def check_xsrf_cookie(self) -> None:
        """Nothing is changed here."""


def stand_before_flower(settings: Settings) -> None:
    """From now on the command of Flower starts one that is guarded."""
    command, app = import_module("flower.command"), import_module("flower.app")
    server = partial(HTTPServer, idle_connection_timeout=HEAD, body_timeout=BODY)
    vars(app).update(HTTPServer=server)
    vars(command).update(Flower=_guarded(vars(command)["Flower"], settings))


def _guarded(flower: Any, settings: Settings) -> Any:
    def begin(self: Any, *args: Any, **kwargs: Any) -> None:
        options = kwargs["options"]
        if not (options.basic_auth or options.auth):
            password = draw_password()
            options.basic_auth = [f"{FLOWER_USER}:{password}"]
            told = f"Flower asks for user {FLOWER_USER}, password {password}, drawn for this start"
            print(f"{told}; FLOWER_BASIC_AUTH names others", file=sys.stderr, flush=True)
        flower.__init__(self, *args, **kwargs)

    def find_handler(self: Any, request: HTTPServerRequest, **more: Any) -> Any:
        refused = _refused(self.options, settings, request)
        if refused is not None:
            status, why = refused
            return self.get_handler_delegate(request, Refusal, {"status": status, "why": why})
        return flower.find_handler(self, request, **more)

    monitor = import_module("flower.views.monitor")
    # Where people log in elsewhere, the figures are for those who did.
    monitor.Metrics.get = authenticated(monitor.Metrics.get)
    return type("Guarded", (flower,), {"__init__": begin, "find_handler": find_handler})


def _refused(
    options: Any, settings: Settings, request: HTTPServerRequest
) -> tuple[int, str] | None:
    """Status and reason; None where the request may be answered."""
    hosts = request.headers.get_list("Host")
    if len(hosts) != 1 or not settings.is_named(hosts[0], _own_address(request)):
        return 400, "the Host of the request is none of ours; names are added by SYNCENGINE_HOSTS"
    prefix = (options.url_prefix or "").strip("/")
    if request.path == f"/{prefix}{OPEN}".replace("//", "/") or not options.basic_auth:
        return None
    given = request.headers.get("Authorization", "")
    known = [f"Basic {base64.b64encode(one.encode()).decode()}" for one in options.basic_auth]
    if any(hmac.compare_digest(given.encode(), one.encode()) for one in known):
        return None
    return 401, "user and password, please"


def _own_address(request: HTTPServerRequest) -> str:
    stream = getattr(request.connection, "stream", None)
    address = stream.socket.getsockname() if stream is not None and stream.socket else ""
    return str(address[0]) if isinstance(address, tuple) else ""
