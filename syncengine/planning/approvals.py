"""Rejected writes: what a vendor refused or a person decided about a write, applied to a plan that wants it again."""

from __future__ import annotations

from dataclasses import replace

from syncengine.model.condition import InScope
from syncengine.model.link import Link, LinkState, Wait
from syncengine.model.operation import Operation
from syncengine.model.values import digest
from syncengine.planning import questions
from syncengine.planning.plan_input import Plan, PlanInput
from syncengine.planning.safety import kind_of

RECORD = "record"
"""The digest of an approval of the deletion of the record itself, because its row is gone."""
ENDED = (LinkState.GONE, LinkState.LEFT)
"""States in which what a person said of the last write is still told."""


def body_digest(operation: Operation) -> str:
    """Digest by which a refused write is recognised."""
    return digest([operation.action, sorted(operation.body.items(), key=repr)])


def same_write(operation: Operation, other: Operation) -> bool:
    """Whether two operations write the same to the same row, in the same way."""
    return (
        operation.leave == other.leave
        and operation.external_id == other.external_id
        and body_digest(operation) == body_digest(other)
    )


def unless_refused(plan_input: PlanInput, plan: Plan) -> Plan:
    """The plan without a write that the vendor refused before. It waits for an answer, or for a change that makes it
    another write."""
    if plan.operation is None or not plan_input.refused:
        return plan
    if plan_input.refused != body_digest(plan.operation):
        return plan
    wait = plan.link.wait or questions.not_taken(plan.link.connection)
    return without_write(plan, plan.link.tied(wait=wait))


def not_done(
    plan_input: PlanInput, link: Link, kind: str, digest: str, sides: questions.Values
) -> Plan:  # fmt: skip
    """Instead of sending a write again that the vendor accepted and did not do, ask a person, unless one has rejected
    it already."""
    approval = link.approval
    if approval is not None and approval.refuses and approval.covers(kind, digest):
        return Plan(link.tied(wait=Wait(None, approval.summary)))
    wait = Wait(None, f"an answer: {link.connection} accepted this write and did not do it")
    case = questions.not_done(plan_input, kind, digest, sides)
    return Plan(link.tied(wait=wait), cases=(case,))


def without_write(plan: Plan, link: Link) -> Plan:
    """The plan without its write, and without the history entries of values that the write would overwrite."""
    learned = 0 if plan.record is None else plan.record.generation
    write = plan.operation
    over = set[str]() if write is None else write.carried.keys() | write.expected.keys()
    changes = tuple(c for c in plan.changes if c.generation == learned or c.field not in over)
    return replace(plan, operation=None, link=link, changes=changes)


def apply_approval(plan_input: PlanInput, plan: Plan) -> Plan:
    """The plan without a write that a person rejected. The answer is dropped once no write, or another one, is
    wanted."""
    approval, wanted, link = plan.link.approval, plan.operation, plan.link
    if approval is None:
        return plan
    refused = Wait(None, approval.summary) if approval.refuses else None
    if wanted is None:
        if link.state is LinkState.LEFT:
            return replace(plan, link=link.tied(wait=link.wait or refused))
        waits = link.wait is not None and link.wait.on != InScope()
        told = link.state in ENDED or waits or plan.requeue or plan.cases
        return plan if told else replace(plan, link=link.tied(approval=None))
    if not approval.covers(kind_of(plan_input.system, wanted), body_digest(wanted)):
        return replace(plan, link=link.tied(approval=None))
    if refused is None:
        return plan
    return without_write(plan, link.tied(wait=link.wait or refused))
