"""The network below connectors: pooled connections whose every wait ends at one deadline.

The timeouts of an HTTP library are for each byte that may be waited for, so that an answer which drips is never late.
Here whoever sends says when all must be over (``until``), and each wait of that thread gets what is left of it: for the
name of the host, for the connection, for its encryption, for sending, for the head and for the body of the answer.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Final

import httpcore
import httpx

_PIECE: Final = 65536
"""Bytes that are sent at once: a wait is for one piece."""

_deadline: ContextVar[float] = ContextVar("deadline", default=float("inf"))


@contextmanager
def until(deadline: float) -> Iterator[None]:
    """All waiting for the network in this block, in this thread, ends then (``time.monotonic``)."""
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


def _left(timeout: float | None, error: type[Exception]) -> float:
    left = min(_deadline.get() - time.monotonic(), float("inf") if timeout is None else timeout)
    if left <= 0:
        raise error("the time of this request is over")
    return min(left, threading.TIMEOUT_MAX)


class _Stream(httpcore.NetworkStream):
    """A connection that waits no longer than the deadline of who uses it."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _PIECE):
            left = _left(timeout, httpcore.WriteTimeout)
            self._inner.write(buffer[start : start + _PIECE], left)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        stream = _Stream(self._inner.start_tls(ssl_context, server_hostname, left))
        _left(None, httpcore.ConnectTimeout)  # late, and nothing was sent
        return stream

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Connects within the deadline, the look-up of the host's name included, which itself knows no end."""

    def __init__(self) -> None:
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        outcome: queue.SimpleQueue[Any] = queue.SimpleQueue()
        given_up = threading.Event()

        def connect() -> None:
            try:
                found: Any = self._inner.connect_tcp(
                    host, port, left, local_address, socket_options
                )
            except (httpcore.NetworkError, httpcore.TimeoutException) as error:
                found = error
            except (OSError, ValueError, ArithmeticError) as error:  # no name, no port
                found = httpcore.ConnectError(str(error))
            outcome.put(found)
            if given_up.is_set():
                _close(outcome)

        threading.Thread(target=connect, name="connect", daemon=True).start()
        try:
            found = outcome.get(timeout=left)
        except queue.Empty:
            given_up.set()
            _close(outcome)
            raise httpcore.ConnectTimeout("the time to connect is over") from None
        if isinstance(found, Exception):
            raise found
        return _Stream(found)


def _close(outcome: queue.SimpleQueue[Any]) -> None:
    """A connection that came too late."""
    with suppress(queue.Empty):
        found = outcome.get_nowait()
        if isinstance(found, httpcore.NetworkStream):
            found.close()


_ERRORS: Final[tuple[tuple[type[Exception], type[httpx.TransportError]], ...]] = (
    (httpcore.ConnectTimeout, httpx.ConnectTimeout),
    (httpcore.ReadTimeout, httpx.ReadTimeout),
    (httpcore.WriteTimeout, httpx.WriteTimeout),
    (httpcore.PoolTimeout, httpx.PoolTimeout),
    (httpcore.ConnectError, httpx.ConnectError),
    (httpcore.ReadError, httpx.ReadError),
    (httpcore.WriteError, httpx.WriteError),
    (httpcore.UnsupportedProtocol, httpx.UnsupportedProtocol),
    (httpcore.LocalProtocolError, httpx.LocalProtocolError),
    (httpcore.RemoteProtocolError, httpx.RemoteProtocolError),
)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except tuple(inner for inner, _ in _ERRORS) as error:
        outer = next(outer for inner, outer in _ERRORS if isinstance(error, inner))
        raise outer(str(error)) from error


class _Body(httpx.SyncByteStream):
    """The body of an answer as it comes."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __iter__(self) -> Iterator[bytes]:
        with _translated():
            yield from self._inner

    def close(self) -> None:
        """Done with it; where it did not come whole the connection is closed."""
        self._inner.close()


def unreached(error: BaseException) -> str:
    """Why nobody was reached, and what to look at; without the address."""
    causes = [*_causes(error)]
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return "its name is not known to DNS; is base_url spelled right?"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"its certificate does not hold ({cause.verify_message}); is base_url right, and does this machine"
                " trust who signed it?"
            )
        if isinstance(cause, ssl.SSLError):
            return "no TLS is spoken there; is it another port, or http?"
        if isinstance(cause, ConnectionRefusedError):
            return "nobody listens there, the connection is refused; is base_url right, and the vendor up?"
    if any(isinstance(cause, TimeoutError | httpx.TimeoutException) for cause in causes):
        return "no connection in time; is something between that lets nothing through?"
    return f"no connection ({type(error).__name__}); is base_url right, and the vendor up?"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


class Network(httpx.BaseTransport):
    """HTTP over pooled connections. ``keep_alive``: seconds for which an idle one is kept."""

    def __init__(self, certificates: ssl.SSLContext, connections: int, keep_alive: float) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=certificates,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=keep_alive,
            network_backend=_Backend(),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The head of an answer, its body to come. Raises httpx.TransportError."""
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        asked = httpcore.Request(
            request.method,
            url,
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _translated():
            answer = self._pool.handle_request(asked)
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer.stream),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()
