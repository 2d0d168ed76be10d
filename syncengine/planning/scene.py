"""What the plan of one link rests on, and the plan itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from syncengine.mapping import Entity, System
from syncengine.model.case import Case
from syncengine.model.change import Change
from syncengine.model.link import Link
from syncengine.model.operation import Operation
from syncengine.model.record import Record, World


@dataclass(frozen=True, slots=True)
class Scene:
    """One link and all that its plan rests on. ``ready``: the target resource is fully known, so that a create
    cannot duplicate a row nobody has looked at. ``refused``: digest of the body that the vendor refused last.
    ``holder``: another link, which holds the row that is to be made."""

    entity: Entity
    system: System
    link: Link
    record: Record
    world: World
    siblings: Sequence[Link] = ()
    ready: bool = True
    refused: str = ""
    holder: Link | None = None

    @property
    def in_scope(self) -> bool:
        """Whether this system is to hold the record."""
        scope = self.system.scope
        if self.record.deleted or not self.system.writes:
            return not self.record.deleted
        return scope is None or bool(scope.on_record(self.record, self.world))


@dataclass(frozen=True, slots=True)
class Plan:
    """``link`` and ``record`` as they are to be (record None: unchanged). ``wakes``: wait keys that come true.
    ``again``: the link is to be looked at once more. ``earlier``: changes of plans that this one takes the place of.
    May be empty: the echo of our own write."""

    link: Link
    record: Record | None = None
    operation: Operation | None = None
    cases: tuple[Case, ...] = ()
    dissolves: frozenset[str] = frozenset()
    changes: tuple[Change, ...] = ()
    wakes: frozenset[str] = frozenset()
    again: bool = False
    earlier: tuple[Change, ...] = ()
