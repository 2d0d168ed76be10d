"""The webhook intake: a signed notice that a row moved becomes an event, and only then is it taken."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.exc import SQLAlchemyError
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from syncengine.errors import Again
from syncengine.flows import capture
from syncengine.flows.engine import Engine

LARGEST = 64 * 1024
"""Bytes of a notice; anything longer is refused before it is parsed."""

Name = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Notice(BaseModel):
    """The body: which row moved. What it looks like now is read from the vendor."""

    model_config = ConfigDict(strict=True, extra="forbid")

    resource: Name
    id: Name


async def receive(request: Request) -> Response:
    """``POST /events/{connection}``, signed as Standard Webhooks say. 202 once the event is stored, and for a
    repeated ``webhook-id`` too; 400 malformed, 401 signature or stale, 404 unknown connection, 413 too large,
    503 if no secret is set."""
    engine: Engine = request.state.engine
    webhook: Webhook | None = request.state.webhook
    connection = request.path_params["connection"]
    body = await _bounded(request)
    if webhook is None:
        raise HTTPException(503, "the intake is off: SYNCENGINE_WEBHOOK_SECRET is not set")
    event_id = _verified(webhook, request, body)
    if connection not in engine.project.connections:
        raise HTTPException(404, "no such connection")
    notice = _parsed(body)
    try:
        new = capture.notice(engine, connection, notice.resource, notice.id, event_id)
    except KeyError:
        raise HTTPException(400, "resource: no mapping uses it") from None
    except (Again, SQLAlchemyError):
        raise HTTPException(503, "not stored; send it again", {"Retry-After": "5"}) from None
    return JSONResponse({"new": new}, 202)


async def _bounded(request: Request) -> bytes:
    """The body, read no further than the bound."""
    too_large = HTTPException(413, f"a notice has at most {LARGEST} bytes", {"Connection": "close"})
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST:
                raise too_large
    except ClientDisconnect:
        raise HTTPException(400, "the body ended before it was complete") from None
    return bytes(body)


def _verified(webhook: Webhook, request: Request, body: bytes) -> str:
    """The id of a message that the secret's holder sent in the last five minutes."""
    refusal = HTTPException(
        401, "webhook-id, webhook-timestamp or webhook-signature is missing, wrong or stale"
    )
    event_id = request.headers.get("webhook-id", "")
    try:
        webhook.verify(body, dict(request.headers), json_parse=False)
    except (WebhookVerificationError, ValueError):
        raise refusal from None
    if len(event_id) > 255:
        raise HTTPException(400, "webhook-id: at most 255 characters")
    return event_id


def _parsed(body: bytes) -> Notice:
    try:
        return Notice.model_validate_json(body)
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False, include_context=False)
        detail = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'body'}: {fault['msg']}" for fault in faults
        )
        raise HTTPException(
            400, f'expected {{"resource": "...", "id": "..."}}; {detail}'[:500]
        ) from None
