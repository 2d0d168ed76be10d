"""A rehearsal does on a copy what the next pass would do, and tells it in the same words each time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncengine.flows.run import rehearsal
from syncengine.flows.run.rehearsal import rehearse
from syncengine.mapping import Budget
from syncengine.model.changeset import Changeset
from syncengine.simulation.nets import picture
from tests.support.bench import Bench
from tests.support.people import crowd, duo
from tests.support.school import school


def calls(made: Bench) -> dict[str, list[Any]]:
    """What each vendor was asked."""
    return {name: list(vendor.calls) for name, vendor in made.vendors.items()}


def derived() -> Bench:
    """Somebody of whom a derivation is to make a record, which is to get a row."""
    made = school()
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan_all()
    made.think()
    return made


def test_a_rehearsal_leaves_everything_as_it_was() -> None:
    """The ledger, the vendors, the queue and the clock."""
    made = duo()
    crowd(made, 3)
    made.scan_all()
    before, told, said = picture(made), calls(made), len(made.queue.sent)
    now = made.clock.now()
    assert rehearse(made.engine).writes
    assert picture(made) == before
    assert calls(made) == told
    assert len(made.queue.sent) == said
    assert made.clock.now() == now


def test_the_same_facts_give_the_same_digest() -> None:
    """Records and rows that exist only in the rehearsal are called by what they come from."""
    made = derived()
    first, second = rehearse(made.engine), rehearse(made.engine)
    assert first.writes
    assert first.digest() == second.digest()
    assert first.new_records.keys() == second.new_records.keys()


def test_a_row_that_nobody_has_sorted_yet_is_sorted_in_the_rehearsal() -> None:
    """The person whom it shows is made, and so is her row elsewhere."""
    made = duo()
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan_all()
    planned = rehearse(made.engine)
    assert planned.unsorted == 0
    assert [record.values["name"] for record in planned.new_records.values()]
    assert {write.operation.connection for write in planned.writes.values()} == {"lms"}
    assert rehearse(made.engine).digest() == planned.digest()


def test_a_write_that_is_under_way_is_part_of_the_plan() -> None:
    """It may still be that it never reached its vendor."""
    made = duo()
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan_all()
    made.think()
    with made.engine.ledger.write() as tx:
        (claimed,) = tx.claim_operations(made.clock.now(), 60.0, 10, ["lms"], None, [])
    planned = rehearse(made.engine)
    assert [w.operation.link_id for w in planned.writes.values()] == [claimed.link_id]


def test_vendors_can_be_called_after_a_rehearsal() -> None:
    """A call with a budget goes out at once, as before."""
    made = duo()
    made.engine.gates["hr"].connection = replace(
        made.engine.gates["hr"].connection, budget=Budget(1000)
    )
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan_all()
    rehearse(made.engine)
    made.scan_all()


def test_a_row_of_nobody_that_has_to_be_read_first_is_said_to_be_unsorted() -> None:
    """Part of a row may tell another person."""
    made = duo()
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan_all()
    (link,) = made.links("hr")
    with made.engine.ledger.write() as tx:
        tx.write(Changeset(links=[replace(link, need_get=True)]))
    planned = rehearse(made.engine)
    assert (planned.unsorted, planned.unread) == (1, 0)
    assert not planned.new_records


def test_what_goes_on_beyond_what_is_foreseen_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """No plan ends in silence before its end."""
    made = derived()
    assert not rehearse(made.engine).unfinished
    monkeypatch.setattr(rehearsal, "ROUNDS", 1)
    assert rehearse(made.engine).unfinished
