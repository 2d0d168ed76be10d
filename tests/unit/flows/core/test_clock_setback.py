"""A clock that was ahead and is put right keeps nothing waiting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from syncengine.errors import RateLimited
from syncengine.flows.core.clock_setback import AHEAD, correct_setback
from syncengine.flows.run.sweep import sweep
from syncengine.flows.send.probe import expire
from syncengine.flows.views.status import status
from syncengine.model.changeset import Changeset
from syncengine.model.operation import OperationState
from tests.support.bench import Bench, within
from tests.support.people import anna, duo

HOURS = 7200.0


def with_clock_ahead(made: Bench, act: Callable[[Bench], object]) -> None:
    """Something happens by a clock that is two hours ahead, and is then put right."""
    made.clock.at += HOURS
    act(made)
    made.clock.at -= HOURS


def in_lms(made: Bench) -> set[object]:
    return {row["job"] for row in made.vendors["lms"].rows().values()}


@pytest.mark.parametrize("calls", [None, 60])
def test_after_two_passes_by_a_clock_that_was_ahead_work_goes_on(calls: int | None) -> None:
    """The next pass takes no longer than ever, takes over what was edited, and says that the clock went back."""
    made = duo()
    mine, _ = anna(made)
    if calls is not None:
        within(made, "lms", calls)
    with_clock_ahead(made, lambda made: (made.sync(), made.sync()))
    made.vendors["hr"].edit(mine, job="lead")
    began = made.clock.now()
    assert made.sync()["converged"]
    assert in_lms(made) == {"lead"}
    assert made.clock.now() - began < 30
    assert status(made.engine)["clock"] == {
        "went_back_s": pytest.approx(HOURS, abs=60), "noticed_at": pytest.approx(began, abs=2),
    }  # fmt: skip
    made.clock.sleep(100_000)
    made.sync()
    assert status(made.engine)["clock"] is None


def claimed(made: Bench) -> None:
    with made.engine.ledger.write() as tx:
        tx.claim_operations(made.clock.now(), made.engine.limits.lease, 10, ["lms"])


def leased(made: Bench) -> None:
    with made.engine.ledger.write() as tx:
        tx.claim_links("reconcile", made.clock.now(), made.engine.limits.lease, 10)


def slots_held(made: Bench) -> None:
    with made.engine.ledger.write() as tx:
        for name in ("hr", "lms"):
            tx.take_slots(name, 1, 1, "a dead one", made.clock.now(), made.clock.now() + 30)


def put_off(made: Bench) -> None:
    with made.engine.ledger.write() as tx:
        waiting = tx.select_operations([OperationState.PENDING])
        tx.write(Changeset(operations=[replace(o, next_at=made.clock.now() + 30) for o in waiting]))


def blocked(made: Bench) -> None:
    for name in ("hr", "lms"):
        made.engine.note_failure(name, RateLimited("429", made.clock.now() + 30))


def listed(made: Bench) -> None:
    made.scan("hr")
    sweep(made.engine)


def listing(made: Bench) -> None:
    with made.engine.ledger.write() as tx:
        tx.write(Changeset(listings={("hr", "people"): made.clock.now() + 300}))


@pytest.mark.parametrize(
    "act",
    [claimed, leased, slots_held, put_off, blocked, listed, listing],
    ids=lambda a: a.__name__,
)
def test_whatever_was_stored_ahead_counts_as_now(act: Callable[[Bench], None]) -> None:
    """Each time that a worker may have left: some seconds later a sweep has put it right, and the write arrives."""
    made = duo()
    mine, _ = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.scan("hr")
    made.think()
    sweep(made.engine)
    with_clock_ahead(made, lambda made: (act(made), sweep(made.engine)))
    for _ in range(8):
        made.clock.sleep(10)
        sweep(made.engine)
        expire(made.engine)
        made.settle()
    assert in_lms(made) == {"lead"}
    made.vendors["hr"].edit(mine, job="head")
    made.clock.sleep(3600)
    made.queue.sent.clear()
    sweep(made.engine)
    assert ("capture", ["hr", "people", "scan"]) in [(t, [*a]) for t, a in made.queue.sent]


def test_a_pause_that_a_vendor_asked_for_by_the_right_clock_stands() -> None:
    """What was set before the clock was ahead, or differs a little, is no time from the future."""
    made = duo()
    anna(made)
    until = made.clock.now() + 3000
    made.engine.note_failure("lms", RateLimited("429", until))
    correct_setback(made.engine)
    made.clock.at += HOURS
    correct_setback(made.engine)
    made.clock.at -= HOURS
    correct_setback(made.engine)
    assert made.read(lambda tx: tx.connection("lms")).blocked_until == until
    made.clock.at -= AHEAD / 2
    before = made.read(lambda tx: tx.select_links())
    correct_setback(made.engine)
    assert made.read(lambda tx: tx.select_links()) == before
