"""What a listing may conclude about a row that it lacks."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from syncengine.flows.capture.notices import notice
from syncengine.flows.run.sync import sync
from syncengine.model.case import CaseKind
from syncengine.model.link import LinkState
from tests.support.people import COLUMNS, FIELDS, HR_DELETES, MAPPED, anna, crowd, duo, row


def test_a_listing_only_nominates() -> None:
    """Rule 6: a complete listing without a row deletes nothing; the single read shows that it is there."""
    made = duo(hr_system=HR_DELETES)
    mine, theirs = anna(made)
    hr = made.vendors["hr"]
    hr.fault("scan", "short")
    hr.add(email="aaa@x.de", name="Ben", id="0-ben")
    made.sync()
    assert ("get", mine) in hr.calls
    assert any(r.values["email"] == "anna@x.de" for r in made.records())
    assert theirs in made.vendors["lms"].rows()


def test_a_single_read_concludes() -> None:
    """Rule 6: a row that neither a complete listing nor a single read shows is gone."""
    made = duo(hr_system=HR_DELETES)
    mine, _ = anna(made)
    made.vendors["hr"].remove(mine)
    made.scan("hr")
    assert made.records()
    made.settle()
    assert not made.records()


@pytest.mark.parametrize("fault", ["fail", "partial", "empty"])
def test_a_failed_partial_or_empty_listing_deletes_nothing(fault: Any) -> None:
    """Rule 6: a listing that fails, breaks off, or is empty where it had rows deletes nothing and says so."""
    made = duo(hr_system=HR_DELETES)
    hr = made.vendors["hr"]
    crowd(made, 8)
    made.sync()
    hr.fault("scan", fault)
    result = made.sync()
    assert len(made.records()) == 8
    assert len(made.vendors["lms"].rows()) == 8
    asked = result["cases"] == {"missing": 1}
    assert asked if fault == "empty" else result["faults"] and not result["converged"]
    made.clock.sleep(60)
    assert made.sync()["converged"]


NO_GET = {"single_get": False, "create": False, "update": False, "delete": False}
IN = f"{{resource: people, flow: in, create: in, on_missing: delete, fields: {MAPPED}}}"


def test_without_a_single_read_a_second_complete_listing_concludes() -> None:
    """Rule 6: where the vendor has no single GET, the second complete listing without the row concludes."""
    made = duo(hr=NO_GET, hr_system=IN)
    hr = made.vendors["hr"]
    hr.add(email="ben@x.de", name="Ben")
    mine = hr.add(email="anna@x.de", name="Anna")
    made.sync()
    hr.remove(mine)
    made.scan("hr")
    made.think()
    assert len(made.records()) == 2
    made.scan("hr")
    made.think()
    assert [r.values["name"] for r in made.records()] == ["Ben"]


def test_listings_right_after_a_read_conclude_nothing() -> None:
    """Rule 6: a listing that began too shortly after the last read to count when it shows a row says nothing when it
    does not, however many of them follow each other."""
    made = duo(hr={**NO_GET, "read_lag": 30.0}, hr_system=IN)
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.clock.sleep(40)
    for _ in range(4):
        made.scan("hr")
        made.think()
    assert len(made.records()) == 1
    assert made.link("hr").suspected_at is None


def test_listings_that_lag_do_not_miss_the_row_that_was_just_made() -> None:
    """Rule 6: a listing shows what was there a while ago, so that it cannot say that a row of ours is gone."""
    made = duo(lms={"single_get": False, "list_lag": 30.0})
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    for _ in range(3):
        made.clock.sleep(2)
        made.scan("lms")
        made.think()
    assert made.link("lms").state is LinkState.LINKED
    assert made.link("lms").row is not None


def test_without_a_single_read_two_empty_listings_delete_nothing() -> None:
    """Rule 6: empty listings conclude nothing, not even together with a short one."""
    made = duo(hr=NO_GET, hr_system=IN)
    hr = made.vendors["hr"]
    crowd(made, 4)
    made.sync()
    hr.fault("scan", "empty", "empty", "short")
    for _ in range(3):
        made.scan("hr")
        made.think()
    assert len(made.records()) == 4


def test_without_a_single_read_a_late_row_is_left_to_the_next_listing() -> None:
    """Where the vendor has no single GET, none is asked for: the next listing shows what is true."""
    made = duo(hr=NO_GET, hr_system=IN)
    hr = made.vendors["hr"]
    mine = hr.add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    made.put("hr", "list", made.clock.now() - 30, **{mine: row(job="old")})
    notice(made.engine, "hr", "people", mine, "w1")
    made.settle()
    assert not made.link("hr").need_get
    assert made.record().values["job"] == "dev"
    assert not made.read(lambda tx: tx.connection("hr")).failures
    assert sync(made.engine, record=made.record().id)["converged"]


@pytest.mark.parametrize("until", [0, 40])
def test_what_reaches_out_of_the_window_is_never_missing(until: int) -> None:
    """A row that a listing shows no more is gone only if all its days are within the window: the vendor may list by
    the first day or by the last."""
    days = {"day": "date", "until": "date"}
    abilities = {**NO_GET, "types": days, "columns": (*COLUMNS, *days), "dated": True}
    fields = f"{FIELDS}  day: {{type: date}}\n  until: {{type: date}}\n"
    made = duo(
        hr=abilities,
        fields=fields,
        hr_system=IN.replace("job: job", "job: job, day: day, until: until"),
    )
    hr, first = made.vendors["hr"], date.fromisoformat(made.engine.today)
    hr.add(email="ben@x.de", name="Ben", day=str(first), until=str(first))
    last = str(first + timedelta(days=until))
    mine = hr.add(email="anna@x.de", name="Anna", day=str(first), until=last)
    made.sync()
    hr.remove(mine)
    for _ in range(2):
        made.scan("hr")
        made.settle()
    assert len(made.records()) == (2 if until else 1)


def test_a_row_seen_during_the_listing_is_not_nominated() -> None:
    """Rule 6: a row that we made while a listing ran is not missing from it."""
    made = duo()
    mine, _ = anna(made)
    hr = made.vendors["hr"]
    hr.add(email="ben@x.de", name="Ben", job="dev")
    made.scan("hr")
    made.think()
    lms = made.vendors["lms"]
    pages = lms.scan("people")
    listed = [next(pages)]
    started = made.clock.now() - 1
    made.send()
    listed += pages
    unseen = made.read(lambda tx: tx.unseen_since("person", "lms", "people", started))
    assert [k.external_id for k in unseen] != [max(lms.rows())]
    assert mine


def test_a_poll_nominates_nobody() -> None:
    """Rule 6: a change feed shows what moved; what it does not show is not missing."""
    made = duo(hr={"poll": True}, hr_system=HR_DELETES)
    mine, _ = anna(made)
    made.vendors["hr"].remove(mine)
    made.clock.sleep(5)
    made.poll("hr")
    made.settle()
    assert made.link("hr").suspected_at is None
    assert made.records()


def test_what_reaches_out_of_the_window_is_not_missing_by_a_word_either() -> None:
    """Told that an emptied listing is right, the engine still takes only that for gone which it had to show."""
    days = {"day": "date", "until": "date"}
    abilities = {**NO_GET, "types": days, "columns": (*COLUMNS, *days), "dated": True}
    made = duo(
        hr=abilities, fields=f"{FIELDS}  day: {{type: date}}\n  until: {{type: date}}\n",
        hr_system=IN.replace("job: job", "job: job, day: day, until: until"),
    )  # fmt: skip
    hr, today = made.vendors["hr"], date.fromisoformat(made.engine.today)
    for name, ahead in (("anna", 0), ("ben", 0), ("eva", 40)):
        until = str(today + timedelta(days=ahead))
        hr.add(email=f"{name}@x.de", name=name, day=str(today), until=until)
    made.sync()
    for row_id in hr.rows():
        hr.remove(row_id)
    made.scan("hr")
    assert made.case().kind is CaseKind.MISSING
    made.answer("gone")
    made.settle()
    assert [r.values["name"] for r in made.records()] == ["eva"]
