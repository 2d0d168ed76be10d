"""Writes that are answered at the same time: settled together, and each still stands or falls alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncengine.flows.capture.refresh import refresh
from syncengine.flows.reconcile.reconcile import reconcile
from syncengine.flows.send.dispatch import dispatch
from syncengine.model.changeset import Changeset
from syncengine.model.link import Link, LinkState
from syncengine.model.operation import OperationState, Written
from syncengine.simulation.clock import ManualClock
from syncengine.simulation.vendor import FakeVendor
from tests.support.bench import Bench
from tests.support.people import HR, LIMITS_WIDE, LMS, bench, crowd, entity, spec

COLUMNS = ("id", "email", "name", "job")


def wide(calls: int) -> Bench:
    """People in ``hr`` and ``lms``; so many calls at once at each."""
    clock = ManualClock()
    declared = (spec("hr", *COLUMNS, poll=True), spec("lms", *COLUMNS, search=("email",)))
    both = [FakeVendor(replace(one, concurrency=calls), clock) for one in declared]
    return bench(*both, files=(entity(hr=HR, lms=LMS),), limits=LIMITS_WIDE)


def to_be_renamed(calls: int, people: int) -> Bench:
    """Everybody is in both, and has another job in ``hr``."""
    made = wide(calls)
    names = crowd(made, people)
    made.sync()
    for name in names:
        made.vendors["hr"].edit(name, job="lead")
    return made


@pytest.mark.parametrize(("calls", "transactions"), [(1, 3), (3, 1)])
def test_what_is_answered_at_once_is_settled_in_one_transaction(
    calls: int, transactions: int
) -> None:
    """Of three writes: three transactions where one call is made at a time, one where all are."""
    made = to_be_renamed(calls, 3)
    made.scan("hr")
    made.think()
    with made.writes() as writes:
        assert made.send() == {"applied": 3}
    around = 3  # claim with slots, check, and the end
    assert len(writes) == around + transactions
    assert {row["job"] for row in made.vendors["lms"].rows().values()} == {"lead"}


def test_a_create_that_is_answered_with_the_row_of_another_one_stands_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two creates that are answered at once with one id: one is settled, the other is in doubt."""
    made, lms = wide(2), FakeVendor.create
    crowd(made, 2)

    def create(self: FakeVendor, *given: Any) -> Written:
        lms(self, *given)
        return Written(min(self.rows()))

    monkeypatch.setattr(FakeVendor, "create", create)
    made.scan_all()
    made.think()
    assert made.send() == {"applied": 1, "unknown": 1}
    assert {o.state for o in made.operations()} == {OperationState.APPLIED, OperationState.UNKNOWN}
    linked = [k for k in made.links("lms") if k.state is LinkState.LINKED]
    assert [k.external_id for k in linked] == [min(made.vendors["lms"].rows())]


def test_a_create_whose_row_was_seen_before_its_answer_is_settled_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two creates that are answered at once, of which a listing has shown one row by then: both are settled, each in a
    transaction of its own, and the link of the listing is gone."""
    made, lms = wide(2), FakeVendor.create
    crowd(made, 2)

    def create(self: FakeVendor, *given: Any) -> Written:
        answer = lms(self, *given)
        if len(self.rows()) == 1:
            seen = Link("seen", "person", "lms", "people", answer.external_id, dirty=1)
            with made.engine.ledger.write() as tx:
                tx.write(Changeset(new_links=[seen]))
        return answer

    made.scan_all()
    made.think()
    monkeypatch.setattr(FakeVendor, "create", create)
    with made.writes() as writes:
        assert made.send() == {"applied": 2}
    seen, around, asked = 1, 3, 1
    assert len(writes) == seen + around + asked + 2
    assert {k.state for k in made.links("lms")} == {LinkState.LINKED}
    assert len(made.links("lms")) == 2


def test_a_change_among_many_costs_few_statements() -> None:
    """A hundred changes at once: at most 10 statements and 3 write transactions each, from the feed to the settled
    write."""
    made = to_be_renamed(4, 100)
    with made.statements() as statements, made.writes() as writes:
        made.poll("hr")
        while refresh(made.engine) + reconcile(made.engine) + dispatch(made.engine).total():
            made.clock.sleep(0.1)
    assert {row["job"] for row in made.vendors["lms"].rows().values()} == {"lead"}
    assert not made.unsettled()
    assert len(statements) <= 1000
    assert len(writes) <= 300
