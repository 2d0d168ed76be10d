"""Engines for SQLite and PostgreSQL that behave alike: same isolation as seen by a transaction, same errors."""

from __future__ import annotations

import os
import sqlite3
import time
import weakref
from collections.abc import Iterable
from typing import Any

import psycopg
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    ExceptionContext,
    Table,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import StaticPool

from syncengine.adapters.sql.tables import metadata
from syncengine.errors import ConfigInvalid, LostRace

BUSY_SECONDS = 30.0
"""How long a writer waits for another one on SQLite."""
_READING = {"syncengine_reading": True}
_RACES = {"40001": "a serialisation failure", "40P01": "a deadlock"}
_UNIQUE_VIOLATION = "23505"


def make_engine(url: str) -> Engine:
    """An engine for ``sqlite:///file``, ``sqlite://`` (in memory, one connection) or ``postgresql://``.

    Make it after a fork; one made before is safe too, since a child lets go of its parent's connections.
    Raises ConfigInvalid for another kind of URL.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise _unfit() from error
    if parsed.get_backend_name() == "sqlite":
        engine = _sqlite(parsed)
    elif parsed.get_backend_name() == "postgresql":
        engine = create_engine(
            parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True, hide_parameters=True
        )
    else:
        raise _unfit()
    event.listen(engine, "handle_error", _as_lost_race)
    if not isinstance(engine.pool, StaticPool):
        _forget_in_children(engine)
    return engine


def reader(engine: Engine) -> Connection:
    """A connection for one consistent snapshot, on which writing fails."""
    if engine.dialect.name == "sqlite":
        return engine.connect().execution_options(**_READING)
    return engine.connect().execution_options(
        isolation_level="REPEATABLE READ", postgresql_readonly=True
    )


def _unfit() -> ConfigInvalid:
    return ConfigInvalid(
        [
            "SYNCENGINE_DATABASE_URL: expected sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE"
        ]
    )


def _sqlite(url: URL) -> Engine:
    in_memory = url.database in (None, "", ":memory:")
    pool: dict[str, Any] = {"poolclass": StaticPool} if in_memory else {}
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        hide_parameters=True,
        **pool,
    )
    event.listen(engine, "connect", _sqlite_connect)
    event.listen(engine, "begin", _sqlite_begin)
    return engine


def _sqlite_connect(connection: sqlite3.Connection, _record: object) -> None:
    # The driver's own transactions would begin too late and too weakly; ours begin in _sqlite_begin.
    connection.isolation_level = None
    _use_wal(connection)
    connection.execute("PRAGMA synchronous=NORMAL")


def _use_wal(connection: sqlite3.Connection) -> None:
    # SQLite does not wait here by itself: of two that make a file into WAL at once, one is refused.
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _sqlite_begin(connection: Connection) -> None:
    reading = "syncengine_reading" in connection.get_execution_options()
    cursor = connection.connection.cursor()
    cursor.execute(f"PRAGMA query_only={int(reading)}")
    cursor.execute("BEGIN" if reading else "BEGIN IMMEDIATE")
    cursor.close()


def _forget_in_children(engine: Engine) -> None:
    weak = weakref.ref(engine)

    def forget() -> None:
        kept = weak()
        if kept is not None:
            kept.dispose(close=False)

    os.register_at_fork(after_in_child=forget)


def _as_lost_race(context: ExceptionContext) -> None:
    lost = _lost(context.original_exception)
    if lost:
        raise LostRace(f"{lost}; read again and decide anew") from None


def _lost(error: BaseException) -> str:
    if isinstance(error, sqlite3.Error):
        return _lost_on_sqlite(error)
    if isinstance(error, psycopg.Error):
        if error.sqlstate == _UNIQUE_VIOLATION:
            return f"another row holds its place ({error.diag.constraint_name})"
        return _RACES.get(error.sqlstate or "", "")
    return ""


def _lost_on_sqlite(error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", None)
    if code in (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY):
        columns = str(error).partition(": ")[2]
        return f"another row holds its place ({_CONSTRAINTS.get(columns, columns)})"
    if code == sqlite3.SQLITE_BUSY:
        return f"the database was locked for {BUSY_SECONDS:g} s"
    return ""


def _constraints() -> dict[str, str]:
    """SQLite tells the columns of a broken constraint, not its name: columns -> name."""
    named: dict[str, str] = {}
    for table in metadata.sorted_tables:
        named[_columns(table, table.primary_key.columns)] = str(table.primary_key.name)
        named |= {_columns(table, i.columns): str(i.name) for i in table.indexes if i.unique}
    return named


def _columns(table: Table, columns: Iterable[ColumnElement[Any]]) -> str:
    return ", ".join(f"{table.name}.{column.key}" for column in columns)


_CONSTRAINTS = _constraints()
