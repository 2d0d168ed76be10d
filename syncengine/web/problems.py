"""What a client is told when its request cannot be taken (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response


def problem(status: int, detail: str) -> Response:
    """``application/problem+json`` with the status, its title and what to do about it."""
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JSONResponse(body, status, media_type="application/problem+json")


async def on_http_exception(_: Request, error: Exception) -> Response:
    """A route or a handler refused."""
    if not isinstance(error, HTTPException):
        raise error
    answer = problem(error.status_code, error.detail)
    answer.headers.update(error.headers or {})
    return answer


async def on_crash(_request: Request, _error: Exception) -> Response:
    """Something is broken; what it was is for the log alone."""
    return problem(500, "the request could not be worked on; sending it again later is safe")
