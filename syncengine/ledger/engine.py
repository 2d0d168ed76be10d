"""Engines for SQLite and PostgreSQL that behave alike: same isolation as seen by a transaction, same errors, and no
wait without an end."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import (
    Connection,
    Engine,
    ExceptionContext,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import StaticPool

from syncengine.errors import ConfigInvalid
from syncengine.ledger.error_translation import translated

_READING = {"syncengine_reading": True}
_SAID_AFTER = 5.0
"""Seconds of waiting for another writer on SQLite after which that is said."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How many seconds a process waits before the database counts as unavailable: for a ``statement`` on PostgreSQL,
    for another writer's ``lock`` on SQLite, and to ``connect``."""

    statement: float = 120.0
    lock: float = 30.0
    connect: float = 5.0


def make_engine(url: str, timeouts: Timeouts | None = None) -> Engine:
    """An engine for ``sqlite:///file``, ``sqlite://`` (in memory, one connection) or ``postgresql://``. What it runs
    raises LostRace and DatabaseDown where the database's own error means that.

    Make it after a fork; one made before is safe too, since a child lets go of its parent's connections.
    Raises ConfigInvalid for another kind of URL.
    """
    timeouts = timeouts or Timeouts()
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise _unfit() from error
    if parsed.get_backend_name() == "sqlite":
        engine = _sqlite(parsed, timeouts)
    elif parsed.get_backend_name() == "postgresql":
        engine = _postgresql(parsed, timeouts)
    else:
        raise _unfit()
    event.listen(engine, "handle_error", _as_ours)
    if not isinstance(engine.pool, StaticPool):
        _forget_in_children(engine)
    return engine


def reader(engine: Engine) -> Connection:
    """A connection for one consistent snapshot, on which writing fails."""
    if engine.dialect.name == "sqlite":
        return engine.connect().execution_options(**_READING)
    return engine.connect().execution_options(
        isolation_level="REPEATABLE READ", postgresql_readonly=True, **_READING
    )


@contextmanager
def unbounded(connection: Connection) -> Iterator[None]:
    """No bound on what a statement takes until the end of the transaction, for one that goes over a large table."""
    driver: Any = connection.connection.driver_connection
    with driver.unbound() if connection.dialect.name == "postgresql" else nullcontext():
        yield


def _reads(connection: Connection) -> bool:
    return "syncengine_reading" in connection.get_execution_options()


def _unfit() -> ConfigInvalid:
    return ConfigInvalid(
        [
            "SYNCENGINE_DATABASE_URL: expected sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE"
        ]
    )


def _postgresql(url: URL, timeouts: Timeouts) -> Engine:
    # Loads the driver, which nobody on SQLite needs.
    from syncengine.ledger.bounded import Bounded

    engine = create_engine(
        url.set(drivername="postgresql+psycopg"), pool_pre_ping=True, hide_parameters=True
    )

    def connect(_dialect: object, _record: object, given: list[Any], named: dict[str, Any]) -> Any:
        named.setdefault("connect_timeout", max(2, round(timeouts.connect)))
        made = Bounded.connect(*given, **named)
        made.bound(timeouts.statement)
        return made

    event.listen(engine, "do_connect", connect)
    return engine


def _sqlite(url: URL, timeouts: Timeouts) -> Engine:
    in_memory = url.database in (None, "", ":memory:")
    pool: dict[str, Any] = {"poolclass": StaticPool} if in_memory else {}
    waits = min(_SAID_AFTER, timeouts.lock)
    engine = create_engine(
        url,
        connect_args={"timeout": waits, "check_same_thread": False},
        hide_parameters=True,
        **pool,
    )

    def make(_dialect: object, _record: object, given: list[Any], named: dict[str, Any]) -> None:
        if not in_memory and not named.get("uri"):
            _make_private(Path(given[0]))

    def opened(connection: sqlite3.Connection, _record: object) -> None:
        # The driver's own transactions would begin too late and too weakly; ours begin in ``begin``.
        connection.isolation_level = None
        _use_wal(connection, timeouts.lock)
        connection.execute("PRAGMA synchronous=NORMAL")

    def begin(connection: Connection) -> None:
        cursor = connection.connection.cursor()
        try:
            _begin(cursor, _reads(connection), timeouts.lock)
        except sqlite3.Error as error:
            # SQLAlchemy hands on errors of statements to ``_as_ours``, but not those of this listener.
            raise translated(error, url, _reads(connection)) or error from error
        finally:
            cursor.close()

    event.listen(engine, "do_connect", make)
    event.listen(engine, "connect", opened)
    event.listen(engine, "begin", begin)
    return engine


def _make_private(file: Path) -> None:
    """Make the file, if it is not there, for this account alone; SQLite makes those beside it alike. Where it cannot
    be made SQLite says why."""
    with contextlib.suppress(OSError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _use_wal(connection: sqlite3.Connection, timeouts: float) -> None:
    # SQLite does not wait here by itself: of two that make a file into WAL at once, one is refused.
    deadline = time.monotonic() + timeouts
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin(cursor: Any, reading: bool, timeouts: float) -> None:
    """Begin, and wait for other writers; a wait that is long is said while it lasts."""
    began = time.monotonic()
    said = False
    cursor.execute(f"PRAGMA query_only={int(reading)}")
    while True:
        try:
            cursor.execute("BEGIN" if reading else "BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() - began >= timeouts:
                raise
            if not said:
                log.warning("another program has locked the database; waiting", seconds=timeouts)
            said = True


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def _forget_in_children(engine: Engine) -> None:
    weak = weakref.ref(engine)

    def forget() -> None:
        kept = weak()
        if kept is not None:
            kept.dispose(close=False)

    os.register_at_fork(after_in_child=forget)


def _as_ours(context: ExceptionContext) -> None:
    if context.is_pre_ping:
        return
    reading = context.connection is not None and _reads(context.connection)
    url = context.engine.url if context.engine else make_url("sqlite://")
    ours = translated(context.original_exception, url, reading)
    if ours is not None:
        raise ours from None
