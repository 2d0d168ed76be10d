"""A wire that answers from a script, and what connectors need around it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from syncengine.adapters.rest.transport import make_client
from syncengine.adapters.vendors.base import RestConnector
from syncengine.adapters.vendors.declare import Vendor
from syncengine.mapping.project import LONGEST_LISTING
from syncengine.ports import Tally

BASE = "https://vendor.example/api"
CREDENTIALS = {
    name: f"{name}-value"
    for name in ("client_id", "client_secret", "api_key", "token", "username", "password")
}


class FrozenClock:
    """Time stands still but for sleeping."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.time = now
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


class OpenGate:
    """Lets all pass and counts."""

    def __init__(self) -> None:
        self.entered: list[bool] = []
        self._lock = threading.Lock()

    def enter(self, write: bool) -> None:
        with self._lock:
            self.entered.append(write)


Answer = Callable[[httpx.Request], httpx.Response]


class Wire:
    """Answers with what ``routes`` say for ``METHOD /path?query`` (or without query) and keeps what was asked."""

    def __init__(self, routes: Mapping[str, Any]) -> None:
        self.routes = routes
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        path = request.url.raw_path.decode().removeprefix("/api")
        for name in (f"{request.method} {path}", f"{request.method} {path.partition('?')[0]}"):
            if name in self.routes:
                answer = self.routes[name]
                answer = answer(request) if callable(answer) else answer
                if isinstance(answer, httpx.Response):
                    return answer
                status, body = answer if isinstance(answer, tuple) else (200, answer)
                return (
                    httpx.Response(status, json=body)
                    if body is not None
                    else httpx.Response(status)
                )
        return httpx.Response(404, json={"message": "no such route"})

    @property
    def asked(self) -> list[str]:
        """``METHOD /path?query`` of all requests but token calls."""
        calls = (
            f"{r.method} {r.url.raw_path.decode().removeprefix('/api')}" for r in self.requests
        )
        return [call for call in calls if "token" not in call]

    def bodies(self) -> list[Any]:
        """The JSON bodies of all writes."""
        return [
            json.loads(r.content) for r in self.requests if r.content and "token" not in r.url.path
        ]


def connector(
    vendor: Vendor, wire: Answer, clock: FrozenClock | None = None, zone: str = "UTC",
    longest: int = LONGEST_LISTING,
) -> RestConnector:  # fmt: skip
    """A connector at the end of a wire."""
    clock = clock or FrozenClock()
    auth = vendor.login(BASE, CREDENTIALS, {}, clock)
    tally = Tally()
    client = make_client(auth, OpenGate(), tally, 5, httpx.MockTransport(wire))
    return RestConnector(
        vendor, BASE, auth, client, tally, clock, ZoneInfo(zone), {}, longest_listing=longest
    )
