"""Keys by which things are found and kept single; stored as keyed hashes only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from syncengine.model.values import Json


class KeyKind(StrEnum):
    """``record``: identity of a live record, unique. ``shared``: an identity that a record bears although another
    one holds it. ``former``: one that a deleted record bore. ``row``: identity that an observed row shows (owner: a
    link). ``asks``: one that a record made of a row would bear, and about which a person is asked (owner: the link).
    ``like``: by what rows may be like a live record. ``derived``: a derivation's (rule, inputs), unique, kept as a
    tombstone. ``uses``: owner refers to the record named in the parts. ``erased``: by what somebody who was
    erased would be known again (owner: the erasure)."""

    RECORD = "record"
    SHARED = "shared"
    FORMER = "former"
    ROW = "row"
    ASKS = "asks"
    LIKE = "like"
    DERIVED = "derived"
    USES = "uses"
    ERASED = "erased"


UNIQUE = frozenset({KeyKind.RECORD, KeyKind.DERIVED})


@dataclass(frozen=True, slots=True)
class Key:
    """``scope``: what the parts are compared within (``person:0``, ``row:hakuna/users:0``, a rule's name).
    ``owner``: id of the record or link that bears it."""

    kind: KeyKind
    scope: str
    parts: tuple[Json, ...]
    owner: str
