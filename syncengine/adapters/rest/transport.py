"""HTTP for connectors: one pooled client per connection behind the connection's gate."""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import httpx

from syncengine.adapters.rest import verdicts
from syncengine.adapters.rest.network import Network, until
from syncengine.adapters.rest.verdicts import Kind
from syncengine.errors import Unusable
from syncengine.ports import Gate, Tally

LARGEST_ANSWER: Final = 16 * 1024 * 1024
"""Bytes after decompression; of a larger answer no more than this is read, unless it is a listing that is read while it
comes. Of such a one so much comes in the time of one request, or it is too slow."""

HEAD: Final = 1024 * 1024
"""Bytes up to which a listing is read as a whole."""

_CONNECTIONS: Final = 16
_KEEP_ALIVE: Final = 2.0
"""Seconds; shorter than servers keep an idle connection, so that no write goes into a closing one."""

Client = httpx.Client

for _name in ("httpx", "httpcore"):  # they log addresses and headers: ids, numbers, tokens
    logging.getLogger(_name).setLevel(logging.WARNING)


@dataclass(slots=True)
class Meter:
    """What a listing may still bring. ``of``: bytes in all; ``answers``: into so many it may be cut."""

    of: int
    answers: int
    used: int = 0
    asked: int = 0

    def ask(self, what: str) -> None:
        """One more answer is wanted. Raises Unusable where those were too many."""
        if self.asked >= self.answers:
            raise Unusable(
                f"{what}: the listing does not end, {self.answers:,} answers came and each leads on to another; if it "
                "is meant to be so long, raise longest_listing of the connection, else tell the vendor"
            )
        self.asked += 1

    def spend(self, size: int, what: str) -> None:
        """So much has come. Raises Unusable where that is too much."""
        self.used += size
        if self.used > self.of:
            raise Unusable(
                f"{what}: the listing is larger than {self.of:,} bytes; if it is meant to be, raise largest_listing "
                "of the connection"
            )


@dataclass(frozen=True, slots=True)
class Purpose:
    """Why a request is made; travels in its extensions. ``what``: method and route, without values. ``meter``: of the
    listing that it is for; with ``streams`` the answer may be read while it comes."""

    kind: Kind
    what: str
    repeat: bool = False
    meter: Meter | None = None
    streams: bool = False


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
        deadline, rest = time.monotonic() + self._timeout, None
        try:
            with until(deadline):
                response = self._inner.handle_request(request)
                try:
                    chunks = response.iter_bytes()
                    streams = purpose.streams and response.status_code < 300
                    content, ended = _read(chunks, purpose, deadline, HEAD if streams else 0)
                    if not ended:
                        left = deadline - time.monotonic()
                        rest = Rest(response, chunks, purpose, left, self._timeout)
                finally:
                    if rest is None:
                        response.close()
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise verdicts.unanswered(error, purpose.kind, purpose.what) from error
        headers = [
            (name, value)
            for name, value in response.headers.multi_items()
            if name not in ("content-encoding", "content-length", "transfer-encoding")
        ]
        more = {} if rest is None else {"rest": rest}
        return httpx.Response(
            response.status_code, headers=headers, content=content, extensions=more
        )

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


class Rest:
    """What is to come of an answer after its beginning. ``left``: seconds that may still be waited for it; after each
    ``LARGEST_ANSWER`` bytes there are ``timeout`` again. The time that is spent between the pieces does not count."""

    def __init__(
        self, response: httpx.Response, chunks: Iterator[bytes], purpose: Purpose, left: float,
        timeout: float,
    ) -> None:  # fmt: skip
        self._response = response
        self._chunks = chunks
        self._purpose = purpose
        self._left = left
        self._timeout = timeout

    def __iter__(self) -> Iterator[bytes]:
        """Piece after piece. Raises VendorDown where they do not all come, or are too many."""
        size, purpose = 0, self._purpose
        try:
            while True:
                began = time.monotonic()
                with until(began + self._left):
                    chunk = next(self._chunks, b"")
                self._left -= time.monotonic() - began
                if not chunk:
                    return
                size += len(chunk)
                if size > LARGEST_ANSWER:
                    size, self._left = 0, self._timeout
                if purpose.meter is not None:
                    purpose.meter.spend(len(chunk), purpose.what)
                yield chunk
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise verdicts.unanswered(error, purpose.kind, purpose.what) from error
        finally:
            self._response.close()


def _read(
    chunks: Iterator[bytes], purpose: Purpose, deadline: float, head: int
) -> tuple[bytes, bool]:
    """An answer, and whether that is all of it; with ``head`` no more than that is waited for."""
    found: list[bytes] = []
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if purpose.meter is not None:
            purpose.meter.spend(len(chunk), purpose.what)
        if size > LARGEST_ANSWER and not head:
            why = f"the answer is larger than {LARGEST_ANSWER:,} bytes"
            raise verdicts.unusable(why, purpose.kind, purpose.what)
        if time.monotonic() > deadline:
            raise httpx.ReadTimeout("the answer came too slowly")
        found.append(chunk)
        if head and size > head:
            return b"".join(found), False
    return b"".join(found), True


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
    """A thread-safe client that follows no redirect. ``timeout``: seconds for one request, from the connecting to the
    last byte of the answer; ``inner``: the transport below the gate, where it is not the network."""
    network = inner or Network(_certificates(), _CONNECTIONS, _KEEP_ALIVE)
    return Client(
        auth=auth,
        transport=GatedTransport(network, gate, tally, timeout),
        # What is to be sent is under way in half of the time, so that a lease is not overrun.
        timeout=httpx.Timeout(timeout, connect=timeout / 4, pool=timeout / 4),
        follow_redirects=False,
        trust_env=False,
        headers={"Accept": "application/json", "User-Agent": "syncengine"},
    )
