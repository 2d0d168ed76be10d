"""The API as routes: a token in each call, a document or a problem as the answer. A cookie opens nothing here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from syncengine.errors import Bug
from syncengine.flows.core.engine import Engine
from syncengine.flows.people.decisions import NotPossible
from syncengine.flows.people.tokens import PREFIX, Bearer, bearer
from syncengine.model.rights import GIVEN, may, roles_for
from syncengine.web.api import openapi
from syncengine.web.api.call import ROOT, Body, Call, Document, Endpoint
from syncengine.web.bodies import bounded
from syncengine.web.console.console import words_of
from syncengine.web.console.doors import TOLD
from syncengine.web.console.rights import reaches
from syncengine.web.console.shared import Shared
from syncengine.web.problems import problem
from syncengine.web.sql_thread import SqlThread

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_LONGEST_TOKEN = 200
_EVERY: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@dataclass(slots=True)
class Api:
    """What all calls share."""

    shared: Shared
    endpoints: Sequence[Endpoint]

    def routes(self) -> list[Route]:
        """All routes. Raises Bug where one asks for a right that no token has."""
        for endpoint in self.endpoints:
            if endpoint.right not in GIVEN:
                raise Bug(
                    f"{endpoint.method} {endpoint.path} declares no right that a token may have"
                )
        told = openapi.document(self.endpoints, self.shared.version)

        async def described(_: Request) -> Response:
            return JSONResponse(told, headers=_HEADERS)

        async def nothing(_: Request) -> Response:
            return self._told(problem(404, "the API has no such route: see /api/v1/openapi.json"))

        return [
            Route(f"{ROOT}/openapi.json", described, methods=["GET"]),
            *(Route(ROOT + path, self._at(path), methods=_EVERY) for path in self._paths()),
            Route(ROOT + "/{rest:path}", nothing, methods=_EVERY),
        ]  # fmt: skip

    def _paths(self) -> list[str]:
        return list(dict.fromkeys(endpoint.path for endpoint in self.endpoints))

    def _at(self, path: str) -> Callable[[Request], Awaitable[Response]]:
        by_method = {e.method: e for e in self.endpoints if e.path == path}

        async def endpoint(request: Request) -> Response:
            method = "GET" if request.method == "HEAD" else request.method
            try:
                if method not in by_method:
                    allowed = ", ".join(by_method)
                    raise HTTPException(405, f"expected {allowed}", {"Allow": allowed})
                answer = await self._answer(request, by_method[method])
            except HTTPException as error:
                answer = problem(error.status_code, error.detail)
                answer.headers.update(error.headers or {})
            return self._told(answer)

        return endpoint

    def _told(self, answer: Response) -> Response:
        answer.headers.update(_HEADERS)
        return answer

    async def _answer(self, request: Request, endpoint: Endpoint) -> Response:
        if "\x00" in request.scope["path"]:
            raise HTTPException(404, "there is nothing like that")
        secret, address = _secret(request), request.client.host if request.client else ""
        raw = await bounded(request, "a call") if endpoint.body is not None else b""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        query = words_of(request.url.query)
        threads: SqlThread = request.state.pages

        def work(engine: Engine) -> Document:
            who = self._known(engine, secret, address)
            _must_have(who, endpoint)
            _must_be_within(who, request)
            body = _read(endpoint.body, raw, kind)
            call = Call(
                engine, self.shared, who, request.url.path.removeprefix(ROOT), dict(request.path_params),
                query, body, address,
            )  # fmt: skip
            if endpoint.method != "GET":
                self.shared.glance.forget()
            try:
                return endpoint.handle(call)
            except NotPossible as why:
                raise HTTPException(409, f"{why}") from None

        return JSONResponse(await threads.ask(work))

    def _known(self, engine: Engine, secret: str, address: str) -> Bearer:
        """Whose token it is. Raises HTTPException; who has tried many wrong ones is told to wait."""
        now, door = engine.clock.now(), self.shared.door
        who = bearer(engine, secret) if secret.startswith(PREFIX) else None
        if who is None:
            if door.shut_until("token", address, now):
                raise HTTPException(429, TOLD)
            if secret:
                door.failed("token", address, now)
            raise HTTPException(
                401, "send the header `Authorization: Bearer TOKEN`; members make tokens in the console",
                {"WWW-Authenticate": "Bearer"},
            )  # fmt: skip
        return who


def _secret(request: Request) -> str:
    """The token of a call; empty where there is none, or several."""
    given = request.headers.getlist("authorization")
    scheme, _, secret = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    return secret.strip()[:_LONGEST_TOKEN] if scheme.lower() == "bearer" else ""


def _must_have(who: Bearer, endpoint: Endpoint) -> None:
    right = endpoint.right
    if right.value not in who.grant.rights:
        raise HTTPException(403, f"this needs a token with the right {right.value}")
    if not may(who.member, right):
        raise HTTPException(403, f"this needs the role {' or '.join(roles_for(right))}")


def _must_be_within(who: Bearer, request: Request) -> None:
    limits, params = who.member.limits, request.path_params
    named = limits.has(params.get("entity", ""), params.get("name", ""))
    if not named or not reaches(
        limits, request.url.path.removeprefix(ROOT), request.method == "POST"
    ):
        raise HTTPException(404, "there is nothing like that, or it is not within what you may see")


def _read(model: type[Body] | None, raw: bytes, kind: str) -> Body | None:
    """What was sent. Raises HTTPException."""
    if model is None:
        return None
    if raw and kind != "application/json":
        raise HTTPException(415, "expected application/json")
    try:
        return model.model_validate_json(raw or b"{}")
    except ValidationError as error:
        told = [
            f"{'.'.join(map(str, e['loc'])) or 'body'}: {_plain(e)}" for e in error.errors()[:5]
        ]
        raise HTTPException(422, "; ".join(told)) from None


def _plain(error: Any) -> str:
    return {"missing": "is missing", "extra_forbidden": "is not known here"}.get(
        error["type"], "does not fit: " + str(error["msg"]).lower()
    )
