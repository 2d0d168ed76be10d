"""The rate of calls, as arithmetic."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from syncengine.ledger.connections import grant

START = 1_800_000_000.0
BUDGETS = st.tuples(st.integers(1, 120), st.sampled_from([0.5, 1.0, 7.3, 60.0, 3600.0]))
STEPS = st.lists(st.tuples(st.floats(0, 2), st.integers(0, 40)), min_size=1, max_size=60)


@settings(deadline=None)
@given(budget=BUDGETS, steps=STEPS)
def test_no_window_holds_more_than_the_budget(
    budget: tuple[int, float], steps: list[tuple[float, int]]
) -> None:
    """However calls are asked for, none of the windows of the period holds more than the budget."""
    calls, per = budget
    now, paid, sent = START, 0.0, list[float]()
    for pause, want in steps:
        now += pause * per / calls * 5
        granted, paid, _ = grant(want, calls, per, now, paid)
        sent += [now] * granted
    for at in sent:
        # Exact: the float sum at + per may round to where a call stands.
        assert sum(0 <= Fraction(other) - Fraction(at) < Fraction(per) for other in sent) <= calls


@given(budget=BUDGETS, hurry=st.integers(1, 50))
def test_waiting_as_told_gets_a_call(budget: tuple[int, float], hurry: int) -> None:
    """Whoever comes back when told gets at least one call, and gets the whole budget in time."""
    calls, per = budget
    now, paid, sent = START, 0.0, 0
    while sent < calls:
        granted, paid, next_at = grant(hurry, calls, per, now, paid)
        assert granted >= 1
        assert next_at >= now - 1e-6
        sent += granted
        last, now = now, max(next_at, now)
    assert last - START <= per * 1.01 + 1e-3


@given(budget=BUDGETS)
def test_a_burst_is_a_tenth(budget: tuple[int, float]) -> None:
    """After a long pause a tenth of the budget may be spent at once, at least one call."""
    calls, per = budget
    assert grant(10_000, calls, per, START, 0.0)[0] == max(1, calls // 10)


def test_a_clock_that_goes_back_grants_nothing_extra() -> None:
    """A process whose clock is behind gets no calls that the others have used up."""
    _, paid, _ = grant(10, 10, 10.0, START, 0.0)
    assert grant(10, 10, 10.0, START - 5, paid)[0] == 0
