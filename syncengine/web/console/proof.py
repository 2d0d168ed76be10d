"""Saying again who one is, on the way of a form: what was chosen goes along, and what is done is what was chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from starlette.responses import Response

from syncengine.flows.people import signing_in
from syncengine.flows.people.signing_in import Refused
from syncengine.mapping.ways_in import Provider
from syncengine.web.console.ask import FORM, Ask

PROOF: Final = "proof"
"""The field of the page between, with the password. It stands on no page."""
AGAIN: Final = "from_proof"
"""The field that says that the form was sent from the page between."""
NAMED: Final = 20
"""Names that this page shows."""


def asked_again(ask: Ask, doing: str, named: Sequence[str] = ()) -> Response | None:
    """The page that asks a member to say again who they are, with all that they have filled in; None where they have
    just done so, there or here. ``doing``: what will be done then, ``named``: to whom."""
    if ask.proved:
        return None
    error, status, provider = "", 200, prover(ask)
    if ask.member.password and ask.given(PROOF) and ask.signed_in is not None:
        try:
            ask.signed_in = signing_in.prove(
                ask.engine, ask.signed_in, ask.visit.form[PROOF][0], ask.visit.address
            )
            return None
        except Refused as refused:
            status, error = 422, "The present password is wrong."
            if refused.until:
                status = 429
                error = (
                    f"Too many wrong passwords. Try again after {ask.times.full(refused.until)}."
                )
    elif provider is not None and ask.given(AGAIN):
        status, error = 422, "The provider has not said yet that it is you."
    return ask.page(
        "prove.html", status, doing=doing, named=named[:NAMED], more=max(0, len(named) - NAMED),
        kept=carried(ask.visit.form), provider=provider, error=error, has_password=bool(ask.member.password),
    )  # fmt: skip


def carried(form: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """What goes along of a form: all that was filled in, and nothing by which somebody says who they are."""
    return [
        (name, word)
        for name, words in form.items()
        if name not in (FORM, PROOF, AGAIN)
        for word in words
    ]


def prover(ask: Ask) -> Provider | None:
    """The provider that is asked again who somebody is, where it let them in."""
    return provider_in_use(ask) if ask.member.subject is not None else None


def provider_in_use(ask: Ask) -> Provider | None:
    """The provider at which people sign in, where one is in use."""
    found = ask.engine.project.ways_in.provider
    return None if found is None or found.off else found
