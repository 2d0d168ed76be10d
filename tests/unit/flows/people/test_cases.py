"""What a person is asked, and that each answer does what it says."""

from __future__ import annotations

import pytest

from syncengine.flows.people.cases import answer
from syncengine.flows.people.decisions import NotPossible
from syncengine.flows.people.undo import undo
from syncengine.model.case import CaseKind
from syncengine.model.link import LinkState
from tests.support.bench import Bench
from tests.support.people import (
    FIELDS,
    HR,
    HR_DELETES,
    LMS,
    LMS_KEYED,
    LMS_SCOPED,
    anna,
    duo,
)

FLAG = "\n  email: {type: email}\n  name: {type: string}\n  job: {type: string, clear: true}\n"
DRIFT = "\n  email: {type: email}\n  name: {type: string, owner: hr, on_drift: flag}\n  job: {type: string}\n"


def conflict(
    made: Bench, ours: str | None = "Anne", theirs: str | None = "Anja"
) -> tuple[str, str]:
    """Anna's name was changed in both."""
    mine, other = anna(made)
    made.vendors["hr"].edit(mine, name=ours)
    made.vendors["lms"].edit(other, name=theirs)
    made.sync()
    return mine, other


@pytest.mark.parametrize(("given", "name"), [("lms", "Anja"), ("record", "Anne")])
def test_a_conflict_s_answer_says_whose_value_counts(given: str, name: str) -> None:
    """Conflict: the chosen value is everywhere, and the case stays closed."""
    made = duo(fields=FLAG)
    mine, theirs = conflict(made)
    made.answer(given)
    made.sync()
    assert made.vendors["hr"].row(mine)["name"] == name
    assert made.vendors["lms"].row(theirs)["name"] == name
    assert not made.cases()
    assert made.sync()["converged"]


@pytest.mark.parametrize("kind", ["conflict", "drift"])
def test_what_an_answer_decides_against_can_be_brought_back(kind: str) -> None:
    """Where our value counts, the vendor's, as its row shows it by now, is kept with author and reason, and undone."""
    made = duo(fields=FLAG if kind == "conflict" else DRIFT)
    mine, theirs = anna(made)
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    if kind == "conflict":
        hr.edit(mine, name="Anne")
    lms.edit(theirs, name="Anja")
    made.sync()
    lms.edit(theirs, name="Antje")
    made.scan("lms")
    given = "record" if kind == "conflict" else "revert"
    answer(made.engine, made.case().id, given, "asked her", "kim")
    made.sync()
    assert lms.row(theirs)["name"] == hr.row(mine)["name"] != "Antje"
    (lost,) = [c for c in made.history(made.record().id) if c.lost is not None]
    assert (lost.lost, lost.lost_by, lost.author, lost.reason) == (
        "Antje",
        "lms",
        "kim",
        "asked her",
    )
    undo(made.engine, lost.id, "kim")
    made.sync()
    assert made.record().values["name"] == "Antje"


@pytest.mark.parametrize("kind", ["conflict", "drift"])
def test_a_value_that_counts_is_compared_with_what_the_vendor_shows_by_now(kind: str) -> None:
    """The vendor's value was answered for and has changed again meanwhile: that is another change, not forgotten."""
    made = duo(fields=FLAG if kind == "conflict" else DRIFT)
    mine, theirs = anna(made)
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    if kind == "conflict":
        hr.edit(mine, name="Anne")
    lms.edit(theirs, name="Anja")
    made.sync()
    lms.edit(theirs, name="Antje")
    made.scan("lms")
    made.answer("lms" if kind == "conflict" else "adopt")
    made.sync()
    shown = {hr.row(mine)["name"], lms.row(theirs)["name"], made.record().values["name"]}
    assert shown == {"Antje"} if kind == "conflict" else made.case().kind is CaseKind.DRIFT


def test_a_conflict_may_be_answered_with_empty() -> None:
    """Conflict: a person may decide that the emptied value counts, where the field may be empty."""
    made = duo(fields=FLAG)
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.vendors["lms"].edit(theirs, job=None)
    made.sync()
    made.answer("lms")
    made.sync()
    assert made.vendors["hr"].row(mine)["job"] is None
    assert made.sync()["converged"]


@pytest.mark.parametrize(("given", "name"), [("revert", "Anna"), ("adopt", "Anja")])
def test_drift_is_reverted_or_adopted(given: str, name: str) -> None:
    """Drift: our value is written again, or the other one is taken over everywhere."""
    made = duo(fields=DRIFT)
    mine, theirs = anna(made)
    made.vendors["lms"].edit(theirs, name="Anja")
    made.sync()
    assert made.case().kind is CaseKind.DRIFT
    made.answer(given)
    made.sync()
    assert made.vendors["lms"].row(theirs)["name"] == name
    assert made.vendors["hr"].row(mine)["name"] == name
    assert not made.cases()
    assert made.sync()["converged"]


@pytest.mark.parametrize("given", ["keep", "delete", "recreate"])
def test_a_missing_row_is_kept_deleted_or_made_again(given: str) -> None:
    """Missing: the record stays without the row, goes too, or the row is made anew."""
    made = duo()
    mine, theirs = anna(made)
    lms = made.vendors["lms"]
    lms.remove(theirs)
    made.sync()
    assert made.case().kind is CaseKind.MISSING
    made.answer(given)
    made.sync()
    made.sync()
    assert not made.cases()
    assert len(made.records()) == (0 if given == "delete" else 1)
    assert len(lms.rows()) == (1 if given == "recreate" else 0)
    assert mine in made.vendors["hr"].rows()
    assert made.sync()["converged"]


def test_a_missing_row_that_comes_back_ends_the_question() -> None:
    """Missing: a row that turns up again is linked as before, and nobody is asked any more."""
    made = duo(
        lms={"chosen_id": "id", "search": ()},
        lms_system=LMS_KEYED,
    )
    _, theirs = anna(made)
    lms = made.vendors["lms"]
    row = lms.row(theirs)
    lms.remove(theirs)
    made.sync()
    lms.add(**row)
    made.sync()
    assert not made.cases()
    assert made.link("lms").state is LinkState.LINKED
    assert made.sync()["converged"]


def test_a_missing_row_that_was_made_anew_ends_the_question() -> None:
    """Somebody deletes a row and makes another one of the same person: that one is linked, and nothing is asked."""
    made = duo(lms_system=LMS.replace("create: out", "create: out, on_missing: flag"))
    _, theirs = anna(made)
    lms = made.vendors["lms"]
    lms.remove(theirs)
    made.sync()
    assert made.case().kind is CaseKind.MISSING
    lms.add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    assert made.link("lms").state is LinkState.LINKED
    assert not made.cases()


@pytest.mark.parametrize("given", ["delete", "keep"])
def test_a_delete_against_an_unseen_change_asks(given: str) -> None:
    """Rule 14: a row that was changed since is not deleted unasked; it is deleted or left as the answer says, whatever
    else it shows."""
    made = duo(lms_system=LMS_SCOPED, fields=FIELDS)
    mine, theirs = anna(made)
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    del lms.tables["people"].rows[theirs]["job"]
    hr.edit(mine, job="left")
    lms.edit(theirs, name="Anne")
    made.scan_all()
    made.settle()
    assert theirs in lms.rows()
    assert made.case().kind is CaseKind.CONFLICT
    made.answer(given)
    made.sync()
    assert (theirs in lms.rows()) is (given == "keep")
    assert not made.cases()
    assert made.sync()["converged"]


def test_a_change_between_the_plan_and_the_delete_is_seen() -> None:
    """Rule 14: the read before a delete finds what was changed since, and the row stays."""
    made = duo(lms_system=LMS_SCOPED, fields=FIELDS)
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, job="left")
    made.scan("hr")
    made.think()
    made.vendors["lms"].edit(theirs, name="Anne")
    assert made.send() == {"stale": 1}
    made.settle()
    assert theirs in made.vendors["lms"].rows()
    assert made.case().kind is CaseKind.CONFLICT


@pytest.mark.parametrize("given", ["retry", "drop"])
def test_a_refused_write_is_tried_again_or_left(given: str) -> None:
    """Rejected: the same write goes out once more, or not at all until it changes."""
    made = duo()
    mine, theirs = anna(made)
    lms = made.vendors["lms"]
    lms.fault("update", "refuse")
    made.vendors["hr"].edit(mine, job="lead")
    made.sync()
    made.answer(given)
    made.sync()
    assert (lms.row(theirs)["job"] == "lead") is (given == "retry")
    assert not made.cases()
    made.sync()
    assert [v for v, _ in lms.keys].count("update") == (2 if given == "retry" else 1)
    made.vendors["hr"].edit(mine, job="head")
    made.sync()
    assert lms.row(theirs)["job"] == "head"


@pytest.mark.parametrize("given", ["applied", "not_applied"])
def test_an_unknown_write_is_settled_by_a_person(given: str) -> None:
    """Unknown: the row is looked for in the next listing, or the create is planned anew."""
    made = duo(lms={"search": ()})
    lms = made.vendors["lms"]
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    lms.fault("create", "drop" if given == "applied" else "lost")
    made.sync()
    assert made.case().kind is CaseKind.UNKNOWN
    made.answer(given)
    made.sync()
    made.sync()
    assert len(lms.rows()) == 1
    assert [k.state for k in made.links("lms") if k.external_id] == [LinkState.LINKED]
    assert not made.cases()


def test_a_row_that_did_not_fit_is_read_again() -> None:
    """Quarantined: after the row is put right, it is taken in, and the case goes."""
    made = duo()
    hr = made.vendors["hr"]
    mine = hr.add(email="nothing", name="Anna", job="dev")
    made.sync()
    case = made.case()
    assert case.kind is CaseKind.QUARANTINED
    hr.edit(mine, email="anna@x.de")
    made.answer("retry")
    made.sync()
    assert made.record().values["email"] == "anna@x.de"
    assert not made.cases()


def test_a_wrong_answer_changes_nothing() -> None:
    """An answer that a case does not have, or to a closed case, is refused with the ones it has."""
    made = duo(fields=FLAG)
    conflict(made)
    case = made.case()
    with pytest.raises(NotPossible, match="record"):
        made.answer("perhaps", case)
    made.answer("record", case)
    with pytest.raises(NotPossible, match="closed"):
        made.answer("record", case)


def test_an_answer_is_a_change_like_any_other() -> None:
    """What was decided, by whom and why, is in the record's history."""
    made = duo(fields=DRIFT, hr_system=HR)
    _, theirs = anna(made)
    made.vendors["lms"].edit(theirs, name="Anja")
    made.sync()
    made.answer("adopt")
    last = made.history(made.record().id)[-1]
    assert (last.field, last.old, last.new, last.author) == ("name", "Anna", "Anja", "admin")


def test_a_write_that_was_dropped_is_not_repeated_for_another_reason() -> None:
    """Rejected and dropped: the same body stays unsent, even when another field of the row moves."""
    made = duo()
    mine, theirs = anna(made)
    lms = made.vendors["lms"]
    lms.fault("update", "refuse")
    made.vendors["hr"].edit(mine, job="lead")
    made.sync()
    made.answer("drop")
    lms.edit(theirs, name="Anne")
    made.sync()
    assert made.vendors["hr"].row(mine)["name"] == "Anne"
    assert [v for v, _ in lms.keys].count("update") == 1
    assert not made.cases()


@pytest.mark.parametrize("kind", ["conflict", "rejected"])
def test_a_question_about_a_row_that_is_gone_dissolves(kind: str) -> None:
    """Where the row itself is gone, nobody is asked about its fields or writes any more."""
    made = duo(fields=FLAG, lms_system=LMS.replace("create: out", "create: out, on_missing: keep"))
    lms = made.vendors["lms"]
    if kind == "conflict":
        _, theirs = conflict(made)
    else:
        mine, theirs = anna(made)
        lms.fault("update", "refuse")
        made.vendors["hr"].edit(mine, job="lead")
        made.sync()
    assert made.case().kind == kind
    lms.remove(theirs)
    made.sync()
    assert not made.cases()


def test_a_question_about_a_record_that_is_deleted_dissolves() -> None:
    """A conflict of a record that went does not wait for an answer any more."""
    made = duo(fields=FLAG, hr_system=HR_DELETES)
    mine, _ = conflict(made)
    assert made.cases()
    made.vendors["hr"].remove(mine)
    made.sync()
    assert not made.records()
    assert not made.cases()
