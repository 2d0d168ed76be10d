from __future__ import annotations

import gzip
import logging
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC

import httpx
import pytest

from syncengine.adapters.rest import transport
from syncengine.adapters.rest.transport import Purpose, make_client
from syncengine.adapters.rest.verdicts import Kind
from syncengine.adapters.vendors.base import RestConnector
from syncengine.adapters.vendors.hakuna import HAKUNA
from syncengine.errors import RateLimited, SyncengineError, Unknown, VendorDown
from syncengine.ports import Tally
from tests.unit.adapters.wire import FrozenClock, OpenGate

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


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"


@pytest.mark.parametrize(
    "at_once", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 103 Early\r\n\r\n", HEAD]
)
def test_an_answer_that_drips_runs_into_the_timeout(at_once: bytes) -> None:
    """The timeout is for the whole request, head and body, not for each byte of it."""
    drops = b"HTTP/1.1 200 OK\r\n" + b"X-Y: z\r\n" * 100 if at_once == b"" else b"x" * 500

    def drip(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(at_once)
        for drop in drops:
            try:
                peer.sendall(bytes([drop]))
            except OSError:
                return
            time.sleep(0.02)

    expected: list[tuple[dict[str, Purpose], str, type[SyncengineError]]] = [
        (WRITE, "PATCH", Unknown),
        (READ, "GET", VendorDown),
    ]
    with server(drip) as url:
        for extensions, method, error in expected:
            started = time.monotonic()
            with pytest.raises(error):
                real(url, extensions, method, timeout=0.3)
            assert time.monotonic() - started < 2


def test_a_vendor_that_does_not_read_runs_into_the_timeout() -> None:
    """A write whose body cannot be got rid of ends in time, and may have arrived."""

    def deaf(peer: socket.socket) -> None:
        for _ in range(40):
            peer.recv(2000)
            time.sleep(0.05)

    with server(deaf) as url, make_client(httpx.Auth(), OpenGate(), Tally(), 0.4) as live:
        started = time.monotonic()
        with pytest.raises(Unknown):
            live.patch(url, content=b"x" * 30_000_000, extensions=dict(WRITE))
        assert time.monotonic() - started < 2


def test_a_write_that_gets_no_connection_in_time_was_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither a name that nobody looks up nor encryption that nobody answers holds a worker: nothing was sent."""

    def silent(_peer: socket.socket) -> None:
        time.sleep(1)

    with server(silent) as url:
        started = time.monotonic()
        with pytest.raises(VendorDown, match="not sent"):
            real(url.replace("http:", "https:"), WRITE, "PATCH", timeout=0.4)
        assert time.monotonic() - started < 0.9
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(1.5) or [])
    started = time.monotonic()
    with pytest.raises(VendorDown, match="not sent"):
        real("http://vendor.example/x", WRITE, "PATCH", timeout=0.4)
    assert time.monotonic() - started < 0.9


def test_a_connection_is_used_again() -> None:
    """What was asked in time leaves its connection to the next request, however long after."""
    peers: list[int] = []

    def polite(peer: socket.socket) -> None:
        peers.append(1)
        while peer.recv(65536):
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with server(polite) as url, make_client(httpx.Auth(), OpenGate(), Tally(), 0.3) as live:
        for _ in range(3):
            assert live.get(url, extensions=dict(READ)).json() == {}
            time.sleep(0.4)
    assert peers == [1]


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


ROW = b'{"id": 1, "note": "' + b"x" * 10_000 + b'"},'


def listing_of(rows: int, size: int) -> Callable[[socket.socket], None]:
    """A server that lists so many rows of such a size, in one answer."""
    row = b'{"id": %d, "note": "' + b"x" * (size - 30) + b'"}'

    def talk(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[")
        with suppress(OSError):
            for number in range(rows):
                peer.sendall((b"," if number else b"") + row % number)
            peer.sendall(b"]")

    return talk


def at_work(url: str, timeout: float = 5, largest: int = 512 << 20) -> RestConnector:
    """A connector of hakuna over the network."""
    auth, tally = httpx.Auth(), Tally()
    live, base = make_client(auth, OpenGate(), tally, timeout), url.removesuffix("/x")
    return RestConnector(HAKUNA, base, auth, live, tally, FrozenClock(), UTC, {}, largest)


def test_a_listing_of_any_size_takes_the_memory_of_some_rows() -> None:
    """One page of 48 MiB comes whole, and no more than a few MiB of it are there at a time."""
    with server(listing_of(6 * 1024, 8 * 1024)) as url:
        live, count = at_work(url), 0
        tracemalloc.start()
        for page in live.scan("users"):
            count += len(page.items)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert count == 6 * 1024
    assert peak < 16 << 20


def test_a_listing_ends_at_the_size_that_its_connection_allows() -> None:
    """What never ends is given up, in words that say which option to raise."""
    with (
        server(listing_of(6 * 1024, 8 * 1024)) as url,
        pytest.raises(VendorDown, match="largest_listing"),
    ):
        list(at_work(url, largest=5 << 20).scan("users"))


def test_our_own_work_between_the_rows_is_not_the_vendor_s_time() -> None:
    """Storing a large listing may take longer than a request may."""
    with server(listing_of(1500, 2000)) as url:
        count = 0
        for page in at_work(url, timeout=0.5).scan("users"):
            time.sleep(0.4)
            count += len(page.items)
    assert count == 1500


def test_a_large_listing_that_drips_or_breaks_off_is_none() -> None:
    """After its beginning, too, it has to come in time and whole."""

    def drip(peer: socket.socket) -> None:
        peer.recv(65536)
        with suppress(OSError):
            peer.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[" + ROW * 200)
            for _ in range(60):
                peer.sendall(b" ")
                time.sleep(0.05)

    def cut(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[" + ROW * 200)

    def short(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n[" + ROW * 200)

    for talk in (drip, cut, short):
        with server(talk) as url:
            started = time.monotonic()
            with pytest.raises(VendorDown):
                list(at_work(url, timeout=1).scan("users"))
            assert time.monotonic() - started < 2.9
