"""A storm over the service: real workers, database and broker that are killed, stopped and frozen."""

from __future__ import annotations

import argparse
from contextlib import ExitStack

import pytest

from bench import chaos, hosts
from bench.servers import NotInstalled
from bench.slow import slow_vendors


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("stack", chaos.STACKS)
def test_five_hundred_changes_survive_a_storm(stack: str) -> None:
    """A tenth of all calls fails, workers are killed, broker and database go away, one clock is wrong: the vendors end
    with what they have in peace, nothing is made or written twice, and questions are only of what cannot be proved."""
    asked = argparse.Namespace(
        people=100, changes=500, share=0.1, every=2.0, frozen=10.0, workers=2, stacks=[stack]
    )
    try:
        told = chaos.storm(stack, asked)
    except NotInstalled as missing:
        pytest.skip(str(missing))
    assert told.struck[chaos.KILLED] > 10
    assert told.written > 50
    found = told.found
    assert found.left <= sum(found.questions.values())
    assert found.differs == []
    assert (found.made_twice, found.written_twice) == (0, 0)
    assert found.questions.keys() <= {"identity", "rejected", "staged", "unknown"}


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_host_that_is_cut_off_loses_nothing() -> None:
    """Two hosts share database and broker; the lines of one are cut for longer than a lease: all is written once."""
    with ExitStack() as undo:
        made = slow_vendors(undo, "postgresql-redis", 60, hosts.VENDORS)
        told = hosts.rate(made, 40, 2, "Cut", cut=True)
    assert (told.lost, told.twice) == (0, 0)
