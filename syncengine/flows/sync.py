"""Sync: one full pass in this process, until quiet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from syncengine.errors import Again, Stale
from syncengine.flows.capture import capture
from syncengine.flows.derive import derive
from syncengine.flows.dispatch import dispatch, probe
from syncengine.flows.engine import Engine
from syncengine.flows.plan import plan
from syncengine.flows.reconcile import reconcile
from syncengine.flows.refresh import refresh
from syncengine.flows.sweep import adopt_project, listed
from syncengine.model.operation import UNSETTLED, OperationState
from syncengine.ports import Transaction

Progress = Callable[[str, int, int], None]
"""Told (what is going on, how much is done, of how much: 0 is unknown)."""

BRIEF = 60.0
"""Seconds of a pause that is waited for."""

TRIES = 3
"""How often a listing that comes no further is tried, and failures in a row after which a connection is down."""

OUTCOMES = ("applied", "stale", "rejected", "not_sent", "unknown")


@dataclass(slots=True)
class _Pass:
    engine: Engine
    progress: Progress
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def list_all(self, connection: str | None, entity: str | None) -> None:
        """Scan everything, parents and what others refer to first, and tell who is who on the way."""
        places = [p for p in listed(self.engine) if self._asked(p, connection, entity)]
        for number, place in enumerate(places):
            self.progress(f"listing {place[0]} {place[1]}", number, len(places))
            self.list_one(*place)
            self.drain(writing=False)
        for place in self._twice(places):
            self.progress(f"listing {place[0]} {place[1]} once more", 0, 0)
            self.list_one(*place)

    def _asked(self, place: tuple[str, str], connection: str | None, entity: str | None) -> bool:
        if place[0] not in self.engine.connectors or connection not in (None, place[0]):
            return False
        names = {e.name for e, _ in self.engine.project.systems_of(*place)}
        return entity is None or entity in names

    def _twice(self, places: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        """Resources without a single read, where a second complete listing concludes what is gone."""
        for connection, resource in places:
            spec = self.engine.project.connections[connection].spec.resources[resource]
            if spec.single_get:
                continue
            with self.engine.ledger.read() as tx:
                started = tx.resource(connection, resource).scanned_at
                unseen = [
                    link
                    for e, _ in self.engine.project.systems_of(connection, resource)
                    for link in tx.unseen_since(e.name, connection, resource, started)
                    if link.nominated_at == started
                ]
            if unseen:
                yield connection, resource

    def list_one(self, connection: str, resource: str) -> None:
        """One complete listing; waits while other processes hold the connection. One that ended early is taken up
        again a few times, unless it comes further each time, while the connection is not down."""
        tries = 0
        while True:
            try:
                captured = capture(self.engine, connection, resource, "scan")
            except Again:
                continue
            if captured.fault.endswith("busy"):
                self.engine.clock.sleep(0.2)
                continue
            tries = 0 if captured.went_on else tries + 1
            if captured.complete or tries == TRIES or not self._opens(connection):
                break
        if captured.fault or not captured.complete:
            self.faults.append(f"{connection} {resource}: {captured.fault}")

    def _opens(self, connection: str) -> bool:
        """Wait for a short pause of the connection to end; False where it is down, or paused for long."""
        with self.engine.ledger.read() as tx:
            state = tx.connection(connection)
        pause = state.blocked_until - self.engine.clock.now()
        if state.halted or state.failures >= TRIES or pause > BRIEF:
            return False
        if pause > 0:
            self.engine.clock.sleep(pause)
        return True

    def drain(self, writing: bool = True) -> None:
        """Work until nothing is due; waits for leases of others, retries and probes while something moves."""
        engine = self.engine
        patience = 3 * engine.limits.lease + 30
        last_move = engine.clock.now()
        while True:
            try:
                done = self.once(writing)
            except Again:
                continue
            self.progress("reconciling", self.outcomes["applied"], 0)
            if done:
                last_move = engine.clock.now()
                continue
            if not self.due(writing) or engine.clock.now() - last_move > patience:
                return
            engine.clock.sleep(0.1)

    def once(self, writing: bool) -> int:
        """One round of everything that is due; returns how much was done."""
        done = refresh(self.engine) + reconcile(self.engine)
        if writing:
            done += derive(self.engine)
            moved = dispatch(self.engine) + probe(self.engine)
            self.outcomes += moved
            done += moved.total()
        return done

    def due(self, writing: bool) -> bool:
        """Whether anything that can move is still under way."""
        engine = self.engine
        with engine.ledger.read() as tx:
            if tx.dirty_count(engine.open_connections(tx)):
                return True
            if not writing:
                return False
            open_now = set(engine.open_connections(tx, writing=True))
            waiting = tx.select_operations(UNSETTLED)
            horizon = engine.clock.now() + 60
            return any(
                o.state is OperationState.CLAIMED
                or (o.state is OperationState.UNKNOWN and o.next_at < horizon)
                or (o.connection in open_now and o.next_at < horizon)
                or self._opens_soon(tx, o.connection, horizon)
                for o in waiting
            )

    def _opens_soon(self, tx: Transaction, connection: str, horizon: float) -> bool:
        state = tx.connection(connection)
        writes = self.engine.project.connections[connection].mode == "write"
        if connection not in self.engine.connectors or state.paused or state.halted or not writes:
            return False
        return self.engine.clock.now() < state.blocked_until < horizon


def sync(
    engine: Engine, connection: str | None = None, entity: str | None = None,
    record: str | None = None, digest: str | None = None, progress: Progress | None = None,
) -> dict[str, Any]:  # fmt: skip
    """One full pass: list, merge, write, prove, until quiet. Returns the document of ``sync --json``. Raises
    Stale where ``digest`` is not that of the plan as it is now."""
    started, before = engine.clock.now(), _tallies(engine)
    engine.needs.clear()
    with engine.ledger.read() as tx:
        events = tx.count_events()
    if digest is not None and plan(engine)["digest"] != digest:
        raise Stale("the plan has changed since: run `syncengine plan` and look at it again")
    adopt_project(engine)
    work = _Pass(engine, progress or (lambda *_: None))
    if record is not None:
        _look_again(engine, record)
    else:
        work.list_all(connection, entity)
    work.drain()
    return _document(engine, work, before, events, started)


def _look_again(engine: Engine, record: str) -> None:
    with engine.ledger.write() as tx:
        links = [k for k in tx.links_of([record]) if k.external_id is not None]
        held = tx.links([k.id for k in links], lock=True)
        tx.save_links(
            [
                replace(k, need_get=True, dirty=k.dirty + 1, version=k.version + 1)
                for k in held.values()
            ]
        )


def _tallies(engine: Engine) -> dict[str, tuple[int, int, int]]:
    tallies = {name: c.tally for name, c in engine.connectors.items()}
    return {name: (t.reads, t.writes, t.retries) for name, t in tallies.items()}


def _document(
    engine: Engine,
    work: _Pass,
    before: dict[str, tuple[int, int, int]],
    events: int,
    started: float,
) -> dict[str, Any]:
    calls = {}
    for name, now in _tallies(engine).items():
        reads, writes, retries = (n - b for n, b in zip(now, before[name], strict=True))
        bound = engine.needs[name]
        if bound and not before[name][0]:
            bound += engine.connectors[name].token_calls
        calls[name] = {
            "calls": {
                "reads": reads, "writes": writes, "retries": retries, "lower_bound": bound,
            }
        }  # fmt: skip
    with engine.ledger.read() as tx:
        quiet = not tx.dirty_count(list(engine.connectors)) and not tx.select_operations(
            UNSETTLED, limit=1
        )
        return {
            "converged": quiet and not work.faults,
            "connections": calls,
            "operations": {name: work.outcomes[name] for name in OUTCOMES},
            "events": tx.count_events() - events,
            "cases": tx.count_cases(),
            "waiting": len(tx.waiting_links()),
            "faults": work.faults,
            "duration_s": round(engine.clock.now() - started, 3),
        }
