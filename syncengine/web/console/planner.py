"""The planner: has plans computed beside the requests, one at a time."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from syncengine.errors import SyncengineError
from syncengine.flows.core.engine import Engine
from syncengine.flows.core.runs import running
from syncengine.flows.views.directory import Directory
from syncengine.flows.views.stored_plan import store_plan
from syncengine.flows.views.upcoming import newest_upcoming, store_upcoming
from syncengine.model.run import PLAN, SERVICE
from syncengine.model.stored_plan import TRIAL, UPCOMING
from syncengine.web.sql_thread import Work

log = structlog.get_logger("syncengine.web")
PLANNED: Final = "plan"
KINDS: Final = (PLANNED, UPCOMING, TRIAL)
"""What is computed: what a sync would do, what the coming days bring, what the files as they stand would do."""
AGAIN: Final = 3600.0
"""Seconds after which what could not be computed is tried again by itself."""


class Compute(Protocol):
    """Whoever computes in another place."""

    def __call__(self, kind: str, author: str) -> None:
        """Compute one of the ``KINDS`` and store it. Raises SyncengineError."""

    def stop(self) -> None:
        """End what is under way."""


@dataclass(slots=True)
class Job:
    """``since``: when what is being computed was begun (epoch seconds), 0 if nothing is. ``by``: for whom. ``fault``:
    why the last one could not be computed, ``at``: when that was."""

    since: float = 0.0
    by: str = ""
    fault: str = ""
    at: float = 0.0


@dataclass(slots=True)
class Planner:
    """``work``: for what is read ahead. ``compute``: in a process of its own, else in a thread of this one, and nothing
    by itself. ``jobs``: one for each of the ``KINDS``."""

    work: Work
    compute: Compute | None = None
    _ahead_of: str = ""
    jobs: dict[str, Job] = field(default_factory=lambda: {kind: Job() for kind in KINDS})
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "plan"))

    def start(self, author: str, kind: str = PLANNED) -> bool:
        """Begin to compute; False where that is under way."""
        with self._lock:
            job = self.jobs[kind]
            if job.since:
                return False
            job.since, job.by, job.fault = time.time(), author, ""
        self._thread.submit(self._run, kind, author)
        return True

    def keep_up(self, engine: Engine) -> None:
        """Have it computed what the coming days bring, where that was done on another day."""
        job, today = self.jobs[UPCOMING], engine.today
        if self.compute is None or job.since or time.time() - job.at < AGAIN:
            return
        if self._ahead_of == today:
            return
        if is_ahead(engine):
            self._ahead_of = today
        else:
            self.start(SERVICE, UPCOMING)

    def warm(self, directory: Directory) -> None:
        """Read the names of people ahead, so that nobody who searches first has to wait."""
        self._thread.submit(self._warm, directory)

    def _warm(self, directory: Directory) -> None:
        with contextlib.suppress(SyncengineError), self.work() as engine:
            for entity in engine.project.entities.values():
                if entity.people:
                    directory.find(engine, entity.name, "")

    def close(self) -> None:
        """Begin no more; what is under way in this process ends by itself."""
        if self.compute is not None:
            self.compute.stop()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _run(self, kind: str, author: str) -> None:
        job = self.jobs[kind]
        try:
            if self.compute is not None:
                self.compute(kind, author)
            else:
                with self.work() as engine:
                    computed(engine, kind, author)
        except SyncengineError as error:
            job.fault, job.at = f"{error}", time.time()
            log.warning("a plan could not be computed", kind=kind, why=type(error).__name__)
        finally:
            job.since = 0.0


def is_ahead(engine: Engine) -> bool:
    """Whether it was computed today what the coming days bring."""
    newest = newest_upcoming(engine)
    return newest is not None and newest.document["from"] == engine.today


def computed(engine: Engine, kind: str, author: str) -> None:
    """Compute and store one of the ``KINDS``, on record as a run of its author; what is ahead by itself once a day,
    however many web sides there are."""
    if kind == UPCOMING and author == SERVICE and is_ahead(engine):
        return
    before, engine.author = engine.author, author
    try:
        with running(engine, PLAN, resource="" if kind == PLANNED else kind):
            if kind == UPCOMING:
                store_upcoming(engine, author)
            else:
                store_plan(engine, author, kind == TRIAL)
    finally:
        engine.author = before
