"""One entry of a record's history: the old and new value of a field, and what decided."""

from __future__ import annotations

from dataclasses import dataclass

from syncengine.model.values import Json

ON_MISSING = "on_missing: delete"
"""The policy of a change that deleted a record because its row was gone."""


JOINED = "joined with "
"""How the policy of a change begins by which a record went into another one; behind it stands that one's id."""


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of a record's history: ``field`` changed from ``old`` to ``new`` at ``generation``; ``field`` is ``""``
    for the record as a whole (``made``, ``deleted``). ``lost``: the value that the merge rejected (``lost_by``: the
    connection it came from). ``stamp``: id of the event that showed the new value. ``connection``: where it came from,
    ``""`` for us. ``rule``: position of the mapping rule. ``policy``: what decided (``only change``, ``owner``,
    ``newest``, ``answer`` ...). ``at``: epoch seconds. ``author``, ``reason``: of a person's decision. ``id`` orders
    the history; 0 before it is stored."""

    record_id: str
    generation: int
    field: str
    old: Json = None
    new: Json = None
    lost: Json = None
    lost_by: str = ""
    stamp: int = 0
    connection: str = ""
    rule: str = ""
    policy: str = ""
    author: str = ""
    at: float = 0.0
    reason: str = ""
    id: int = 0
