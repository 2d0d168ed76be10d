"""Translation of database errors: into a lost race, a database that is unavailable now, or neither: our own fault."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, Table
from sqlalchemy.engine import URL

from syncengine.errors import DatabaseDown, LostRace
from syncengine.ledger.tables import metadata

if TYPE_CHECKING:
    import psycopg

_RACES: Final = {"40001": "a serialisation failure", "40P01": "a deadlock"}
_UNIQUE_VIOLATION = "23505"
_READ_ONLY = "25006"
_LONGEST = 200

_PATH = "SYNCENGINE_DATABASE_URL names it"
_UPGRADE = "bring it up to date with `syncengine db upgrade`, or name the right database in SYNCENGINE_DATABASE_URL"
_SERVER = "see that the server runs, lets us in and has connections free (SYNCENGINE_DATABASE_URL)"

_SQLITE: Final = {
    sqlite3.SQLITE_BUSY: (
        "another program has kept {file} locked",
        "close what has it open for writing, or wait until it is done",
    ),
    sqlite3.SQLITE_LOCKED: (
        "another program has kept {file} locked",
        "close what has it open for writing, or wait until it is done",
    ),
    sqlite3.SQLITE_READONLY: (
        "{file} may not be written",
        f"let {{user}} write the file and its folder; {_PATH}",
    ),
    sqlite3.SQLITE_PERM: ("{file} may not be used", f"let {{user}} use it; {_PATH}"),
    sqlite3.SQLITE_AUTH: ("{file} may not be used", f"let {{user}} use it; {_PATH}"),
    sqlite3.SQLITE_FULL: ("there is no room for {file}", "make room on its disk"),
    sqlite3.SQLITE_IOERR: (
        "{file} could not be read or written",
        "see that its disk is there, is well and has room",
    ),
    sqlite3.SQLITE_CORRUPT: ("{file} is damaged", "restore a backup of it"),
    sqlite3.SQLITE_NOTADB: ("{file} is no SQLite database", _PATH),
    sqlite3.SQLITE_NOMEM: ("there is no memory left", "end what uses it up"),
    sqlite3.SQLITE_PROTOCOL: ("{file} could not be locked", "see that its disk knows locks"),
    sqlite3.SQLITE_NOLFS: ("{file} is too large for its disk", "move it to another one"),
}
"""Primary code of SQLite -> why, what to do."""

_POSTGRESQL: Final = {
    "57014": (
        "a statement took too long: {said}",
        "see in pg_stat_activity what holds it up",
    ),
    "55P03": ("what is needed is locked: {said}", "see in pg_stat_activity what holds it"),
    "53100": ("its disk is full: {said}", "make room there"),
    "53": ("the server has none left: {said}", _SERVER),
    "57": ("{said}", _SERVER),
    "08": ("the connection broke: {said}", _SERVER),
    "28": ("{said}", _SERVER),
    "3D": ("{said}", "make it, or correct SYNCENGINE_DATABASE_URL"),
    "3F": ("{said}", _UPGRADE),
    "42P01": ("it lacks tables of ours: {said}", _UPGRADE),
    "42703": ("its tables are of another version: {said}", _UPGRADE),
    "42501": ("our user may not use it: {said}", "grant it what it needs"),
    "25006": (
        "it takes no writes: {said}",
        "name the server that does, in SYNCENGINE_DATABASE_URL",
    ),
    "58": ("the server cannot go on: {said}", "look into its log"),
    "XX": ("the server cannot go on: {said}", "look into its log"),
}
"""SQLSTATE, or its class -> why, what to do. What the server says in these classes quotes no row."""


def translated(
    error: BaseException | None, url: URL, reading: bool = False
) -> LostRace | DatabaseDown | None:
    """The engine's exception for a driver's error, if there is one. ``reading``: the error came while only reading was
    asked for."""
    if isinstance(error, sqlite3.Error):
        return _of_sqlite(error, url, reading)
    driver = _postgresql_driver()
    if driver is not None and isinstance(error, driver.Error):
        return _of_postgresql(error, url, reading)
    return None


def driver_errors() -> tuple[type[Exception], ...]:
    """What the drivers raise, as far as they are loaded."""
    driver = _postgresql_driver()
    return (sqlite3.Error,) if driver is None else (sqlite3.Error, driver.Error)


def _postgresql_driver() -> Any:
    """The driver's module, if something is on PostgreSQL; it is not loaded to look for its errors."""
    return sys.modules.get("psycopg")


def _raced(why: str) -> LostRace:
    return LostRace(f"{why}; read again and decide anew")


def _of_sqlite(error: sqlite3.Error, url: URL, reading: bool) -> LostRace | DatabaseDown | None:
    code = getattr(error, "sqlite_errorcode", None)
    if code in (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY):
        columns = str(error).partition(": ")[2]
        return _raced(f"another row holds its place ({_CONSTRAINTS.get(columns, columns)})")
    if code == sqlite3.SQLITE_BUSY_SNAPSHOT:
        return _raced("another transaction was quicker")
    primary = (code or 0) & 0xFF
    file, user = url.database or "", "the user that runs this"
    if primary == sqlite3.SQLITE_CANTOPEN:
        return _not_opened(Path(file))
    if primary == sqlite3.SQLITE_ERROR and str(error).startswith("no such table"):
        return DatabaseDown(f"{file} lacks tables of ours ({error})", _UPGRADE)
    if primary == sqlite3.SQLITE_ERROR and str(error).startswith("no such column"):
        return DatabaseDown(f"the tables of {file} are of another version ({error})", _UPGRADE)
    if primary not in _SQLITE or (reading and primary == sqlite3.SQLITE_READONLY):
        return None
    why, do = _SQLITE[primary]
    return DatabaseDown(why.format(file=file), do.format(user=user))


def _not_opened(file: Path) -> DatabaseDown:
    if not file.parent.is_dir():
        do = "make it, or name another file in SYNCENGINE_DATABASE_URL"
        return DatabaseDown(f"there is no folder {file.parent}", do)
    do = "see whether it may be read and written, and whether too many files are open"
    return DatabaseDown(f"{file} cannot be opened", f"{do}; {_PATH}")


def _of_postgresql(error: psycopg.Error, url: URL, reading: bool) -> LostRace | DatabaseDown | None:
    state = error.sqlstate or ""
    if state == _UNIQUE_VIOLATION:
        return _raced(f"another row holds its place ({error.diag.constraint_name})")
    if state in _RACES:
        return _raced(_RACES[state])
    if state == _READ_ONLY and reading:
        return None
    where = f"{url.host or 'the local socket'}:{url.port or 5432}/{url.database}"
    if not state:
        if not isinstance(error, _postgresql_driver().OperationalError):
            return None
        return DatabaseDown(f"{where}: {_last_words(str(error))}", _SERVER)
    found = _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2])
    if found is None:
        return None
    why, do = found
    said = (error.diag.message_primary or state)[:_LONGEST]
    return DatabaseDown(f"{where}: {why.format(said=said)}", do)


def _last_words(text: str) -> str:
    """What the driver says of a connection that failed or broke, without the address."""
    told = text.partition("\n")[0].rpartition(" failed: ")[2].removeprefix("FATAL:")
    return told.strip()[:_LONGEST] or "no answer"


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
