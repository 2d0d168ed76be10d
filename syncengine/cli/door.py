"""The way in for the first person: a link that signs them in to the console, where nobody could let them in."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from syncengine.cli.author import account, worker
from syncengine.model.member import Member, Role

if TYPE_CHECKING:
    from syncengine.flows.core.engine import Engine

FIRST: Final = (Role.ADMIN, Role.ANSWERER, Role.OPERATOR)
"""What the first person may: let others in, look, answer, pause."""


def first_way(engine: Engine, address: str) -> list[str]:
    """What to tell whoever starts the service while nobody can get in to the console: a link, if they are a person and
    this is their terminal; else what to type. Nothing where somebody can get in."""
    from syncengine.flows.people.members import add_member, folded
    from syncengine.flows.people.signing_in import make_link
    from syncengine.settings import read_settings

    if engine.project.ways_in.provider or engine.project.ways_in.proxy:
        return []
    with engine.ledger.read() as tx:
        members = {member.name: member for member in tx.members()}
        if any(m.password or tx.grants_of(m.id) for m in members.values() if not m.locked):
            return []
    named = read_settings().author
    name = worker(named)
    mine = members.get(folded(name))
    if not sys.stderr.isatty() or not (named or account()[1]) or not _is_theirs(members, mine):
        return [f"nobody can get in yet: {_typed(members)}"]
    if mine is None:
        add_member(engine, name, FIRST, name)
    link = f"{address.rstrip('/')}/link/{make_link(engine, name, name)}"
    return [f"signs {name} in, once, within the hour:", link]


def _is_theirs(members: dict[str, Member], mine: Member | None) -> bool:
    """Whether a link is for whoever starts the service: nobody is a member, or they are one who lets others in."""
    return not members or (mine is not None and not mine.locked and Role.ADMIN in mine.roles)


def _typed(members: dict[str, Member]) -> str:
    """The command that lets somebody in."""
    if members:
        return "syncengine members link NAME"
    roles = " ".join(f"--role {role}" for role in FIRST)
    return f"syncengine members add NAME {roles} --as NAME"
