"""What a process of the service works with: its engine, opened as soon as the database can be used, and made anew
between two pieces of work where the files of the project have changed."""

from __future__ import annotations

import contextlib
import copy
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import structlog

from syncengine.bootstrap import open_engine, own_queue
from syncengine.edition import files_digest, files_of, has_ledger, read_edition
from syncengine.errors import ConfigInvalid, DatabaseDown, LostRace
from syncengine.flows.core.engine import Engine
from syncengine.ledger.engine import Timeouts
from syncengine.model.process import Process
from syncengine.ports import Queue
from syncengine.settings import Settings

RESTED = 2.0
"""Seconds that a project's files have to be untouched before they are read."""
TELL = 30.0
"""Seconds after which a process writes down again by which edition it works."""

log = structlog.get_logger(__name__)
_NOBODY = structlog.wrap_logger(structlog.ReturnLogger(), processors=[])


class Outage:
    """Says once that the database cannot be used, and once that it can be used again."""

    def __init__(self) -> None:
        self._since: float | None = None

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Around each piece of work that needs the database. Hands on what is raised."""
        try:
            yield
        except DatabaseDown as down:
            if self._since is None:
                self._since = time.monotonic()
                log.error(f"{down}. Work goes on by itself once that is so.")
            raise
        if self._since is not None:
            seconds = round(time.monotonic() - self._since)
            self._since = None
            log.warning("the database can be used again", after_seconds=seconds)


def wait_for_queue(settings: Settings, pause: float = 2.0, make: bool = True) -> Settings:
    """``own_queue``, as soon as the database can be used; ``make``: it may be made, else it is waited for, too."""
    outage = Outage()
    while True:
        try:
            with outage.watch():
                if not make and not settings.broker_prefix and not has_ledger(settings):
                    raise DatabaseDown("the workers' one is not there", _NAME_IT)
                return own_queue(settings)
        except DatabaseDown:
            time.sleep(pause)


_NAME_IT = (
    "name it in SYNCENGINE_DATABASE_URL, since the queue is called after it, or give workers, beat, web and Flower the"
    " same SYNCENGINE_BROKER_PREFIX"
)


class Editions:
    """The edition of the project by which a process works: that of its files as soon as they have rested and are
    valid, else the one before, while it is said what is wrong. Variables are those of the start."""

    def __init__(self, settings: Settings) -> None:
        """Raises ConfigInvalid: whoever starts needs a valid one."""
        self._settings = settings
        self._variables = {**_secrets(settings.secrets_dir), **os.environ}
        self._seen = _signs(settings.project)
        self.now = read_edition(settings, self._variables)
        self._begun = time.monotonic()
        self.refused: tuple[str, ...] = ()
        self._refused_digest = ""
        self._log = log

    def follower(self) -> Editions:
        """The same for a process that was forked: it looks for itself, and leaves it to us to say what it saw."""
        follower = copy.copy(self)
        follower._log = _NOBODY
        return follower

    @property
    def age(self) -> float:
        """Seconds since this edition is in use."""
        return time.monotonic() - self._begun

    def look(self) -> bool:
        """Whether there is another edition now. Costs next to nothing where no file was touched."""
        signs = _signs(self._settings.project)
        if signs == self._seen or not _rested(signs):
            return False
        digest = files_digest(self._settings.project)
        found = None
        try:
            if digest not in (self.now.digest, self._refused_digest):
                found = read_edition(self._settings, self._variables)
        except ConfigInvalid as invalid:
            faults = invalid.faults
        else:
            faults = self.refused if digest == self._refused_digest else ()
        if _signs(self._settings.project) != signs:
            return False  # touched while it was read: look again
        self._seen = signs
        if faults:
            self._refuse(digest, faults)
            return False
        if self.refused:
            self._log.warning("the project's files are valid again")
        self.refused, self._refused_digest = (), ""
        if found is None:
            return False
        self.now, self._begun = found, time.monotonic()
        self._log.warning("the project's files were changed and are in use now", edition=digest)
        return True

    def _refuse(self, digest: str, faults: tuple[str, ...]) -> None:
        if digest != self._refused_digest:
            told = f"the project's files were changed and are invalid, edition {self.now.digest} stays in use"
            self._log.error(told, edition=digest, faults="; ".join(faults))
        self.refused, self._refused_digest = faults, digest


def _secrets(folder: Path | None) -> dict[str, str]:
    """Variables of the folder of secrets; what is no text is none."""
    found: dict[str, str] = {}
    for path in folder.glob("*") if folder else ():
        with contextlib.suppress(OSError, ValueError):
            found[path.name] = path.read_text("utf-8").rstrip("\r\n")
    return found


Signs = tuple[tuple[str, int, int, int, int], ...]
"""Of each file: name, when its content and when anything of it changed, its size, its number on the disk."""


def _signs(folder: Path) -> Signs:
    found = []
    for path in files_of(folder):
        with contextlib.suppress(OSError):
            s = path.stat()
            found.append((path.name, s.st_mtime_ns, s.st_ctime_ns, s.st_size, s.st_ino))
    return tuple(found)


def _rested(signs: Signs) -> bool:
    """Whether the last change is some seconds ago, so that nothing half-saved is taken; a clock that was put back does
    not keep files from being taken."""
    newest = max((max(mtime, ctime) for _, mtime, ctime, _, _ in signs), default=0)
    return not 0 <= time.time() - newest / 1e9 < RESTED


class Current:
    """The engine of this process, on the newest valid edition of the project: between two pieces of work it is made
    anew where the files have changed. Use it from one thread, and make it after a fork.

    A database that cannot be used when it is first needed is no reason to end: the next piece of work tries again.
    """

    def __init__(
        self,
        settings: Settings,
        kind: str,
        queue: Callable[[Settings], Queue] | None = None,
        timeouts: Timeouts | None = None,
        editions: Editions | None = None,
        begin: Callable[[Engine], object] | None = None,
    ) -> None:
        """``kind``: worker, live or web; ``""``: it does not report, as further threads of a process do not.
        ``queue``: makes that of the settings, which are complete once the database can be used. ``editions``: where
        another process has looked already. ``begin``: what comes before the first work of an engine. Raises
        ConfigInvalid where there are no editions."""
        self._settings, self._queue, self._timeouts = settings, queue, timeouts
        self._editions, self._begin = editions or Editions(settings), begin
        self._opened = ExitStack()
        self._engine: Engine | None = None
        self._outage = Outage()
        self._kind, self._id = kind, uuid4().hex
        self._told: tuple[object, ...] = ()
        self._begun = False

    @contextmanager
    def work(self) -> Iterator[Engine]:
        """The engine for one piece of work, in which neither it nor its project changes. Raises DatabaseDown."""
        with self._outage.watch():
            yield self._ready()

    def close(self) -> None:
        """Give back threads and connections."""
        engine, self._engine = self._engine, None
        if engine is not None and self._told:
            with contextlib.suppress(DatabaseDown, LostRace), engine.ledger.write() as tx:
                tx.forget_process(self._id)
        self._opened.close()

    def _ready(self) -> Engine:
        if self._editions.look():
            self._engine = None
            self._opened.close()
        if self._engine is None:
            queue = self._queue(own_queue(self._settings)) if self._queue else None
            edition = self._editions.now
            self._engine = self._opened.enter_context(
                open_engine(self._settings, queue, None, self._timeouts, edition)
            )
            self._begun = self._begin is None
        if not self._begun and self._begin is not None:
            self._begin(self._engine)
            self._begun = True
        self._tell(self._engine)
        return self._engine

    def _tell(self, engine: Engine) -> None:
        """Now and then, and where it is another one, write down by which edition this process works."""
        editions, now = self._editions, engine.clock.now()
        told = (editions.now.digest, editions.refused, now // TELL)
        if told == self._told or not self._kind:
            return
        me = Process(
            self._id, self._kind, platform.node(), os.getpid(), editions.now.digest,
            now - editions.age, now, editions.refused,
        )  # fmt: skip
        with engine.ledger.write() as tx:
            tx.save_process(me, engine.project.retention.runs)
            if self._kind == "worker":
                tx.note_alive("worker", now)
        self._told = told


def note_worker(engine: Engine) -> None:
    """A worker takes tasks."""
    with engine.ledger.write() as tx:
        tx.note_alive("worker", engine.clock.now())
