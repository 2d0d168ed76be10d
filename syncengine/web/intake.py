"""The webhook intake: a signed notice that a row moved becomes an event, and only then is it taken."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import structlog
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from syncengine.errors import RateLimited, Stale
from syncengine.flows.capture import notices
from syncengine.flows.core.engine import Engine
from syncengine.model.secret import webhook_secret
from syncengine.settings import Settings
from syncengine.web.bodies import bounded
from syncengine.web.sql_thread import SqlThread

SIGNED = ("webhook-id", "webhook-timestamp", "webhook-signature")

Name = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
log = structlog.get_logger("syncengine.web")


def _names_a_row(identifier: str) -> str:
    if any(part in ("", ".", "..") for part in identifier.split("/")):
        raise ValueError("a row has no such id: an id has no empty part, and none of dots alone")
    return identifier


Id = Annotated[Name, AfterValidator(_names_a_row)]


class Notice(BaseModel):
    """The body: which row moved. What it looks like now is read from the vendor."""

    model_config = ConfigDict(strict=True, extra="forbid")

    resource: Name
    id: Id


@dataclass(frozen=True, slots=True)
class Posted:
    """A request as it came: to which connection, its body, and the headers of its signature."""

    connection: str
    body: bytes
    headers: Mapping[str, str]

    @property
    def event_id(self) -> str:
        """By which a repeat is known."""
        return self.headers["webhook-id"]

    @property
    def complete(self) -> bool:
        """Whether there is a signature at all, which can be told without asking anybody."""
        return all(self.headers.values())

    @property
    def signed_content(self) -> str:
        """What was signed, of which there is one spelling."""
        stamp = int(float(self.headers["webhook-timestamp"]))
        return f"{self.event_id}.{stamp}.{hashlib.sha256(self.body).hexdigest()}"

    def signed_with(self, secrets: Sequence[bytes]) -> bool:
        """Whether the holder of one of these sent it in the last five minutes."""
        for secret in secrets:
            try:
                Webhook(secret).verify(self.body, dict(self.headers), json_parse=False)
            except (WebhookVerificationError, ValueError):
                continue
            return True
        return False


async def receive(request: Request) -> Response:
    """``POST /events/{connection}``, signed as Standard Webhooks say. 202 once the event is stored, and for a
    repeated ``webhook-id`` too; 400 malformed, 401 signature or stale, 404 unknown connection, 408 too slow, 413 too
    large, 429 too many, 503 if there is no secret at all, or if the database cannot be used now."""
    sql_thread: SqlThread = request.state.sql_thread
    settings: Settings = request.state.settings
    body = await bounded(request, "a notice")
    headers = {name: request.headers.get(name, "") for name in SIGNED}
    posted = Posted(request.path_params["connection"], body, headers)
    if not posted.complete:
        raise _refusal()
    new = await sql_thread.ask(lambda engine: _take(engine, settings, posted))
    return JSONResponse({"new": new}, 202)


def _take(engine: Engine, settings: Settings, posted: Posted) -> bool:
    known = engine.project.connections.get(posted.connection)
    own = known.webhook if known else None
    shared = (webhook_secret(settings.webhook_secret),) if settings.webhook_secret else ()
    if not (shared or any(c.webhook for c in engine.project.connections.values())):
        raise HTTPException(
            503, "the intake is off: neither a connection's webhook nor SYNCENGINE_WEBHOOK_SECRET"
        )
    if not posted.signed_with(shared if own is None else own):
        raise _refusal()
    if len(posted.event_id) > 255:
        raise HTTPException(400, "webhook-id: at most 255 characters")
    for_whom = posted.event_id.partition(":")[0] if ":" in posted.event_id else ""
    named = own is None and for_whom in engine.project.connections
    if named and for_whom != posted.connection:
        raise _refusal()
    if known is None:
        raise HTTPException(404, "no such connection")
    return _store(engine, posted, "" if named or own is not None else posted.signed_content)


def _refusal() -> HTTPException:
    return HTTPException(
        401,
        f"{', '.join(SIGNED[:2])} or {SIGNED[2]} is missing, wrong, stale or another connection's",
    )


def _store(engine: Engine, posted: Posted, signed_content: str) -> bool:
    notice, connection = _parsed(posted.body), posted.connection
    try:
        return notices.notice(
            engine, connection, notice.resource, notice.id, posted.event_id, signed_content
        )
    except KeyError:
        raise HTTPException(400, "resource: no mapping uses it") from None
    except Stale:
        raise _refusal() from None
    except RateLimited as limited:
        log.warning("too many notices", connection=connection, why=str(limited))
        after = max(1, math.ceil(limited.until - engine.clock.now()))
        told = f"{limited}; send it again later, or let the next listing show it"
        raise HTTPException(429, told, {"Retry-After": str(after)}) from None


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
