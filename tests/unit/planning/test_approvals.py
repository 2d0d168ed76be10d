"""What a person said of a write is heeded for that write alone."""

from __future__ import annotations

import pytest

from syncengine.model.link import LinkState, Wait, WriteApproval
from syncengine.planning.approvals import RECORD, body_digest
from syncengine.planning.plan import decide
from syncengine.planning.plan_input import Plan
from tests.unit.planning.parts import (
    DELETES,
    FRESH,
    LEAVES,
    LEFT,
    ROW,
    missing,
    plan,
    plan_input,
)

REJECTED = WriteApproval("update", "", "reject", "c1", "kim", "a test")


LEAD = {"values": {"job": "lead"}}


def approval(of: Plan, answer: str) -> WriteApproval:
    """An answer to the write of a plan."""
    assert of.operation is not None
    return WriteApproval("update", body_digest(of.operation), answer, "c1", "kim")


def test_a_rejected_write_is_not_planned() -> None:
    """What a person let be is not wanted again, and the link says who decided so."""
    said = approval(plan(record=LEAD), "reject")
    made = plan({"approval": said}, LEAD)
    assert made.operation is None
    assert made.link.approval == said
    assert made.link.wait == Wait(None, "rejected by kim")


@pytest.mark.parametrize("answer", ["", "approve", "reject"])
def test_what_was_said_of_another_write_is_forgotten(answer: str) -> None:
    """Another value is another write, whatever was said of the last one."""
    said = approval(plan(record=LEAD), answer)
    made = plan({"approval": said}, {"values": {"job": "head"}})
    assert made.operation is not None
    assert made.link.approval is None


def test_what_was_said_of_a_write_that_nobody_wants_is_forgotten() -> None:
    """Once both sides agree, the next change is decided anew; while the link only waits, nothing is forgotten."""
    assert plan({"approval": REJECTED}).link.approval is None
    waits = plan({**FRESH, "approval": REJECTED}, ready=False)
    assert waits.link.wait is not None
    assert waits.link.approval == REJECTED


@pytest.mark.parametrize("system", [LEAVES, DELETES])
def test_a_leaver_that_is_kept_has_left(system: str) -> None:
    """A rejected leaving write ends where a kept row ends: left, also if the row has moved since."""
    said = WriteApproval("delete", "", "reject", "c1", "kim")
    made = plan({"approval": said, "row": {**ROW, "name": "Anne"}}, LEFT, lms_system=system)
    if made.requeue:
        record = made.record
        assert record is not None
        made = decide(plan_input(made.link, record, lms_system=system))
    assert (made.operation, made.cases) == (None, ())
    assert (made.link.state, made.link.approval) == (LinkState.LEFT, said)
    assert made.link.wait == Wait(None, "rejected by kim")


def test_a_record_that_is_kept_lives_on_without_its_row() -> None:
    """``on_missing: delete`` rejected: the row stays gone, the record stays."""
    said = WriteApproval("delete", RECORD, "reject", "c1", "kim")
    made = plan({"approval": said, "row": None}, lms_system=missing("delete"))
    assert (made.link.state, made.record) == (LinkState.GONE, None)


def test_a_write_that_is_held_back_runs_over_nothing() -> None:
    """What a write would put aside goes into the history when the write is planned, not while it is held."""
    fields = "\n  email: {type: email}\n  name: {type: string, owner: hr}\n  job: {type: string}\n"
    row = {"row": {**ROW, "name": "X"}}
    sent = plan(row, fields=fields)
    assert [c.lost for c in sent.changes] == ["X"]
    held = plan({**row, "approval": approval(sent, "reject")}, fields=fields)
    assert (held.operation, held.changes) == (None, ())
