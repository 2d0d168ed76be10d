"""Limits for clients of the web side: timeouts of requests, the number of connections, and allowed host names.

A client that sends its request bit by bit, or never reads the answer, costs a connection for a while and nothing else.
Where there are too many connections, the one is closed whose request has taken longest, so that clients which send at
once get in.
"""

from __future__ import annotations

import asyncio
import errno
import resource
import time
from contextlib import suppress
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from syncengine.settings import Settings
from syncengine.web.problems import problem

HEAD = 10.0
"""Seconds from the connection, or the answer before, to the end of a request's head."""
BODY = 15.0
"""Seconds from there to the end of its body; whoever reads one refuses it somewhat earlier, and says so."""
LEFT, MOST_LEFT = 12.0, 64 * 2**20
"""Seconds and bytes of a body that is read on though nobody wants it."""
ANSWER = 30.0
"""Seconds from there until the client has the answer."""
IDLE = 5
"""Seconds for which a connection without a request is kept."""
MOST = 200
"""Connections, each with one request at a time."""
AT_ONCE = 64
"""Connections that are accepted in one go, and so many may wait for it."""
KEPT_FREE = 64
"""Descriptors for everything but clients."""
_USED_UP = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

log = structlog.get_logger("syncengine.web")


def max_clients() -> int:
    """How many clients may be connected: fewer where the system allows few open files."""
    free = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MOST if free < 0 else max(8, min(MOST, free - AT_ONCE - KEPT_FREE))


class TimedConnection(H11Protocol):
    """One connection, with a timeout for each stage of a request."""

    _timer: asyncio.TimerHandle | None = None
    _stage: tuple[str, int] = ("", 0)
    _since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connected; if there are too many, one is closed."""
        super().connection_made(transport)
        self._look()
        if len(self.connections) > max_clients():
            log.warning("more clients than there is room for", most=max_clients())
            inside = [c for c in self.connections if isinstance(c, TimedConnection)]
            hanging = [c for c in inside if c._stage[0] != "answer"]
            min(hanging or [self], key=lambda client: client._since).drop()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client disconnected."""
        self._wait(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """A piece of a request: the timeout is renewed per stage, not per piece."""
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """The answer is on its way; the client has to take it."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._wait(ANSWER)
        else:
            self._look()

    def drop(self) -> None:
        """Close it at once, whatever is under way."""
        self.connections.discard(self)
        self.transport.abort()

    def _look(self) -> None:
        """Start the timeout of the stage that the request has reached."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete:
            stage, limit = "head", HEAD
        elif cycle.more_body:
            stage, limit = "body", BODY
        else:
            stage, limit = "answer", ANSWER
        if (stage, id(cycle)) != self._stage and not self.transport.is_closing():
            self._stage = (stage, id(cycle))
            self._wait(limit)

    def _wait(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._since = time.monotonic()
        self._timer = None if seconds is None else self.loop.call_later(seconds, self.drop)


def on_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What went wrong outside of any request: without descriptors it is one line, and clients wait."""
    error = context.get("exception")
    if isinstance(error, OSError) and error.errno in _USED_UP:
        log.warning(
            "no client gets in for a second",
            why="no file descriptor is free; allow more (ulimit -n, LimitNOFILE), or find who holds them",
        )
    else:
        loop.default_exception_handler(context)


PEER = "syncengine.peer"
"""Where a request keeps the address of the other end of its connection."""


class Peer:
    """Middleware that keeps the address of the other end of the connection, before that of whom a proxy asks for takes
    its place."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note it, and hand on."""
        if scope["type"] == "http":
            scope[PEER] = scope.get("client")
        return await self._app(scope, receive, send)


class Drained:
    """Middleware that reads what is left of a request's body before the answer begins, and throws it away. A client
    that is still sending when the connection closes would never see the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on, and drain."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        until = asyncio.get_running_loop().time() + LEFT
        asked, over = False, False

        async def received() -> Message:
            nonlocal asked, over
            asked, message = True, await receive()
            over = not message.get("more_body")
            return message

        async def sent(message: Message) -> None:
            nonlocal over
            waits = any(name == b"expect" for name, _ in scope["headers"]) and not asked
            if message["type"] == "http.response.start" and not over and not waits:
                over = True
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(until):
                        await _drain(receive)
            await send(message)

        return await self._app(scope, received, sent)


async def _drain(receive: Receive) -> None:
    size = 0
    while size < MOST_LEFT:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            return


class AllowedHosts:
    """Middleware that accepts only requests for one of our host names. Otherwise a foreign page could resolve its own
    name to our address (DNS rebinding) and read our answers in the browser."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or hand on."""
        if scope["type"] == "http":
            given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
            own = (scope.get("server") or ("",))[0]
            if len(given) != 1 or not self._settings.is_named(given[0], own):
                told = (
                    "the Host of the request is none of ours; names are added by SYNCENGINE_HOSTS"
                )
                return await problem(400, told)(scope, receive, send)
        return await self._app(scope, receive, send)
