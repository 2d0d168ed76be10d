"""What a vendor refused or a person said of a write before, and what that makes of a plan that wants it again."""

from __future__ import annotations

from dataclasses import replace

from syncengine.model.link import SCOPE, Link, LinkState, Wait
from syncengine.model.operation import Operation
from syncengine.model.values import digest
from syncengine.planning import questions
from syncengine.planning.safety import kind_of
from syncengine.planning.scene import Plan, Scene

RECORD = "record"
"""The digest of a ruling on the deletion of the record itself, because its row is gone."""
ENDED = (LinkState.GONE, LinkState.LEFT)
"""States in which what a person said of the last write is still told."""


def body_digest(operation: Operation) -> str:
    """What a refused write is recognised by."""
    return digest([operation.action, sorted(operation.body.items(), key=repr)])


def same_write(operation: Operation, other: Operation) -> bool:
    """Whether two operations write the same to the same row, in the same way."""
    return (
        operation.leave == other.leave
        and operation.external_id == other.external_id
        and body_digest(operation) == body_digest(other)
    )


def unless_refused(scene: Scene, plan: Plan) -> Plan:
    """The plan without a write that the vendor has refused before: it waits for an answer, and still for whatever would
    make another write of it."""
    if plan.operation is None or not scene.refused:
        return plan
    if scene.refused != body_digest(plan.operation):
        return plan
    wait = plan.link.wait or questions.not_taken(plan.link.connection)
    return without_write(plan, replace(plan.link, wait=wait))


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
    if refused is None:
        return plan
    return without_write(plan, replace(link, wait=link.wait or refused))
