"""The console: pages for people, each with the right that it asks for, served in threads of their own."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from syncengine.errors import Bug
from syncengine.flows.core.engine import Engine
from syncengine.flows.people.decisions import NotPossible
from syncengine.flows.people.members import folded, note
from syncengine.flows.people.signing_in import Busy, SignedIn, session
from syncengine.flows.people.signing_on import sign_in_by_proxy
from syncengine.model.rights import Right, may, roles_for
from syncengine.web.bodies import bounded
from syncengine.web.client_limits import PEER
from syncengine.web.console import templating
from syncengine.web.console.ask import FORM, SESSION, VISIT, Ask, Visit, same_token
from syncengine.web.console.screens import kept_forms
from syncengine.web.console.shared import Shared
from syncengine.web.console.sign_on import BACK, Entry
from syncengine.web.sql_thread import RETRY_AFTER, SqlThread

Show = Callable[[Ask], Response]
Endpoint = Callable[[Request], Awaitable[Response]]
Handler = Callable[[Request, Exception], Awaitable[Response]]
THREADS: Final = 4
"""Pages that are made at once."""
PATIENCE: Final = 20.0
"""Seconds that a page may take."""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    # Not "no-referrer": with it browsers keep the origin of a form to themselves.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True, slots=True)
class Screen:
    """A route of the console: what it shows, what a form that is sent to it does, and which right each asks for."""

    path: str
    right: Right
    show: Show | None = None
    act: Show | None = None
    act_right: Right | None = None

    @property
    def methods(self) -> dict[str, tuple[Show, Right]]:
        """Method -> what it does, and the right that it asks for. Raises Bug where a right is not declared."""
        found: dict[str, tuple[Show, Right]] = {}
        for method, do, right in (
            ("GET", self.show, self.right),
            ("POST", self.act, self.act_right),
        ):
            if do is not None and not isinstance(right, Right):
                raise Bug(f"{method} {self.path} declares no right")
            if do is not None and right is not None:
                found[method] = (do, right)
        return found


@dataclass(slots=True)
class Console:
    """What all pages share."""

    shared: Shared
    screens: tuple[Screen, ...]
    entry: Entry = field(init=False)

    def __post_init__(self) -> None:
        self.entry = Entry(self.shared.door)

    def routes(self) -> list[Route]:
        """All routes. Raises Bug where one declares no right."""
        pages = [
            Route(screen.path, self._screen(screen), methods=list(screen.methods))
            for screen in check(self.screens)
        ]
        pages += [
            Route("/sign-in/provider", self._endpoint(self.entry.go), methods=["GET"]),
            Route(BACK, self._endpoint(self._back), methods=["GET"]),
        ]
        return [*pages, Route("/static/{name}", self._asset)]

    async def _asset(self, request: Request) -> Response:
        """Style sheet, script and icon: open to all, and there without a database."""
        found = self.shared.assets.answer(request.path_params["name"])
        if found is None:
            found = self.failure(404, "there is no such file", templating.LANGUAGES[0])
        found.headers["X-Content-Type-Options"] = "nosniff"
        return found

    async def _back(self, request: Request, visit: Visit) -> Response:
        return await self.entry.back(request, visit, request.state.pages, self._asked)

    def _screen(self, screen: Screen) -> Endpoint:
        methods = screen.methods

        async def shown(request: Request, visit: Visit) -> Response:
            threads: SqlThread = request.state.pages
            do, right = methods["GET" if visit.method == "HEAD" else visit.method]
            return await threads.ask(lambda engine: self.serve(engine, visit, do, right))

        return self._endpoint(shown)

    def _endpoint(self, handle: Callable[[Request, Visit], Awaitable[Response]]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            visit = Visit("", "", "", "", "", "", "en", True, {}, {}, {}, {}, "", ())
            try:
                visit = await self._visit(request)
                answer = await handle(request, visit)
            except HTTPException as error:
                answer = self.failure(error.status_code, error.detail, visit.language)
                answer.headers.update(error.headers or {})
            for name, value in _HEADERS.items():
                answer.headers.setdefault(name, value)
            answer.headers.setdefault("Cache-Control", "no-store")
            return answer

        return endpoint

    async def _visit(self, request: Request) -> Visit:
        if "\x00" in request.scope["path"]:
            # PostgreSQL takes no text with it.
            raise HTTPException(404, "there is no such page")
        form: dict[str, list[str]] = {}
        if request.method == "POST":
            body = await bounded(request, "a form")
            form = words_of(body.decode("utf-8", "replace"))
        headers = request.headers
        name = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        local = name == "localhost" or name.startswith("127.") or name == "::1"
        return Visit(
            request.method, request.url.path, headers.get("host", ""), headers.get("origin", ""),
            headers.get("sec-fetch-site", ""), request.client.host if request.client else "",
            templating.language_of(headers.get("accept-language", "")),
            request.url.scheme == "https" or not local,
            dict(request.path_params), words_of(request.url.query), form, request.cookies,
            _peer(request), tuple(headers.items()),
        )  # fmt: skip

    def serve(self, engine: Engine, visit: Visit, do: Show, right: Right) -> Response:
        """The answer to a request, made in one of the threads. Whoever is signed in is told what goes wrong on a page
        with the menu; raises HTTPException for others."""
        ask = self._asked(engine, visit)
        try:
            return self._served(ask, do, right)
        except HTTPException as error:
            if ask.signed_in is None:
                raise
            return _failed(ask, error)

    def _served(self, ask: Ask, do: Show, right: Right) -> Response:
        visit = ask.visit
        over = visit.method == "POST" and ask.signed_in is None and right is not Right.PUBLIC
        if visit.method == "POST" and not over and not _is_ours(visit, ask.secret):
            raise HTTPException(
                403, "this form did not come from a page that is open here; load the page again"
            )
        member = ask.signed_in.member if ask.signed_in else None
        if not may(member, right):
            return self._refuse(ask, right)
        own = right in (Right.PUBLIC, Right.SIGNED_IN)
        if not _is_within(ask, visit.method == "POST" and not own):
            raise HTTPException(404, "there is no such page, or it is not within what you may see")
        if visit.method == "POST":
            self.shared.glance.forget()
        try:
            answer = do(ask)
            return (
                ask.begin_session(answer, ask.signed_in)
                if ask.new_session and ask.signed_in
                else answer
            )
        except Busy as why:
            raise HTTPException(503, f"{why}", {"Retry-After": RETRY_AFTER}) from None
        except NotPossible as why:
            raise HTTPException(409, f"{why}") from None

    def _asked(self, engine: Engine, visit: Visit) -> Ask:
        token = visit.cookie(SESSION)
        signed_in: SignedIn | None = session(engine, token) if token else None
        signed_in, fresh = by_proxy(engine, visit, signed_in)
        ask = Ask(engine, self.shared, visit, signed_in, fresh or token, now=engine.clock.now())
        ask.new_session = bool(fresh)
        proxy = engine.project.ways_in.proxy
        ask.by_proxy = bool(signed_in and named_by_proxy(engine, visit))
        ask.vouched = ask.by_proxy and proxy is not None and proxy.proves
        if signed_in is None:
            ask.secret = visit.cookie(VISIT)
            if not ask.secret:
                ask.secret, ask.new_visit = secrets.token_urlsafe(32), True
        return ask

    def _refuse(self, ask: Ask, right: Right) -> Response:
        if ask.signed_in is None:
            if ask.visit.method == "POST":
                token = ask.visit.cookie(SESSION)
                kept = _is_ours(ask.visit, token) and kept_forms.keep(ask, token)
                answer = ask.to("/sign-in", over="1", next=kept_forms.PATH if kept else "")
                return ask.renew_visit(answer) if kept else answer
            back = "" if ask.visit.path == "/" else ask.visit.path
            return RedirectResponse("/sign-in" + (f"?next={quote(back)}" if back else ""), 303)
        if ask.visit.path == "/":
            return RedirectResponse("/access" if ask.may(Right.MEMBERS) else "/about", 303)
        with ask.engine.ledger.write() as tx:
            about = f"{ask.visit.method} {ask.visit.path}"[:200]
            note(ask.engine, tx, ask.author, "console", "open", about, "refused", ask.visit.address)
        roles = " or ".join(roles_for(right))
        told = f"this needs the role {roles}; yours: {', '.join(ask.member.roles) or 'none'}"
        return ask.page("error.html", 403, code=403, detail=told)

    def told_to_people(self, to_programs: Handler, menu: bool) -> Handler:
        """What answers an error: with a page whoever asks for pages, and as ``to_programs`` does all others. ``menu``:
        whether there are pages that somebody may be signed in to."""

        async def answer(request: Request, error: Exception) -> Response:
            if "text/html" not in request.headers.get("accept", ""):
                return await to_programs(request, error)
            language = templating.language_of(request.headers.get("accept-language", ""))
            code, detail = 500, "something broke, and it is in the log; nothing was half done"
            if isinstance(error, HTTPException):
                code, detail = error.status_code, error.detail
            failed = HTTPException(code, "there is no such page" if code == 404 else detail)
            told = await self._with_menu(request, failed) if menu and code in (404, 405) else None
            told = told or self.failure(code, failed.detail, language)
            told.headers.update(_HEADERS)
            return told

        return answer

    async def _with_menu(self, request: Request, error: HTTPException) -> Response | None:
        """The page of an error for whoever is signed in; None for others, and where nobody can be asked about that."""
        threads: SqlThread = request.state.pages

        def told(engine: Engine, visit: Visit) -> Response | None:
            ask = self._asked(engine, visit)
            return None if ask.signed_in is None else _failed(ask, error)

        try:
            visit = await self._visit(request)
            known = visit.cookie(SESSION)
            return await threads.ask(lambda engine: told(engine, visit)) if known else None
        except HTTPException:
            return None

    def failure(self, status: int, detail: str, language: str) -> Response:
        """A page that says what went wrong, without asking anybody."""
        values: Mapping[str, Any] = {
            "code": status, "detail": detail, "language": language, "member": None,
            "assets": self.shared.assets.names, "version": self.shared.version, "told": "", "ask": None,
            "open_questions": None, "error": "", "Right": Right,
        }  # fmt: skip
        return HTMLResponse(templating.render("error.html", language, values), status)


def _failed(ask: Ask, error: HTTPException) -> Response:
    answer = ask.page("error.html", error.status_code, code=error.status_code, detail=error.detail)
    answer.headers.update(error.headers or {})
    return answer


def check(screens: Iterable[Screen]) -> tuple[Screen, ...]:
    """The screens, once each declares its rights and a path of its own. Raises Bug."""
    found = tuple(screens)
    for screen in found:
        if not screen.methods:
            raise Bug(f"{screen.path} shows nothing and does nothing")
    paths = [screen.path for screen in found]
    if len(set(paths)) < len(paths):
        raise Bug("two screens have one path")
    return found


def words_of(text: str) -> dict[str, list[str]]:
    """Fields of a form or an address. Raises HTTPException where there are too many."""
    try:
        found = parse_qs(text, keep_blank_values=True, max_num_fields=1000, errors="replace")
    except ValueError:
        raise HTTPException(400, "a form has at most 1,000 fields") from None
    return {name: [word.replace("\x00", "") for word in words] for name, words in found.items()}


def _is_within(ask: Ask, acts: bool) -> bool:
    """Whether what the address names is within the limits of the member, and (``acts``) what is done to it."""
    params = ask.visit.params
    name = params.get("name", "") if ask.visit.path.startswith("/connections/") else ""
    return ask.reaches(ask.visit.path, acts) and ask.within.has(params.get("entity", ""), name)


def _peer(request: Request) -> str:
    """Who is at the other end of the connection itself, whoever they say they ask for."""
    found = request.scope.get(PEER) or request.scope.get("client") or ("",)
    return str(found[0])


def by_proxy(
    engine: Engine, visit: Visit, signed_in: SignedIn | None
) -> tuple[SignedIn | None, str]:
    """Who asks, as the proxy of console.yaml says where there is one; and the secret of a session that began just now.
    A session of somebody else ends there, and so does one whom the proxy names no longer."""
    named = named_by_proxy(engine, visit)
    if named is None or (signed_in is not None and signed_in.member.name == named):
        return signed_in, ""
    if not named or visit.method == "POST":
        return None, ""
    begun = sign_in_by_proxy(engine, named, visit.address)
    return begun, begun.token if begun else ""


def named_by_proxy(engine: Engine, visit: Visit) -> str | None:
    """Whom the proxy of console.yaml names; empty where that is nobody, None where it says nothing or there is none."""
    proxy = engine.project.ways_in.proxy
    if proxy is None or not proxy.is_at(visit.peer):
        return None
    given = [value for name, value in visit.headers if name == proxy.header.casefold()]
    if not given:
        return None
    return folded(given[0]) if len(given) == 1 else ""


def _is_ours(visit: Visit, secret: str) -> bool:
    """Whether a form comes from a page of ours: by its origin, and by the token in it, which is made of this secret."""
    from_us = visit.origin in (f"http://{visit.host}", f"https://{visit.host}")
    if visit.site not in ("", "same-origin"):
        return False
    given = next(iter(visit.form.get(FORM, ())), "")
    return from_us and same_token(given, secret)
