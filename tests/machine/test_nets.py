"""What is decided follows from what is there: looking again changes nothing, and a plan says what is written."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from syncengine.simulation.nets import as_planned, level, undisturbed

PART, ALL = 8, 10_000


def hold(seeds: Iterable[int]) -> int:
    """Plan and sync, then look at everything again. Returns in how many companies the vendors answered as was known of
    them, so that the plan could be compared."""
    compared = 0
    for seed in seeds:
        company = undisturbed(seed)
        try:
            compared += as_planned(company)
            company.calm()
            level(company)
        finally:
            company.close()
    return compared


@pytest.mark.parametrize("first", [1_105, 50_000])
def test_a_plan_is_what_is_written_and_looking_again_changes_nothing(first: int) -> None:
    """In companies in which people did something and nothing failed."""
    assert hold(range(first, first + PART)) > PART // 3


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", range(60_000, 60_000 + ALL, ALL // 100))
def test_the_nets_hold_for_so_many_companies(first: int) -> None:
    """The same in 10,000 companies."""
    assert hold(range(first, first + ALL // 100)) > ALL // 300
