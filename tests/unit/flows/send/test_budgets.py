"""A read before a write and the write are paid for together, however small the budget."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncengine.flows.send.dispatch import dispatch
from syncengine.ledger.connections import book, grant
from tests.support.bench import MINUTE, Bench, within
from tests.support.people import anna, crowd, duo


def moved(made: Bench, *people: str) -> None:
    """These have another job in ``hr``, and the writes to ``lms`` are planned."""
    for name in people:
        made.vendors["hr"].edit(name, job="lead")
    made.scan("hr")
    made.think()
    made.vendors["lms"].calls.clear()


def test_a_call_a_minute_moves_a_write_in_two() -> None:
    """The smallest budget that there is: the row is read, and a minute later it is written."""
    made = duo()
    mine, theirs = anna(made)
    moved(within(made, "lms", 1), mine)
    began = made.clock.now()
    assert dispatch(made.engine) == {"applied": 1}
    assert made.vendors["lms"].calls == [("get", theirs), ("update", theirs)]
    assert made.clock.now() - began < 2 * MINUTE


def test_what_cannot_be_paid_for_as_a_whole_costs_nothing() -> None:
    """Where the write's call is far away the row is not read, and no attempt is counted; later both come."""
    made = duo()
    people = crowd(made, 3)
    made.sync()
    moved(within(made, "lms", 2), *people)
    began = made.clock.now()
    assert dispatch(made.engine) == {"applied": 1}
    assert len(made.vendors["lms"].calls) == 2
    waiting = made.unsettled()
    assert [o.attempts for o in waiting] == [0, 0]
    assert all(made.clock.now() < o.next_at < began + 5 * MINUTE for o in waiting)
    made.sync(record=made.link("hr").record_id if len(people) == 1 else waiting[0].record_id)
    assert made.vendors["lms"].wrote()[-3:] == [("update", o) for o in made.vendors["lms"].rows()]
    assert {row["job"] for row in made.vendors["lms"].rows().values()} == {"lead"}
    assert made.clock.now() - began < 8 * MINUTE


def test_a_busy_reader_leaves_calls_to_a_writer() -> None:
    """A budget that others use up as fast as it comes is no reason not to write: what a write needs is booked ahead."""
    made = duo()
    mine, _ = anna(made)
    moved(within(made, "lms", 30), mine)
    gate = made.engine.gates["lms"]
    while gate.take():
        pass
    assert dispatch(made.engine) == {"applied": 1}


@given(
    st.integers(1, 200), st.floats(1, 3600),
    st.lists(st.tuples(st.floats(0, 40), st.lists(st.integers(1, 5), min_size=1, max_size=8)), max_size=40),
)  # fmt: skip
def test_booked_calls_keep_to_the_budget(
    calls: int, per: float, asked: list[tuple[float, list[int]]]
) -> None:
    """However things are booked and single calls taken, in no window there are more calls than the budget has."""
    now, paid, sent = 1000.0, 0.0, list[float]()
    for pause, costs in asked:
        now += pause
        booking, paid = book(costs, calls, per, now, paid, 20.0)
        total = sum(costs[: booking.count])
        burst = max(1, calls // 10)
        assert booking.first <= booking.last
        assert booking.count or booking.free > now + 20.0 - 1e-3
        sent += [booking.first] * min(total, burst) + [booking.last] * max(0, total - burst)
        granted, paid, _ = grant(1, calls, per, now, paid)
        sent += [now] * granted
    sent.sort()
    for number, at in enumerate(sent):
        assert sum(at <= other < at + per - 1e-3 for other in sent[number:]) <= calls


@pytest.mark.parametrize("calls", [1, 5, 60])
def test_a_pass_waits_for_its_budget_and_says_so(calls: int) -> None:
    """A pass on a small budget writes all, and tells meanwhile what it waits for."""
    made = duo()
    people = crowd(made, 4)
    made.sync()
    moved(within(made, "lms", calls), *people)
    document = made.sync()
    assert document["converged"]
    assert {row["job"] for row in made.vendors["lms"].rows().values()} == {"lead"}
