"""The composition root: the only file that knows everything."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from syncengine.adapters.notify import open_channels
from syncengine.adapters.vendors import connect
from syncengine.edition import Edition, has_ledger, read_edition
from syncengine.flows.core.engine import Engine
from syncengine.flows.core.gate import CallGate
from syncengine.flows.core.limits import Limits
from syncengine.ledger import Ledger
from syncengine.ledger.encryption import Vault, key_name, new_key
from syncengine.ledger.engine import Timeouts, make_engine
from syncengine.ledger.migrations import is_newest, upgrade
from syncengine.ledger.rekey import Resealed, counted, reseal
from syncengine.ledger.server_time import server_time
from syncengine.model.process import Process
from syncengine.planning.notifications import HEARTBEAT
from syncengine.ports import Clock, Queue
from syncengine.settings import Settings


class LedgerClock:
    """The time by which a ledger's entries are made."""

    def __init__(self, ledger: Ledger) -> None:
        self.now = ledger.now

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class NoQueue:
    """Announces nothing: whoever runs the flows asks the ledger what is due."""

    def announce(self, task: str, arguments: Iterable[str]) -> None:
        """Nobody listens."""


@contextmanager
def open_ledger(settings: Settings, timeouts: Timeouts | None = None) -> Iterator[Ledger]:
    """The store, its schema brought up to date. Raises DatabaseDown."""
    engine = make_engine(settings.database_url, timeouts)
    try:
        upgrade(engine, settings.encryption_keys)
        yield Ledger(engine, settings.encryption_keys, server_time(engine))
    finally:
        engine.dispose()


def still_at_work(settings: Settings) -> list[Process]:
    """Processes of the service that lately reported to a database whose schema is to be changed; none where it is up to
    date, or where there is none. Raises DatabaseDown."""
    if not has_ledger(settings):
        return []
    engine = make_engine(settings.database_url)
    try:
        if is_newest(engine):
            return []
        ledger = Ledger(engine, settings.encryption_keys, server_time(engine))
        with ledger.read() as tx:
            return [p for p in tx.processes() if ledger.now() - p.seen_at < STILL_AT_WORK]
    finally:
        engine.dispose()


STILL_AT_WORK = 45.0
"""Seconds after its last report for which a process counts as running; each reports every half minute."""


def seal_anew(settings: Settings, tell: Callable[[str, int], None]) -> Resealed:
    """Seal the whole store with the newest key and renew its hashes; ``tell`` hears of each slice. Raises ConfigInvalid
    without keys, DatabaseDown."""
    engine = make_engine(settings.database_url)
    try:
        upgrade(engine, settings.encryption_keys)
        return reseal(engine, Vault(settings.encryption_keys), tell)
    finally:
        engine.dispose()


def kept_under(settings: Settings) -> list[dict[str, Any]]:
    """How many ``values`` of the store are kept under which ``key`` (its name, or in which other way), at which
    ``place`` in the list that is, and whether it is ``known``. Raises DatabaseDown."""
    places = {key_name(key): n for n, key in enumerate(settings.encryption_keys)}
    engine = make_engine(settings.database_url)
    try:
        upgrade(engine, settings.encryption_keys)
        held = counted(engine)
    finally:
        engine.dispose()
    return [
        {
            "key": key,
            "place": _NTH[min(places[key], len(_NTH) - 1)] if key in places else "",
            "known": key in places or " " in key,
            "values": held[key],
        }
        for key in sorted(held, key=lambda key: places.get(key, len(places)))
    ]


_NTH = ("1st", "2nd", "3rd", "4th", "5th", "later")


def new_encryption_key() -> str:
    """A new key for the settings."""
    return new_key()


def own_queue(settings: Settings) -> Settings:
    """The settings with a prefix that keeps this database's messages apart from those of others on the same broker,
    where they name none. It is drawn with the database and stays. Raises DatabaseDown."""
    if settings.broker_prefix:
        return settings
    with open_ledger(settings) as ledger, ledger.write() as tx:
        return settings.model_copy(update={"broker_prefix": f"{tx.identity()}."})


@contextmanager
def open_engine(
    settings: Settings, queue: Queue | None = None, clock: Clock | None = None,
    timeouts: Timeouts | None = None, edition: Edition | None = None,
) -> Iterator[Engine]:  # fmt: skip
    """Everything the flows need, for one process, on this edition of the project, or on that of its files now. Raises
    ConfigInvalid, DatabaseDown."""
    edition = edition or read_edition(settings)
    project, vendors = edition.project, edition.vendors
    limits = Limits(settings.lease, settings.request_timeout, settings.batch)
    with open_ledger(settings, timeouts) as ledger:
        clock = clock or LedgerClock(ledger)
        on = [c for c in project.connections.values() if not c.off]
        gates = {c.name: CallGate(c, ledger, clock, limits.request_timeout) for c in on}
        connectors = {
            c.name: connect(vendors[c.connector], c, gates[c.name], clock, limits.request_timeout)
            for c in on
        }
        engine = Engine(
            project, ledger, connectors, gates, queue or NoQueue(), clock, limits, edition.digest,
            edition.touched_at, channels=open_channels(project.notify, HEARTBEAT),
        )  # fmt: skip
        try:
            yield engine
        finally:
            engine.close()
