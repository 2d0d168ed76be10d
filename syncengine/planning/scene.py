"""What the plan of one link rests on, and the plan itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from syncengine.mapping import Entity, System
from syncengine.model.case import Case
from syncengine.model.change import Change
from syncengine.model.link import SCOPE, Link, LinkState, Wait
from syncengine.model.operation import Operation
from syncengine.model.record import Record, World
from syncengine.planning import questions
from syncengine.planning.safety import kind_of

RECORD = "record"
"""The digest of a ruling on the deletion of the record itself, because its row is gone."""
ENDED = (LinkState.GONE, LinkState.LEFT)
"""States in which what a person said of the last write is still told."""


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
    ``again``: the link is to be looked at once more. May be empty: the echo of our own write."""

    link: Link
    record: Record | None = None
    operation: Operation | None = None
    cases: tuple[Case, ...] = ()
    dissolves: frozenset[str] = frozenset()
    changes: tuple[Change, ...] = ()
    wakes: frozenset[str] = frozenset()
    again: bool = False


def body_digest(operation: Operation) -> str:
    """What a refused write is recognised by."""
    return questions.digest([operation.action, sorted(operation.body.items(), key=repr)])


def unless_refused(scene: Scene, plan: Plan) -> Plan:
    """The plan without a write that the vendor has refused before: it waits for an answer."""
    if plan.operation is None or not scene.refused:
        return plan
    if scene.refused != body_digest(plan.operation):
        return plan
    return without_write(plan, replace(plan.link, wait=questions.not_taken(plan.link.connection)))


def not_done(
    scene: Scene, link: Link, kind: str, digest: str, sides: questions.Values
) -> Plan:  # fmt: skip
    """What the vendor accepted and did not do is not sent again: it is a question, unless a person let it be."""
    ruling = link.ruling
    if ruling is not None and ruling.refuses and ruling.covers(kind, digest):
        return Plan(replace(link, wait=Wait("", ruling.told)))
    wait = Wait("", f"an answer: {link.connection} accepted this write and did not do it")
    case = questions.not_done(scene, kind, digest, sides)
    return Plan(replace(link, wait=wait), cases=(case,))


def without_write(plan: Plan, link: Link) -> Plan:
    """The plan with the write held back, and without the history of what the write would run over."""
    learned = 0 if plan.record is None else plan.record.generation
    write = plan.operation
    over = set[str]() if write is None else write.carried.keys() | write.expected.keys()
    changes = tuple(c for c in plan.changes if c.generation == learned or c.field not in over)
    return replace(plan, operation=None, link=link, changes=changes)


def ruled(scene: Scene, plan: Plan) -> Plan:
    """The plan without a write that a person lets be. What was said of a write is forgotten once it is not wanted
    any more, or another one is."""
    ruling, wanted, link = plan.link.ruling, plan.operation, plan.link
    if ruling is None:
        return plan
    refused = Wait("", ruling.told) if ruling.refuses else None
    if wanted is None:
        if link.state is LinkState.LEFT:
            return replace(plan, link=replace(link, wait=link.wait or refused))
        waits = link.wait is not None and link.wait.key != SCOPE
        told = link.state in ENDED or waits or plan.again or plan.cases
        return plan if told else replace(plan, link=replace(link, ruling=None))
    if not ruling.covers(kind_of(scene.system, wanted), body_digest(wanted)):
        return replace(plan, link=replace(link, ruling=None))
    return plan if refused is None else without_write(plan, replace(link, wait=refused))
