"""A copy of the ledger is another ledger, with all that decisions are made on."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Engine

from syncengine.ledger import Ledger
from syncengine.ledger.encryption import new_key
from syncengine.model.change import Change
from syncengine.model.changeset import Changeset
from syncengine.model.link import Link
from syncengine.model.record import Record

ANNA = Record(id="r", entity="person", values={"name": "Anna"})
ROW = Link("l", "person", "hr", "people", "1", record_id="r", row={"name": "Anna"}, dirty=1)


def test_a_copy_has_what_stands_there_under_the_same_keys(engine: Engine) -> None:
    """Values that are encrypted there open in the copy."""
    ledger = Ledger(engine, [new_key()])
    with ledger.write() as tx:
        tx.write(Changeset(new_records=[ANNA], new_links=[ROW]))
    with ledger.copy() as copy, copy.read() as tx:
        assert tx.records(["r"])["r"].values == {"name": "Anna"}
        assert tx.links(["l"])["l"].row == {"name": "Anna"}


def test_what_is_written_to_a_copy_is_not_written_to_the_ledger(engine: Engine) -> None:
    """Nor does the copy see what is written after it was made."""
    ledger = Ledger(engine)
    with ledger.write() as tx:
        tx.write(Changeset(new_records=[ANNA]))
    with ledger.copy() as copy:
        with copy.write() as tx:
            tx.write(Changeset(records=[replace(ANNA, deleted=True)]))
        with ledger.write() as tx:
            tx.write(Changeset(new_records=[replace(ANNA, id="s")]))
        with copy.read() as tx:
            assert tx.records(["r", "s"]).keys() == {"r"}
    with ledger.read() as tx:
        assert not tx.records(["r"])["r"].deleted


def test_what_a_copy_adds_is_newer_than_all_that_was_there(engine: Engine) -> None:
    """Ids of events and of history are an order, so that a copy goes on from the newest."""
    ledger = Ledger(engine)
    with ledger.write() as tx:
        tx.write(Changeset(history=[Change("r", 1, "name"), Change("r", 2, "name")]))
        newest = tx.newest_ids()[1]
    with ledger.copy() as copy, copy.write() as tx:
        assert tx.newest_ids()[1] == newest
        tx.write(Changeset(history=[Change("r", 3, "name")]))
        assert tx.newest_ids()[1] > newest


def test_nobody_holds_anything_in_a_copy(engine: Engine) -> None:
    """A link that a worker has claimed, a slot and a listing under way are free there."""
    ledger = Ledger(engine)
    with ledger.write() as tx:
        tx.write(Changeset(new_links=[ROW], listings={("hr", "people"): 900.0}))
        assert tx.claim_links("reconcile", 100.0, 50.0, 10)
        assert tx.take_slots("hr", 1, 1, "somebody", 100.0, 150.0)
    with ledger.copy() as copy, copy.write() as tx:
        assert tx.claim_links("reconcile", 101.0, 50.0, 10)
        assert tx.take_slots("hr", 1, 1, "us", 101.0, 150.0)
