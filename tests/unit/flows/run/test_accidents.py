"""What users of such engines suffered, tried here: docs/complaints.md tells where."""

from __future__ import annotations

from typing import Any

import pytest

from syncengine.model.case import CaseKind
from syncengine.simulation.bench import new_database
from tests.support.bench import Bench
from tests.support.people import (
    FIELDS,
    HR_DELETES,
    LMS,
    LMS_DELETES,
    anna,
    crowd,
    duo,
    entity,
    remap,
    vendor,
)

SAFE = "safety: {deletes: 10%, floor: 3, window: 1h}\n"


def company(size: int) -> Bench:
    """People in ``hr`` with their accounts in ``lms``; who goes in one goes in the other."""
    made = duo(hr_system=HR_DELETES, lms_system=LMS_DELETES, more=SAFE)
    crowd(made, size)
    made.sync()
    assert len(made.vendors["lms"].rows()) == size
    return made


@pytest.mark.parametrize("size", [3, 12])
def test_another_empty_account_behind_the_same_connection_deletes_nobody(size: int) -> None:
    """A connection that is pointed at an empty account, where single reads know nobody either, deletes nothing
    anywhere, however small the company; somebody is asked."""
    made = company(size)
    other = vendor("hr", made.clock)
    made.engine.connectors = {**made.engine.connectors, "hr": other}
    for _ in range(3):
        made.sync()
    assert len(made.vendors["lms"].rows()) == size
    assert made.cases()


def test_a_listing_that_lost_most_rows_deletes_nobody_unasked() -> None:
    """Rows that an account may not see any more are gone to every read; a drop of that size is one question."""
    made = company(12)
    hr = made.vendors["hr"]
    for name in sorted(hr.rows())[1:]:
        hr.remove(name)
    for _ in range(3):
        made.sync()
    assert len(made.vendors["lms"].rows()) == 12
    assert made.case().kind is CaseKind.STAGED


def test_a_filter_that_is_edited_deletes_nobody_unasked() -> None:
    """Whom an edited ``where`` leaves out is missing; so many at once are one question."""
    made = company(12)
    narrow = HR_DELETES.replace("flow: both", "flow: both, where: \"row.job == 'boss'\"")
    remap(made, entity(FIELDS, SAFE, hr=narrow, lms=LMS_DELETES))
    for _ in range(3):
        made.sync()
    assert len(made.vendors["lms"].rows()) == 12
    assert made.case().kind is CaseKind.STAGED


@pytest.mark.parametrize("on_leave", ["keep", "delete"])
@pytest.mark.parametrize("on_missing", ["keep", "flag", "recreate"])
def test_a_row_that_another_made_is_never_deleted(on_missing: str, on_leave: str) -> None:
    """A row that belongs to nobody here survives every policy, and everybody else's leaving."""
    theirs = LMS.replace(
        "create: out", f"create: out, on_leave: {on_leave}, on_missing: {on_missing}"
    )
    made = duo(hr_system=HR_DELETES, lms_system=theirs)
    mine, _ = anna(made)
    lms = made.vendors["lms"]
    foreign = lms.add(email="guest@y.de", name="Guest", job="guest")
    made.sync()
    made.vendors["hr"].remove(mine)
    for _ in range(3):
        made.sync()
    assert lms.row(foreign) == {
        "email": "guest@y.de",
        "name": "Guest",
        "job": "guest",
        "id": foreign,
    }
    assert [call for call in lms.wrote() if call[1] == foreign] == []


@pytest.mark.parametrize("fault", ["fail", "down", "limit"])
def test_a_page_that_failed_loses_no_row(fault: Any) -> None:
    """A listing that breaks off between pages and is taken up again brings every row, once."""
    made = duo()
    crowd(made, 8)
    made.vendors["hr"].fault("page", None, fault)
    for _ in range(4):
        made.sync()
        made.clock.sleep(120)
    rows = made.vendors["lms"].rows().values()
    assert sorted(row["email"] for row in rows) == [f"p{n}@x.de" for n in range(8)]


def test_two_engines_on_the_same_accounts_come_to_rest() -> None:
    """Two installations, each with a store of its own, that write to the same vendors do not answer each other
    for ever, also where a vendor changes what it is given."""

    def shout(row: dict[str, object]) -> None:
        row["name"] = str(row["name"]).upper()

    first = duo(lms={"shape": shout, "search": ("email",)})
    hr, lms = first.vendors["hr"], first.vendors["lms"]
    second = Bench.on([hr, lms], first.engine.project, new_database(), first.clock)
    mine, theirs = anna(first)
    second.sync()
    hr.edit(mine, name="Anne")
    lms.edit(theirs, job="lead")
    for _ in range(3):
        first.sync()
        second.sync()
    before = len(hr.wrote()), len(lms.wrote())
    for _ in range(3):
        first.sync()
        second.sync()
    assert (len(hr.wrote()), len(lms.wrote())) == before
    assert before[0] + before[1] <= 4
    assert (hr.row(mine)["name"], lms.row(theirs)["name"]) == ("Anne", "ANNE")
    assert hr.row(mine)["job"] == lms.row(theirs)["job"] == "lead"


def test_a_new_title_makes_no_second_person() -> None:
    """Whatever changes of somebody who is linked, the key included, stays on her one record and her one row."""
    made = duo()
    mine, theirs = anna(made)
    record = made.record().id
    for change in ({"job": "lead"}, {"name": "Anna Meier"}, {"email": "meier@x.de"}):
        made.vendors["hr"].edit(mine, **change)
        made.sync()
        made.sync()
    assert made.record().id == record
    assert set(made.vendors["lms"].rows()) == {theirs}
    assert made.vendors["lms"].row(theirs)["email"] == "meier@x.de"
    assert not made.cases()


@pytest.mark.parametrize("single_get", [True, False])
def test_an_account_that_is_really_empty_is_emptied_by_a_word(single_get: bool) -> None:
    """Told that the rows are gone, the engine goes on as the mapping says, in no more than the limits allow; rows
    that are listed again end the question instead."""
    made = duo(
        hr={"single_get": single_get}, hr_system=HR_DELETES, lms_system=LMS_DELETES, more=SAFE
    )
    hr = made.vendors["hr"]
    crowd(made, 3)
    made.sync()
    hr.fault("scan", "empty")
    made.sync()
    assert made.case().kind is CaseKind.MISSING
    made.sync()
    assert not made.cases()
    for name in hr.rows():
        hr.remove(name)
    made.sync()
    made.answer("gone")
    made.sync()
    made.sync()
    assert not made.vendors["lms"].rows()
    assert not made.cases()
