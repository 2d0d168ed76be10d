"""The composition root: the only file that knows everything."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syncengine.adapters.notify import open_channels
from syncengine.adapters.vendors import SHIPPED, connect
from syncengine.adapters.vendors.declare import Vendor
from syncengine.adapters.vendors.own import vendors_of
from syncengine.errors import ConfigInvalid
from syncengine.flows.core.engine import Engine
from syncengine.flows.core.gate import CallGate
from syncengine.flows.core.limits import Limits
from syncengine.ledger import Ledger
from syncengine.ledger.encryption import Vault, key_name, new_key
from syncengine.ledger.engine import Timeouts, make_engine
from syncengine.ledger.migrations import is_newest, upgrade
from syncengine.ledger.rekey import Resealed, counted, reseal
from syncengine.ledger.server_time import server_time
from syncengine.mapping import Project, load_project
from syncengine.model.process import Process
from syncengine.model.secret import webhook_secret
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


def starter() -> Path:
    """The folder of the project that is shipped: part of the installed package, in a checkout beside it."""
    package = Path(__file__).parent
    packed = package / "starter"
    return packed if packed.is_dir() else package.parent / "mappings"


@dataclass(frozen=True, slots=True)
class Edition:
    """A project as its files stood at one time. ``digest``: of their content; ``touched_at``: when the last of them
    was changed (epoch seconds)."""

    project: Project
    vendors: Mapping[str, Vendor]
    digest: str
    touched_at: float = 0.0


def load(settings: Settings) -> Project:
    """The project that the settings name. Raises ConfigInvalid with all faults."""
    return read_edition(settings).project


def read_edition(settings: Settings, variables: Mapping[str, str] | None = None) -> Edition:
    """The project of the settings as its files stand now, filled in from the environment and the secrets, or from these
    ``variables``. Raises ConfigInvalid with all faults."""
    digest, touched_at = files_digest(settings.project), last_touched(settings.project)
    vendors = vendors_of(settings.project, SHIPPED, settings.trust_project)
    catalog = {name: vendor.spec for name, vendor in vendors.items()}
    secrets = settings.secrets_dir if variables is None else None
    given = os.environ if variables is None else variables
    project = load_project(settings.project, catalog, given, secrets)
    _keep_apart(project, settings)
    return Edition(project, vendors, digest, touched_at)


def _keep_apart(project: Project, settings: Settings) -> None:
    """Raises ConfigInvalid where a connection's own secret of notices is the shared one, which others take."""
    shared = settings.webhook_secret and webhook_secret(settings.webhook_secret)
    faults = [
        f"{c.position}: connections.{c.name}.webhook: is SYNCENGINE_WEBHOOK_SECRET as well, which other connections "
        "take; draw one for this connection alone"
        for c in project.connections.values()
        if shared and shared in (c.webhook or ())
    ]
    if faults:
        raise ConfigInvalid(faults)


def files_of(folder: Path) -> list[Path]:
    """The files that a project consists of, in order."""
    kinds = {".yaml", ".yml", ".py"}
    return sorted(path for path in folder.glob("*") if path.suffix in kinds and path.is_file())


def files_digest(folder: Path) -> str:
    """By which two states of a project's files are told apart; of what cannot be read only the name counts."""
    whole = hashlib.sha256()
    for path in files_of(folder):
        with contextlib.suppress(OSError):
            content = path.read_bytes()
            whole.update(f"{path.name}\0{len(content)}\0".encode() + content)
    return whole.hexdigest()[:12]


def last_touched(folder: Path) -> float:
    """When the last of a project's files was changed or put there (epoch seconds); 0 where there is none."""
    times = [0.0]
    for path in files_of(folder):
        with contextlib.suppress(OSError):
            times += [(found := path.stat()).st_mtime, found.st_ctime]
    return max(times)


def has_ledger(settings: Settings) -> bool:
    """Whether a store is there already; a file is not made by asking."""
    file = _file(settings)
    return file is None or file.exists()


def _file(settings: Settings) -> Path | None:
    """The file of the store, where it is one."""
    path = settings.database_url.removeprefix("sqlite:///").partition("?")[0]
    return None if path == settings.database_url else Path(path)


def exposed_files(settings: Settings) -> list[str]:
    """What other accounts may read or write of what the program keeps on the disk, each with what to do."""
    file = _file(settings)
    told = []
    for path in [Path(f"{file}{end}") for end in ("", "-wal", "-shm")] if file else ():
        with contextlib.suppress(OSError):
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & 0o077:
                who = "read and write" if mode & 0o022 else "read"
                told.append(f"other accounts may {who} {path} ({mode:04o}): chmod 600 {path}")
    return told


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
