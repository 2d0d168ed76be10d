"""Every commit and every vendor call is a crash point once, before it and after it; the end is the same each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import pytest

from syncengine.ledger import Ledger, Transaction
from syncengine.simulation.vendor import FakeVendor
from tests.support.bench import Bench
from tests.support.people import HR_DELETES, LMS_DELETES, anna, duo

CALLS = ("scan", "poll", "get", "find", "create", "update", "delete")
SOME = 11
"""Of so many steps one."""
LEASE = 30.0
"""Seconds after which what the dead process held is free."""


class Crash(BaseException):
    """The process is gone. No handler of errors sees it."""


@dataclass
class Doom:
    """Ends a process at its ``at``-th step (0: never); from then on it can neither store nor call anything. ``steps``:
    what it did, in order."""

    at: int
    steps: list[str] = field(default_factory=list)
    dead: bool = False

    def alive(self) -> None:
        """Raises Crash once it is dead."""
        if self.dead:
            raise Crash

    def step(self, what: str) -> None:
        """Raises Crash if this is where it ends."""
        self.alive()
        self.steps.append(what)
        if len(self.steps) == self.at:
            self.dead = True
            raise Crash


@contextmanager
def doomed(made: Bench, at: int) -> Iterator[Doom]:
    """Let the process of an engine end at a step: before or after a commit, before or after a call."""
    doom, ledger = Doom(at), made.engine.ledger

    @contextmanager
    def write() -> Iterator[Transaction]:
        doom.alive()
        with Ledger.write(ledger) as tx:
            yield tx
            doom.step("before a commit")
        doom.step("after a commit")

    @contextmanager
    def read() -> Iterator[Transaction]:
        doom.alive()
        with Ledger.read(ledger) as tx:
            yield tx

    with ExitStack() as undo:
        undo.enter_context(patch.object(ledger, "write", write))
        undo.enter_context(patch.object(ledger, "read", read))
        for vendor in made.vendors.values():
            for verb in CALLS:
                undo.enter_context(patch.object(vendor, verb, _call(doom, vendor, verb)))
        yield doom


def _call(doom: Doom, vendor: FakeVendor, verb: str) -> Callable[..., Any]:
    original = getattr(vendor, verb)

    def pages(*given: Any) -> Iterator[Any]:
        doom.step(f"before {verb}")
        yield from original(*given)
        doom.step(f"after {verb}")

    def call(*given: Any) -> Any:
        doom.step(f"before {verb}")
        answer = original(*given)
        doom.step(f"after {verb}")
        return answer

    return pages if verb in ("scan", "poll") else call


def renamed(made: Bench, mine: str) -> None:
    """Somebody gets another name."""
    made.vendors["hr"].edit(mine, name="Anne")


def started(made: Bench, _: str) -> None:
    """Somebody starts."""
    made.vendors["hr"].add(name="Ben", email="ben@x.example", job="dev")


def left(made: Bench, mine: str) -> None:
    """Somebody's row is gone, and the account is to be deleted."""
    made.vendors["hr"].remove(mine)


def work(made: Bench) -> None:
    """What follows from what people did, until nothing is due."""
    for _ in range(2):
        made.scan_all()
        made.settle()
        made.clock.sleep(1.0)


def end_of(act: Callable[[Bench, str], None], at: int) -> tuple[dict[str, Any], list[str]]:
    """What is there in the end, and the steps, where the process that works on an act ends at one of them."""
    made = duo(hr_system=HR_DELETES, lms_system=LMS_DELETES)
    mine, _ = anna(made)
    made.sync()
    act(made, mine)
    wrote = len(made.vendors["lms"].wrote())
    with doomed(made, at) as doom:
        try:
            work(made)
        except Crash:
            assert doom.dead
    if doom.dead:
        engine = made.engine
        made = Bench.on(
            list(made.vendors.values()), engine.project, made.database, made.clock, engine.limits
        )
        made.clock.sleep(LEASE)
        for _ in range(3):
            work(made)
            made.clock.sleep(LEASE)
    assert not made.unsettled()
    return {
        "rows": {name: [*vendor.rows().values()] for name, vendor in made.vendors.items()},
        "records": sorted(sorted(map(str, r.values.items())) for r in made.records()),
        "writes": [verb for verb, _ in made.vendors["lms"].wrote()[wrote:]],
        "questions": [case.kind for case in made.cases()],
        "work": [k.id for k in made.links() if k.dirty or k.need_get],
    }, doom.steps


@pytest.mark.parametrize("apart", [SOME, pytest.param(1, marks=[pytest.mark.long, pytest.mark.ci])])
@pytest.mark.parametrize("act", [renamed, started, left])
def test_a_process_that_ends_anywhere_leaves_the_same_end(
    act: Callable[[Bench, str], None], apart: int
) -> None:
    """Another process takes up what is stored: the same rows and records, each write made once, nobody asked. Here it
    ends at some of the steps, in the long tests at each."""
    expected, steps = end_of(act, 0)
    assert len(expected["writes"]) == 1
    assert {"before a commit", "after a commit"} < set(steps)
    for at, step in list(enumerate(steps, start=1))[::apart]:
        found, _ = end_of(act, at)
        assert found == expected, f"after a crash at step {at} of {len(steps)}: {step}"
