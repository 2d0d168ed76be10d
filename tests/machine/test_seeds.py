"""Seeded runs of the simulation: what once broke a promise, some more for each change, and 100,000 steps."""

from __future__ import annotations

import pytest

from syncengine.simulation.run import drawn_steps, played, read_steps

ONCE_BROKEN: dict[str, tuple[int, str]] = {}
"""What broke -> seed and steps of the shortest run that did."""
STEPS, PARTS = 2_000, 50


@pytest.mark.parametrize("name", ONCE_BROKEN)
def test_what_once_broke_holds(name: str) -> None:
    """A run that broke a promise does so no more."""
    seed, steps = ONCE_BROKEN[name]
    assert played(seed, read_steps(steps))[1] == ""


@pytest.mark.parametrize("seed", range(1, 11))
def test_the_promises_hold_for_this_seed(seed: int) -> None:
    """Agreement, single rows, no echo, no silent loss: whatever this seed makes happen."""
    assert played(seed, drawn_steps(seed))[1] == ""


def test_the_long_runs_are_a_hundred_thousand_steps() -> None:
    """The parts below make 100,000 steps together."""
    assert STEPS * PARTS == 100_000


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(PARTS))
def test_the_promises_hold_for_so_many_steps(part: int) -> None:
    """At least 2,000 steps of runs that no other part plays, without a violation."""
    seed, done = 1_000 * (part + 1), 0
    while done < STEPS:
        run, broken = played(seed, drawn_steps(seed))
        assert broken == "", f"syncengine simulate --seed {seed} --runs 1: {broken}"
        done += len(run.story)
        seed += 1


@pytest.mark.long
@pytest.mark.ci
def test_the_promises_hold_for_some_more_steps() -> None:
    """A slice of the same, for each change."""
    done = 0
    for seed in range(900, 910):
        run, broken = played(seed, drawn_steps(seed))
        assert broken == "", f"syncengine simulate --seed {seed} --runs 1: {broken}"
        done += len(run.story)
    assert done > 400
