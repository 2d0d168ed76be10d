"""The databases that the ledger is tested on, each empty for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from syncengine.ledger import Ledger
from syncengine.ledger.engine import make_engine
from tests.support.databases import empty, migrated, postgres_database


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a migrated PostgreSQL database of this test worker."""
    with postgres_database() as url:
        migrated(make_engine(url)).dispose()
        yield url


@pytest.fixture(params=["file", "memory", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty, migrated database of each kind."""
    yield from _engine(request, tmp_path, request.param)


@pytest.fixture(params=["file", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database that several processes can use."""
    yield from _engine(request, tmp_path, request.param)


def _engine(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> Iterator[Engine]:
    urls = {"file": f"sqlite:///{tmp_path}/ledger.db", "memory": "sqlite://"}
    engine = make_engine(urls.get(kind) or request.getfixturevalue("postgres"))
    if kind == "postgresql":
        empty(engine)
    else:
        migrated(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def ledger(engine: Engine) -> Ledger:
    """A ledger without encryption."""
    return Ledger(engine)
