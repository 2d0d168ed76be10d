"""Whatever is stored comes back, and a transaction is all or nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from syncengine.errors import LostRace
from syncengine.ledger import Ledger
from syncengine.ledger.engine import make_engine
from syncengine.model.case import Case
from syncengine.model.change import Change
from syncengine.model.changeset import Changeset
from syncengine.model.connection import ResourceState
from syncengine.model.link import Link
from syncengine.model.operation import Operation
from syncengine.model.record import Record
from tests.contract.ledger.samples import (
    CASES,
    CHANGES,
    LINKS,
    NOW,
    OPERATIONS,
    RECORDS,
    SOME,
    a_case,
    a_link,
    an_event,
    an_operation,
    fill,
    url_of,
)
from tests.support.databases import empty


@SOME
@given(link=LINKS, operation=OPERATIONS, record=RECORDS, case=CASES, change=CHANGES)
def test_what_is_added_is_read_back(
    engine: Engine,
    link: Link,
    operation: Operation,
    record: Record,
    case: Case,
    change: Change,
) -> None:
    """Every value comes back equal, whatever JSON a vendor puts into it."""
    empty(engine)
    ledger = Ledger(engine)
    fill(ledger, link, operation, record, case)
    with ledger.write() as tx:
        tx.write(Changeset(history=[change]))
    with ledger.read() as tx:
        assert tx.links([link.id, "unknown"]) == {link.id: link}
        assert tx.operations([operation.id, "unknown"]) == {operation.id: operation}
        assert tx.records([record.id, "unknown"]) == {record.id: record}
        assert tx.cases(ids=[case.id], open_only=False) == [case]
        (stored,) = tx.history(change.record_id)
        assert replace(stored, id=change.id) == change
        assert tx.changes([stored.id]) == [stored]


@SOME
@given(link=LINKS, operation=OPERATIONS, record=RECORDS, case=CASES)
def test_what_is_saved_is_read_back(
    engine: Engine, link: Link, operation: Operation, record: Record, case: Case
) -> None:
    """Saving writes every column, and a link as its next version."""
    empty(engine)
    ledger = Ledger(engine)
    fill(ledger, a_link(link.id), an_operation(operation.id), Record(record.id, "person", {}))
    fill(ledger, a_case(case.id))
    with ledger.write() as tx:
        tx.write(Changeset(links=[link]))
        tx.write(Changeset(operations=[operation]))
        tx.write(Changeset(records=[record]))
        tx.write(Changeset(cases=[case]))
    with ledger.read() as tx:
        assert tx.links([link.id]) == {link.id: replace(link, version=link.version + 1)}
        assert tx.operations([operation.id]) == {operation.id: operation}
        assert tx.records([record.id]) == {record.id: record}
        assert tx.cases([case.id], open_only=False) == [case]


def test_saving_what_is_gone_is_a_lost_race(ledger: Ledger) -> None:
    """A write that finds no row is told, not swallowed."""
    with pytest.raises(LostRace, match="1 of 1 links are gone"), ledger.write() as tx:
        tx.write(Changeset(links=[a_link("l1")]))


def test_an_exception_takes_everything_back(ledger: Ledger) -> None:
    """A transaction that breaks off leaves nothing behind."""
    fill(ledger, a_link("l1"))
    with pytest.raises(LostRace):
        fill(ledger, a_link("l0"), an_operation("o1", "l"), an_operation("o2", "l"))
    with ledger.read() as tx:
        assert [link.id for link in tx.select_links()] == ["l1"]


def test_a_read_transaction_cannot_write(ledger: Ledger) -> None:
    """Writing in a snapshot fails instead of being lost."""
    with pytest.raises(DBAPIError), ledger.read() as tx:
        tx.write(Changeset(new_links=[a_link("l1")]))
    fill(ledger, a_link("l1"))


def test_a_read_is_one_snapshot(database: Engine) -> None:
    """What another process commits meanwhile is not seen before the next read."""
    reader, writer = Ledger(database), Ledger(make_engine(url_of(database)))
    with reader.read() as tx:
        assert tx.select_links() == []
        fill(writer, a_link("l1"))
        assert tx.select_links() == []
    with reader.read() as tx:
        assert len(tx.select_links()) == 1


def test_a_restart_forgets_nothing(database: Engine) -> None:
    """A new process finds links, leases, cursors and the counter of events as they were."""
    ledger = Ledger(database)
    fill(ledger, a_link("l1", dirty=1))
    state = ResourceState("hakuna", "users", cursor="c", rows=7)
    with ledger.write() as tx:
        first = tx.add_events([an_event("e1")])
        tx.claim_links("reconcile", NOW, 20, 9)
        tx.write(Changeset(resources=[state]))
    database.dispose()
    with Ledger(make_engine(url_of(database))).write() as tx:
        assert tx.links(["l1"]) == {"l1": a_link("l1", dirty=1)}
        assert tx.claim_links("reconcile", NOW + 1, 20, 9) == []
        assert tx.resource("hakuna", "users") == state
        assert tx.add_events([an_event("e1"), an_event("e2")]) > [None, first[0]]
