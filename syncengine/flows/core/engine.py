"""The engine: project, ledger, connectors, queue and clock, as all flows use them, and a thread pool for calls."""

from __future__ import annotations

import queue
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial, wraps
from random import Random
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar
from zoneinfo import ZoneInfo

import structlog
import uuid_utils

from syncengine.errors import (
    DatabaseDown,
    Halt,
    LostRace,
    RateLimited,
    SyncengineError,
    Unauthorized,
)
from syncengine.flows.core.gate import USED_UP, CallGate, Permit
from syncengine.flows.core.limits import RACES, Limits, race_pause
from syncengine.ledger import Ledger, Transaction
from syncengine.mapping import Entity, Project, System
from syncengine.model.changeset import Changeset
from syncengine.model.connection import ConnectionState
from syncengine.model.pauses import doubled
from syncengine.model.run import SERVICE
from syncengine.ports import Channel, Clock, Connector, Queue

T = TypeVar("T")
log = structlog.get_logger()

LOCKED_OUT = 300.0
"""Seconds before refused credentials are tried again, doubled each time up to 80 minutes."""


def _log_listing(connection: str, resource: str, rows: int, answers: int) -> None:
    log.info(
        "a listing goes on", connection=connection, resource=resource, rows=rows, answers=answers
    )


@dataclass(slots=True)
class Engine:
    """What flows work with. ``edition``: identifies the version of the project's files, the last of which was changed
    at ``edition_at`` (epoch seconds). ``author``: who works with it; ``run``: id of the run that is under way.
    ``needs``: connection -> number of calls that the work so far could not do without, the lower bound of what a
    vendor is asked. ``holders``: holders of slots and claim tokens -> when they were last renewed. ``used``:
    connections whose slots this task has held. ``troubles``: connection -> class of the error with which it failed in
    this task. ``tell``: called with (connection, why, until when) while calls wait;
    ``goes_on``: called with (connection, resource, rows, answers) during a long listing. ``shows_sensitive``:
    sensitive values are shown. ``channels``: of notifications, by name, those that are on; the heartbeat among them."""

    project: Project
    ledger: Ledger
    connectors: Mapping[str, Connector]
    gates: Mapping[str, CallGate]
    queue: Queue
    clock: Clock
    limits: Limits = field(default_factory=Limits)
    edition: str = ""
    edition_at: float = 0.0
    author: str = SERVICE
    run: str = ""
    shows_sensitive: bool = False
    channels: Mapping[str, Channel] = field(default_factory=dict)
    needs: Counter[str] = field(default_factory=Counter)
    holders: dict[str, float] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    troubles: dict[str, str] = field(default_factory=dict)
    tell: Callable[[str, str, float], None] = lambda *_: None
    goes_on: Callable[[str, str, int, int], None] = _log_listing
    pool: Executor = field(default_factory=lambda: ThreadPoolExecutor(32, "call"))

    def __post_init__(self) -> None:
        for name, gate in self.gates.items():
            gate.waits = partial(self._waits, name)

    def _waits(self, connection: str, until: float) -> None:
        self.heartbeat()
        self.tell(connection, USED_UP, until)

    @property
    def today(self) -> str:
        """The date in the project's time zone, ``2026-11-22``."""
        return self.day_of(self.clock.now())

    def day_of(self, at: float) -> str:
        """The date of a time, in the project's time zone."""
        return datetime.fromtimestamp(at, ZoneInfo(self.project.timezone)).date().isoformat()

    def begins(self, day: str) -> float:
        """When a date begins, in the project's time zone."""
        zone = ZoneInfo(self.project.timezone)
        return datetime.fromisoformat(day).replace(tzinfo=zone).timestamp()

    def places(self) -> Iterator[tuple[Entity, System]]:
        """Every system of every entity; entities that others refer to come first."""
        for entity in self.project.entities.values():
            for system in entity.systems.values():
                yield entity, system

    def system(self, entity: str, connection: str) -> System | None:
        """The system of an entity in a connection, if the project still has it."""
        known = self.project.entities.get(entity)
        return None if known is None else known.systems.get(connection)

    def concurrency(self, connection: str, writing: bool = True) -> int:
        """How many concurrent calls the connection allows. Reads leave one of several to writes and probes, since a
        listing may take hours."""
        declared = self.project.connections[connection]
        most = declared.spec.concurrency
        most = min(most, declared.budget.concurrency or most)
        return most if writing else max(1, most - 1)

    def open_connections(self, tx: Transaction, writing: bool = False) -> list[str]:
        """Connections that may be called now; ``writing``: that may be written to."""
        states = tx.connections(self.connectors)
        return [state.name for state in states if self._may_call(state, writing)]

    def may_call(self, tx: Transaction, name: str, writing: bool = False) -> bool:
        """Whether a connection is on, not blocked, and for writing neither paused nor only observed."""
        return name in self.connectors and self._may_call(tx.connection(name), writing)

    def _may_call(self, state: ConnectionState, writing: bool) -> bool:
        if state.blocked_until > self.clock.now():
            return False
        mode = self.project.connections[state.name].mode
        return not writing or (not state.paused and mode == "write")

    @contextmanager
    def slots(self, connection: str, writing: bool = False) -> Iterator[int]:
        """Take the free slots of the connection for this block; yields how many (0: none)."""
        holder, now = new_id(), self.clock.now()
        until = now + 1.5 * self.limits.lease
        of = self.concurrency(connection, writing)
        with self.ledger.write() as tx:
            free = tx.take_slots(connection, of, of, holder, now, until)
        if free:
            self.used.add(connection)
        try:
            with self.holding(holder):
                yield free
        finally:
            with self.ledger.write() as tx:
                tx.free_slots(holder)

    @contextmanager
    def holding(self, holder: str) -> Iterator[None]:
        """Keep the slots or claims of this holder alive during the block."""
        self.holders[holder] = self.clock.now()
        try:
            yield
        finally:
            del self.holders[holder]

    def heartbeat(self) -> None:
        """Renew the slots and claims that this process holds, if they are due for it."""
        now, lease = self.clock.now(), self.limits.lease
        for holder in [h for h, renewed in self.holders.items() if abs(now - renewed) > lease / 4]:
            self.holders[holder] = now
            with self.ledger.write() as tx:
                tx.renew_slots(holder, now + 1.5 * lease)
                tx.renew_claims(holder, now + lease)
                if holder == self.run:
                    tx.touch_run(holder, now)

    def wait(self, until: float) -> None:
        """Sleep until then, renewing what this process holds."""
        while (ahead := until - self.clock.now()) > 0:
            self.heartbeat()
            self.clock.sleep(min(ahead, self.limits.lease / 4))

    def call_all(
        self, jobs: Iterable[tuple[T, Callable[[], Any]]], width: int
    ) -> Iterator[tuple[T, Any]]:
        """As ``call_groups``, one after the other."""
        for ended in self.call_groups(jobs, width):
            yield from ended

    def call_groups(
        self, jobs: Iterable[tuple[T, Callable[[], Any]]], width: int
    ) -> Iterator[list[tuple[T, Any]]]:
        """Run calls in threads, at most ``width`` at once; yields (key, result or the error it raised) as they end,
        those together that have ended by then. Permits that the calls ask for are granted here, since only this thread
        touches SQL. Once the vendor refuses our credentials or asks for a pause, no further call is made: that error is
        what the rest yields."""
        inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        todo, running, waiting = iter(jobs), 0, list[Permit]()
        refusal: SyncengineError | None = None

        def start() -> int:
            started = 0
            for key, job in todo:
                future = self.pool.submit(_call, job, inbox)
                future.add_done_callback(partial(_report, inbox, key))
                started += 1
                if running + started >= max(1, width):
                    break
            return started

        running += start()
        while running:
            self.heartbeat()
            waiting = [permit for permit in waiting if not permit.grant()]
            if waiting and len(waiting) == running and inbox.empty():
                self.clock.sleep(0.05)
                continue
            try:
                message = inbox.get(timeout=0.05 if waiting else self.limits.lease / 4)
            except queue.Empty:
                continue
            ended = []
            for arrived in (message, *_drained(inbox)):
                if isinstance(arrived, Permit):
                    waiting.append(arrived)
                    continue
                ended.append(arrived)
                if isinstance(arrived[1], (RateLimited, Halt)):
                    refusal = arrived[1]
            running -= len(ended)
            if ended:
                running += 0 if refusal else start()
                yield ended
        if refusal is not None and (left := [(key, refusal) for key, _ in todo]):
            yield left

    def blames(self, connection: str, errors: Collection[SyncengineError], went_well: bool) -> bool:
        """Whether failed calls are the connection's fault rather than that of the requested rows: the vendor asks for a
        pause or refuses our credentials, or nothing went through and its cheapest call fails too. Then the connection
        is paused. Within the connection's slots."""
        whole: SyncengineError | None = None
        whole = next((e for e in errors if isinstance(e, (RateLimited, Halt))), None)
        if errors and whole is None and not went_well:
            health = self.connectors[connection].health
            for _, result in self.call_all([(connection, health)], 1):
                whole = failed(result)
        if whole is not None:
            self.note_failure(connection, whole)
        return whole is not None

    def note_failure(self, connection: str, error: SyncengineError) -> None:
        """Record a failed call: pause the connection for a while, or until a person has acted. Calls that were under
        way when the pause began are not counted."""
        now = self.clock.now()
        with self.ledger.write() as tx:
            state = tx.connection(connection, lock=True)
            paused = state.blocked_until > now
            failures = max(1, state.failures + (not paused))
            until = max(state.blocked_until, now + self.limits.pause(failures))
            if isinstance(error, RateLimited):
                until, failures = max(state.blocked_until, error.until), state.failures
            halted = state.halted if paused else ""
            if isinstance(error, Halt):
                halted = str(error)
            if isinstance(error, Unauthorized):
                until = max(until, now + doubled(LOCKED_OUT, failures, 16 * LOCKED_OUT))
            state = replace(
                state, failures=failures, blocked_until=until, halted=halted, why=str(error),
                asked=isinstance(error, RateLimited), since=now,
                failing_since=(state.failing_since or now) if failures else 0.0,
                halted_since=(state.halted_since or now) if halted else 0.0,
            )  # fmt: skip
            tx.write(Changeset(connections=[state]))
        kind = type(error).__name__
        if not isinstance(error, RateLimited):
            self.troubles[connection] = kind
        log.warning("could not be called", connection=connection, error=kind, why=str(error))

    def note_success(self, connection: str) -> None:
        """A call succeeded: forget earlier failures."""
        with self.ledger.read() as tx:
            state = tx.connection(connection)
        if state.failures or state.halted:
            with self.ledger.write() as tx:
                state = tx.connection(connection, lock=True)
                tx.write(Changeset(connections=[state.recovered()]))

    def announce(self, task: str, ids: Collection[str]) -> None:
        """Announce work to the queue, after a commit; in order, without repeats."""
        if ids:
            self.queue.announce(task, list(dict.fromkeys(ids)))

    def close(self) -> None:
        """Give back threads and connections."""
        self.pool.shutdown(wait=True, cancel_futures=True)
        for connector in self.connectors.values():
            connector.close()


@dataclass(slots=True)
class TimedJobs(Generic[T]):
    """Jobs handed out one by one until the time ``until`` is over; at least one. ``count``: how many were."""

    clock: Clock
    jobs: Sequence[tuple[T, Callable[[], Any]]]
    until: float
    count: int = 0

    def __iter__(self) -> Iterator[tuple[T, Callable[[], Any]]]:
        for job in self.jobs:
            if self.count and self.clock.now() >= self.until:
                return
            self.count += 1
            yield job


def _drained(inbox: queue.SimpleQueue[Any]) -> Iterator[Any]:
    """What has arrived by now."""
    while not inbox.empty():
        yield inbox.get_nowait()


def _report(inbox: queue.SimpleQueue[Any], key: Any, future: Future[Any]) -> None:
    inbox.put((key, future.exception() or future.result()))


def _call(job: Callable[[], Any], inbox: queue.SimpleQueue[Any]) -> Any:
    Permit.inbox.set(inbox)
    return job()


def failed(result: Any) -> SyncengineError | None:
    """The error of a call that concerns its vendor, or None. Any other exception, an unavailable database among them,
    is raised."""
    if isinstance(result, SyncengineError) and not isinstance(result, DatabaseDown):
        return result
    if isinstance(result, BaseException):
        raise result
    return None


class _Ids:
    """Source of ids: random, or seeded in a simulation, so that a run can be repeated."""

    def __init__(self) -> None:
        self.chance: Random | None = None
        self.count = 0

    def seed(self, seed: int | None) -> None:
        """From now on they follow from a seed; None: random again."""
        self.chance, self.count = None if seed is None else Random(seed), 0

    def id(self) -> str:
        """Grows with time."""
        if self.chance is None:
            return str(uuid_utils.uuid7())
        self.count += 1
        return str(uuid.UUID(int=self.count << 96 | self.chance.getrandbits(64)))

    def key(self) -> str:
        """Random."""
        return (uuid.uuid4() if self.chance is None else uuid.UUID(self.id())).hex


IDS = _Ids()


def new_id() -> str:
    """A random id that grows with time."""
    return IDS.id()


def new_key() -> str:
    """A random idempotency key."""
    return IDS.key()


class HasEngine(Protocol):
    """An object with an engine."""

    engine: Engine


P = ParamSpec("P")
W = TypeVar("W", bound=HasEngine)


def retry_on_lost_race(method: Callable[Concatenate[W, P], T]) -> Callable[Concatenate[W, P], T]:
    """Decorator for a method that is one transaction: run it again if the database let another transaction win."""

    @wraps(method)
    def retried(self: W, /, *args: P.args, **kwargs: P.kwargs) -> T:
        for lost in range(1, RACES + 1):
            try:
                return method(self, *args, **kwargs)
            except LostRace:
                self.engine.clock.sleep(race_pause(lost))
        return method(self, *args, **kwargs)

    return retried
