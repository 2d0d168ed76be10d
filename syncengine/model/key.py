"""Keys: identity values by which records and links are found and kept unique. Stored as keyed hashes only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from syncengine.model.values import Json


class KeyKind(StrEnum):
    """What a key stands for. ``record``: an identity of a live record, unique. ``shared``: an identity of a record that
    another record holds as ``record``. ``former``: an identity of a deleted record. ``row``: an identity that an untied
    row shows (owner: the link). ``asks``: an identity that a record made of a row would have, while a person is asked
    about it (owner: the link). ``like``: a name or address by which rows may resemble a live record. ``derived``:
    (rule, inputs) of a derived record, unique, kept as a tombstone. ``uses``: the owner refers to the record named in
    the parts. ``erased``: an identity of an erased person (owner: the erasure)."""

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
    """An identity value and who holds it. ``scope``: namespace within which ``parts`` are compared (``person:0``,
    ``row:hakuna/users:0``, a rule's name). ``owner``: id of the record or link that holds the key."""

    kind: KeyKind
    scope: str
    parts: tuple[Json, ...]
    owner: str
