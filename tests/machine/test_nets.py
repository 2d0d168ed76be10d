"""What is decided follows from what is there: looking again changes nothing, and a plan says what is written."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from syncengine.simulation.nets import as_planned, level, undisturbed

PART, ALL = 20, 10_000
"""Companies that one test looks at, and all of them."""
ONCE_BROKEN = {
    "a listing right after a read misses no row": (2143,),
    "what is in the outbox is planned anew with its link": (61760, 62046, 70159),
    "a row is read and decided on while a write of it waits": (2296, 50341, 60115, 60603, 70085),
    "who waits for a place is planned once that will be free": (2024,),
    "what follows from a write is judged after it": (60197, 60407),
}
"""What the nets have found -> in which companies."""


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


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(131_000, marks=[pytest.mark.long, pytest.mark.ci]),
        pytest.param(131_020, marks=[pytest.mark.long, pytest.mark.ci]),
        pytest.param(131_040, marks=[pytest.mark.long, pytest.mark.ci]),
    ],
)
def test_a_plan_is_what_is_written_and_looking_again_changes_nothing(first: int) -> None:
    """In companies in which people did something and nothing failed."""
    assert hold(range(first, first + PART)) > PART // 3


@pytest.mark.parametrize("found", ONCE_BROKEN)
def test_what_the_nets_once_found_stays_mended(found: str) -> None:
    """In companies in which a plan was not what was written, or a second look changed something."""
    seeds = ONCE_BROKEN[found]
    assert hold(seeds) == len(seeds)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", range(60_000, 60_000 + ALL, ALL // 100))
def test_the_nets_hold_for_so_many_companies(first: int) -> None:
    """The same in 10,000 companies."""
    assert hold(range(first, first + ALL // 100)) > ALL // 300
