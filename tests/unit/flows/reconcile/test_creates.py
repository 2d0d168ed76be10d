"""Making rows: nothing twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncengine.flows.reconcile.reconcile import reconcile
from syncengine.model.case import CaseKind
from syncengine.model.link import LinkState
from syncengine.model.operation import OperationState, Written
from syncengine.planning.identity import identity_subject
from tests.support.people import (
    HR_DELETES,
    LMS,
    LMS_BOTH,
    LMS_DELETES,
    LMS_KEYED,
    anna,
    duo,
)


def test_a_create_looks_first() -> None:
    """Rule 11: a row that somebody entered after the last listing is linked, not made a second time."""
    made = duo()
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan_all()
    made.think()
    theirs = made.vendors["lms"].add(email="anna@x.de", name="Anna", job="dev")
    made.settle()
    assert list(made.vendors["lms"].rows()) == [theirs]
    assert made.link("lms").external_id == theirs
    assert made.link("lms").state is LinkState.LINKED
    assert [o.state for o in made.operations()] == [OperationState.CANCELLED]


@pytest.mark.parametrize(("fault", "told"), [("lost", "again"), ("down", "dev"), (None, "dev")])
def test_a_create_after_one_that_never_showed_says_so(fault: Any, told: str) -> None:
    """What a vendor wants with a repeated create goes along where an earlier one may have arrived, and only there."""
    made = duo(lms={"again": {"job": "again"}})
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan_all()
    made.think()
    if fault:
        made.vendors["lms"].fault("create", fault)
    made.sync()
    (row,) = made.vendors["lms"].rows().values()
    assert [("create", row["job"])] == [("create", told)]
    creates = [c for c in made.vendors["lms"].wrote() if c[0] == "create"]
    assert len(creates) == (2 if fault else 1)


def test_a_row_that_the_write_may_have_changed_further_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where an answer does not show what else the vendor may have changed, the row is read afresh, and what it says
    counts."""
    made = duo()
    mine, theirs = anna(made)
    lms = made.vendors["lms"]
    plain = lms.update

    def update(*given: Any) -> Written:
        lms.edit(theirs, job="lead")
        return replace(plain(*given), row=None, unread=True)

    monkeypatch.setattr(lms, "update", update)
    made.vendors["hr"].edit(mine, name="Anne")
    made.scan("hr")
    made.settle()
    assert ("get", theirs) in lms.calls[-2:]
    assert made.record().values["job"] == "lead"


def test_a_row_that_a_listing_brought_since_stops_the_create() -> None:
    """Rule 11: right before the send the local rows are looked at, even where the vendor cannot be searched."""
    made = duo(lms={"search": ()})
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan_all()
    made.think()
    assert len(made.unsettled()) == 1
    theirs = made.vendors["lms"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan("lms")
    assert made.send() == {"stale": 1}
    made.settle()
    assert list(made.vendors["lms"].rows()) == [theirs]
    assert made.link("lms").state is LinkState.LINKED


def test_creates_wait_until_every_row_is_told_who_it_is() -> None:
    """Rule 11: nothing is made at a vendor whose rows have not all been looked at."""
    made = duo()
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan("hr")
    made.think()
    assert not made.unsettled()
    wait = made.link("lms").wait
    assert wait is not None
    assert wait.key == "scan:lms/people"
    made.scan("lms")
    made.think()
    assert len(made.unsettled()) == 1


def test_creates_wait_for_rows_that_are_not_read_yet() -> None:
    """Rule 11: a listed row whose key only a single read shows may be the one that is about to be made."""
    made = duo(lms={"unlisted": ("email",), "search": ()})
    lms = made.vendors["lms"]
    theirs = lms.add(email="anna@x.de", name="Anna", job="dev")
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan_all()
    while reconcile(made.engine):
        assert not made.unsettled()
    made.settle()
    assert list(lms.rows()) == [theirs]
    assert not lms.keys
    assert made.sync()["converged"]


def test_a_record_that_would_bear_another_one_s_chosen_id_asks() -> None:
    """A row whose record would get an id that another record holds is a question, and the engine comes to rest."""
    made = duo(
        lms={"chosen_id": "id", "search": ()},
        lms_system=LMS_KEYED.replace("key: email", "key: \"'one'\""),
    )
    hr = made.vendors["hr"]
    hr.add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    other = hr.add(email="ben@x.de", name="Ben", job="dev")
    assert made.sync()["converged"]
    case = made.case()
    assert (case.kind, case.evidence["external_id"]) == (CaseKind.IDENTITY, other)
    assert case.evidence["records"] == [made.record().id]
    assert list(made.vendors["lms"].rows()) == ["one"]


def test_a_waiting_link_goes_on_when_its_row_is_free() -> None:
    """A wait for a row that another record holds ends when that record lets it go."""
    made = duo(
        hr_system=HR_DELETES,
        lms={"search": ("name",)},
        lms_system=LMS_DELETES,
    )
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    first = hr.add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    hr.add(email="other@x.de", name="Anna", job="dev")
    made.sync()
    assert {k.state for k in made.links("lms")} == {LinkState.LINKED, LinkState.WAITING}
    hr.remove(first)
    made.sync()
    made.sync()
    assert [row["email"] for row in lms.rows().values()] == ["other@x.de"]
    assert made.sync()["converged"]


def test_a_waiting_link_takes_a_leaver_s_row_over() -> None:
    """A row that a deleted record left behind goes to the link that waits for it."""
    made = duo(
        hr_system=HR_DELETES,
        lms={"search": ("name",)},
    )
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    first = hr.add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    hr.add(email="other@x.de", name="Anna", job="dev")
    made.sync()
    hr.remove(first)
    made.sync()
    made.sync()
    assert [row["email"] for row in lms.rows().values()] == ["other@x.de"]
    assert len(lms.keys) == 2
    assert made.sync()["converged"]


def test_a_lookup_that_finds_two_rows_takes_neither() -> None:
    """Rule 11: of two rows that nobody has seen yet, none is taken at random."""
    made = duo()
    lms = made.vendors["lms"]
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan_all()
    made.think()
    for job in ("dev", "old"):
        lms.add(email="anna@x.de", name="Anna", job=job)
    made.send()
    assert not lms.keys
    assert made.link("lms").state is LinkState.WAITING
    made.sync()
    assert {case.kind for case in made.cases()} == {CaseKind.IDENTITY}
    assert made.sync()["converged"]
    assert not lms.keys
    assert len(lms.rows()) == 2
    assert not [k for k in made.links("lms") if k.state is LinkState.LINKED]


def test_an_open_question_about_a_row_holds_the_create_back() -> None:
    """Rule 11: while a person is asked whose row it is, none is made, and the engine comes to rest."""
    made = duo()
    lms = made.vendors["lms"]
    ids = [lms.add(email="anna@x.de", name="Anna", job=job) for job in ("dev", "old")]
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    assert made.sync()["converged"]
    assert not lms.keys
    asked = made.cases()
    assert {case.kind for case in asked} == {CaseKind.IDENTITY}
    mine = made.link("lms", ids[0])
    (case,) = [c for c in asked if c.subject == identity_subject(mine)]
    made.answer(f"link {made.record().id}", case)
    made.sync()
    assert made.sync()["converged"]
    linked = [k for k in made.links("lms") if k.state is LinkState.LINKED]
    assert [k.external_id for k in linked] == [ids[0]]
    assert not lms.keys


def test_an_id_that_another_record_s_row_has_is_not_made_a_second_time() -> None:
    """Rule 11: a chosen id whose row was another record's, and is gone unseen, waits; records do not mix."""
    system = LMS_KEYED.replace("create: out", "create: out, on_missing: keep")
    made = duo(lms={"chosen_id": "id", "search": ()}, lms_system=system)
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    first = hr.add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    hr.edit(first, email="new@x.de")
    made.sync()
    lms.remove("anna@x.de")
    hr.add(email="anna@x.de", name="Ben", job="dev")
    made.scan("hr")
    made.think()
    made.send()
    assert not lms.rows()
    made.sync()
    made.sync()
    assert {r.values["name"] for r in made.records()} == {"Anna", "Ben"}
    assert {row["name"] for row in lms.rows().values()} == {"Ben"}
    assert {r["name"] for r in hr.rows().values()} == {"Anna", "Ben"}


def test_a_create_waits_for_a_question_about_a_row_of_its_key() -> None:
    """Rule 11: where the vendor cannot be searched, an open question about a local row holds a create back."""
    made = duo(lms={"search": ()})
    lms = made.vendors["lms"]
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan_all()
    made.think()
    rows = [lms.add(email="anna@x.de", name="Anna", job="dev") for _ in range(2)]
    made.sync()
    assert made.sync()["converged"]
    assert not lms.keys
    assert len(made.cases()) == 2
    lms.edit(rows[0], email="other@x.de")
    made.sync()
    made.sync()
    assert not lms.keys
    linked = [k for k in made.links("lms") if k.state is LinkState.LINKED]
    assert [k.external_id for k in linked] == [rows[1]]


def test_a_create_of_a_record_that_has_changed_since_is_planned_anew() -> None:
    """A create that waited while its record left the scope makes nothing."""
    scoped = LMS.replace("create: out", "create: out, scope: \"job != 'left'\"")
    made = duo(lms_system=scoped)
    mine = made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan_all()
    made.think()
    assert len(made.unsettled()) == 1
    made.vendors["hr"].edit(mine, job="left")
    made.scan("hr")
    reconcile(made.engine, ids=[made.link("hr").id])
    assert made.send() == {"cancelled": 1}
    assert [o.state for o in made.operations("lms")] == [OperationState.CANCELLED]
    made.sync()
    assert not made.vendors["lms"].rows()
    made.vendors["hr"].edit(mine, job="lead")
    made.sync()
    assert [row["job"] for row in made.vendors["lms"].rows().values()] == ["lead"]


def test_a_pending_create_is_given_up_for_a_row_that_turns_up() -> None:
    """Rule 12: a create that was not sent yet is cancelled and the row adopted."""
    made = duo()
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan_all()
    made.think()
    theirs = made.vendors["lms"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan("lms")
    made.think()
    assert [o.state for o in made.operations()] == [OperationState.CANCELLED]
    assert [k.external_id for k in made.links("lms")] == [theirs]


@pytest.mark.parametrize("fault", ["late", "drop"])
def test_a_row_waits_while_a_create_of_its_key_has_no_outcome(fault: str) -> None:
    """Rule 12: a row that may be our own create's is not taken for somebody else's."""
    made = duo(lms_system=LMS_BOTH)
    lms = made.vendors["lms"]
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan_all()
    made.think()
    lms.fault("create", "drop" if fault == "drop" else "late")
    assert made.send() == {"unknown": 1}
    made.clock.sleep(4)
    made.scan("lms")
    made.think()
    assert len(made.records()) == 1
    seen = [k for k in made.links("lms") if k.external_id]
    assert [k.wait is not None for k in seen] == [True]
    made.sync()
    assert made.sync()["converged"]
    assert len(made.records()) == 1
    assert [k.state for k in made.links("lms")] == [LinkState.LINKED]
    assert len(lms.keys) == 1


def test_a_row_waits_for_our_create_even_if_its_record_is_deleted_meanwhile() -> None:
    """Rule 12: our own row does not come back as a new record because its record went while it was made."""
    made = duo(
        hr_system=HR_DELETES,
        lms_system=LMS_BOTH.replace("flow: both", "flow: both, on_leave: delete"),
    )
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    mine = hr.add(email="anna@x.de", name="Anna", job="dev")
    made.scan_all()
    made.think()
    lms.fault("create", "drop")
    made.send()
    hr.remove(mine)
    made.scan("hr")
    made.think()
    made.scan("lms")
    made.think()
    assert not made.records()
    made.sync()
    made.sync()
    assert not made.records()
    assert not lms.rows()
    assert made.sync()["converged"]


def test_a_value_that_does_not_fit_is_set_aside_and_the_rest_goes_on() -> None:
    """One bad value is a case of its own row; other rows are made."""
    made = duo()
    hr = made.vendors["hr"]
    bad = hr.add(email="no address", name="Anna", job="dev")
    hr.add(email="ben@x.de", name="Ben", job="dev")
    made.sync()
    assert made.case().kind is CaseKind.QUARANTINED
    assert [r.values["name"] for r in made.records()] == ["Ben"]
    hr.edit(bad, email="anna@x.de")
    made.sync()
    assert len(made.records()) == 2
    assert not made.cases()


def test_the_vendor_that_says_taken_is_looked_at_again() -> None:
    """A create that the vendor refuses as taken adopts the row that is there."""
    made = duo(lms={"unique": ("email",)})
    lms = made.vendors["lms"]
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan_all()
    made.think()
    lms.during = lambda: lms.add(email="anna@x.de", name="Anna", job="dev")
    made.settle()
    assert len(lms.rows()) == 1
    assert made.link("lms").state is LinkState.LINKED
    assert made.sync()["converged"]


def test_a_row_deleted_at_the_vendor_is_made_again_where_the_mapping_says_so() -> None:
    """``on_missing: recreate``: a row that is proved gone is made anew, once."""
    made = duo(lms_system=LMS.replace("create: out", "create: out, on_missing: recreate"))
    _, theirs = anna(made)
    made.vendors["lms"].remove(theirs)
    made.sync()
    rows = made.vendors["lms"].rows()
    assert len(rows) == 1
    assert theirs not in rows
    assert made.sync()["converged"]
    assert len(made.vendors["lms"].keys) == 2
