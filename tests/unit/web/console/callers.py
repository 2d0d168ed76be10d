"""Programs that call the API."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
from starlette.testclient import TestClient

from syncengine.flows.people import members
from syncengine.flows.people.tokens import make_token
from syncengine.model.member import Role
from syncengine.model.rights import GIVEN
from syncengine.web.api.call import ROOT, Endpoint
from tests.support.bench import Bench
from tests.support.console import HOME, console_app

ALL = tuple(right.value for right in GIVEN)


class Caller:
    """A program."""

    def __init__(self, client: TestClient, secret: str) -> None:
        self.client, self.headers = client, {"Authorization": f"Bearer {secret}"}

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """A call."""
        return self.client.request(method, ROOT + path, json=body, headers=self.headers, **more)

    def get(self, path: str) -> httpx.Response:
        return self.ask("GET", path)

    def post(self, path: str, body: Any = None) -> httpx.Response:
        return self.ask("POST", path, {} if body is None else body)


@contextmanager
def calling(
    made: Bench, *roles: Role, rights: Sequence[str] = ALL, name: str = "kim"
) -> Iterator[Caller]:
    """A program with a token of a member with these roles."""
    members.add_member(made.engine, name, roles, "test")
    _, secret = make_token(made.engine, name, "a script", rights, 30, "test")
    with TestClient(console_app(made.engine), HOME, raise_server_exceptions=False) as client:
        yield Caller(client, secret)


def address(endpoint: Endpoint) -> str:
    """Of something that is not there."""
    return endpoint.path.format_map({"id": "0" * 8, "entity": "person", "name": "hr"})
