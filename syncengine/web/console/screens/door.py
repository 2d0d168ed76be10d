"""Signing in and out, and one's own password."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.responses import Response

from syncengine.flows.people import signing_in
from syncengine.flows.people.decisions import NotPossible
from syncengine.flows.people.members import LONGEST_NAME, folded
from syncengine.flows.people.signing_in import SHORTEST, Refused
from syncengine.model.rights import Right
from syncengine.web.console.ask import Ask
from syncengine.web.console.doors import TOLD
from syncengine.web.console.proof import prover, provider_in_use


def show_sign_in(ask: Ask) -> Response:
    """The form; or how the console is opened, where nobody may use it yet."""
    if ask.signed_in is not None:
        return ask.to(next_page(ask.query("next"), ask))
    provider = provider_in_use(ask)
    with ask.engine.ledger.read() as tx:
        closed = not tx.members() and provider is None
    over = bool(ask.query("over"))
    return ask.page(
        "sign_in.html", closed=closed, next=ask.query("next"), over=over, name="", provider=provider
    )


def sign_in(ask: Ask) -> Response:
    """Let somebody in who knows the password."""
    # One character more than a name may have is no name, and all that is remembered of a longer one.
    name, address = ask.given("name")[: LONGEST_NAME + 1], ask.visit.address
    door, spelled = ask.shared.door, folded(name)
    until = door.shut_until("password", address, ask.now)
    if not until and (until := door.name_shut_until(spelled, ask.now)):
        # The address counts as it does for a name that is there.
        door.failed("password", address, ask.now)
    if not until:
        try:
            begun = signing_in.sign_in(ask.engine, name, ask.given("password"), address)
        except Refused as refused:
            known = bool(_known(ask, spelled))
            door.failed("password", address, ask.now, "" if known else spelled)
            until = refused.until or door.name_shut_until(spelled, ask.now)
        else:
            return ask.begin_session(ask.to(next_page(ask.given("next"), ask, begun)), begun)
    error = "Name or password is wrong."
    if until:
        error = f"Too many wrong passwords. Try again after {ask.times.full(until)}."
    return ask.page(
        "sign_in.html", 429 if until else 401, closed=False, over=False,
        next=ask.given("next"), name=name[:60], error=error, provider=provider_in_use(ask),
    )  # fmt: skip


def _known(ask: Ask, name: str) -> int:
    with ask.engine.ledger.read() as tx:
        return len(tx.members(names=[name]))


def next_page(wanted: str, ask: Ask, begun: signing_in.SignedIn | None = None) -> str:
    """A page of ours to go on to; the first one that the member may see, if none is named."""
    if wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable():
        return wanted
    found = begun or ask.signed_in
    ask.signed_in = found
    return "/" if ask.may(Right.WATCH) else "/access"


def show_link(ask: Ask) -> Response:
    """Whom a one-time link signs in; it is used by the button, since programs that look at links open them, too."""
    member = signing_in.linked_member(ask.engine, ask.visit.params["token"])
    if member is None:
        raise HTTPException(404, _NO_LINK)
    return ask.page("link.html", name=member.name)


def use_link(ask: Ask) -> Response:
    """Sign in by a one-time link; then choose a password."""
    door, address = ask.shared.door, ask.visit.address
    try:
        begun = signing_in.sign_in_by_link(ask.engine, ask.visit.params["token"], address)
    except Refused:
        if door.shut_until("link", address, ask.now):
            raise HTTPException(429, TOLD) from None
        door.failed("link", address, ask.now)
        raise HTTPException(404, _NO_LINK) from None
    first = not begun.member.password
    path = "/password" if first else next_page("", ask, begun)
    return ask.begin_session(ask.to(path), begun)


_NO_LINK = (
    "this link is used up or over; whoever looks after syncengine makes a new one with "
    "`syncengine members link NAME`"
)


def sign_out(ask: Ask) -> Response:
    """End the session."""
    if ask.signed_in is not None:
        signing_in.sign_out(ask.engine, ask.signed_in, ask.visit.address)
    return ask.end_session(ask.to("/sign-in"))


def show_password(ask: Ask) -> Response:
    """The form for a new password; or why there is none."""
    return _password_page(ask)


def _password_page(ask: Ask, status: int = 200, error: str = "") -> Response:
    return ask.page(
        "password.html", status, shortest=SHORTEST, proved=ask.proved, error=error, why_not=_no_password(ask),
        provider=prover(ask),
    )  # fmt: skip


def _no_password(ask: Ask) -> str:
    """Why somebody chooses no password now: ``provider`` lets them in; or they have none that could be asked for, and
    came in by ``proxy`` or a ``link`` a while ago. Empty where they may."""
    if ask.member.password:
        return ""
    if prover(ask) is not None:
        return "provider"
    if ask.proved:
        return ""
    return "proxy" if ask.by_proxy else "link"


def change_password(ask: Ask) -> Response:
    """Choose a new password: with the present one, unless the session has just begun."""
    error = ""
    if _no_password(ask):
        return _password_page(ask, 409)
    if ask.given("password") != ask.given("again"):
        error = "The two are not the same."
    elif not ask.proved:
        try:
            signing_in.sign_in(ask.engine, ask.author, ask.given("present"), ask.visit.address)
        except Refused:
            error = "The present password is wrong."
    if not error:
        try:
            signing_in.set_password(
                ask.engine, ask.author, ask.given("password"), ask.author, "console"
            )
        except NotPossible as why:
            error = f"{why}".capitalize() + "."
    if error:
        return _password_page(ask, 422, error)
    begun = signing_in.sign_in(ask.engine, ask.author, ask.given("password"), ask.visit.address)
    return ask.begin_session(ask.to(next_page("", ask, begun), "Your password is set."), begun)


def show_prove(ask: Ask) -> Response:
    """Where the provider sends whoever has said there again who they are: the form waits on the page before."""
    return ask.page("proved.html") if ask.proved else ask.to(next_page("", ask))
