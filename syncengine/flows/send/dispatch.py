"""Dispatch and probe: claim, read before write, one vendor write outside any transaction, settle at once."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from syncengine.errors import Again, Astray, Exists, Rejected, SyncengineError, Unknown, Unnamed
from syncengine.flows.capture.rows import Look, Read, store
from syncengine.flows.core.engine import Begun, Engine, failed, stubborn
from syncengine.flows.core.scenes import lost_creates, rivals_of
from syncengine.flows.core.shift import shift
from syncengine.flows.core.staging import holds
from syncengine.flows.send.purchase import pay, wait
from syncengine.flows.send.settle import Settle
from syncengine.ledger import Transaction
from syncengine.mapping import System
from syncengine.model.link import Link, LinkState
from syncengine.model.operation import ANOTHERS, UNNAMED, Action, Operation, OperationState, Written
from syncengine.model.values import Row
from syncengine.planning.settle import moved_since, outdated, shows
from syncengine.ports import Item

LATE = 60.0
"""Seconds after which a person is asked about a write that no read can prove."""

CHUNK = 32
"""Operations that are looked at, checked in one transaction, and sent together."""


def dispatch(engine: Engine, ids: Collection[str] | None = None) -> Counter[str]:
    """Send due operations, of each connection as many as a slice of time allows. Returns outcome -> how many."""

    def claim(connection: str, tx: Transaction) -> Sequence[Operation]:
        if not engine.may_call(tx, connection, writing=True):
            return ()
        now, lease, many = engine.clock.now(), engine.limits.lease, engine.limits.batch
        return tx.claim_operations(
            now, lease, min(CHUNK, many), [connection], ids, holds(engine, tx)
        )

    def send(round_: _Round) -> Counter[str]:
        with engine.holding(round_.operations[0].token or ""):
            return round_.send()

    return _work(engine, "dispatch", ids, claim, send)


def probe(engine: Engine, ids: Collection[str] | None = None) -> Counter[str]:
    """Prove by reading whether unknown writes took effect, of each connection as many as a slice of time allows.
    Returns outcome -> how many."""

    def claim(connection: str, tx: Transaction) -> Sequence[Operation]:
        if not engine.may_call(tx, connection):
            return ()
        now, lease, many = engine.clock.now(), engine.limits.lease, engine.limits.batch
        return tx.claim_probes(now, lease, min(CHUNK, many), [connection], ids)

    expire(engine)
    return _work(engine, "probe", ids, claim, _Round.prove)


def _work(
    engine: Engine, kind: str, ids: Collection[str] | None,
    claim: Callable[[str, Transaction], Sequence[Operation]],
    work: Callable[[_Round], Counter[str]],
) -> Counter[str]:  # fmt: skip
    """Rounds of each connection where something is due."""
    outcomes, left = Counter[str](), set(engine.connectors)
    while True:
        with engine.ledger.read() as tx:
            open_now = left.intersection(engine.open_connections(tx, writing=kind == "dispatch"))
            place = tx.due_place(kind, engine.clock.now(), sorted(open_now), ids)
        if place is None:
            return outcomes
        left.remove(place)
        until = engine.clock.now() + engine.limits.slice
        with shift(engine, place, writing=True) as held:
            while operations := held.claim(partial(claim, place)):
                outcomes += work(_Round(engine, place, operations, held.width, until))
                if engine.clock.now() >= until:
                    break


def expire(engine: Engine) -> int:
    """A claim whose lease is over may have been sent: unknown, never pending again."""
    settle = Settle(engine)
    with engine.ledger.write() as tx:
        expired = tx.expired_claims(engine.clock.now(), engine.limits.batch)
        settle.unknown_all(tx, expired)
    return len(expired)


def extended(engine: Engine, tx: Transaction, operations: Sequence[Operation]) -> list[Operation]:
    """Claims that were not sent yet, made to last a whole lease from now; what is no longer ours falls out."""
    held = tx.operations([o.id for o in operations], lock=True) if operations else {}
    until = engine.clock.now() + engine.limits.lease
    ours = [
        replace(held[o.id], lease_until=until)
        for o in operations
        if o.id in held
        and held[o.id].state is OperationState.CLAIMED
        and held[o.id].token == o.token
    ]
    if ours:
        tx.save_operations(ours)
    return ours


@dataclass(slots=True)
class _Round:
    """A few operations of one connection on their way. ``until``: when no further one is begun; those are ``left``."""

    engine: Engine
    connection: str
    operations: Sequence[Operation]
    width: int
    until: float
    left: Sequence[Operation] = ()
    lost: Mapping[str, Row] = field(default_factory=dict)
    """Link for which a create went out before that never showed -> what this is told to the vendor with."""

    def send(self) -> Counter[str]:
        engine, settle, outcomes = self.engine, Settle(self.engine), Counter[str]()
        if self._stopped():
            settle.put_off(self.operations, engine.clock.now() + engine.limits.backoff)
            return outcomes
        if called_off := self._call_off(settle):
            outcomes["cancelled"] += called_off
        gate, unsent = engine.gates[self.connection], deque[Operation]()
        paid = pay(engine, self.connection, self.operations)
        settle.put_off(self.operations[paid.count :], paid.free, why=paid.why)
        self.operations = self.operations[: paid.count]
        wait(engine, self.connection, paid.first)
        with gate.spending(paid.looks):
            looks, failures = self._look()
        blamed = self._blames(failures, went_well=bool(looks))
        for operation, error in failures:
            outcomes[self._unlooked(settle, operation, error, blamed)] += 1
        ready = [o for o in self.operations if o.id in looks]
        if ready:
            wait(engine, self.connection, paid.last)
        with gate.spending(paid.of(ready)):
            cleared, settled = self._check(settle, ready, looks)
            outcomes += settled
            unsent.extend(cleared)
            for operation, result in engine.call_all(self._sends(unsent, looks), self.width):
                outcomes[self._outcome(settle, operation, result)] += 1
        settle.put_off([*unsent, *self.left], engine.clock.now())
        settle.announce()
        return outcomes

    @stubborn
    def _call_off(self, settle: Settle) -> int:
        """What would be planned in another way by now is, before its vendor is asked anything; how many."""
        with self.engine.ledger.read() as tx:
            late = _late(tx, self.operations)
        if not late:
            return 0
        with self.engine.ledger.write() as tx:
            late = _late(tx, self.operations, lock=True)
            for operation, link in late:
                settle.cancel(tx, operation, link)
        called_off = {operation.id for operation, _ in late}
        self.operations = [o for o in self.operations if o.id not in called_off]
        return len(late)

    def _stopped(self) -> bool:
        """Whether the connection may not be written to any more: a pause counts at once."""
        with self.engine.ledger.read() as tx:
            return not self.engine.may_call(tx, self.connection, writing=True)

    def _look(self) -> tuple[dict[str, Look], list[tuple[Operation, SyncengineError]]]:
        """Read each row before it is written; look the key of a create up. What was seen, and what failed."""
        looks: dict[str, Look] = {}
        failures: list[tuple[Operation, SyncengineError]] = []
        jobs = [(o, partial(self._looked, o)) for o in self.operations]
        begun = Begun(self.engine.clock, jobs, self.until)
        for operation, result in self.engine.call_all(begun, self.width):
            error = failed(result)
            if error is None:
                looks[operation.id] = result
            else:
                failures.append((operation, error))
        self.operations, self.left = self.operations[: begun.count], self.operations[begun.count :]
        return looks, failures

    def _blames(
        self, failures: Sequence[tuple[Operation, SyncengineError]], went_well: bool
    ) -> bool:
        errors = [error for _, error in failures if not isinstance(error, Again)]
        return self.engine.blames(self.connection, errors, went_well)

    def _looked(self, operation: Operation) -> Look:
        connector, now = self.engine.connectors[self.connection], self.engine.clock.now
        spec = connector.spec.resources[operation.resource]
        started = now()
        items: Sequence[Item] = ()
        if operation.action is Action.CREATE:
            if spec.proves(operation.body):
                self.engine.needs[self.connection] += 1
                items = connector.find(operation.resource, operation.body, operation.key)
        else:
            self.engine.needs[self.connection] += 1
            found = connector.get(operation.resource, operation.external_id or "")
            items = () if found is None else (found,)
        return Look(items, started, now())

    def _unlooked(
        self, settle: Settle, operation: Operation, error: SyncengineError, blamed: bool
    ) -> str:
        """Nothing goes out before it was looked: of a row that cannot be read a single read decides, and may ask."""
        if operation.action is Action.CREATE or blamed or isinstance(error, Again):
            return self._not_sent(settle, operation, error, blamed)
        settle.vanished(operation)
        return "stale"

    def _not_sent(
        self, settle: Settle, operation: Operation, error: SyncengineError, blamed: bool
    ) -> str:
        """Again later; but what fails by itself, again and again, asks a person."""
        again = blamed or isinstance(error, (Again, Astray))
        if again or operation.attempts < self.engine.limits.tries:
            settle.not_sent(operation, error)
            return "not_sent"
        settle.rejected(operation, Rejected(str(error)), sent=False)
        return "rejected"

    @stubborn
    def _check(
        self, settle: Settle, operations: Sequence[Operation], looks: Mapping[str, Look]
    ) -> tuple[list[Operation], Counter[str]]:
        """Capture what was read and compare with what the plans saw, in one transaction, right before the
        sending. Returns the operations that may go out, and what became of others."""
        engine, cleared, outcomes = self.engine, list[Operation](), Counter[str]()
        if not operations:
            return cleared, outcomes
        with engine.ledger.write() as tx:
            records = tx.records([o.record_id for o in operations], lock=True)
            capture_looks(engine, tx, operations, looks)
            links = tx.links([o.link_id for o in operations], lock=True)
            operations = extended(engine, tx, operations)
            rivals = rivals_of(engine, tx, operations)
            self.lost = lost_creates(engine, tx, operations)
            for operation in operations:
                link, look = links.get(operation.link_id), looks[operation.id]
                system = engine.system(operation.entity, operation.connection)
                record = records.get(operation.record_id)
                if link is None or system is None or record is None:
                    settle.cancel(tx, operation, None)
                elif operation.action is Action.CREATE and look.items:
                    outcomes[settle.adopt(tx, system, link, operation, look.items, look)] += 1
                elif operation.action is Action.CREATE and record.deleted:
                    settle.cancel(tx, operation, link)
                elif outdated(link, record, operation):
                    settle.stale(tx, link, operation)
                    outcomes["stale"] += 1
                elif operation.action is Action.DELETE and look.item is None:
                    gone = "it was gone already"
                    settle.applied(tx, system, link, operation, None, look.started, gone)
                    outcomes["applied"] += 1
                elif operation.id in rivals and settle.held_back(
                    tx, link, operation, rivals[operation.id]
                ):
                    outcomes["stale"] += 1
                elif self._moved(system, link, operation, look):
                    settle.stale(tx, link, operation)
                    outcomes["stale"] += 1
                else:
                    cleared.append(operation)
        return cleared, outcomes

    def _moved(self, system: System, link: Link, operation: Operation, look: Look) -> bool:
        if operation.action is Action.CREATE:
            return link.state is not LinkState.CREATING
        if look.item is None or moved_since(system, operation, link.row):
            return True
        names = {"_id": look.item.external_id, "_parent": look.item.parent}
        return moved_since(system, operation, {**names, **look.item.row})

    def _sends(
        self, unsent: deque[Operation], looks: Mapping[str, Look]
    ) -> Iterator[tuple[Operation, Callable[[], Written | None]]]:
        """The writes, each taken from ``unsent`` when its turn has come; none once the connection is stopped, or a
        slice of time is over."""
        now = self.engine.clock.now
        until, first = now() + self.engine.limits.slice, True
        while unsent and (first or now() < until) and not self._stopped():
            operation, first = unsent.popleft(), False
            item = looks[operation.id].item
            yield operation, partial(self._sent, operation, {} if item is None else item.row)

    def _sent(self, operation: Operation, current: Mapping[str, Any]) -> Written | None:
        engine = self.engine
        connector = engine.connectors[self.connection]
        resource, external_id = operation.resource, operation.external_id or ""
        engine.needs[self.connection] += connector.calls_of(resource, operation.body, current)
        with engine.gates[self.connection].sending(operation.lease_until):
            match operation.action:
                case Action.CREATE:
                    body = {**operation.body, **self.lost.get(operation.link_id, {})}
                    return connector.create(resource, body, operation.key)
                case Action.UPDATE:
                    return connector.update(
                        resource, external_id, operation.body, current, operation.key
                    )
                case Action.DELETE:
                    connector.delete(resource, external_id, operation.key)
        return None

    def _outcome(self, settle: Settle, operation: Operation, result: Any) -> str:
        """Settle one write at once and alone; returns its outcome."""
        if isinstance(result, Exists):
            return self._taken(settle, operation, result)
        error = failed(result)
        received = self.engine.clock.now()
        if error is None:
            return settle.written(operation, result, received)
        if isinstance(error, Rejected):
            if error.status in (404, 410) and operation.action is not Action.CREATE:
                settle.vanished(operation)
                return "stale"
            settle.rejected(operation, error)
            return "rejected"
        if isinstance(error, Unknown):
            settle.unknown(operation, UNNAMED if isinstance(error, Unnamed) else str(error))
            return "unknown"
        return self._not_sent(settle, operation, error, self._blames([(operation, error)], False))

    def _taken(self, settle: Settle, operation: Operation, error: Exists) -> str:
        """The vendor says that the key of a create is taken: look, then adopt; if nothing shows, it is refused."""
        for _, result in self.engine.call_all([(operation, partial(self._looked, operation))], 1):
            unseen = failed(result)
            if unseen is not None:
                return self._outcome(settle, operation, unseen)
            if result.items:
                return settle.adopted(operation, result.items, result)
        settle.rejected(operation, Rejected(str(error), 409, str(error)))
        return "rejected"

    # probes

    def prove(self) -> Counter[str]:
        settle, outcomes = Settle(self.engine), Counter[str]()
        spec = self.engine.connectors[self.connection].spec
        unprovable = [o for o in self.operations if not _provable(spec.resources[o.resource], o)]
        settle.ask(unprovable)
        asked = {o.id for o in unprovable}
        self.operations = [o for o in self.operations if o.id not in asked]
        looks, failures = self._look()
        if not self._blames(failures, went_well=bool(looks)):
            settle.ask(
                [o for o, _ in failures if self._horizon(o) + LATE < self.engine.clock.now()]
            )
        for operation in self.operations:
            if operation.id in looks:
                outcomes[self._proved(settle, operation, looks[operation.id])] += 1
        settle.unseen(self.left)
        settle.announce()
        return outcomes

    def _horizon(self, operation: Operation) -> float:
        """When the vendor has done what it accepted, and shows it."""
        spec = self.engine.connectors[self.connection].spec
        resource = spec.resources[operation.resource]
        lists = resource.list_lag if operation.action is Action.CREATE else 0.0
        return operation.lease_until + spec.settle_time + resource.read_lag + lists

    @stubborn
    def _proved(self, settle: Settle, operation: Operation, look: Look) -> str:
        engine = self.engine
        system = engine.system(operation.entity, operation.connection)
        horizon = self._horizon(operation)
        over = look.started > horizon
        row = look.item.row if look.item is not None else None
        with engine.ledger.write() as tx:
            link = tx.links([operation.link_id], lock=True).get(operation.link_id)
            if link is None or system is None:
                settle.cancel(tx, operation, link)
                return "stale"
            outcome = "unknown"
            if operation.action is Action.CREATE and look.items:
                outcome = settle.prove_create(tx, system, link, operation, look.items, look)
            elif _shown(system, operation, row):
                settle.applied(tx, system, link, operation, None, look.started)
                outcome = "applied"
            elif over and operation.detail in (UNNAMED, ANOTHERS):
                settle.unmade(tx, link, operation)
                outcome = "rejected"
            elif over:
                outcome = settle.traceless(tx, link, operation)
            else:
                settle.wait(tx, operation, horizon)
            capture_looks(engine, tx, [operation], {operation.id: look})
        return outcome


def _late(
    tx: Transaction, operations: Sequence[Operation], lock: bool = False
) -> list[tuple[Operation, Link]]:
    """Those that are outdated, each with its link."""
    records = tx.records([o.record_id for o in operations], lock=lock)
    links = tx.links([o.link_id for o in operations], lock=lock)
    return [
        (o, links[o.link_id])
        for o in operations
        if o.link_id in links
        and o.record_id in records
        and outdated(links[o.link_id], records[o.record_id], o)
    ]


def _shown(system: System, operation: Operation, row: Row | None) -> bool:
    """Whether a read proves that an update or a delete took effect."""
    if operation.action is Action.DELETE:
        return row is None
    return operation.action is Action.UPDATE and row is not None and shows(system, operation, row)


def _provable(spec: Any, operation: Operation) -> bool:
    return (
        bool(spec.proves(operation.body))
        if operation.action is Action.CREATE
        else bool(spec.single_get)
    )


def capture_looks(
    engine: Engine, tx: Transaction, operations: Sequence[Operation], looks: Mapping[str, Look]
) -> None:
    """Every read that returns is captured, those before a write and probes included."""
    groups: dict[tuple[str, str], list[Read]] = {}
    for operation in operations:
        look = looks[operation.id]
        if operation.action is Action.CREATE:
            continue
        external_id = operation.external_id or ""
        row = None if look.item is None else look.item.row
        parent = None if look.item is None else look.item.parent
        read = Read(external_id, row, parent, look.started, look.received)
        groups.setdefault((operation.entity, operation.connection), []).append(read)
    for (entity, connection), reads in groups.items():
        system = engine.system(entity, connection)
        if system is not None:
            store(engine, tx, engine.project.entities[entity], system, "get", reads)
