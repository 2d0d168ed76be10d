"""What keeps writes from being sent: refusals, pauses, modes, outages, and records that are gone."""

from __future__ import annotations

from typing import Any

import pytest

from syncengine.flows.capture.refresh import refresh
from syncengine.flows.people.pausing import pause, resume
from syncengine.model.case import CaseKind
from syncengine.model.operation import OperationState
from syncengine.simulation.traits import Fault
from tests.support.bench import CHECK
from tests.support.people import LMS, anna, crowd, duo, lead


def test_a_refused_write_is_a_case_and_is_not_repeated() -> None:
    """A body that the vendor refused is not sent again before it or the answer changes."""
    made = duo()
    mine, theirs = lead(made)
    lms = made.vendors["lms"]
    lms.fault("update", "refuse")
    made.sync()
    made.sync()
    assert made.case().kind is CaseKind.REJECTED
    assert [verb for verb, _ in lms.keys].count("update") == 1
    made.vendors["hr"].edit(mine, job="head")
    made.sync()
    assert lms.row(theirs)["job"] == "head"
    assert not made.cases()


def test_a_vendor_that_is_down_is_not_asked_more_and_more_for_one_outage() -> None:
    """Calls that fail together count as one failure of the vendor."""
    made = duo()
    crowd(made, 6)
    made.scan_all()
    made.think()
    down: list[Fault] = ["down"] * 6
    made.vendors["lms"].fault("find", *down)
    made.vendors["lms"].fault("health", "down")
    made.send()
    state = made.read(lambda tx: tx.connection("lms"))
    assert state.failures == 1
    assert state.blocked_until <= made.clock.now() + made.engine.limits.backoff
    assert made.sync()["converged"]


def test_a_paused_connection_is_read_and_not_written() -> None:
    """A pause stops writes at once; resuming sends what waits."""
    made = duo()
    mine, theirs = anna(made)
    pause(made.engine, "lms", "look first")
    made.vendors["hr"].edit(mine, job="lead")
    made.sync()
    assert len(made.written()["lms"]) == 1
    made.vendors["lms"].edit(theirs, name="Anne")
    made.sync()
    resume(made.engine, "lms")
    made.sync()
    assert made.vendors["lms"].row(theirs)["job"] == "lead"
    assert made.vendors["hr"].row(mine)["name"] == "Anne"


@pytest.mark.parametrize("lag", [0.0, 2.0])
def test_what_changes_where_a_write_waits_is_learned_meanwhile(lag: float) -> None:
    """Rule 22: a write that nobody has begun to send keeps nobody from reading its row and deciding on it."""
    made = duo(lms={"list_lag": lag})
    mine, theirs = anna(made)
    pause(made.engine, "lms", "look first")
    made.vendors["hr"].edit(mine, job="lead")
    made.sync()
    made.vendors["lms"].edit(theirs, name="Anne")
    made.clock.sleep(5)
    made.sync()
    assert made.vendors["hr"].row(mine)["name"] == "Anne"
    assert [dict(o.body) for o in made.unsettled()] == [{"job": "lead"}]


def test_a_write_that_waits_is_planned_anew_with_its_link() -> None:
    """Rule 22: it stays the operation that it was while it writes the same, and is another one once it does not."""
    made = duo()
    mine, theirs = anna(made)
    pause(made.engine, "lms", "look first")
    for job, key in (("lead", "first"), ("lead", "first"), ("head", "second")):
        made.vendors["hr"].edit(mine, job=job)
        made.vendors["lms"].edit(theirs, email=f"{key}@x.de")
        made.sync()
    first, second = sorted(made.operations("lms"), key=lambda o: o.created_at)[-2:]
    assert (first.state, dict(first.body)) == (OperationState.CANCELLED, {"job": "lead"})
    assert (second.state, dict(second.body)) == (OperationState.PENDING, {"job": "head"})


def test_a_pause_in_the_middle_of_a_round_stops_what_is_not_sent_yet() -> None:
    """A pause stops a connection's writes at once: only requests that are under way end, the rest goes back unsent
    and goes out after resuming."""
    made = duo()
    crowd(made, 40)
    made.scan_all()
    made.think()
    engine, lms = made.engine, made.vendors["lms"]
    with made.between(CHECK + 1, lambda: pause(engine, "lms", "payroll runs")):
        made.send()
    # One call at a time: the second write was under way when the first was settled.
    assert len(lms.wrote()) <= 2
    reads = len(lms.calls)
    made.send()
    assert len(lms.calls) == reads
    assert {o.state for o in made.unsettled()} == {OperationState.PENDING}
    resume(engine, "lms")
    made.settle()
    assert len(lms.rows()) == len(lms.wrote()) == 40


def test_a_pause_during_the_reads_before_the_writes_stops_them_all() -> None:
    """A pause between the read before a write and the write lets none out."""
    made = duo()
    lead(made)
    engine, lms = made.engine, made.vendors["lms"]
    with made.between(CHECK, lambda: pause(engine, "lms", "payroll runs")):
        made.send()
    assert [verb for verb, _ in lms.wrote()] == ["create"]
    assert [o.state for o in made.unsettled()] == [OperationState.PENDING]


def test_an_observed_connection_is_never_written() -> None:
    """``mode: observe``: everything up to the plan, and no write."""
    made = duo(modes={"lms": "observe"})
    mine = made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    theirs = made.vendors["lms"].add(email="ben@x.de", name="Ben", job="dev")
    made.sync()
    made.vendors["hr"].edit(mine, job="lead")
    made.sync()
    assert not made.written()
    assert list(made.vendors["lms"].rows()) == [theirs]
    assert not made.unsettled()


def test_a_refresh_that_fails_is_tried_again() -> None:
    """A single read that failed while the vendor is down leaves the row's need for one, and is no fault of it."""
    made = duo(hr={"unlisted": ("job",)})
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan("hr")
    made.vendors["hr"].fault("get", "fail")
    made.vendors["hr"].fault("health", "fail")
    assert refresh(made.engine) == 0
    assert (made.link("hr").need_get, made.link("hr").failures) == (True, 0)
    made.sync()
    assert made.record().values["job"] == "dev"


def unsent(*_: Any) -> None:
    raise AssertionError("nothing may be sent")


def test_a_create_of_a_record_that_was_deleted_meanwhile_is_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A create whose record is gone is cancelled right before the send."""
    made = duo(hr_system=LMS.replace("create: out", "create: in, on_missing: delete"))
    hr = made.vendors["hr"]
    mine = hr.add(email="anna@x.de", name="Anna", job="dev")
    made.scan_all()
    made.think()
    assert len(made.unsettled()) == 1
    hr.remove(mine)
    made.scan("hr")
    made.think()
    monkeypatch.setattr(made.vendors["lms"], "create", unsent)
    made.sync()
    assert [o.state for o in made.operations()] == [OperationState.CANCELLED]
