"""The composition root: the only file that knows everything."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from syncengine.adapters.sql.engine import make_engine
from syncengine.adapters.sql.ledger import SqlLedger
from syncengine.adapters.sql.migrations import upgrade
from syncengine.adapters.vendors import SHIPPED, connect
from syncengine.adapters.vendors.declare import Vendor
from syncengine.adapters.vendors.own import vendors_of
from syncengine.flows.engine import Engine, Limits
from syncengine.flows.gate import CallGate
from syncengine.mapping import Project, load_project
from syncengine.ports import Clock, Ledger, Queue
from syncengine.settings import Settings


class SystemClock:
    """The time of this machine."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class NoQueue:
    """Announces nothing: whoever runs the flows asks the ledger what is due."""

    def announce(self, task: str, arguments: Iterable[str]) -> None:
        """Nobody listens."""


def starter() -> Path:
    """The folder of the project that is shipped: part of the installed package, in a checkout beside it."""
    package = Path(__file__).parent
    packed = package / "starter"
    return packed if packed.is_dir() else package.parent / "mappings"


def load(settings: Settings) -> Project:
    """The project that the settings name. Raises ConfigInvalid with all faults."""
    return _load(settings)[0]


def _load(settings: Settings) -> tuple[Project, dict[str, Vendor]]:
    vendors = vendors_of(settings.project, SHIPPED)
    catalog = {name: vendor.spec for name, vendor in vendors.items()}
    return load_project(settings.project, catalog, os.environ, settings.secrets_dir), vendors


def has_ledger(settings: Settings) -> bool:
    """Whether a store is there already; a file is not made by asking."""
    path = settings.database_url.removeprefix("sqlite:///").partition("?")[0]
    return path == settings.database_url or Path(path).exists()


@contextmanager
def open_ledger(settings: Settings) -> Iterator[Ledger]:
    """The store, its schema brought up to date."""
    engine = make_engine(settings.database_url)
    try:
        upgrade(engine)
        yield SqlLedger(engine, settings.encryption_keys)
    finally:
        engine.dispose()


@contextmanager
def open_engine(
    settings: Settings, queue: Queue | None = None, clock: Clock | None = None
) -> Iterator[Engine]:
    """Everything the flows need, for one process. Raises ConfigInvalid."""
    (project, vendors), clock = _load(settings), clock or SystemClock()
    limits = Limits(settings.lease, settings.request_timeout, settings.batch)
    with open_ledger(settings) as ledger:
        on = [c for c in project.connections.values() if not c.off]
        gates = {c.name: CallGate(c, ledger, clock, limits.request_timeout) for c in on}
        connectors = {
            c.name: connect(vendors[c.connector], c, gates[c.name], clock, limits.request_timeout)
            for c in on
        }
        engine = Engine(project, ledger, connectors, gates, queue or NoQueue(), clock, limits)
        try:
            yield engine
        finally:
            engine.close()
