"""Long work is done in slices, so that it keeps nobody else waiting."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from syncengine.flows.capture.capture import Captured, capture
from syncengine.flows.core.engine import Engine
from syncengine.flows.core.limits import Limits
from syncengine.flows.run.work_slice import work_ids, work_slice
from syncengine.flows.send.dispatch import _Sending, dispatch
from syncengine.flows.send.probe import expire
from syncengine.flows.send.rounds import NEWEST
from syncengine.model.operation import OperationState
from syncengine.simulation.bench import LIMITS
from tests.support.bench import Bench
from tests.support.notes import noted
from tests.support.people import crowd, duo

ONE = replace(LIMITS, slice=0.0)
"""So short that one call is a slice."""
PEOPLE = 4


def told_apart() -> Bench:
    """Some people, read and told apart, with a note each that is not read yet."""
    made = noted(PEOPLE, ONE)
    made.scan("hr")
    made.think()
    made.clock.sleep(1)
    return made


def read(made: Bench) -> Captured:
    """One slice."""
    return capture(made.engine, "hr", "notes", "scan", sliced=True)


def asked(made: Bench) -> int:
    """How often notes were listed."""
    return made.vendors["hr"].calls.count(("scan", "notes"))


def test_a_long_listing_is_read_in_slices_and_concludes_as_one() -> None:
    """Each part is read once, each slice announces the next one, and only the last one makes the listing complete."""
    made = told_apart()
    began = made.clock.now()
    for number in range(1, PEOPLE):
        made.queue.sent.clear()
        assert read(made) == Captured(rows=number, moved=1)
        assert ("capture", ["hr", "notes", "scan"]) in made.queue.sent
        assert not made.read(lambda tx: tx.resource("hr", "notes")).scanned_at
    assert read(made) == Captured(rows=PEOPLE, moved=1, complete=True)
    assert asked(made) == PEOPLE
    state = made.read(lambda tx: tx.resource("hr", "notes"))
    assert (state.scanned_at, state.rows, state.progress) == (began, PEOPLE, {})
    made.think()
    assert len(made.records("note")) == PEOPLE


def test_what_is_gone_is_concluded_after_the_last_slice() -> None:
    """A row that no slice showed is suspected missing; rows of earlier slices are not, though they were read long
    before."""
    made = told_apart()
    made.sync()
    hr = made.vendors["hr"]
    hr.remove(next(iter(hr.rows("notes"))), "notes")
    for _ in range(PEOPLE - 1):
        made.clock.sleep(60)
        read(made)
        made.think()
        assert len(made.records("note")) == PEOPLE
    assert read(made).complete
    made.settle()
    assert len(made.records("note")) == PEOPLE - 1


def test_a_part_that_cannot_be_read_is_remembered_to_the_end() -> None:
    """A slice below which nothing could be read keeps the listing from being complete, whatever later ones bring."""
    made = told_apart()
    made.vendors["hr"].fault("scan", "fail", *[None] * PEOPLE)
    ends = [read(made) for _ in range(PEOPLE)]
    assert [end.fault for end in ends[:-1]] == [""] * (PEOPLE - 1)
    assert "lacks 1 parts" in ends[-1].fault
    state = made.read(lambda tx: tx.resource("hr", "notes"))
    assert (state.scanned_at, state.progress) == (0.0, {})


def test_a_vendor_that_fails_on_the_way_is_gone_on_with_where_it_failed() -> None:
    """What was read before a vendor went down is not read again afterwards."""
    made = told_apart()
    read(made)
    read(made)
    made.vendors["hr"].fault("scan", "down")
    made.vendors["hr"].fault("health", "down", "down")
    assert "broke off" in read(made).fault
    made.clock.sleep(60)
    while not read(made).complete:
        pass
    assert asked(made) == PEOPLE + 1


def test_a_whole_listing_begins_anew() -> None:
    """A pass that reads everything does not build on slices of before, and leaves none of them."""
    made = told_apart()
    read(made)
    assert made.scan("hr", "notes").complete
    assert asked(made) == 1 + PEOPLE
    assert not made.read(lambda tx: tx.resource("hr", "notes")).progress


def wanted(count: int, latency: float = 0.25, **limits: float) -> Bench:
    """People that are to be made in ``lms``, each call of which takes that many seconds."""
    made = duo(limits=replace(LIMITS, **limits))
    crowd(made, count)
    for name in ("hr", "lms"):
        made.scan(name)
    made.think()
    made.vendors["lms"].latency = latency
    made.queue.sent.clear()
    return made


def test_a_batch_of_writes_makes_room_for_others() -> None:
    """What a task does not get to send in its time is announced for another one, and counts as no attempt."""
    made = wanted(3, slice=0.0)
    work_slice(made.engine, dispatch)
    assert ("dispatch", []) in made.queue.sent
    rest = made.read(lambda tx: tx.select_operations([OperationState.PENDING]))
    assert [o.attempts for o in rest] == [0] * 2
    assert dispatch(made.engine) == {"applied": 1}


def test_what_was_just_changed_is_worked_alone() -> None:
    """A task for one id sends that and leaves the rest to others; where nobody else is at work there, it says so."""
    made = wanted(3)
    one, *others = made.operations()
    work_ids(made.engine, dispatch, [one.id])
    assert {o.id: o.state for o in made.operations()} == {
        one.id: OperationState.APPLIED, **{o.id: OperationState.PENDING for o in others},
    }  # fmt: skip
    assert ("dispatch", []) in made.queue.sent
    made.queue.sent.clear()
    with made.engine.slots("lms", writing=True):
        work_ids(made.engine, dispatch, [others[0].id])
    assert ("dispatch", []) not in made.queue.sent


def test_a_fresh_write_overtakes_a_backlog(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more writes than a round takes, the newest are in it, and the oldest, too."""
    made = wanted(Limits().round + NEWEST, latency=0.001)
    rounds = list[list[str]]()
    send = _Sending.send

    def watched(self: _Sending) -> Counter[str]:
        rounds.append([o.id for o in self.operations])
        return send(self)

    monkeypatch.setattr(_Sending, "send", watched)
    waiting = sorted(o.id for o in made.operations())
    assert dispatch(made.engine) == {"applied": Limits().round + NEWEST}
    assert sorted(rounds[0]) == waiting[: Limits().round - NEWEST] + waiting[-NEWEST:]


def test_a_vendor_that_is_slow_gets_on_call_by_call() -> None:
    """Where a call takes longer than a slice, each task sends what it has read, and all arrives with a try each."""
    made = wanted(8, latency=4.0)
    outcomes = Counter[str]()
    for _ in range(8):
        outcomes += dispatch(made.engine)
    assert outcomes == {"applied": 8}
    applied = made.read(lambda tx: tx.select_operations([OperationState.APPLIED]))
    assert [o.attempts for o in applied] == [1] * 8


def test_claims_last_while_their_task_is_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch whose reads take longer than a lease is not taken for lost: nothing of it becomes unknown."""
    made = wanted(Limits().round, latency=2.0, slice=1000.0)
    real, expired = made.engine.heartbeat, Counter[int]()

    def heartbeat(_: Engine) -> None:
        real()
        expired[expire(made.engine)] += 1

    monkeypatch.setattr(Engine, "heartbeat", heartbeat)
    began = made.clock.now()
    outcomes = dispatch(made.engine)
    assert made.clock.now() - began > 3 * made.engine.limits.lease
    assert expired.keys() == {0}
    assert outcomes["applied"] > 0
    assert outcomes.keys() <= {"applied", "not_sent"}
