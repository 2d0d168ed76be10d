"""Who works at this terminal: for the record of what runs, and, more strictly, as the author of what is decided."""

from __future__ import annotations

import os
import pwd
import sys
import unicodedata
from typing import TYPE_CHECKING, Annotated

import typer

from syncengine.errors import ConfigInvalid

if TYPE_CHECKING:
    from syncengine.flows.core.engine import Engine

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


def decider(engine: Engine, given: str | None, role: str = "") -> str:
    """The author of a decision: as ``given`` by ``--as``, or else by SYNCENGINE_AUTHOR, or else the account. Raises
    ConfigInvalid where that is nobody in particular, or no member with this ``role`` (empty: any), where there are some
    that are not locked."""
    from syncengine.settings import read_settings

    named = _fitting(given, "--as") if given is not None else read_settings().author
    name, is_person = account()
    if not (named or is_person):
        raise _refused(
            f"expected a person's name, found the account {name}. Say who you are: --as NAME, or SYNCENGINE_AUTHOR"
        )
    name = named or name
    with engine.ledger.read() as tx:
        members = {member.name: member for member in tx.members() if not member.locked}
    if not members:
        return name
    known = members.get(name.casefold())
    if known is None:
        raise _refused(
            f"{name} is no member of the console, or is locked. Name one: --as NAME, or SYNCENGINE_AUTHOR; "
            "see `syncengine members list`"
        )
    if role and role not in known.roles:
        raise _refused(f"{known.name} lacks the role {role}; see `syncengine members list`")
    return known.name


def _refused(why: str) -> ConfigInvalid:
    return ConfigInvalid([f"who decides this? {why}"])


def _fitting(name: str, where: str) -> str:
    """The name as it is kept. Raises ConfigInvalid."""
    name = unicodedata.normalize("NFC", name).strip()
    if not name or len(name) > LONGEST or not name.isprintable():
        raise ConfigInvalid([f"{where}: expected a name of 1 to {LONGEST} printable characters"])
    return name
