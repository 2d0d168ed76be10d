"""The ASGI side of a vendor: counts, lets faults strike, calls the handler, answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from hashlib import sha256
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from syncengine.sandbox.claims import NOT_DONE, UNNAMED, pretended, unnamed
from syncengine.sandbox.faults import SMALL, TWISTS, Fault, instead, spoil
from syncengine.sandbox.ledger import Entry
from syncengine.sandbox.vendor import Call, Reply, Route, Vendor
from syncengine.sandbox.world import World

_transports: dict[tuple[Any, Any], asyncio.Transport] = {}


class Protocol(H11Protocol):
    """HTTP/1.1 whose connections can be found again, so that a fault can cut one."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            super().connection_made(transport)
            _transports[self.server, self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        _transports.pop((self.server, self.client), None)
        super().connection_lost(exc)


class Gate:
    """One vendor of the world as an ASGI application."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        vendor = self._world.vendors[self._name]
        method, path = scope["method"], scope["path"]
        match = vendor.match(method, path)
        route = None if isinstance(match, Reply) else match[0]
        template = route.template if route else path
        query = scope["query_string"].decode()
        ledger = self._world.ledger
        entry = ledger.begin(
            self._name,
            method,
            template,
            f"{path}?{query}" if query else path,
            write=method != "GET" and not (route and route.reads),
        )
        below = path.removeprefix(vendor.prefix)
        fault = self._world.strike(self._name, method, template, below)
        entry.fault = fault.kind if fault else None
        try:
            if fault and fault.kind == "refuse":
                await _cut(scope, receive)
                return
            request = Request(scope, receive)
            body = await request.body()
            entry.body = sha256(body).hexdigest()[:16] if entry.write else ""
            if isinstance(match, Reply):
                reply: Reply | None = match
            else:
                call = _call(request, template, match[1], body)
                reply = await self._answer(vendor, match[0], call, entry, fault)
            if reply is None:
                await _cut(scope, receive)
                return
            entry.status = reply.status
            response = _response(reply, vendor)
            if fault and fault.kind == "slow_body":
                response = _slowly(response, fault.delay)
            if fault and fault.kind == "slow_head":
                await _drip(scope, fault.delay)
            await response(scope, receive, send)
        except ClientDisconnect:
            return
        finally:
            ledger.end(entry)

    async def _answer(
        self, vendor: Vendor, route: Route, call: Call, entry: Entry, fault: Fault | None
    ) -> Reply | None:
        """The answer; None: close without one."""
        if fault is None:
            return self._commit(vendor, route, call, entry)
        if fault.kind == "drop_before":
            return None
        if fault.kind == "late":
            loop = asyncio.get_running_loop()
            loop.call_later(fault.delay, self._commit, vendor, route, call, entry)
            return None
        if fault.kind == "slow":
            await asyncio.sleep(fault.delay)
        call.denied = fault.kind == "expire_tokens"
        call.twist = fault.kind if fault.kind in TWISTS else None
        call.most = SMALL if fault.kind == "small_pages" else call.most
        if fault.kind in NOT_DONE and entry.write:
            return pretended(vendor, call, fault.kind)
        answer = instead(fault)
        if answer is not None:
            return answer
        reply = spoil(fault, self._commit(vendor, route, call, entry))
        if fault.kind in UNNAMED and entry.write:
            return unnamed(fault.kind, reply)
        return None if fault.kind == "drop_after" else reply

    def _commit(self, vendor: Vendor, route: Route, call: Call, entry: Entry) -> Reply:
        reply = vendor.handle(route, call)
        entry.ids = call.ids
        if entry.write and reply.status < 300:
            self._world.ledger.apply(entry, call.duplicate)
        return reply


def _call(request: Request, template: str, params: Mapping[str, str], body: bytes) -> Call:
    """What a handler sees of a request."""
    return Call(
        method=request.method,
        template=template,
        params=params,
        query=request.query_params,
        headers=request.headers,
        body=body,
        origin=f"http://{request.url.netloc}",
    )


def _response(reply: Reply, vendor: Vendor) -> Response:
    headers = {**vendor.decorate(), **reply.headers}
    if reply.payload is None:
        return Response(status_code=reply.status, headers=headers)
    if isinstance(reply.payload, str):
        return Response(reply.payload, reply.status, headers, reply.media)
    return JSONResponse(reply.payload, reply.status, headers)


def _slowly(response: Response, seconds: float) -> Response:
    """The same answer, whose head comes at once and whose body in pieces."""
    body, pieces = bytes(response.body), 8

    async def parts() -> AsyncIterator[bytes]:
        size = max(1, -(-len(body) // pieces))
        for start in range(0, len(body), size):
            await asyncio.sleep(seconds / pieces)
            yield body[start : start + size]

    headers = {n: v for n, v in response.headers.items() if n != "content-length"}
    return StreamingResponse(parts(), response.status_code, headers)


async def _drip(scope: Scope, seconds: float) -> None:
    """A head that begins at once, with word that the answer is on its way, and comes in pieces; the answer follows."""
    transport, piece = (
        _transports.get((scope["server"], scope["client"])),
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
    )
    for place in range(0, len(piece), 4):
        if transport is not None and not transport.is_closing():
            transport.write(piece[place : place + 4])
        await asyncio.sleep(seconds * 4 / len(piece))


async def _cut(scope: Scope, receive: Receive) -> None:
    """Close the connection at once, and wait until the server has noticed."""
    transport = _transports.get((scope["server"], scope["client"]))
    if transport is not None:
        transport.abort()
        while (await receive())["type"] != "http.disconnect":
            pass
