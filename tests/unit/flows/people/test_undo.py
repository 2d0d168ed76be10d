"""A change of the past is taken back by a new one."""

from __future__ import annotations

import pytest

from syncengine.flows.people.decisions import NotPossible
from syncengine.flows.people.undo import may_be_undone, undo
from syncengine.model.change import Change
from tests.support.bench import Bench
from tests.support.people import FIELDS, HR, LMS, anna, duo


def changes(made: Bench, field: str) -> list[Change]:
    """The history of a field of the only record, oldest first."""
    return [c for c in made.history(made.record().id) if c.field == field]


def test_a_change_is_taken_back_everywhere() -> None:
    """An undone change gives both vendors the former value, and the history has author and reason."""
    made = duo()
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.sync()
    undo(made.engine, changes(made, "job")[-1].id, "kim", "a typo")
    made.sync()
    assert made.vendors["hr"].row(mine)["job"] == "dev"
    assert made.vendors["lms"].row(theirs)["job"] == "dev"
    last = changes(made, "job")[-1]
    assert (last.old, last.new, last.author, last.reason) == ("lead", "dev", "kim", "a typo")
    assert made.sync()["converged"]
    assert not made.sync()["operations"]["applied"]


def test_an_undo_can_be_undone() -> None:
    """An undo is a change like any other: it is taken back in the same way."""
    made = duo()
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.sync()
    undo(made.engine, changes(made, "job")[-1].id, "kim")
    undo(made.engine, changes(made, "job")[-1].id, "kim")
    made.sync()
    assert made.vendors["hr"].row(mine)["job"] == "lead"
    assert made.vendors["lms"].row(theirs)["job"] == "lead"


def test_a_value_that_a_merge_decided_against_comes_back() -> None:
    """The losing value of a conflict is restored by undoing the change that lost it."""
    made = duo(fields=FIELDS.replace("newest", "hr"))
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.vendors["lms"].edit(theirs, job="cook")
    made.sync()
    assert made.vendors["lms"].row(theirs)["job"] == "lead"
    (lost,) = [c for c in changes(made, "job") if c.lost == "cook"]
    undo(made.engine, lost.id, "kim")
    made.sync()
    assert made.vendors["hr"].row(mine)["job"] == "cook"
    assert made.vendors["lms"].row(theirs)["job"] == "cook"
    assert made.sync()["converged"]


def test_a_value_that_our_write_ran_over_comes_back_in_our_own_spelling() -> None:
    """What a vendor showed while we wrote stands in the history as the vendor spells it; undone, it is our value."""
    spelled = LMS.replace("job: job", "job: {field: job, values: {dev: [D], lead: [L], cook: [C]}}")
    made = duo(lms_system=spelled)
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.scan("hr")
    made.think()
    lms = made.vendors["lms"]
    began = made.clock.now()
    made.send()
    made.put("lms", "list", began, **{theirs: {**lms.row(theirs), "job": "C"}})
    made.settle()
    (lost,) = [c for c in changes(made, "job") if c.lost is not None]
    assert (lost.lost, lost.lost_by) == ("C", "lms")
    undo(made.engine, lost.id, "kim")
    made.sync()
    assert made.record().values["job"] == "cook"
    assert lms.row(theirs)["job"] == "C"
    assert made.vendors["hr"].row(mine)["job"] == "cook"


def test_an_undo_is_newer_than_what_was_seen_before() -> None:
    """Under ``newest`` a person's decision beats a vendor's change that had been seen, but not merged, before it."""
    made = duo()
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.sync()
    made.vendors["lms"].edit(theirs, job="cook")
    made.scan("lms")
    undo(made.engine, changes(made, "job")[-1].id, "kim")
    made.sync()
    assert made.vendors["lms"].row(theirs)["job"] == "dev"
    assert made.vendors["hr"].row(mine)["job"] == "dev"


def test_what_cannot_be_undone_says_why() -> None:
    """Nothing to go back to, the whole record, a value that is there already, an owner that is never written."""
    reads_job = HR.replace("job: job", "job: {field: job, flow: in}")
    made = duo(
        hr_system=reads_job, fields=FIELDS.replace("on_conflict: newest", "owner: hr, clear: true")
    )
    mine, _ = anna(made)
    made.vendors["hr"].edit(mine, job="lead", name="Anne")
    made.sync()
    whole = changes(made, "")[0]
    job, name = changes(made, "job")[-1], changes(made, "name")[-1]
    for asked, why in (
        (99_999, "no change"), (whole.id, "whole record"), (job.id, "belongs to hr"),
    ):  # fmt: skip
        with pytest.raises(NotPossible, match=why):
            undo(made.engine, asked, "kim")
    undo(made.engine, name.id, "kim")
    with pytest.raises(NotPossible, match="already"):
        undo(made.engine, name.id, "kim")
    generation = made.record().generation
    assert generation == name.generation + 1


def test_only_what_the_project_lets_be_undone_is_offered() -> None:
    """Not the first value of a field that may not be emptied, the whole record, or what is never written to its owner:
    all of these are refused; what is offered is done."""
    reads_job = HR.replace("job: job", "job: {field: job, flow: in}")
    made = duo(hr_system=reads_job, fields=FIELDS.replace("on_conflict: newest", "owner: hr"))
    mine, _ = anna(made)
    made.vendors["hr"].edit(mine, job="lead", name="Anne")
    made.sync()
    entity = made.engine.project.entities["person"]
    offered = [c for c in made.history(made.record().id) if may_be_undone(entity, c)]
    assert [(c.field, c.old) for c in offered] == [("name", "Anna")]
    for change in made.history(made.record().id):
        if change not in offered:
            with pytest.raises(NotPossible):
                undo(made.engine, change.id, "kim")
    undo(made.engine, offered[0].id, "kim")
