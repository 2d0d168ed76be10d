"""A copy of the ledger in memory, on which something can be tried out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from syncengine.ledger import tables as t
from syncengine.ledger.connections import is_mark
from syncengine.ledger.engine import make_engine, reader
from syncengine.ledger.tables import metadata

_WHOLE: Final = (t.connections, t.links, t.records, t.keys, t.operations, t.cases, t.erasures)
_NEWEST: Final = (t.events, t.history)
"""Tables of which only the newest row is copied: whatever is added gets an id beyond it."""


_spare: Final[list[Engine]] = []
"""Engines whose copy is gone, for the next ones: each knows its statements already."""


@contextmanager
def a_copy(source: Engine) -> Iterator[Engine]:
    """``copied``, for as long as the block lasts."""
    target = _spare.pop() if _spare else make_engine("sqlite://")
    try:
        yield copied(source, target)
    finally:
        target.dispose()
        _spare.append(target)


def copied(source: Engine, target: Engine | None = None) -> Engine:
    """A database in memory (``target``, which is empty, or a new one) with what decisions are made on: a consistent
    snapshot; of earlier events and history it may have only the newest. Values are copied as they are stored, encrypted
    ones encrypted. Nobody holds anything there: leases of links, slots and listings under way have ended."""
    target = target or make_engine("sqlite://")
    with reader(source) as there, there.begin():
        if source.dialect.name == "sqlite":
            _copy_pages(there, target)
        else:
            _copy_rows(there, target)
    with target.begin() as here:
        here.execute(t.links.update().where(t.links.c.lease_until != 0.0).values(lease_until=0.0))
        here.execute(t.connections.update().where(sa.not_(is_mark)).values(until=0.0))
    return target


def _copy_pages(there: Connection, target: Engine) -> None:
    """SQLite copies its own pages, which is a hundred times faster than rows."""
    into = target.raw_connection()
    try:
        source, copy = there.connection.driver_connection, into.driver_connection
        assert source is not None
        assert copy is not None
        source.backup(copy)
    finally:
        into.close()


def _copy_rows(there: Connection, target: Engine) -> None:
    metadata.create_all(target)
    with target.begin() as here:
        for table in _WHOLE:
            _fill(here, table, there.execute(sa.select(table)))
        for table in _NEWEST:
            newest = sa.select(table).order_by(table.c.id.desc()).limit(1)
            _fill(here, table, there.execute(newest))


def _fill(here: Connection, table: sa.Table, rows: Iterable[Any]) -> None:
    values = [tuple(row) for row in rows]
    if values:
        marks = ", ".join("?" for _ in table.c)
        # Names of tables and columns are our own.
        columns = ", ".join(f'"{column.name}"' for column in table.c)
        here.exec_driver_sql(f'INSERT INTO "{table.name}" ({columns}) VALUES ({marks})', values)
