"""Whose row it is: by its key, by a question, or once it can be told."""

from __future__ import annotations

from syncengine.model.case import CaseKind
from syncengine.model.link import LinkState
from tests.support.people import (
    FIELDS,
    LMS_BOTH,
    LMS_NONE,
    anna,
    duo,
)


def test_exactly_one_hit_links() -> None:
    """A row whose key one record bears is linked to it, and no record is made."""
    made = duo(lms_system=LMS_BOTH)
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.vendors["lms"].add(email="ANNA@x.de ", name="Anna", job="dev")
    made.sync()
    assert len(made.records()) == 1
    assert {k.state for k in made.links()} == {LinkState.LINKED}
    assert not made.written()


def test_a_key_that_two_rows_share_asks() -> None:
    """Two rows of one vendor with one key make no record and no link before a person has said who is who."""
    made = duo()
    for _ in range(2):
        made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    assert len(made.records()) <= 1
    assert made.cases()
    assert {case.kind for case in made.cases()} == {CaseKind.IDENTITY}
    assert made.sync()["converged"]


def test_a_row_for_a_record_that_has_one_already_asks() -> None:
    """A second row for a record that is linked there is a question, not a second link."""
    made = duo()
    _, theirs = anna(made)
    other = made.vendors["lms"].add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    case = made.case()
    assert case.kind is CaseKind.IDENTITY
    assert case.evidence["external_id"] == other
    assert [k.external_id for k in made.links("lms") if k.record_id] == [theirs]


def test_the_sharer_s_end_ends_the_question() -> None:
    """A question about two rows with one key dissolves when one of them is deleted."""
    made = duo(lms_system=LMS_NONE)
    lms = made.vendors["lms"]
    rows = [lms.add(email="anna@x.de", name="Anna", job="dev") for _ in range(2)]
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    assert len(made.cases()) == 2
    lms.remove(rows[0])
    made.sync()
    made.sync()
    assert not made.cases()
    assert [k.external_id for k in made.links("lms") if k.record_id] == [rows[1]]


def test_a_changed_key_that_another_record_holds_asks() -> None:
    """A record that comes to bear another one's identity is a question; both stay."""
    made = duo()
    hr = made.vendors["hr"]
    first = hr.add(email="anna@x.de", name="Anna", job="dev")
    hr.add(email="ben@x.de", name="Ben", job="dev")
    made.sync()
    hr.edit(first, email="ben@x.de")
    made.sync()
    assert made.case().kind is CaseKind.IDENTITY
    assert len(made.records()) == 2


def test_a_row_that_gets_its_key_later_is_looked_at_again() -> None:
    """A row without a key links as soon as it shows one, and when a record comes to bear its key."""
    made = duo(lms_system=LMS_NONE)
    lms, hr = made.vendors["lms"], made.vendors["hr"]
    theirs = lms.add(name="Anna", job="dev")
    mine = hr.add(email="old@x.de", name="Anna", job="dev")
    made.sync()
    assert not [k for k in made.links("lms") if k.record_id]
    lms.edit(theirs, email="anna@x.de")
    made.sync()
    assert not [k for k in made.links("lms") if k.record_id]
    hr.edit(mine, email="anna@x.de")
    made.sync()
    assert [k.record_id for k in made.links("lms")] == [made.record().id]


def test_a_row_without_a_required_value_waits_visibly() -> None:
    """A new row that lacks a required field makes no record; the wait names field and system."""
    made = duo(
        fields=FIELDS.replace("name: {type: string}", "name: {type: string, required: true}")
    )
    hr = made.vendors["hr"]
    mine = hr.add(email="anna@x.de", job="dev")
    result = made.sync()
    assert not made.records()
    assert result["waiting"] == 1
    wait = made.link("hr").wait
    assert wait is not None
    assert wait.what == "name in hr"
    hr.edit(mine, name="Anna")
    made.sync()
    assert made.record().values["name"] == "Anna"
