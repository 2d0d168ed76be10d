"""A storm over the service: real workers, database and broker that are killed, stopped and frozen."""

from __future__ import annotations

import argparse

import pytest

from bench import chaos
from bench.servers import NotInstalled


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
    assert (told.lost, told.made_twice, told.written_twice) == (0, 0, 0)
    assert told.questions.keys() <= {"identity", "rejected", "unknown"}
