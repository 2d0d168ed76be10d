"""What a page is asked, and how it answers."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote, urlencode
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response

from syncengine.flows.core.engine import Engine
from syncengine.flows.people.cases import LONGEST_REASON
from syncengine.flows.people.signing_in import KNOWN, LONGEST, PROVED, SignedIn
from syncengine.flows.views.questions import count_questions
from syncengine.model.member import Member, Scope
from syncengine.model.rights import Right, may
from syncengine.web.console import templating
from syncengine.web.console.rights import reaches
from syncengine.web.console.shared import Shared
from syncengine.web.console.times import Times

SESSION: Final = "session"
VISIT: Final = "visit"
TOLD: Final = "told"
FORM: Final = "form_token"
"""The field of every form that shows that it came from a page of ours."""
_LONGEST_WORD = 500


@dataclass(frozen=True, slots=True)
class Visit:
    """A request as it came, without anything that belongs to the event loop. ``secure``: whether cookies are for TLS
    alone; not on this machine itself, where some browsers would drop them. ``address``: of who asks, as a proxy that is
    trusted says; ``peer``: of the other end of the connection."""

    method: str
    path: str
    host: str
    origin: str
    site: str
    address: str
    language: str
    secure: bool
    params: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    form: Mapping[str, Sequence[str]]
    cookies: Mapping[str, str]
    peer: str
    headers: Sequence[tuple[str, str]]

    def cookie(self, name: str) -> str:
        """The value of one of our cookies; empty if there is none."""
        return self.cookies.get(self.cookie_name(name), "")

    def cookie_name(self, name: str) -> str:
        """A cookie's name: with TLS, one that no other host of the domain can have set."""
        return f"__Host-{name}" if self.secure else f"syncengine-{name}"


def form_token(secret: str) -> str:
    """The token of forms for whoever holds this secret of a cookie."""
    return hashlib.sha256(f"form {secret}".encode()).hexdigest()[:40]


@dataclass(slots=True)
class Ask:
    """A request of a page: by whom, for what. ``secret``: of the cookie to which forms are bound. ``by_proxy``: a proxy
    says who it is; ``vouched``: and the project says that this proves it."""

    engine: Engine
    shared: Shared
    visit: Visit
    signed_in: SignedIn | None
    secret: str
    new_visit: bool = False
    new_session: bool = False
    now: float = 0.0
    by_proxy: bool = False
    vouched: bool = False

    @property
    def member(self) -> Member:
        """Who asks. Raises HTTPException where nobody is signed in."""
        if self.signed_in is None:
            raise HTTPException(401, "nobody is signed in")
        return self.signed_in.member

    @property
    def author(self) -> str:
        """By which name a decision goes on record."""
        return self.member.name

    @property
    def proved(self) -> bool:
        """Whether the member has said just now who they are."""
        return self.vouched or (
            self.signed_in is not None and self.now - self.signed_in.grant.proved_at < PROVED
        )

    def may(self, right: Right) -> bool:
        """Whether who asks has a right."""
        return may(self.signed_in.member if self.signed_in else None, right)

    @property
    def within(self) -> Scope:
        """To what part of everything the member is limited."""
        return self.signed_in.member.limits if self.signed_in else Scope()

    def reaches(self, path: str, acts: bool = False) -> bool:
        """Whether a page is within the limits of the member, and (``acts``) what a form does there."""
        return reaches(self.within, path, acts)

    def acts(self, right: Right, path: str) -> bool:
        """Whether who asks may send a form to a page, by their rights and limits."""
        return self.may(right) and self.reaches(path, acts=True)

    def query(self, name: str) -> str:
        """A word of the address, ``""`` if it is not there."""
        return next(iter(self.visit.query.get(name, ())), "").strip()[:_LONGEST_WORD]

    def given(self, name: str) -> str:
        """A field of the form, ``""`` if it is not there."""
        return next(iter(self.visit.form.get(name, ())), "").strip()

    @property
    def reason(self) -> str:
        """The reason of the form. Raises HTTPException where it is too long, so that nothing of it is cut off."""
        given = self.given("reason")
        if len(given) > LONGEST_REASON:
            told = (
                f"expected a reason of at most {LONGEST_REASON:,} characters, found {len(given):,}"
            )
            raise HTTPException(422, told)
        return given

    def all_given(self, name: str) -> list[str]:
        """All fields of this name."""
        return list(self.visit.form.get(name, ()))

    @property
    def times(self) -> Times:
        """How times are spelled on this page."""
        zone = ZoneInfo(self.engine.project.timezone)
        return Times(zone, self.now, templating.translations(self.visit.language).gettext)

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """A page of this template."""
        times = self.times

        def at(moment: float | None, how: str = "short") -> Any:
            return templating.time_element(times, moment, how)

        base: dict[str, Any] = {
            "ask": self,
            "member": self.signed_in.member if self.signed_in else None,
            "at": at,
            "times": times,
            "language": self.visit.language,
            "form_token": form_token(self.secret),
            "told": unquote(self.visit.cookie(TOLD)) if self.signed_in else "",
            "Right": Right,
            "assets": self.shared.assets.names,
            "version": self.shared.version,
            "open_questions": self._open_questions(),
            "error": "",
        }
        text = templating.render(template, self.visit.language, base | values)
        answer = HTMLResponse(text, status)
        if base["told"]:
            answer.delete_cookie(self.visit.cookie_name(TOLD), path="/", secure=self.visit.secure)
        return self.keep_visit(answer)

    def _open_questions(self) -> int | None:
        if not self.may(Right.READ):
            return None
        return sum(count_questions(self.engine, self.within).values())

    def to(self, path: str, told: str = "", **query: str) -> Response:
        """Go on to another page, which begins with what is told."""
        words = urlencode({name: word for name, word in query.items() if word})
        answer = RedirectResponse(path + ("?" + words) * bool(words), 303)
        if told:
            self._set(answer, TOLD, quote(told[:1000]), 60)
        return answer

    def keep_visit(self, answer: Response) -> Response:
        """Give whoever came without a cookie one, to which forms are bound."""
        if self.new_visit:
            self._set(answer, VISIT, self.secret, 3600)
        return answer

    def renew_visit(self, answer: Response) -> Response:
        """Have the browser keep that cookie from now on."""
        self._set(answer, VISIT, self.secret, 3600)
        return answer

    def begin_session(self, answer: Response, signed_in: SignedIn) -> Response:
        """Give the browser the session's secret."""
        self._set(answer, SESSION, signed_in.token, int(LONGEST + KNOWN))
        return answer

    def end_session(self, answer: Response) -> Response:
        """Take it back."""
        answer.delete_cookie(
            self.visit.cookie_name(SESSION), path="/", secure=self.visit.secure, httponly=True
        )
        return answer

    def remember(self, answer: Response, name: str, value: str, age: int) -> None:
        """Have the browser keep a word for so many seconds; whoever has it may change it."""
        self._set(answer, name, value, age)

    def _set(self, answer: Response, name: str, value: str, age: int) -> None:
        answer.set_cookie(
            self.visit.cookie_name(name), value, max_age=age, path="/",
            secure=self.visit.secure, httponly=True, samesite="lax",
        )  # fmt: skip


def same_token(given: str, secret: str) -> bool:
    """Whether a form has the token of this secret."""
    return bool(secret) and hmac.compare_digest(given.encode(), form_token(secret).encode())
