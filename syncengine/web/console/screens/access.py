"""Access: who may use the console, what each may do, and what members did."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, get_args

from starlette.exceptions import HTTPException
from starlette.responses import Response

from syncengine.flows.people import members, signing_in
from syncengine.flows.people.decisions import NotPossible
from syncengine.flows.people.tokens import grants_of
from syncengine.ledger.access import AuditAsked
from syncengine.model.case import CaseKind
from syncengine.model.member import AuditWord, GrantKind, Member, Role, Scope
from syncengine.model.rights import Right
from syncengine.web.console.ask import Ask
from syncengine.web.console.exports import MOST, export, wanted
from syncengine.web.console.periods import period
from syncengine.web.console.proof import asked_again

PER_PAGE: Final = 50
_COLUMNS: Final = (
    "id", "at", "author", "action", "about", "outcome", "way", "address", "detail",
)  # fmt: skip


def show(ask: Ask) -> Response:
    """Members and their roles; for the privacy officer what they did, as asked in the address."""
    return _page(ask)


def _page(ask: Ask, status: int = 200, error: str = "", **more: Any) -> Response:
    """``more``: what was filled in."""
    days = period(ask)
    words = {n: word for n in ("author", "action") if (word := ask.query(n))} | days.words
    before = ask.query("before")
    number = int(before) if before.isdecimal() and len(before) < 19 else None
    asked = AuditAsked(
        members.folded(ask.query("author")) or None, ask.query("action") or None, days.since, days.before
    )  # fmt: skip
    found, audit = members.all_members(ask.engine), []
    names = {m.id: m.name for m in found}
    if ask.may(Right.AUDIT):
        most = MOST if wanted(ask) else PER_PAGE
        with ask.engine.ledger.read() as tx:
            audit = tx.select_audit(number, limit=most + 1, asked=asked)
        if wanted(ask):
            lines = [{name: getattr(line, name) for name in _COLUMNS} for line in audit[:most]]
            return export(ask, "audit", _COLUMNS, lines)
    given = {"name": "", "roles": [], **more}
    return ask.page(
        "access.html", status, members=found, audit=audit[:PER_PAGE], more=len(audit) > PER_PAGE,
        names=names, words=words, actions=get_args(AuditWord), roles=list(Role), given=given, error=error,
    )  # fmt: skip


def add(ask: Ask) -> Response:
    """A new member, who comes in by a link that is shown this once."""
    name, roles = ask.given("name"), _roles(ask)
    if not roles:
        return _page(ask, 422, "Choose at least one role.", name=name)
    if page := asked_again(ask, "A member is added:", [name]):
        return page
    try:
        made = members.add_member(ask.engine, name, roles, ask.author, "console")
    except NotPossible as why:
        return _page(ask, 422, _sentence(why), name=name, roles=list(roles))
    return _link_page(ask, made)


def show_one(ask: Ask) -> Response:
    """One member: roles, limits, sessions, tokens."""
    return _one(ask, _member(ask))


def _one(ask: Ask, member: Member, status: int = 200, error: str = "") -> Response:
    project, found = ask.engine.project, grants_of(ask.engine, member)
    parts = {
        "entities": sorted(project.entities), "connections": sorted(project.connections),
        "kinds": [str(k) for k in CaseKind],
    }  # fmt: skip
    return ask.page(
        "member.html", status, m=member, roles=list(Role), parts=parts, error=error,
        sessions=[g for g in found if g.kind is GrantKind.SESSION],
        links=[g for g in found if g.kind is GrantKind.LINK],
        tokens=[g for g in found if g.kind is GrantKind.TOKEN],
    )  # fmt: skip


def act(ask: Ask) -> Response:
    """Change what a member may, after whoever does it has said again who they are."""
    member, do = _member(ask), ask.given("do")
    if do not in _DOES:
        raise HTTPException(422, "nothing was chosen")
    doing, how, done = _DOES[do]
    if page := asked_again(ask, doing, [member.name]):
        return page
    try:
        how(ask, member)
        if do == "link":
            return _link_page(ask, member)
    except NotPossible as why:
        return _one(ask, member, 409, _sentence(why))
    if member.name == ask.author and do in ("lock", "end"):
        return ask.to("/sign-in")
    return ask.to(f"/access/{member.id}", done)


def _link_page(ask: Ask, member: Member) -> Response:
    token = signing_in.make_link(ask.engine, member.name, ask.author, "console")
    base = ask.shared.settings.web_url or ask.engine.project.ways_in.address or ask.visit.origin
    return ask.page("member_link.html", m=member, link=f"{base.rstrip('/')}/link/{token}")


def _set_roles(ask: Ask, member: Member) -> None:
    roles = _roles(ask)
    if not roles:
        raise NotPossible("a member has at least one role; lock out who is to have none")
    members.set_roles(ask.engine, member.name, roles, ask.author, "console")


def _limit(ask: Ask, member: Member) -> None:
    project = ask.engine.project
    limits = Scope(
        _among(ask, "entities", project.entities), _among(ask, "connections", project.connections),
        _among(ask, "kinds", [str(k) for k in CaseKind]),
    )  # fmt: skip
    members.limit(ask.engine, member.name, limits, ask.author, "console")


def _end(ask: Ask, member: Member) -> None:
    only = ask.given("grant")
    members.end_grants(ask.engine, member.name, ask.author, "console", only or None)


_DOES: Final[Mapping[str, tuple[str, Callable[[Ask, Member], Any], str]]] = {
    "roles": ("Roles are given and taken:", _set_roles, "The roles are set."),
    "limit": ("Limits are set:", _limit, "The limits are set."),
    "lock": (
        "A member is locked out at once:",
        lambda ask, m: members.lock(ask.engine, m.name, ask.author, "console"),
        "Locked out, in all browsers and by all tokens.",
    ),
    "unlock": (
        "A member is let in again:",
        lambda ask, m: members.unlock(ask.engine, m.name, ask.author, "console"),
        "Let in again.",
    ),
    "link": ("A link is made that signs in:", lambda _ask, _member: None, ""),
    "end": ("What signs a member in is ended:", _end, "Ended."),
}
"""What a form says -> the sentence that asks again, what it does, and what is told then."""


def _among(ask: Ask, name: str, known: Collection[str]) -> tuple[str, ...]:
    return tuple(word for word in dict.fromkeys(ask.all_given(name)) if word in known)


def _roles(ask: Ask) -> list[Role]:
    given = set(ask.all_given("role"))
    return [role for role in Role if role.value in given]


def _member(ask: Ask) -> Member:
    with ask.engine.ledger.read() as tx:
        found = tx.members([ask.visit.params["id"]])
    if not found:
        raise HTTPException(404, "there is no such member")
    return found[0]


def _sentence(why: NotPossible) -> str:
    text = f"{why}".partition(": see `")[0]
    return text[:1].upper() + text[1:] + "."
