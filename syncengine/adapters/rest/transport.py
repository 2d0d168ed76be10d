"""HTTP for connectors: one pooled client per connection behind the connection's gate."""

from __future__ import annotations

import logging
import ssl
import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import httpx

from syncengine.adapters.rest import verdicts
from syncengine.adapters.rest.verdicts import Kind
from syncengine.ports import Gate, Tally

LARGEST_ANSWER: Final = 16 * 1024 * 1024
"""Bytes after decompression; of a larger answer no more than this is read."""

_CONNECTIONS: Final = 16
_KEEP_ALIVE: Final = 2.0
"""Seconds; shorter than servers keep an idle connection, so that no write goes into a closing one."""

Client = httpx.Client

for _name in ("httpx", "httpcore"):  # they log addresses and headers: ids, numbers, tokens
    logging.getLogger(_name).setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Purpose:
    """Why a request is made; travels in its extensions. ``what``: method and route, without values."""

    kind: Kind
    what: str
    repeat: bool = False


def purpose_of(request: httpx.Request) -> Purpose:
    """What was put into a request when it was made. Raises KeyError for a foreign request."""
    purpose: Purpose = request.extensions["purpose"]
    return purpose


class GatedTransport(httpx.BaseTransport):
    """Asks the gate before every request, counts it, and reads the whole answer within bounds."""

    def __init__(
        self, inner: httpx.BaseTransport, gate: Gate, tally: Tally, timeout: float
    ) -> None:
        self._inner = inner
        self._gate = gate
        self._tally = tally
        self._timeout = timeout
        self._counting = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Raises VendorDown or Unknown where no whole answer came, and whatever the gate raises."""
        purpose = purpose_of(request)
        self._gate.enter(purpose.kind.writes)
        self._count(purpose)
        deadline = time.monotonic() + self._timeout
        try:
            response = self._inner.handle_request(request)
            try:
                content = _read(response, purpose, deadline)
            finally:
                response.close()
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise verdicts.unanswered(error, purpose.kind, purpose.what) from error
        headers = [
            (name, value)
            for name, value in response.headers.multi_items()
            if name not in ("content-encoding", "content-length", "transfer-encoding")
        ]
        return httpx.Response(response.status_code, headers=headers, content=content)

    def close(self) -> None:
        """Close the pooled connections."""
        self._inner.close()

    def _count(self, purpose: Purpose) -> None:
        with self._counting:
            if purpose.kind.writes:
                self._tally.writes += 1
            else:
                self._tally.reads += 1
            self._tally.retries += purpose.repeat


def _read(response: httpx.Response, purpose: Purpose, deadline: float) -> bytes:
    chunks: list[bytes] = []
    size = 0
    for chunk in response.iter_bytes():
        size += len(chunk)
        if size > LARGEST_ANSWER:
            why = f"the answer is larger than {LARGEST_ANSWER:,} bytes"
            start = b"".join(chunks)[: verdicts.SHOWN].decode("utf-8", "replace")
            raise verdicts.unusable(why, purpose.kind, purpose.what, start, passes=True)
        if time.monotonic() > deadline:
            raise httpx.ReadTimeout("the answer came too slowly")
        chunks.append(chunk)
    return b"".join(chunks)


@lru_cache(maxsize=1)
def _certificates() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def make_client(
    auth: httpx.Auth,
    gate: Gate,
    tally: Tally,
    timeout: float,
    inner: httpx.BaseTransport | None = None,
) -> Client:
    """A thread-safe client that follows no redirect. ``timeout``: seconds for one request; ``inner``: the
    transport below the gate, where it is not the network."""
    network = inner or httpx.HTTPTransport(
        verify=_certificates(),
        limits=httpx.Limits(
            max_connections=_CONNECTIONS,
            max_keepalive_connections=_CONNECTIONS,
            keepalive_expiry=_KEEP_ALIVE,
        ),
    )
    return Client(
        auth=auth,
        transport=GatedTransport(network, gate, tally, timeout),
        # What is to be sent is under way in half of the time, so that a lease is not overrun.
        timeout=httpx.Timeout(timeout, connect=timeout / 4, pool=timeout / 4),
        follow_redirects=False,
        trust_env=False,
        headers={"Accept": "application/json", "User-Agent": "syncengine"},
    )
