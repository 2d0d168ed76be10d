"""Signing in at the provider that console.yaml names: away to it, and back with what it says."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from syncengine.adapters.provider import NotSignedIn, Person, SignOn
from syncengine.flows.core.engine import Engine
from syncengine.flows.people.members import note
from syncengine.flows.people.signing_in import Refused
from syncengine.flows.people.signing_on import Entrance, NoRole
from syncengine.mapping.ways_in import Provider, WaysIn
from syncengine.web.console.ask import Ask, Visit
from syncengine.web.console.doors import TOLD, Door
from syncengine.web.console.screens.door import next_page
from syncengine.web.sql_thread import SqlThread

AWAY: Final = "away"
"""The cookie that has to come back with what the provider says."""
ABSENCE: Final = 600
"""Seconds for which somebody may be away."""
BACK: Final = "/sign-in/back"
log = structlog.get_logger("syncengine.web")


@dataclass(slots=True)
class Entry:
    """The way to the provider and back. ``_client``: of the provider that the project names."""

    door: Door
    _client: SignOn | None = field(default=None, init=False)

    async def go(self, request: Request, visit: Visit) -> Response:
        """Send the browser to the provider. Raises HTTPException."""
        ways, client = await self._ready(request)
        session: dict[str, Any] = {}
        again = visit.query.get("again", [""])[0] == "1"
        try:
            there = await client.begin(session, ways.address + BACK, again)
        except NotSignedIn as why:
            raise _failed(client.provider, why) from None
        next_ = visit.query.get("next", [""])[0][:500]
        kept = {"session": session, "next": next_, "again": again}
        answer = RedirectResponse(there, 303)
        answer.set_cookie(
            visit.cookie_name(AWAY), _packed(kept), max_age=ABSENCE, path="/",
            secure=visit.secure, httponly=True, samesite="lax",
        )  # fmt: skip
        return answer

    async def back(
        self, request: Request, visit: Visit, threads: SqlThread, asked: Any
    ) -> Response:
        """Let in whom the provider names. ``asked``: makes an ``Ask`` of a visit. Raises HTTPException."""
        _, client = await self._ready(request)
        kept = _unpacked(visit.cookie(AWAY))
        request.scope["session"] = kept["session"]
        try:
            person = await client.person(request)
        except NotSignedIn as why:
            if self.door.shut_until("provider", visit.address, time.time()):
                raise HTTPException(429, TOLD) from None
            self.door.failed("provider", visit.address, time.time())
            await threads.ask(lambda engine: _note_refused(engine, visit))
            raise _failed(client.provider, why) from None
        answer = await threads.ask(
            lambda engine: _let_in(asked(engine, visit), client.provider, person, kept)
        )
        answer.delete_cookie(visit.cookie_name(AWAY), path="/", secure=visit.secure, httponly=True)
        return answer

    async def _ready(self, request: Request) -> tuple[WaysIn, SignOn]:
        """What the project says, and the client of its provider. Raises HTTPException where there is none."""
        threads: SqlThread = request.state.pages
        ways: WaysIn = await threads.ask(lambda engine: engine.project.ways_in)
        provider = ways.provider
        if provider is None or provider.off:
            raise HTTPException(404, "this console has no other way to sign in")
        if self._client is None or self._client.provider != provider:
            self._client = SignOn(provider)
        return ways, self._client


def _let_in(ask: Ask, provider: Provider, person: Person, kept: dict[str, Any]) -> Response:
    """Begin a session; or note that who is signed in has said again who they are."""
    entrance, address = Entrance(ask.engine), ask.visit.address
    try:
        if kept["again"] and ask.signed_in is not None:
            entrance.prove(ask.signed_in, person.subject, person.auth_time, address)
            return ask.to(next_page(kept["next"], ask))
        roles = provider.roles_of(person.groups)
        begun = entrance.sign_in(person.subject, person.name, roles, person.auth_time, address)
    except NoRole as why:
        raise HTTPException(403, f"{why}") from None
    except Refused:
        told = (
            "you are locked out, or the provider did not ask who you are, or it was somebody else"
        )
        raise HTTPException(403, told) from None
    return ask.begin_session(ask.to(next_page(kept["next"], ask, begun)), begun)


def _note_refused(engine: Engine, visit: Visit) -> None:
    with engine.ledger.write() as tx:
        note(engine, tx, "", "console", "sign in", "", "refused", visit.address, by="provider")


def _failed(provider: Provider, why: NotSignedIn) -> HTTPException:
    log.warning("nobody was signed in by the provider", why=f"{why}")
    return HTTPException(
        502, f"{provider.name} could not sign you in; try again, from the sign-in page"
    )


def _packed(kept: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(kept).encode()).decode()


def _unpacked(text: str) -> dict[str, Any]:
    """What the browser brings back; nothing where it is not what we gave it."""
    nothing: dict[str, Any] = {"session": {}, "next": "", "again": False}
    try:
        found = json.loads(base64.urlsafe_b64decode(text.encode()))
    except ValueError:
        return nothing
    fits = isinstance(found, dict) and all(
        isinstance(found.get(name), type(value)) for name, value in nothing.items()
    )
    return found if fits else nothing
