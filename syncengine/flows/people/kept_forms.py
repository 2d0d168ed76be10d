"""Kept forms: what somebody sent whose session was over in the middle of it. They find it after signing in again, for a
while; nothing of it is done before they say so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from syncengine.flows.core.engine import Engine
from syncengine.flows.people.signing_in import former, hash_of
from syncengine.model.member import Member

KEPT: Final = 1800.0
"""Seconds for which a form is kept."""


@dataclass(frozen=True, slots=True)
class KeptForm:
    """A form that was not carried out. ``path``: where it was sent to; ``until`` when it is kept (epoch seconds)."""

    path: str
    fields: Mapping[str, Sequence[str]]
    until: float


def keep_form(
    engine: Engine, token: str, visit: str, path: str, fields: Mapping[str, Sequence[str]]
) -> bool:
    """Keep a form for whoever had the session of ``token``, in the browser that has the secret ``visit``; False where
    nobody knows whose it was."""
    member = former(engine, token)
    if member is None:
        return False
    now = engine.clock.now()
    told = {"member": member.id, "path": path, "fields": {n: list(w) for n, w in fields.items()}}
    with engine.ledger.write() as tx:
        tx.drop_forms(now)
        tx.keep_form(hash_of(visit), {**told, "until": now + KEPT}, now + KEPT)
    return True


def kept_form(engine: Engine, visit: str, member: Member) -> KeptForm | None:
    """The form that is kept in this browser for a member."""
    with engine.ledger.read() as tx:
        found = tx.kept_form(hash_of(visit), engine.clock.now())
    if not found or found["member"] != member.id:
        return None
    return KeptForm(found["path"], found["fields"], found["until"])
