"""Who works at this terminal: for the record of what runs, and, more strictly, as the author of what is decided."""

from __future__ import annotations

import os
import pwd
import sys
import unicodedata
from typing import TYPE_CHECKING, Annotated

import typer

from syncengine.errors import ConfigInvalid
from syncengine.model.rights import Deed, Right, may, reaches, roles_for

if TYPE_CHECKING:
    from syncengine.flows.core.engine import Engine
    from syncengine.model.member import Member, Scope

As = Annotated[
    str | None,
    typer.Option(
        "--as", metavar="NAME", help="Who decides this; else SYNCENGINE_AUTHOR, else your account."
    ),
]
LONGEST = 60
"""Characters of a name."""
_FIRST_OF_PEOPLE = 500 if sys.platform == "darwin" else 1000
_NOBODY = 65534


def account() -> tuple[str, bool]:
    """The account of the real user of this process, and whether it may be a person's: not root, not of the system, not
    one without a name. What ``USER`` says is not looked at."""
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}", False
    return name, _FIRST_OF_PEOPLE <= uid != _NOBODY


def worker(named: str) -> str:
    """Who works here, for the record: as ``named`` by SYNCENGINE_AUTHOR, or else the account, whosever it is."""
    return _fitting(named, "SYNCENGINE_AUTHOR") if named else account()[0]


def decider(
    engine: Engine, given: str | None, right: Right, of: str = "", anybody: bool = False
) -> str:
    """The author of a decision: as ``given`` by ``--as``, or else by SYNCENGINE_AUTHOR, or else the account. ``of``:
    the member whose own it is, who needs no right for it. ``anybody``: where there are no members, any account will do.

    Raises ConfigInvalid where that is nobody in particular; or, where there are members that are not locked, none of
    them who has this ``right``. Who may say who is a member is asked only where one of them may: otherwise nobody could
    ever again."""
    from syncengine.flows.people.members import folded
    from syncengine.settings import read_settings

    named = _fitting(given, "--as") if given is not None else read_settings().author
    account_name, is_person = account()
    name = named or account_name
    with engine.ledger.read() as tx:
        members = {member.name: member for member in tx.members() if not member.locked}
    able = [member.name for member in members.values() if _is_able(member, right)]
    known = members.get(folded(name))
    if known is not None and (known.name in able or known.name == folded(of)):
        return known.name
    open_to_all = not able if right is Right.MANAGE else not members
    if open_to_all and (named or is_person or anybody):
        return known.name if known else name
    if open_to_all or not (named or is_person):
        raise _refused(
            f"expected a person's name, found the account {name}. Say who you are: --as NAME, or SYNCENGINE_AUTHOR"
        )
    roles = " or ".join(roles_for(right))
    if known is not None and may(known, right):
        raise _outside(known.name, known.limits, "who may what")
    if known is not None:
        has = f"who has it: {', '.join(able)}" if able else "nobody has it"
        raise _refused(
            f"{known.name} lacks the role {roles}; {has}. `syncengine members roles` gives it"
        )
    raise _refused(
        f"{name} is no member of the console, or is locked. Name one with the role {roles}: --as NAME, or "
        "SYNCENGINE_AUTHOR; see `syncengine members list`"
    )


def _is_able(member: Member, right: Right) -> bool:
    """Whether a member has a right, and no limit that who may what is outside of."""
    return may(member, right) and (right is not Right.MANAGE or reaches(member.limits, Deed.ALL))


def limits_of(engine: Engine, author: str) -> Scope:
    """The limits of the member who decides; none for whoever is no member."""
    from syncengine.flows.people.members import folded
    from syncengine.model.member import Scope

    with engine.ledger.read() as tx:
        found = tx.members(names=[folded(author)])
    return found[0].limits if found else Scope()


def must_reach(
    engine: Engine, author: str, what: str, deed: Deed, entity: str = "", connection: str = ""
) -> None:
    """Raises ConfigInvalid where what is done is outside of the limits of whoever decides, as the console has them."""
    limits = limits_of(engine, author)
    if not reaches(limits, deed, entity, connection):
        raise _outside(author, limits, what)


def must_reach_question(engine: Engine, author: str, case_id: str) -> None:
    """Raises ConfigInvalid where a question is outside of the limits of whoever answers it."""
    from syncengine.flows.views.questions import question_within

    limits = limits_of(engine, author)
    if limits and question_within(engine, case_id, limits) is None:
        raise _outside(author, limits, "this question")


def _outside(name: str, limits: Scope, what: str) -> ConfigInvalid:
    told = {
        "entities": limits.entities, "connections": limits.connections, "kinds of question": limits.kinds,
    }  # fmt: skip
    said = "; ".join(f"{kind} {', '.join(words)}" for kind, words in told.items() if words)
    return _refused(
        f"{name} is limited to the {said}, and {what} is outside of that. an admin without limits "
        "changes that with `syncengine members limit`"
    )


def _refused(why: str) -> ConfigInvalid:
    return ConfigInvalid([f"who decides this? {why}"])


def _fitting(name: str, where: str) -> str:
    """The name as it is kept. Raises ConfigInvalid."""
    name = unicodedata.normalize("NFC", name).strip()
    if not name or len(name) > LONGEST or not name.isprintable():
        raise ConfigInvalid([f"{where}: expected a name of 1 to {LONGEST} printable characters"])
    return name
