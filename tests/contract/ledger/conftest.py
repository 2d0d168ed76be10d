"""The databases that the ledger is tested on, each empty for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from syncengine.ledger import Ledger
from tests.support.databases import store


@pytest.fixture(params=["sqlite", "memory", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty store of each kind; ``database`` is one that several connections can use."""
    with store(request.param, tmp_path, request) as made:
        yield made


@pytest.fixture
def ledger(engine: Engine) -> Ledger:
    """A ledger without encryption."""
    return Ledger(engine)
