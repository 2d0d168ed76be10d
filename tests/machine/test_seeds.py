"""Seeded runs of the machine's world: the same promises, more of what interleaves."""

from __future__ import annotations

import pytest

from tests.machine.runs import Run

SHORT = range(24)
LONG = [range(start, start + 50) for start in range(100, 1600, 50)]


@pytest.mark.parametrize("seed", SHORT)
def test_the_promises_hold_for_this_seed(seed: int) -> None:
    """Agreement, single rows, no echo, no silent loss: whatever this seed makes happen."""
    Run(seed).go()


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seeds", LONG, ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}")
def test_the_promises_hold_for_these_seeds(seeds: range) -> None:
    """The same for many seeds."""
    for seed in seeds:
        try:
            Run(seed).go()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
