"""The console over an engine on vendors in memory, and a browser that knows its forms."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.testclient import TestClient

from syncengine.flows.core.engine import Engine
from syncengine.flows.people.members import add_member
from syncengine.flows.people.signing_in import make_link, set_password
from syncengine.model.member import Role
from syncengine.process import free_port
from syncengine.settings import Settings
from syncengine.web import make_app

HOME = "http://127.0.0.1"
PASSWORD = "correct horse battery"


def console_app(engine: Engine, **settings: Any) -> Starlette:
    """The web side with a console; pages are made one at a time, since the store in memory has one connection."""
    one = threading.Lock()

    @contextmanager
    def work() -> Iterator[Engine]:
        with one:
            yield engine

    told = Settings(**{"broker_url": f"embedded:{free_port()}", **settings})
    return make_app(work, told, pages=work)


@dataclass
class Browser:
    """Somebody at the console."""

    client: TestClient

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Open a page; redirects are followed."""
        return self.client.get(path, headers=headers)

    def send(self, path: str, page: str | None = None, **fields: Any) -> httpx.Response:
        """Send a form of this page (the path itself, if not given), with its token."""
        token = token_of(self.get(page or path).text)
        return self.post(path, form_token=token, **fields)

    def post(self, path: str, origin: str = HOME, **fields: Any) -> httpx.Response:
        """Send a form as it is."""
        return self.client.post(path, data=fields, headers={"Origin": origin})

    def go_on(self, page: httpx.Response, **fields: Any) -> httpx.Response:
        """Send the first form of a page with all that is hidden in it."""
        main = page.text.partition("<main")[2]
        form = re.search(r'<form method="post" action="([^"]+)".*?</form>', main, re.DOTALL)
        assert form is not None
        kept: dict[str, Any] = {}
        for name, word in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form[0]):
            kept.setdefault(name, []).append(unescape(word))
        return self.post(form[1], **kept | fields)


def token_of(page: str) -> str:
    """The token of the forms of a page."""
    found = re.search(r'name="form_token" value="(\w+)"', page)
    return found[1] if found else ""


@contextmanager
def at_console(
    engine: Engine, *roles: Role, name: str = "kim", accept: str = "en"
) -> Iterator[Browser]:
    """Somebody with these roles, signed in; nobody is where there are none."""
    with stranger(engine, accept) as browser:
        if roles:
            sign_in(engine, browser, roles, name)
        yield browser


@contextmanager
def stranger(engine: Engine, accept: str = "en", **settings: Any) -> Iterator[Browser]:
    """Somebody who is not signed in."""
    app = console_app(engine, **settings)
    headers = {"Accept-Language": accept}
    with TestClient(app, HOME, raise_server_exceptions=False, headers=headers) as client:
        yield Browser(client)


def sign_in(engine: Engine, browser: Browser, roles: Sequence[Role], name: str = "kim") -> None:
    """By a one-time link."""
    add_member(engine, name, roles, "test")
    link = f"/link/{make_link(engine, name, 'test')}"
    assert browser.send(link).status_code == 200


def with_password(engine: Engine, *roles: Role, name: str = "kim") -> None:
    """A member who has the ``PASSWORD``."""
    add_member(engine, name, roles, "test")
    set_password(engine, name, PASSWORD, "test")
