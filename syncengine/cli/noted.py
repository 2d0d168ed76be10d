"""The audit of what is done at a terminal: by whom, from which account, what, of what, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from syncengine.errors import SyncengineError

if TYPE_CHECKING:
    from syncengine.flows.core.engine import Engine
    from syncengine.model.member import AuditWord, Outcome, Way

WAY: Way = "command"


@dataclass(slots=True)
class Act:
    """What somebody does. ``about``: ids of ours, never a name; ``outcome``: how it ended where nothing is raised."""

    about: str
    outcome: Outcome = "done"


@contextmanager
def noted(
    engine: Engine, author: str, action: AuditWord, about: str = "", **detail: object
) -> Iterator[Act]:
    """Put into the audit what is done inside; what is refused there, too."""
    act = Act(about)
    try:
        yield act
    except SyncengineError:
        act.outcome = "refused"
        _append(engine, author, action, act, detail)
        raise
    _append(engine, author, action, act, detail)


def _append(
    engine: Engine, author: str, action: AuditWord, act: Act, detail: dict[str, object]
) -> None:
    from syncengine.cli.author import account
    from syncengine.flows.people.members import note

    # Who decides is only claimed; the account is the one that the system knows.
    place = f"account {account()[0]}"
    with engine.ledger.write() as tx:
        note(engine, tx, author, WAY, action, act.about[:100], act.outcome, place, **detail)
