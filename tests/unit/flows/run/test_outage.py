"""Our own database is away for a moment while vendors are called: no vendor is to blame."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from syncengine.errors import DatabaseDown
from syncengine.flows.capture.capture import capture
from syncengine.flows.capture.refresh import refresh
from syncengine.flows.reconcile.reconcile import reconcile
from syncengine.flows.send.dispatch import dispatch
from syncengine.ledger import Ledger
from tests.support.bench import Bench
from tests.support.people import anna, duo


class Away:
    """A ledger of which one write transaction fails, after some."""

    def __init__(self, ledger: Ledger, after: int) -> None:
        self.ledger, self.left = ledger, after

    def read(self) -> Any:
        return self.ledger.read()

    @contextmanager
    def write(self) -> Iterator[Any]:
        self.left -= 1
        if self.left == -1:
            raise DatabaseDown("its disk is full", "make room")
        with self.ledger.write() as tx:
            yield tx


def stirred(made: Bench) -> None:
    """An edit to list, one to read, one to write."""
    mine, _ = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.scan("hr")
    while reconcile(made.engine):
        pass
    made.vendors["hr"].edit(mine, job="head")


@pytest.mark.parametrize("after", range(6))
@pytest.mark.parametrize("flow", ["capture", "refresh", "dispatch"])
def test_an_outage_is_no_fault_of_a_vendor(flow: str, after: int) -> None:
    """Wherever in a listing, a read or a write the database goes away, the work is put off as a whole, no connection
    is held to be failing or paused, and nobody is asked anything; once it is back, everything arrives, once."""
    made = duo()
    stirred(made)
    kept, made.engine.ledger = made.engine.ledger, Away(made.engine.ledger, after)
    try:
        if flow == "capture":
            capture(made.engine, "hr", "people", "scan")
        elif flow == "refresh":
            refresh(made.engine)
        else:
            dispatch(made.engine)
    except DatabaseDown:
        pass
    made.engine.ledger = kept
    with kept.read() as tx:
        assert [(s.failures, s.blocked_until) for s in tx.connections(["hr"])] == [(0, 0.0)]
        assert not tx.cases()
        assert not tx.resource("hr", "people").fault
    made.clock.sleep(600)
    made.scan("hr")
    made.settle()
    assert made.record().values["job"] == "head"
