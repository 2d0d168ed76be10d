"""Databases for tests: made for one test run or one test, gone afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from syncengine.ledger.engine import make_engine
from syncengine.ledger.migrations import upgrade
from syncengine.ledger.tables import metadata

POSTGRES_URL = os.environ.get(
    "SYNCENGINE_TEST_POSTGRES_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
)
POSTGRES_LONG = pytest.param("postgresql", marks=[pytest.mark.long, pytest.mark.ci])
"""A parameter for what takes long on PostgreSQL."""


@contextmanager
def postgres_database() -> Iterator[str]:
    """The URL of an empty PostgreSQL database of the caller's own."""
    url = make_url(POSTGRES_URL).set(drivername="postgresql+psycopg")
    name = f"syncengine_test_{uuid4().hex[:12]}"
    server = create_engine(url, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 5})
    try:
        _say(server, f'CREATE DATABASE "{name}"')
    except OperationalError as error:
        missing = "no PostgreSQL server answers at SYNCENGINE_TEST_POSTGRES_URL"
        if os.environ.get("CI") == "true":
            raise AssertionError(missing) from error
        pytest.skip(missing)
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        _say(server, f'DROP DATABASE "{name}" WITH (FORCE)')
        server.dispose()


@cache
def _migrated() -> Engine:
    database = make_engine("sqlite://")
    upgrade(database)
    return database


def migrated(database: Engine) -> Engine:
    """The same database, which is empty, with its schema: SQLite gets the pages of one that was migrated once, since
    that takes a hundredth of the time."""
    if database.dialect.name != "sqlite":
        upgrade(database)
        return database
    with closing(_migrated().raw_connection()) as made, closing(database.raw_connection()) as into:
        made.driver_connection.backup(into.driver_connection)
    return database


def migrated_file(file: Path) -> str:
    """The URL of the store in a file; where there is none, an empty one is put there."""
    url = f"sqlite:///{file}"
    if not file.exists():
        migrated(make_engine(url)).dispose()
    return url


@contextmanager
def store(kind: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An empty store: in memory, in a file in the folder, or the PostgreSQL one of this process."""
    if kind == "postgresql":
        database = make_engine(request.getfixturevalue("postgres"))
        empty(database)
    else:
        database = migrated(
            make_engine("sqlite://" if kind == "memory" else f"sqlite:///{folder}/ledger.db")
        )
    yield database
    database.dispose()


@contextmanager
def empty_database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database: a file in the folder, or one of PostgreSQL."""
    if kind == "postgresql":
        with postgres_database() as url:
            yield url
    else:
        yield f"sqlite:///{folder}/ledger.db"


def _say(server: Engine, statement: str) -> None:
    with server.connect() as connection:
        connection.execute(text(statement))


def empty(engine: Engine) -> None:
    """Delete all rows of all tables."""
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            connection.execute(table.delete())
