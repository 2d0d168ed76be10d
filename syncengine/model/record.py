"""The canonical record, and the world: the records and links loaded around a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from syncengine.model.ref import Ref
from syncengine.model.values import Json


@dataclass(frozen=True, slots=True)
class Record:
    """The canonical version of one real thing (a person, a training), independent of any vendor.

    ``values``: field -> canonical value (formula fields are never stored). ``stamps``: field -> id of the event that
    first showed the value, which gives the order of observed changes. ``generation`` grows at each write;
    ``created_at`` is a UTC datetime text.
    """

    id: str
    entity: str
    values: Mapping[str, Json]
    stamps: Mapping[str, int] = field(default_factory=dict)
    generation: int = 1
    created_at: str = ""
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class World:
    """Read-only data that expressions and refs of one batch may need, loaded before anything is decided.

    ``records``: record id -> record, for refs that expressions follow. ``tied``: (entity, vendor ref) -> id of the
    record it is linked to. ``externals``: (record id, connection) -> external id of its live link. ``computed``: cache;
    (id of an expression, record id) -> both, and the computed value.
    """

    today: str
    records: Mapping[str, Record] = field(default_factory=dict)
    tied: Mapping[tuple[str, Ref], str] = field(default_factory=dict)
    externals: Mapping[tuple[str, str], str] = field(default_factory=dict)
    computed: dict[tuple[int, str], tuple[object, Record, Json]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _systems: dict[str, set[str]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def systems(self, record_id: str) -> frozenset[str]:
        """The connections in which a record has a live link."""
        if not self._systems:
            for record, connection in self.externals:
                self._systems.setdefault(record, set()).add(connection)
        return frozenset(self._systems.get(record_id, ()))
