"""Input and result of planning one link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from syncengine.mapping import Entity, System
from syncengine.model.case import Case
from syncengine.model.change import Change
from syncengine.model.condition import Condition
from syncengine.model.link import Link
from syncengine.model.operation import Operation
from syncengine.model.record import Record, World


@dataclass(frozen=True, slots=True)
class PlanInput:
    """All that the plan of one link depends on. ``siblings``: all links of the record. ``ready``: the target resource
    is fully listed and correlated, so that a create cannot duplicate a row that nobody has seen. ``refused``: digest of
    the last body that the vendor rejected. ``holder``: another link that already holds the row which is to be
    created."""

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
        """Whether this system is to have a row for the record."""
        scope = self.system.scope
        if self.record.deleted or not self.system.writes:
            return not self.record.deleted
        return scope is None or bool(scope.on_record(self.record, self.world))


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of one link. It changes nothing where our own write comes back.

    ``link`` and ``record``: as they are to be (record None: unchanged). ``satisfies``: conditions that come true.
    ``requeue``: the link is to be planned once more. ``earlier``: history of plans that this one replaces."""

    link: Link
    record: Record | None = None
    operation: Operation | None = None
    cases: tuple[Case, ...] = ()
    dissolves: frozenset[str] = frozenset()
    changes: tuple[Change, ...] = ()
    satisfies: frozenset[Condition] = frozenset()
    requeue: bool = False
    earlier: tuple[Change, ...] = ()
