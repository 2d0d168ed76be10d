"""Tokens: by which programs use the API, each with a part of one's own rights."""

from __future__ import annotations

from starlette.responses import Response

from syncengine.flows.people import tokens
from syncengine.flows.people.decisions import NotPossible
from syncengine.model.rights import GIVEN, may
from syncengine.web.console.ask import Ask
from syncengine.web.console.proof import asked_again

SPANS = (30, 90, 365)
"""Days for which a token opens, as the page offers them."""


def show(ask: Ask) -> Response:
    """One's own tokens, and the form for a new one."""
    return _page(ask)


def act(ask: Ask) -> Response:
    """Make a token, whose secret is shown this once; or end one. To make one the password is asked for again before."""
    if revoked := ask.given("revoke"):
        tokens.revoke_token(ask.engine, ask.author, revoked, ask.author, "console")
        return ask.to("/tokens", "The token opens nothing any more.")
    if page := asked_again(ask, "A token is made:", [ask.given("label")]):
        return page
    mine = {right.value for right in GIVEN if may(ask.member, right)}
    rights, days = [r for r in ask.all_given("right") if r in mine], ask.given("days")
    try:
        _, secret = tokens.make_token(
            ask.engine, ask.author, ask.given("label"), rights,
            int(days) if days.isascii() and days.isdecimal() and len(days) < 5 else 0, ask.author, "console",
        )  # fmt: skip
    except NotPossible as why:
        return _page(ask, 422, error=f"{why}"[:1].upper() + f"{why}"[1:] + ".")
    return _page(ask, secret=secret)


def _page(ask: Ask, status: int = 200, secret: str = "", error: str = "") -> Response:
    rights = [right.value for right in GIVEN if may(ask.member, right)]
    return ask.page(
        "tokens.html", status, tokens=tokens.tokens_of(ask.engine, ask.member), secret=secret, error=error,
        rights=rights, spans=SPANS, proved=ask.proved,
    )  # fmt: skip
