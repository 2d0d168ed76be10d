"""The app behind a real WSGI server, in a thread of the test."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.contrib.auth.models import User as Account
from django.contrib.contenttypes.models import ContentType
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.db import connection
from rest_framework.authtoken.models import Token

from syncengine.sandbox.faults import TWISTS, Fault, instead, spoil
from syncengine.sandbox.ledger import Entry, Ledger
from syncengine.sandbox.vendor import Reply
from syncengine.sandbox.world import Options, World
from tests.support.drf.api import SERIALIZERS

PREFIX = "/api/v1"
LOGIN = {"username": "api", "password": "drf-password"}
Row = dict[str, Any]


class _Handler(WSGIRequestHandler):
    """Hands its connection to the app, so that a fault can cut it, and logs nothing."""

    disable_nagle_algorithm = True  # head and body are sent apart: 40 ms an answer

    def get_environ(self) -> dict[str, Any]:
        return {**super().get_environ(), "syncengine.socket": self.connection}

    def log_message(self, format: str, *args: Any) -> None:
        del format, args


class Django:
    """Real Django REST framework in the place of the sandbox's weekly10, with as many people.

    It has the part of ``SandboxProcess`` that the contract suite uses. The ledger of requests and the faults stand
    before the app and know nothing of it; faults that would have to change how it lists are refused.
    """

    def __init__(self, people: int) -> None:
        self._seeds = World(Options(people=people)).vendors["weekly10"]
        self._lock = threading.Lock()
        self._app = WSGIHandler()
        _make_tables()
        self._server = ThreadedWSGIServer(("127.0.0.1", 0), _Handler)
        self._server.set_app(self._serve)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.env = {
            "WEEKLY10_BASE_URL": f"http://127.0.0.1:{self._server.server_port}{PREFIX}",
            **{f"WEEKLY10_{name.upper()}": value for name, value in LOGIN.items()},
        }
        self.reset()

    def stop(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        connection.close()

    # what a person sees and does

    def state(self, vendor: str, resource: str) -> list[Row]:
        """All rows as a single GET shows them."""
        del vendor
        serializer = SERIALIZERS[resource]
        rows = serializer(serializer.Meta.model.objects.all(), many=True).data
        return [json.loads(json.dumps(row, default=str)) for row in rows]

    def mutate(
        self, vendor: str, resource: str, action: str, id: Any = None, values: Row | None = None
    ) -> Row:
        """Create, update or delete a row without the API; the row."""
        del vendor
        serializer = SERIALIZERS[resource]
        row = None if action == "create" else serializer.Meta.model.objects.get(api_id=id)
        if action == "delete":
            shown = dict(serializer(row).data)
            row.delete()
            return shown
        said = serializer(row, data=values or {}, partial=row is not None)
        said.is_valid(raise_exception=True)
        said.save()
        return dict(said.data)

    def reset(self) -> None:
        """The sandbox's rows, no tokens, no faults, an empty ledger."""
        self.ledger, self._faults = Ledger(["weekly10"]), list[Fault]()
        Token.objects.all().delete()
        for serializer in reversed(SERIALIZERS.values()):
            serializer.Meta.model.objects.all().delete()
        for resource, serializer in SERIALIZERS.items():
            said = serializer(data=self._seeds.state(resource), many=True)
            said.is_valid(raise_exception=True)
            said.save()

    # requests and faults

    def requests(self) -> list[Row]:
        """The request ledger, oldest first."""
        return [asdict(entry) for entry in self.ledger.entries]

    def counters(self) -> dict[str, Row]:
        """Counts: reads, writes, applied, concurrency, routes."""
        return self.ledger.counters()

    def fault(self, vendor: str, kind: str, **more: Any) -> None:
        """Put a fault in the way."""
        if kind in (*TWISTS, "late", "slow", "slow_head", "small_pages"):
            raise ValueError(f"{kind}: Django lists and commits as it does")
        self._faults.append(Fault(vendor, kind, **more))

    def clear_faults(self) -> None:
        self._faults.clear()

    def _serve(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"].removeprefix(PREFIX)
        writes = method != "GET" and path != "/obtainauthtoken/"
        with self._lock:
            entry = self.ledger.begin("weekly10", method, path, path, writes)
            hits = (f for f in self._faults if f.strikes("weekly10", method, path, path))
            fault = next(hits, None)
        try:
            return self._answer(environ, start_response, entry, fault)
        finally:
            with self._lock:
                self.ledger.end(entry)

    def _answer(
        self, environ: dict[str, Any], start_response: Any, entry: Entry, fault: Fault | None
    ) -> Iterable[bytes]:
        kind = fault.kind if fault else ""
        if kind in ("refuse", "drop_before"):
            return _cut(environ)
        if kind == "expire_tokens":
            Token.objects.all().delete()
        said = instead(fault) if fault else None
        if said is not None:
            text = said.payload if isinstance(said.payload, str) else json.dumps(said.payload)
            headers = [*said.headers.items(), ("Content-Type", said.media)]
            return _send(start_response, f"{said.status} Fault", headers, text.encode())
        status, headers, content = self._ask_the_app(environ)
        entry.status = int(status[:3])
        if entry.write and entry.status < 300:
            with self._lock:
                self.ledger.apply(entry, duplicate=False)
        if kind == "drop_after":
            return _cut(environ)
        if fault and content:
            spoilt = spoil(fault, Reply(entry.status, json.loads(content))).payload
            text = spoilt if isinstance(spoilt, str) else json.dumps(spoilt)
            headers = [pair for pair in headers if pair[0] != "Content-Length"]
            return _send(start_response, status, headers, text.encode())
        return _send(start_response, status, headers, content)

    def _ask_the_app(self, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
        said: list[Any] = []
        response = self._app(environ, lambda *answer: said.append(answer))
        try:
            content = b"".join(response)
        finally:
            response.close()
        (status, headers), *_ = said
        return status, headers, content


def _send(
    start_response: Any, status: str, headers: list[tuple[str, str]], content: bytes
) -> list[bytes]:
    if content and not any(name == "Content-Length" for name, _ in headers):
        headers = [*headers, ("Content-Length", str(len(content)))]
    start_response(status, headers)
    return [content]


def _cut(environ: dict[str, Any]) -> list[bytes]:
    """Close the connection instead of an answer."""
    with contextlib.suppress(OSError):
        environ["syncengine.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError


def _make_tables() -> None:
    """All tables, where this process has none yet, and the account that may log in."""
    if connection.introspection.table_names():
        return
    kinds = [ContentType, Permission, Group, Account, Token]
    kinds += [serializer.Meta.model for serializer in SERIALIZERS.values()]
    with connection.schema_editor() as editor:
        for kind in kinds:
            editor.create_model(kind)
    Account.objects.create_user(**LOGIN)
