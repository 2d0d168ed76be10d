"""Sync: one full pass in this process, until nothing is due."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from syncengine.errors import Again, Stale
from syncengine.flows.capture.capture import capture
from syncengine.flows.capture.refresh import refresh
from syncengine.flows.core.clock_setback import correct_setback
from syncengine.flows.core.engine import Engine
from syncengine.flows.core.runs import running, tallies
from syncengine.flows.forget.retention import AT_ONCE, forget_slices
from syncengine.flows.reconcile.derive import derive
from syncengine.flows.reconcile.follow import follow_project
from syncengine.flows.reconcile.reconcile import reconcile
from syncengine.flows.reconcile.unsent import under_way, untouched, wanted
from syncengine.flows.run.planned import Planned
from syncengine.flows.run.rehearsal import rehearse
from syncengine.flows.run.sweep import listed
from syncengine.flows.run.waiting import Delay, ProgressDeadline, Tell, delays
from syncengine.flows.send.dispatch import dispatch
from syncengine.flows.send.probe import expire, probe
from syncengine.ledger import Transaction
from syncengine.model.changeset import Changeset
from syncengine.model.operation import Operation, OperationState
from syncengine.model.run import ONE, PASS

Progress = Callable[[str, int, int], None]
"""Told (what is going on, how much is done, of how much: 0 is unknown)."""

First = Callable[[dict[str, int]], None]
"""Told, before anything is sent, connections that were never written to, and how many writes each gets."""

BRIEF = 5.0
"""Seconds of a pause that is waited for though nobody asked for it."""

BUSY = 30.0
"""Seconds after which a pass says again that another process keeps it waiting."""

OUTCOMES = ("applied", "stale", "rejected", "not_sent", "unknown")


@dataclass(slots=True)
class _Pass:
    engine: Engine
    progress: Progress
    deadline: ProgressDeadline
    began: float
    agreed: Planned | None = None
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    first: dict[str, int] = field(default_factory=dict)

    def list_all(self, connection: str | None, entity: str | None) -> None:
        """Scan everything, parents and referenced entities first, and correlate in between."""
        places = [p for p in listed(self.engine) if self._asked(p, connection, entity)]
        for number, place in enumerate(places):
            self.progress(f"listing {place[0]} {place[1]}", number, len(places))
            self.list_one(*place)
            with self.engine.ledger.read() as tx:
                dirty = self.deadline.observe_progress(tx, 0)
            if dirty:
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
                    if link.suspected_at == started
                ]
            if unseen:
                yield connection, resource

    def list_one(self, connection: str, resource: str) -> None:
        """Run one complete listing. Waits while other processes hold the connection, and through a pause that was asked
        for, and then continues."""
        while True:
            paused = self._paused(connection)
            if paused is not None and not self.deadline.wait([paused]):
                self.faults += self.deadline.given_up([paused])
                return
            if paused is not None:
                continue
            try:
                captured = capture(self.engine, connection, resource, "scan", since=self.began)
            except Again:
                continue
            if captured.got_on:
                self.deadline.renew()
            if captured.fault.endswith("busy"):
                now = self.engine.clock.now()
                self.deadline.say(connection, "another process works with it", now + BUSY)
                self.engine.clock.sleep(0.2)
                continue
            if captured.complete:
                return
            paused = self._paused(connection)
            if paused is None or not paused.asked:
                break
        self.faults.append(f"{connection} {resource}: {captured.fault}")

    def _paused(self, connection: str) -> Delay | None:
        """A pause of the connection that is worth to be waited for: one that was asked for, or a brief one."""
        with self.engine.ledger.read() as tx:
            state = tx.connection(connection)
        ahead = state.blocked_until - self.engine.clock.now()
        if state.halted or ahead <= 0 or not (state.asked or ahead <= BRIEF):
            return None
        return Delay(connection, state.why, state.blocked_until, state.asked, "listing")

    def drain(self, writing: bool = True) -> None:
        """Work until nothing is due; waits for leases of others, retries, pauses and probes as long as there is
        progress."""
        while True:
            try:
                done = self.once(writing)
            except Again:
                continue
            self.progress("reconciling", self.outcomes["applied"], 0)
            if done and self.deadline.may_wait:
                continue
            settled = self.outcomes["applied"] + self.outcomes["rejected"]
            with self.engine.ledger.read() as tx:
                dirty = self.deadline.observe_progress(tx, settled)
                if done and not self.deadline.over:
                    continue
                left = delays(self.engine, tx, dirty, writing, self.not_agreed(tx))
            if not left:
                return
            if not self.deadline.wait(left):
                if writing:
                    self.faults += self.deadline.given_up(left)
                return

    def not_agreed(self, tx: Transaction) -> set[str]:
        """Ids of the operations in the outbox that the agreed plan does not contain."""
        if self.agreed is None:
            return set()
        return self.beyond(tx, tx.select_operations([OperationState.PENDING]))

    def announce_first(self, told: First) -> None:
        """Before a connection is written to for the first time, plan everything and report how many writes that is."""
        with self.engine.ledger.read() as tx:
            new = untouched(self.engine, tx)
        if not new:
            return
        self._decide()
        with self.engine.ledger.read() as tx:
            self.first = wanted(tx).among(new)
        if self.first:
            told(self.first)

    def _decide(self) -> None:
        """Work until nothing is due, and send nothing."""
        while True:
            self.drain(writing=False)
            try:
                if not derive(self.engine):
                    return
            except Again:
                continue

    def once(self, writing: bool) -> int:
        """One round of everything that is due; returns how much was done."""
        done = refresh(self.engine) + reconcile(self.engine)
        if writing:
            done += derive(self.engine)
            moved = self._send() + probe(self.engine)
            self.outcomes += moved
            done += moved.total()
        return done

    def _send(self) -> Counter[str]:
        """Send what is due; of an agreed plan only what it contains."""
        if self.agreed is None:
            return dispatch(self.engine)
        with self.engine.ledger.read() as tx:
            pending = tx.select_operations([OperationState.PENDING])
            left = self.beyond(tx, pending)
        ids = [o.id for o in pending if o.id not in left]
        return dispatch(self.engine, ids) if ids else Counter()

    def beyond(self, tx: Transaction, operations: Collection[Operation]) -> set[str]:
        """Ids of those operations that the agreed plan does not contain."""
        if self.agreed is None:
            return set()
        real = self.agreed.real(tx)
        return {o.id for o in operations if not self.agreed.contains(o, real)}


def sync(
    engine: Engine, connection: str | None = None, entity: str | None = None,
    record: str | None = None, digest: str | None = None, progress: Progress | None = None,
    first: First | None = None, tell: Tell | None = None,
) -> dict[str, Any]:  # fmt: skip
    """One full pass: list, merge, write, prove, until quiet. Returns the document of ``sync --json``. ``tell``: told
    what it waits for, and how far long listings are.

    ``digest``: write exactly the plan that has it. It has to be the plan of the mirror, and still the plan once all
    vendors are read; else Stale is raised and nothing is written. What turns up later is left for the next pass."""
    correct_setback(engine)
    with running(engine, PASS if record is None else ONE, connection) as noted:
        document = _sync(engine, connection, entity, record, digest, progress, first, tell)
        noted.fault = "; ".join(document["faults"])
        noted.counts.update({k: n for k, n in document["operations"].items() if k != "unknown"})
    return document


def _sync(
    engine: Engine, connection: str | None, entity: str | None, record: str | None,
    digest: str | None, progress: Progress | None, first: First | None, tell: Tell | None,
) -> dict[str, Any]:  # fmt: skip
    started, before = engine.clock.now(), tallies(engine)
    engine.needs.clear()
    with engine.ledger.read() as tx:
        height = tx.newest_ids()[0]
    if digest is not None:
        _agreed(engine, digest, "")
    expire(engine)
    follow_project(engine)
    deadline = ProgressDeadline(engine, tell or (lambda _: None), 3 * engine.limits.lease + 30)
    engine = replace(engine, tell=deadline.say, goes_on=deadline.goes_on)
    work = _Pass(engine, progress or (lambda *_: None), deadline, started)
    if record is not None:
        look_again(engine, record)
    else:
        work.list_all(connection, entity)
    if digest is not None:
        work.drain(writing=False)
        work.agreed = _agreed(engine, digest, ", now that the vendors are read")
    work.announce_first(first or (lambda _: None))
    work.drain()
    forget_slices(engine, AT_ONCE)
    correct_setback(engine)
    return _document(engine, work, before, height, started)


def observe(
    engine: Engine, progress: Progress | None = None, tell: Tell | None = None
) -> list[str]:
    """Read all vendors and plan everything, without writing to any. Returns what could not be read."""
    connections = {n: replace(c, mode="observe") for n, c in engine.project.connections.items()}
    project = replace(engine.project, connections=connections)
    alike = replace(engine, project=project)
    faults: list[str] = sync(alike, progress=progress, tell=tell)["faults"]
    return faults


def _agreed(engine: Engine, digest: str, when: str) -> Planned:
    """The plan. Raises Stale if it is not the agreed one."""
    found = rehearse(engine)
    if found.digest() != digest:
        raise Stale(
            f"the plan is another one{when}: expected {digest}, found {found.digest()}. "
            "Nothing was written; look at it again: `syncengine plan`"
        )
    return found


def look_again(engine: Engine, record: str) -> list[str]:
    """Have all rows of a record read and compared again. Returns the links; announcing them is up to the caller."""
    with engine.ledger.write() as tx:
        links = [k for k in tx.links_of([record]) if k.external_id is not None]
        held = tx.links([k.id for k in links], lock=True)
        read = [k.to_read().woken() for k in held.values()]
        tx.write(Changeset(links=read))
    return list(held)


def _document(
    engine: Engine,
    work: _Pass,
    before: dict[str, tuple[int, int, int]],
    height: int,
    started: float,
) -> dict[str, Any]:
    calls = {}
    for name, now in tallies(engine).items():
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
        quiet = not tx.dirty_count(list(engine.connectors)) and not under_way(engine, tx)
        due = wanted(tx)
        unknown = len(tx.select_operations([OperationState.UNKNOWN]))
        return {
            "converged": quiet and not work.faults,
            "connections": calls,
            "operations": {name: work.outcomes[name] for name in OUTCOMES} | {"unknown": unknown},
            "events": tx.count_events(height),
            "cases": tx.count_cases(),
            "waiting": len(due.waits),
            "unlinked": sum(tx.count_untied().values()),
            "unsent": due.observed(engine),
            "first": work.first,
            "left": len(work.not_agreed(tx)),
            "faults": work.faults,
            "duration_s": round(engine.clock.now() - started, 3),
        }
