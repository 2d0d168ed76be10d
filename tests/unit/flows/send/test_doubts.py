"""A vendor that accepts a write and does not do it: its old value is no edit, and what was not done is a question."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from syncengine.flows.run.rehearsal import rehearse
from syncengine.model.link import LinkState
from syncengine.simulation.traits import Fault
from tests.support.bench import Bench
from tests.support.people import (
    COLUMNS,
    HR_DELETES,
    LMS,
    LMS_SCOPED,
    anna,
    duo,
    lead,
)
from tests.unit.flows.send.doubts import asked, at_rest, passes

ANSWERS = ["full", "sent", "empty"]
WAYS: list[Fault] = ["ignore", "mute"]
OWNED = "\n  email: {type: email}\n  name: {type: string}\n  job: {type: string, owner: hr}\n"
CLEARED = "\n  email: {type: email}\n  name: {type: string, clear: true}\n  job: {type: string}\n"
LEAVES = LMS.replace(
    "flow: both", "flow: both, scope: \"job != 'left'\", set: {leave: {name: gone}}"
)


def values(made: Bench, name: str) -> list[Any]:
    """The jobs in a vendor."""
    return [row.get("job") for row in made.vendors[name].rows().values()]


@pytest.mark.parametrize(
    ("answers", "way", "fields"),
    [*product(ANSWERS, WAYS, [None]), *product(["full"], WAYS, [OWNED])],
)
def test_what_was_accepted_and_not_done_is_no_edit_and_asks(
    answers: str, way: Fault, fields: str | None
) -> None:
    """Rule 19: the old value never flows inwards nor into the history, the write is not repeated, and a person is
    told both values."""
    made = duo(lms={"answers": answers}, **({} if fields is None else {"fields": fields}))
    lead(made)
    made.vendors["lms"].fault("update", way)
    passes(made)
    assert values(made, "hr") == ["lead"] == [made.record().values["job"]]
    case = asked(made)
    assert case.evidence["fields"] == {"job": {"record": "lead", "lms": "dev"}}
    assert len(made.written()["lms"]) == 2
    assert "hr" not in made.written()
    assert not [c for c in made.history(made.record().id) if c.lost is not None]
    assert not rehearse(made.engine).writes
    at_rest(made)


@pytest.mark.parametrize("answers", ANSWERS)
def test_a_vendor_that_does_it_a_little_later_is_not_accused(answers: str) -> None:
    """Rule 19: nothing is concluded from a read that began before the vendor's time to commit was over."""
    made = duo(lms={"answers": answers, "late": 4.0})
    lead(made)
    made.vendors["lms"].fault("update", "later")
    for _ in range(4):
        made.sync()
        assert not made.cases()
    assert values(made, "hr") == ["lead"] == values(made, "lms")
    assert made.sync()["converged"]
    assert len(made.written()["lms"]) == 2
    assert not made.link("lms").base.doubts


def test_one_look_is_not_enough() -> None:
    """Rule 19: a listing that is behind shows the old value once; the single read after it decides."""
    made = duo(lms={"answers": "empty"})
    _, theirs = lead(made)
    made.send()
    lms = made.vendors["lms"]
    made.clock.sleep(20.0)
    lms.tables["people"].rows[theirs]["job"] = "dev"
    made.scan("lms")
    lms.tables["people"].rows[theirs]["job"] = "lead"
    passes(made, 1)
    assert not made.cases()
    assert made.record().values["job"] == "lead"


@pytest.mark.parametrize("answers", ANSWERS)
def test_of_several_fields_one_is_ignored(answers: str) -> None:
    """Rule 19: each field is judged alone; the other one is done, and its later changes are written alone."""
    made = duo(lms={"answers": answers, "deaf": frozenset({"job"})})
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    mine = hr.add(email="anna@x.de", name="Anna")
    passes(made, 1)
    (theirs,) = lms.rows()
    lms.edit(theirs, job="dev")
    passes(made, 1)
    hr.edit(mine, name="Anne", job="lead")
    passes(made)
    assert lms.row(theirs) | {"id": ""} == {
        "id": "",
        "email": "anna@x.de",
        "name": "Anne",
        "job": "dev",
    }
    assert hr.row(mine)["job"] == "lead"
    assert asked(made).evidence["fields"].keys() == {"job"}
    count = len(lms.wrote())
    hr.edit(mine, name="Annika")
    passes(made)
    assert dict(made.operations("lms")[0].carried) == {"name": "Annika"}
    assert len(lms.wrote()) == count + 1
    assert asked(made).evidence["fields"].keys() == {"job"}


@pytest.mark.parametrize(("answers", "fields"), [*product(ANSWERS, [None]), ("full", CLEARED)])
def test_a_create_leaves_a_field_out(answers: str, fields: str | None) -> None:
    """Rule 19: what a new row lacks although it was sent is asked about, and never empties our own value."""

    def blank(row: dict[str, Any]) -> None:
        row.setdefault("name", None)

    lms = {"answers": answers, "deaf": frozenset({"name"}), "shape": blank}
    made = duo(lms=lms, **({} if fields is None else {"fields": fields}))
    mine = made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    passes(made)
    assert made.vendors["hr"].row(mine)["name"] == "Anna"
    assert asked(made).evidence["fields"] == {"name": {"record": "Anna", "lms": None}}
    assert len(made.written()["lms"]) == 1
    at_rest(made)


# how it ends


def open_case(made: Bench) -> tuple[str, str]:
    """Anna's job was accepted and not done; her ids."""
    ids = lead(made)
    made.vendors["lms"].fault("update", "ignore")
    passes(made)
    asked(made)
    return ids


def test_it_ends_when_the_row_shows_the_sent_value() -> None:
    """Rule 24: somebody entered it by hand, or the vendor did it after all."""
    made = duo()
    _, theirs = open_case(made)
    made.vendors["lms"].edit(theirs, job="lead")
    passes(made, 1)
    assert not made.cases()
    assert len(made.written()["lms"]) == 2


def test_it_ends_when_our_value_becomes_what_is_there() -> None:
    """Rule 24: nothing is wanted any more."""
    made = duo()
    mine, _ = open_case(made)
    made.vendors["hr"].edit(mine, job="dev")
    passes(made, 1)
    assert not made.cases()
    assert len(made.written()["lms"]) == 2


def test_another_value_of_ours_is_written() -> None:
    """Rule 24: what was not done was another write."""
    made = duo()
    mine, theirs = open_case(made)
    made.vendors["hr"].edit(mine, job="head")
    passes(made, 2)
    assert not made.cases()
    assert made.vendors["lms"].row(theirs)["job"] == "head"


def test_another_value_of_theirs_is_an_edit() -> None:
    """Rule 24: a third value was entered there, and flows as any other."""
    made = duo()
    mine, theirs = open_case(made)
    made.vendors["lms"].edit(theirs, job="boss")
    passes(made, 2)
    assert not made.cases()
    assert made.vendors["hr"].row(mine)["job"] == "boss"


def test_retry_writes_it_again() -> None:
    """A person had the vendor mended: the same write goes out, and is judged anew."""
    made = duo()
    _, theirs = open_case(made)
    made.answer("retry")
    passes(made, 2)
    assert not made.cases()
    assert made.vendors["lms"].row(theirs)["job"] == "lead"
    assert made.sync()["converged"]


def test_retry_that_is_ignored_again_asks_again() -> None:
    """Each write is a claim of its own."""
    made = duo()
    open_case(made)
    made.vendors["lms"].fault("update", "ignore")
    made.answer("retry")
    passes(made, 3)
    asked(made)
    assert len(made.written()["lms"]) == 3


def test_drop_lets_it_be_until_it_changes() -> None:
    """A person lets it be: nothing is asked or written, whatever is looked at, until another value is wanted; and
    the answer may be taken back."""
    made = duo()
    mine, theirs = open_case(made)
    case = made.case()
    made.answer("drop")
    passes(made, 2)
    at_rest(made)
    assert not made.cases()
    assert made.vendors["hr"].row(mine)["job"] == "lead"
    made.answer("retry", case)
    passes(made, 2)
    assert made.vendors["lms"].row(theirs)["job"] == "lead"


# leaving


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("answers", ANSWERS)
def test_a_leaver_who_stays_active_is_a_question(answers: str, way: Fault) -> None:
    """Rule 19: a deactivation that was accepted and not done is never taken for done, and its old value for no
    wish; retried, it is done."""
    made = duo(lms={"answers": answers}, lms_system=LEAVES)
    mine, theirs = anna(made)
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    hr.edit(mine, job="left")
    lms.fault("update", way)
    passes(made)
    case = asked(made)
    assert case.evidence["fields"] == {"name": {"record": "gone", "lms": "Anna"}}
    assert hr.row(mine)["name"] == "Anna"
    at_rest(made)
    made.answer("retry")
    passes(made, 2)
    assert lms.row(theirs)["name"] == "gone"
    assert not made.cases()
    assert made.link("lms").state is LinkState.LEFT
    at_rest(made)


@pytest.mark.parametrize("way", [*WAYS, "lost"])
def test_a_leaver_whose_row_leaves_the_state_out(way: Fault) -> None:
    """Rules 10 and 19: a row that does not show the constant at all proves no deactivation."""
    leaves = LEAVES.replace("{name: gone}", "{state: gone}")
    made = duo(lms={"columns": (*COLUMNS, "state")}, lms_system=leaves)
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, job="left")
    made.vendors["lms"].fault("update", way)
    passes(made)
    if way != "lost":
        assert asked(made).evidence["fields"] == {"state": {"record": "gone", "lms": None}}
        made.answer("retry")
        passes(made, 2)
    assert made.vendors["lms"].row(theirs)["state"] == "gone"
    assert not made.cases()


def test_a_leaver_who_was_let_be_stays() -> None:
    """A person says that the row stays active."""
    made = duo(lms_system=LEAVES)
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, job="left")
    made.vendors["lms"].fault("update", "ignore")
    passes(made)
    made.answer("drop")
    passes(made, 2)
    assert not made.cases()
    assert made.vendors["lms"].row(theirs)["name"] == "Anna"
    at_rest(made)


def test_who_comes_back_ends_the_question_of_leaving() -> None:
    """Rule 24: back in scope, nobody is to be deactivated."""
    made = duo(lms_system=LEAVES)
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, job="left")
    made.vendors["lms"].fault("update", "mute")
    passes(made)
    asked(made)
    made.vendors["hr"].edit(mine, job="dev")
    passes(made, 2)
    assert not made.cases()
    assert made.vendors["lms"].row(theirs)["name"] == "Anna"
    assert made.sync()["converged"]


@pytest.mark.parametrize("end", ["leaves", "is deleted"])
def test_a_row_that_was_not_deleted_is_a_question(end: str) -> None:
    """Rule 19: a delete that was accepted while the row stays is asked about; no record is made of the row, and the
    delete is not repeated for ever."""
    made = duo(lms_system=LMS_SCOPED, hr_system=HR_DELETES)
    mine, _ = anna(made)
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    if end == "leaves":
        hr.edit(mine, job="left")
    else:
        hr.remove(mine)
    lms.fault("delete", "ignore")
    passes(made, 4)
    case = asked(made)
    assert "still there" in case.question
    assert len([call for call in lms.wrote() if call[0] == "delete"]) == 1
    assert len(made.records()) == (end == "leaves")
    at_rest(made)
    made.answer("retry")
    passes(made, 2)
    assert not lms.rows()
    assert not made.cases()


def test_a_delete_that_is_done_later_is_not_accused() -> None:
    """Rule 19: a row that is listed a last time while the vendor deletes it is no return."""
    made = duo(lms={"late": 4.0}, lms_system=LMS_SCOPED)
    mine, _ = anna(made)
    made.vendors["hr"].edit(mine, job="left")
    made.vendors["lms"].fault("delete", "later")
    for _ in range(4):
        made.sync()
        assert not made.cases()
    passes(made, 2)
    assert not made.cases()
    assert not made.vendors["lms"].rows()
    assert len(made.written()["lms"]) == 2


def test_a_row_that_was_kept_by_a_person_s_word_stays() -> None:
    """The answer to a delete that was not done: it stays there, and nobody asks again."""
    made = duo(lms_system=LMS_SCOPED, hr_system=HR_DELETES)
    mine, _ = anna(made)
    made.vendors["hr"].remove(mine)
    made.vendors["lms"].fault("delete", "ignore")
    passes(made, 4)
    made.answer("drop")
    passes(made, 2)
    assert not made.cases()
    assert len(made.vendors["lms"].rows()) == 1
    assert not made.records()
    at_rest(made)
