"""In what order tests run, and what all their processes share."""

from __future__ import annotations

import gc
import io
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from sqlalchemy import Engine as Database

from syncengine.ledger.engine import make_engine
from syncengine.logs import configure_logs
from syncengine.sandbox.process import SandboxProcess
from tests.support.databases import empty_database, migrated, postgres_database, store


def pytest_configure() -> None:
    """Code is compiled once, not at each start of the many processes of a test run. Decisions have an author, also
    where tests run as root."""
    os.environ["SYNCENGINE_AUTHOR"] = "kim"
    # A browser in the same process has an event loop, beside which the vendor made with Django would not be asked.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that no worker is left alone with it in the end."""
    items.sort(key=lambda item: "integration" not in item.path.parts)


def pytest_collection_finish() -> None:
    """What is loaded by now stays: it is not looked at for garbage again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What is logged meanwhile, as JSON, in memory."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    configure_logs("json", stream)
    yield stream
    structlog.reset_defaults()
    logging.basicConfig(handlers=handlers, level=level, force=True)


@pytest.fixture(scope="module")
def sandbox(request: pytest.FixtureRequest) -> Iterator[SandboxProcess]:
    """A company of twelve, or what the module says that it wants in ``SANDBOX``."""
    with SandboxProcess(**{"people": 12, **getattr(request.module, "SANDBOX", {})}) as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, without tables."""
    with empty_database(request.param, tmp_path) as made:
        yield made


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL database of this process, with its schema."""
    with postgres_database() as made:
        migrated(make_engine(made)).dispose()
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty store that several connections can use."""
    with store(request.param, tmp_path, request) as made:
        yield made
