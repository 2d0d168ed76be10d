"""The web side on a real port."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from syncengine.process import free_port
from syncengine.web import make_server
from tests.unit.web.conftest import web_app


@contextmanager
def listening(folder: Path, **settings: Any) -> Iterator[int]:
    """The web side on a real port; the port."""
    port = free_port()
    with web_app(folder, **settings) as (app, _, _, _), serving(app, port):
        yield port


@contextmanager
def serving(app: Starlette, port: int = 0) -> Iterator[str]:
    """An application on a real port; its address."""
    port = port or free_port()
    server = make_server(app, "127.0.0.1", port)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)


def listens(port: int) -> bool:
    """Whether something takes connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def until(true: Callable[[], object], seconds: float = 30) -> None:
    """Wait for something."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "not so in time"
        time.sleep(0.05)


def ask(port: int, path: str = "/healthz", **headers: str) -> http.client.HTTPResponse:
    """GET, with these headers (``_`` is ``-``)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest("GET", path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    return connection.getresponse()
