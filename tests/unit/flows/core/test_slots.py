"""Who gets the calls that a connection may have under way."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from queue import SimpleQueue

import pytest

from syncengine.errors import LostRace
from syncengine.flows.capture.capture import capture
from syncengine.flows.core.gate import CallGate, Permit
from syncengine.flows.core.slots import slot_session
from syncengine.mapping import Budget
from syncengine.simulation.clock import ManualClock
from syncengine.simulation.traits import spec
from syncengine.simulation.vendor import FakeVendor
from tests.support.bench import Bench
from tests.support.people import COLUMNS, HR, LMS, bench, entity


def made_with(concurrency: int) -> Bench:
    """People in ``hr`` and ``lms``; so many calls at once at each."""
    clock = ManualClock()
    declared = (spec("hr", *COLUMNS), spec("lms", *COLUMNS, search=("email",)))
    both = [FakeVendor(replace(one, concurrency=concurrency), clock) for one in declared]
    return bench(*both, files=(entity(hr=HR, lms=LMS),))


@pytest.mark.parametrize(("concurrency", "sent"), [(2, 1), (1, 0)])
def test_listings_leave_a_slot_to_writes(concurrency: int, sent: int) -> None:
    """While as many listings as can be are under way, a write still goes out, unless there is one slot for all."""
    made = made_with(concurrency)
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    for name in ("hr", "lms"):
        made.scan(name)
    made.think()
    with ExitStack() as listings:
        while listings.enter_context(made.engine.slots("lms")):
            pass
        assert capture(made.engine, "lms", "people", "scan").fault == "lms is busy"
        made.send()
        assert len(made.vendors["lms"].rows()) == sent


def test_a_few_ids_take_no_more_slots_than_they_are() -> None:
    """One row that is read by itself takes one slot, also that which listings leave; a backlog takes what it may."""
    made = made_with(3)
    now = made.clock.now()
    with ExitStack() as held:
        for ids, width in ((["a"], 1), (None, 1), (["b"], 1)):
            session = held.enter_context(slot_session(made.engine, "hr", ids=ids))
            session.claim(lambda _: ["something"])
            assert session.width == width
        assert made.read(lambda tx: tx.with_taken_slots(["hr", "lms"], now)) == {"hr"}


def test_what_is_held_is_kept_while_one_call_takes_its_time() -> None:
    """A call that lasts longer than a lease costs no claim and no slot: they are renewed while it is under way."""
    made = made_with(1)
    made.engine.limits = replace(made.engine.limits, lease=0.2)
    made.engine.pool = ThreadPoolExecutor(1)
    renewed: list[float] = []

    def slow() -> None:
        made.clock.sleep(1.0)
        time.sleep(0.3)
        renewed.append(made.engine.holders["me"])

    with made.engine.holding("me"):
        before = made.engine.holders["me"]
        assert [result for _, result in made.engine.call_all([("one", slow)], 1)] == [None]
    assert renewed == [before + 1.0]


def test_a_call_is_not_made_once_nobody_grants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that waits for its budget ends by itself where whoever grants it is gone."""
    monkeypatch.setattr("syncengine.flows.core.gate.ANSWERED", 0.05)
    made = made_with(1)
    connection = replace(
        made.engine.project.connections["hr"], budget=Budget(calls=1, per=60.0, concurrency=None)
    )
    gate = CallGate(connection, made.engine.ledger, made.clock, 10.0)
    Permit.inbox.set(SimpleQueue())
    try:
        with pytest.raises(LostRace):
            gate.enter(False)
    finally:
        Permit.inbox.set(None)
