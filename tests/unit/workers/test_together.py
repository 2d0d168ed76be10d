"""Several workers on one ledger: whoever leaves work to another one, that one does it, with no sweep to help."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from random import Random

import pytest
from sqlalchemy import Engine as Database

from syncengine.errors import SyncengineError
from syncengine.flows.core.engine import Engine
from syncengine.ledger import Ledger, Transaction
from syncengine.simulation.bench import LIMITS, project
from syncengine.simulation.clock import ManualClock
from syncengine.simulation.traits import spec
from syncengine.simulation.vendor import FakeVendor
from tests.support.bench import Bench
from tests.support.databases import empty
from tests.support.people import COLUMNS, FIELDS, HR, LMS, crowd, entity
from workers import tasks
from workers.celery import app
from workers.queue import DUE, LIVE, queue_name

PEOPLE = 7
MOST = 3
"""Ids in one message."""


Message = tuple[str, list[str], str]
"""Task, ids, name of the queue."""


class Worker(threading.Thread):
    """A process of the service: runs one message at a time, and stops wherever another one could get in between."""

    def __init__(self, engine: Engine, local: threading.local) -> None:
        super().__init__(daemon=True)
        self.engine, self.local = engine, local
        self.go, self.stopped = threading.Semaphore(0), threading.Semaphore(0)
        self.message: Message | None = None
        self.broken: BaseException | None = None

    def run(self) -> None:
        self.local.worker = self
        while True:
            self.go.acquire()
            try:
                if self.message is None:
                    return
                name, arguments, _ = self.message
                app.tasks[f"syncengine.{name}"](arguments)
            except (SyncengineError, AssertionError, LookupError, TypeError) as error:
                self.broken = error
            self.message = None
            self.stopped.release()

    def stop(self) -> None:
        """Let others be first."""
        self.stopped.release()
        self.go.acquire()

    def resume(self, message: Message | None = None) -> None:
        """Go on to the next stop."""
        self.message = message or self.message
        self.go.release()
        assert self.stopped.acquire(timeout=20)
        if self.broken is not None:
            raise self.broken


@dataclass
class Service:
    """Workers on one ledger, and the messages that are under way; it is their queue and their ledger as well."""

    ledger: Ledger
    chance: Random
    local: threading.local = field(default_factory=threading.local)
    workers: list[Worker] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)

    def announce(self, task: str, arguments: Iterable[str]) -> None:
        """A message for any worker."""
        self._stop()
        given = list(arguments)
        most = len(given) if task == "capture" else MOST
        for start in range(0, max(1, len(given)), most or 1):
            # What was just changed goes ahead of the rest, and is worked by itself; here anything may be that.
            some = given[start : start + most]
            lane = LIVE if some and task != "capture" and self.chance.random() < 0.5 else DUE
            self.messages.append((task, some, queue_name("", lane)))

    def lane(self) -> str:
        """By which queue the message came that this thread works on."""
        message = self.local.worker.message
        return str(message[2])

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        self._stop()
        with self.ledger.read() as tx:
            yield tx

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        self._stop()
        with self.ledger.write() as tx:
            yield tx

    @contextmanager
    def work(self) -> Iterator[Engine]:
        """The engine of the worker that asks."""
        yield self.local.worker.engine

    def _stop(self) -> None:
        worker = getattr(self.local, "worker", None)
        if worker is not None:
            worker.stop()

    def deliver(self) -> None:
        """All messages and what follows from them, to any worker, in any order, the workers' steps in any order."""
        while True:
            busy = [w for w in self.workers if w.message is not None]
            idle = [w for w in self.workers if w.message is None] if self.messages else []
            if not busy and not idle:
                return
            worker = self.chance.choice([*busy, *idle])
            if worker.message is None:
                message = self.messages.pop(self.chance.randrange(len(self.messages)))
                worker.resume(message)
            else:
                worker.resume()


@pytest.fixture
def hired(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[int], tuple[Bench, Service]]]:
    """Two workers for a seed; the seed draws the slots of each vendor and the length of a slice too."""
    services: list[Service] = []

    def hire(seed: int) -> tuple[Bench, Service]:
        empty(database)
        chance, clock = Random(seed), ManualClock()
        columns = (
            spec("hr", *COLUMNS, unlisted=("job",)),
            spec("lms", *COLUMNS, search=("email",)),
        )
        vendors = [
            FakeVendor(replace(one, concurrency=chance.randint(1, 3)), clock, latency=0.001)
            for one in columns
        ]
        limits = replace(LIMITS, batch=MOST, slice=chance.choice([0.0, 3.0]))
        made = project(vendors, entity(FIELDS, hr=HR, lms=LMS))
        bench = Bench.on(vendors, made, database, clock, limits)
        service = Service(bench.engine.ledger, chance)
        services.append(service)
        for _ in range(2):
            mine = Bench.on(vendors, made, database, clock, limits).engine
            mine.ledger, mine.queue = service, service
            worker = Worker(mine, service.local)
            service.workers.append(worker)
            worker.start()
        monkeypatch.setattr(tasks, "current", lambda: service)
        monkeypatch.setattr(tasks, "_lane", service.lane)
        return bench, service

    yield hire
    for service in services:
        for worker in service.workers:
            worker.go.release()
            worker.join(20)
            worker.engine.close()


@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_due_is_done_without_a_sweep(
    hired: Callable[[int], tuple[Bench, Service]], seed: int
) -> None:
    """Two workers get all messages, in any order, with their steps in any order between each other: everything is
    written, and nothing is left for a sweep to find."""
    bench, service = hired(seed)
    hr, lms = bench.vendors["hr"], bench.vendors["lms"]
    names = crowd(bench, PEOPLE)
    for job in ("dev", "lead"):
        for name in names:
            hr.edit(name, job=job, name=f"{name} {job}")
        bench.clock.sleep(3700)
        for vendor in ("hr", "lms"):
            service.announce("capture", [vendor, "people", "scan"])
        service.deliver()
        assert not bench.unsettled()
        assert not bench.read(lambda tx: tx.dirty_count())
        assert sorted((r["name"], r["job"]) for r in lms.rows().values()) == sorted(
            (f"{name} {job}", job) for name in names
        )
