"""A plan that writes too much waits as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from threading import Event, Thread
from time import sleep
from typing import Any, Literal

import pytest
from sqlalchemy import Engine as Database

from syncengine.flows.capture.capture import capture
from syncengine.flows.capture.listing import Listing
from syncengine.flows.reconcile.reconcile import reconcile
from syncengine.flows.send.dispatch import dispatch
from syncengine.ledger import Ledger, Transaction
from syncengine.ledger.engine import make_engine
from syncengine.ledger.migrations import upgrade
from syncengine.model.changeset import Changeset, Wakes
from syncengine.model.operation import OperationState
from syncengine.simulation.traits import Fault
from tests.support.bench import COMMIT, Bench
from tests.support.databases import postgres_database
from tests.unit.flows.core.leavers import crowd, deletes, edit, people, staged


@pytest.mark.parametrize("batch", [1, 3, 5, 100])
def test_a_plan_over_the_limit_waits_whole_whatever_the_batches(batch: int) -> None:
    """Nothing of it is sent, however it was cut into batches; it is one case with the whole list."""
    made = crowd(batch=batch)
    edit(made, people(made)[:10], job="left")
    made.sync()
    assert not deletes(made)
    assert len(made.case().evidence["links"]) == 10
    assert not made.unsettled()


def test_the_rest_of_the_work_goes_on() -> None:
    """While deletes wait, other writes of the same entity and connection are sent."""
    made = staged()
    last = people(made)[-1]
    edit(made, [last], job="lead")
    made.sync()
    (row,) = [r for r in made.vendors["lms"].rows().values() if r["email"] == "p11@x.de"]
    assert row["job"] == "lead"
    assert not deletes(made)


def planned_in_parts(database: Database | None = None) -> Bench:
    """Ten are to leave, and no batch holds them all."""
    made = crowd(batch=5, database=database)
    edit(made, people(made)[:10], job="left")
    made.scan("hr")
    assert len([k for k in made.links("hr") if k.dirty]) == 10
    return made


def test_batches_of_two_workers_that_interleave_are_one_plan() -> None:
    """A batch that is committed inside another one's round counts with it; nothing goes out between."""
    made = planned_in_parts()
    engine = made.engine
    with made.between(COMMIT, lambda: reconcile(engine)):
        reconcile(engine)
    assert made.send() == {}
    assert len(made.case().evidence["links"]) == 10
    assert {o.state for o in made.operations() if o.action == "delete"} == {
        OperationState.CANCELLED
    }


def test_the_first_batch_is_not_sent_while_the_second_is_to_be_planned() -> None:
    """Writes of a limited kind stay until everything is planned that may add to them."""
    made = planned_in_parts()
    reconcile(made.engine)
    assert len(made.unsettled()) == 5
    assert made.send() == {}
    made.settle()
    assert not deletes(made)
    assert len(made.case().evidence["links"]) == 10


@dataclass
class Lingers:
    """A ledger that stays in its write transaction number ``at`` for a while, after all was said."""

    ledger: Ledger
    at: int
    inside: Event
    count: int = 0

    def read(self) -> AbstractContextManager[Transaction]:
        """A snapshot."""
        return self.ledger.read()

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A write."""
        self.count += 1
        mine = self.count
        with self.ledger.write() as tx:
            yield tx
            if mine == self.at:
                self.inside.set()
                sleep(0.3)


def test_two_workers_at_once_are_one_plan() -> None:
    """Two batches that are committed at the same time, neither of which sees the other, are counted together."""
    with postgres_database() as url:
        here, there = make_engine(url), make_engine(url)
        upgrade(here)
        made = planned_in_parts(here)
        inside = Event()
        one = replace(made.engine, ledger=Lingers(made.engine.ledger, COMMIT, inside))
        other = replace(made.engine, ledger=Ledger(there))
        first = Thread(target=reconcile, args=(one,))
        first.start()
        assert inside.wait(10)
        reconcile(other)
        first.join(10)
        assert len(made.case().evidence["links"]) == 10
        assert not made.unsettled()
        for engine in (here, there):
            engine.dispose()


@pytest.mark.parametrize("kind", ["scan", "poll"])
def test_pages_of_a_listing_under_way_are_one_plan(
    monkeypatch: pytest.MonkeyPatch, kind: Literal["scan", "poll"]
) -> None:
    """What the first pages brought is not sent before the last page was read."""
    made = crowd()
    edit(made, people(made)[:10], job="left")
    planned, keep = [], Listing.keep

    def kept(*given: Any, **named: Any) -> None:
        """Between two pages other workers do what is due."""
        keep(*given, **named)
        made.think()
        assert dispatch(made.engine) == {}
        planned.append(len(made.unsettled()))

    hr = made.vendors["hr"]
    scan = hr.scan
    monkeypatch.setattr(hr, kind, lambda resource, *_: scan(resource))
    monkeypatch.setattr(Listing, "keep", kept)
    capture(made.engine, "hr", "people", kind)
    assert planned[0] == 3
    made.settle()
    assert not deletes(made)
    assert len(made.case().evidence["links"]) == 10


def test_a_listing_that_broke_off_holds_nothing() -> None:
    """After a failed listing there are no more pages to wait for."""
    made = crowd()
    edit(made, people(made)[:3], job="left")
    made.vendors["hr"].fault("scan", "partial")
    made.scan("hr")
    made.clock.sleep(2)
    made.settle()
    assert deletes(made) == 3


def test_a_plan_that_never_stops_growing_is_sent_after_a_while() -> None:
    """Where something is always left to be looked at, writes are held no longer than the window."""
    made = crowd()
    edit(made, people(made)[:1], job="left")
    made.scan("hr")
    made.think()
    last = made.links("lms")[-1].id
    with made.engine.ledger.write() as tx:
        tx.write(Changeset(wakes=Wakes(links=[last])))
    assert made.send() == {}
    made.clock.sleep(3601)
    assert made.send() == {"applied": 1}


def test_a_plan_within_the_limit_is_sent_at_once() -> None:
    """As soon as all is planned, what the limit allows goes out."""
    made = crowd()
    edit(made, people(made)[:6], job="left")
    made.sync()
    assert deletes(made) == 6
    assert not made.cases()


def test_a_write_that_had_no_effect_does_not_count() -> None:
    """What a vendor refused may be tried again without being counted twice."""
    made = crowd()
    refused: list[Fault] = ["refuse"] * 6
    made.vendors["lms"].fault("delete", *refused)
    edit(made, people(made)[:6], job="left")
    made.sync()
    for case in made.cases():
        made.answer("retry", case)
    made.sync()
    assert len(made.vendors["lms"].rows()) == 6
    assert not made.cases()
