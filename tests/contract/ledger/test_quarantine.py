"""A value that does not open sets aside what it belongs to, and everything else goes on."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

from syncengine.errors import ConfigInvalid, LostRace
from syncengine.ledger import Ledger
from syncengine.model.case import CaseKind
from syncengine.model.changeset import Changeset
from syncengine.model.connection import ConnectionState, ResourceState
from syncengine.model.operation import OperationState
from syncengine.model.process import Process
from tests.contract.ledger.samples import (
    KEYS,
    a_link,
    fill,
    fill_with_secrets,
)


@pytest.mark.parametrize("column", ["row", "base", "listed_hash", "wait_key", "external_id"])
def test_one_broken_value_sets_aside_one_row(engine: Engine, column: str) -> None:
    """Whoever may write to the database changes a value: its row waits with a question about it, others go on."""
    ledger = Ledger(engine, KEYS)
    fill_with_secrets(ledger)
    fill(ledger, a_link("l2", "r2"))
    _swap(engine, "links", column, "l1", "row", "l2")
    with pytest.raises(LostRace, match="set aside"), ledger.read() as tx:
        tx.select_links()
    with ledger.read() as tx:
        links = {link.id: link for link in tx.select_links()}
        (case,) = tx.cases(kind=CaseKind.QUARANTINED)
    assert links["l1"].set_aside
    assert not links["l2"].set_aside
    assert case.evidence["place"] == f"links.{column}/l1"
    assert f"links.{column}" in case.question


@pytest.mark.parametrize(
    ("table", "column", "row"),
    [
        ("records", "values", "r1"), ("operations", "body", "o1"), ("operations", "detail", "o1"),
        ("cases", "question", "c1"), ("cases", "evidence", "c1"), ("cases", "subject", "c1"),
        ("history", "new", None), ("events", "external_id", None),
    ],
)  # fmt: skip
def test_whatever_does_not_open_others_do(
    engine: Engine, table: str, column: str, row: str | None
) -> None:
    """Records, writes, questions, notices and lines of the history are set aside alike, and the rest is read."""
    ledger = Ledger(engine, KEYS)
    fill_with_secrets(ledger)
    _swap(engine, table, column, row, "row", "l1")
    for _ in range(2):
        with suppress(LostRace), ledger.read() as tx:
            tx.records(["r1"])
            tx.select_links()
            tx.cases()
            tx.history("r1")
            tx.select_events()
            tx.select_operations()
    with ledger.read() as tx:
        assert all(o.state is OperationState.CANCELLED for o in tx.select_operations()) == (
            table == "operations"
        )
        if table in ("records", "operations"):
            assert tx.cases(kind=CaseKind.QUARANTINED)
        if table == "records":
            assert tx.records(["r1"])["r1"].values == {}
            assert tx.links(["l1"])["l1"].set_aside


def test_how_far_a_listing_came_is_begun_anew_where_it_does_not_open(engine: Engine) -> None:
    """Nothing else rests on it, and nothing else is lost with it."""
    ledger = Ledger(engine, KEYS)
    with ledger.write() as tx:
        tx.write(Changeset(resources=[ResourceState("hr", "people", scanned_at=5.0)]))
        tx.write(Changeset(connections=[replace(tx.connection("hr"), digest="paused")]))
    with engine.begin() as connection:
        connection.execute(text("UPDATE connections SET state = 'x' WHERE part LIKE 'resource:%'"))
    with pytest.raises(LostRace, match="set aside"), ledger.read() as tx:
        tx.resource("hr", "people")
    with ledger.read() as tx:
        assert tx.resource("hr", "people") == ResourceState("hr", "people")
        assert tx.connection("hr").digest == "paused"


def test_a_connection_whose_state_does_not_open_is_paused(engine: Engine) -> None:
    """Nobody is written to who may have been paused, until a person resumes it; all others go on."""
    ledger = Ledger(engine, KEYS)
    with ledger.write() as tx:
        for name in ("hr", "lms"):
            tx.write(Changeset(connections=[ConnectionState(name, digest=name)]))
    with engine.begin() as connection:
        connection.execute(text("UPDATE connections SET state = 'x' WHERE name = 'hr'"))
    with pytest.raises(LostRace, match="set aside"), ledger.read() as tx:
        tx.connections(["hr", "lms"])
    with ledger.write() as tx:
        hr, lms = tx.connections(["hr", "lms"])
        assert "could not be read" in hr.paused
        assert lms == ConnectionState("lms", digest="lms")
        tx.write(Changeset(connections=[replace(hr, paused="")]))
    with ledger.read() as tx:
        assert tx.connection("hr") == ConnectionState("hr")


def test_a_process_whose_state_does_not_open_is_forgotten(engine: Engine) -> None:
    """It tells of itself again, and nobody else is kept from being told."""
    ledger = Ledger(engine, KEYS)
    told = [Process(id_, "worker", "host", 1, "", 0.0, 0.0) for id_ in ("p1", "p2")]
    with ledger.write() as tx:
        for process in told:
            tx.save_process(process)
    with engine.begin() as connection:
        connection.execute(text("UPDATE connections SET state = 'x' WHERE part = 'p1'"))
    with pytest.raises(LostRace, match="set aside"), ledger.read() as tx:
        tx.processes()
    with ledger.read() as tx:
        assert [process.id for process in tx.processes()] == ["p2"]


def test_without_its_ring_nothing_goes_on(engine: Engine) -> None:
    """By what a database hashes cannot be set aside: all work stops, and nothing is lost."""
    with Ledger(engine, KEYS).write() as tx:
        tx.write(Changeset(connections=[ConnectionState("hr", digest="hr")]))
    with engine.begin() as connection:
        connection.execute(text("UPDATE connections SET state = 'x' WHERE part = 'ring'"))
    with pytest.raises(ConfigInvalid), Ledger(engine, KEYS).read() as tx:
        tx.connection("hr")


def _swap(engine: Engine, table: str, column: str, row: str | None, other: str, of: str) -> None:
    """Put a value from another place where it does not belong."""
    where = "" if row is None else f" WHERE id = '{row}'"
    taken = f"SELECT \"{other}\" FROM links WHERE id = '{of}'"
    with engine.begin() as connection:
        connection.execute(text(f'UPDATE {table} SET "{column}" = ({taken}){where}'))
