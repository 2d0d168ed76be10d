"""Bodies of requests, read no further and no longer than they may be."""

from __future__ import annotations

import asyncio

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

LARGEST = 64 * 1024
"""Bytes of a body; anything longer is refused before it is parsed."""
SLOWEST = 10.0
"""Seconds within which it has to come."""


async def bounded(request: Request, what: str) -> bytes:
    """The body of ``what`` (``a notice``, for people). Raises HTTPException 408 where it comes too slowly, 413 where it
    is too large, 400 where it ends early."""
    too_slow = HTTPException(408, f"{what} comes within {SLOWEST:.0f} s", {"Connection": "close"})
    too_large = HTTPException(413, f"{what} has at most {LARGEST} bytes", {"Connection": "close"})
    body = bytearray()
    try:
        async with asyncio.timeout(SLOWEST):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST:
                    raise too_large
    except TimeoutError:
        raise too_slow from None
    except ClientDisconnect:
        raise HTTPException(400, "the body ended before it was complete") from None
    return bytes(body)
