"""Who gets the calls that a connection may have under way."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

import pytest

from syncengine.flows.capture import capture
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
