from __future__ import annotations

import gzip
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from syncengine.adapters.rest import transport
from syncengine.adapters.rest.transport import Purpose, make_client
from syncengine.adapters.rest.verdicts import Kind
from syncengine.errors import RateLimited, SyncengineError, Unknown, VendorDown
from syncengine.ports import Tally
from tests.unit.adapters.wire import OpenGate

READ = {"purpose": Purpose(Kind.READ, "GET /x")}
WRITE = {"purpose": Purpose(Kind.CHANGE, "PATCH /x")}


def client(
    answer: Callable[[httpx.Request], httpx.Response], gate: OpenGate | None = None
) -> tuple[httpx.Client, Tally]:
    tally = Tally()
    inner = httpx.MockTransport(answer)
    return make_client(httpx.Auth(), gate or OpenGate(), tally, 5, inner), tally


@contextmanager
def server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A TCP server that talks with each caller in its own way."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                talk(peer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/x"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def real(
    url: str, extensions: dict[str, Purpose], method: str, timeout: float = 5
) -> httpx.Response:
    with make_client(httpx.Auth(), OpenGate(), Tally(), timeout) as live:
        return live.request(method, url, extensions=dict(extensions))


def test_the_gate_stands_before_every_request() -> None:
    """Each request enters once, told whether it writes, and is counted as such."""
    gate = OpenGate()
    live, tally = client(lambda _: httpx.Response(200), gate)
    live.get("https://v.example", extensions=dict(READ))
    live.patch("https://v.example", extensions=dict(WRITE))
    live.get("https://v.example", extensions={"purpose": Purpose(Kind.READ, "GET /x", repeat=True)})
    assert gate.entered == [False, True, False]
    assert tally == Tally(reads=2, writes=1, retries=1)


def test_a_closed_gate_lets_nothing_through() -> None:
    """Nothing is sent and nothing counted when the gate refuses."""

    class Closed(OpenGate):
        def enter(self, write: bool) -> None:
            raise RateLimited(f"no budget, writing: {write}", 5.0)

    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200)

    live, tally = client(answer, Closed())
    with pytest.raises(RateLimited):
        live.patch("https://v.example", extensions=dict(WRITE))
    assert sent == []
    assert tally == Tally()


def test_counting_is_exact_across_threads() -> None:
    """Requests of many threads are all counted."""
    live, tally = client(lambda _: httpx.Response(200))

    def ask() -> None:
        for _ in range(25):
            live.get("https://v.example", extensions=dict(READ))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tally.reads == 200


def test_an_answer_without_bounds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound counts unpacked bytes, so that a small answer cannot unfold into a large one."""
    monkeypatch.setattr(transport, "LARGEST_ANSWER", 10_000)
    packed = gzip.compress(b"0" * 100_000)
    live, _ = client(
        lambda _: httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=packed)
    )
    with pytest.raises(VendorDown, match="larger than"):
        live.get("https://v.example", extensions=dict(READ))
    with pytest.raises(Unknown, match="larger than"):
        live.patch("https://v.example", extensions=dict(WRITE))


def test_a_packed_answer_is_unpacked() -> None:
    """Content encodings are taken off once."""
    live, _ = client(
        lambda _: httpx.Response(
            200, headers={"Content-Encoding": "gzip"}, content=gzip.compress(b'{"a": "\xc3\xbc"}')
        )
    )
    assert live.get("https://v.example", extensions=dict(READ)).json() == {"a": "ü"}


def test_a_redirect_is_not_followed() -> None:
    """Credentials never travel to where a vendor points."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(302, headers={"Location": "https://evil.example/"})

    live, _ = client(answer)
    assert live.get("https://v.example", extensions=dict(READ)).status_code == 302
    assert asked == ["v.example"]


def test_a_refused_connection_was_surely_not_used() -> None:
    """A write to a port where nobody listens may be tried again."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(VendorDown):
        real(f"http://127.0.0.1:{port}", WRITE, "PATCH")


def test_a_connection_lost_after_sending_leaves_a_write_unknown() -> None:
    """Whoever hung up may have done it before."""

    def hang_up(peer: socket.socket) -> None:
        peer.recv(65536)

    with server(hang_up) as url:
        with pytest.raises(Unknown):
            real(url, WRITE, "PATCH")
        with pytest.raises(VendorDown):
            real(url, READ, "GET")


def test_an_answer_that_drips_runs_into_the_timeout() -> None:
    """The timeout is for the whole request, not for each byte of it."""

    def drip(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            try:
                peer.sendall(b" ")
            except OSError:
                return
            time.sleep(0.05)

    with server(drip) as url:
        started = time.monotonic()
        with pytest.raises(Unknown):
            real(url, WRITE, "PATCH", timeout=0.3)
        assert time.monotonic() - started < 2


def test_half_an_answer_is_no_answer() -> None:
    """A body shorter than announced leaves a write unknown and a read undone."""

    def half(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"a":')

    expected: list[tuple[dict[str, Purpose], str, type[SyncengineError]]] = [
        (WRITE, "PATCH", Unknown),
        (READ, "GET", VendorDown),
    ]
    with server(half) as url:
        for extensions, method, error in expected:
            with pytest.raises(error):
                real(url, extensions, method)


def test_nothing_about_a_request_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Addresses hold ids and numbers, headers hold secrets: neither reaches a log."""

    def answer(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with server(answer) as url, caplog.at_level(logging.DEBUG):
        real(f"{url}?employeeNumber=716", READ, "GET")
    assert caplog.records == []
