"""Dispatch: claim, read before write, one vendor write outside any transaction, settle at once."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from syncengine.errors import (
    Again,
    Astray,
    Exists,
    LostRace,
    Rejected,
    SyncengineError,
    Unknown,
    Unnamed,
)
from syncengine.flows.capture.rows import PreflightRead
from syncengine.flows.core.engine import Engine, failed, retry_on_lost_race
from syncengine.flows.core.places import lost_creates, rivals_of, row_exists
from syncengine.flows.core.staging import send_holds
from syncengine.flows.send.applied import Done, applied, behind, is_ours
from syncengine.flows.send.outcomes import stale
from syncengine.flows.send.reservation import pay, wait
from syncengine.flows.send.rounds import NEWEST, Round, capture_preflights, rounds
from syncengine.flows.send.settle import Settle
from syncengine.ledger import Transaction
from syncengine.mapping import System
from syncengine.model.changeset import Changeset
from syncengine.model.link import Link, LinkState
from syncengine.model.operation import Action, Detail, Operation, OperationState, Written
from syncengine.model.record import Record
from syncengine.model.values import Row
from syncengine.planning.conclude import conclude
from syncengine.planning.settle import moved_since, outdated

PAUSED_WITHIN = 0.25
"""Seconds after which a pause keeps back the writes of a round that is under way."""


def dispatch(engine: Engine, ids: Collection[str] | None = None) -> Counter[str]:
    """Send due operations, of each connection as many as a slice of time allows. Returns outcome -> how many."""

    def claim(connection: str, tx: Transaction) -> Sequence[Operation]:
        if not engine.may_call(tx, connection, writing=True):
            return ()
        now, lease = engine.clock.now(), engine.limits.lease
        many = min(engine.limits.round, engine.limits.batch)
        return tx.claim_operations(
            now, lease, many, [connection], ids, send_holds(engine, tx), newest=NEWEST
        )

    def send(round_: _Sending) -> Counter[str]:
        with engine.holding(round_.operations[0].token or ""):
            return round_.send()

    return rounds(engine, "dispatch", ids, claim, _Sending, send)


def renewed(engine: Engine, tx: Transaction, operations: Sequence[Operation]) -> list[Operation]:
    """The operations that this worker still holds (state CLAIMED, same token), locked, each with a longer lease; the
    others must not be sent."""
    held = tx.operations([o.id for o in operations], lock=True) if operations else {}
    until = engine.clock.now() + engine.limits.lease
    return [
        replace(held[o.id], lease_until=until)
        for o in operations
        if o.id in held
        and held[o.id].state is OperationState.CLAIMED
        and held[o.id].token == o.token
    ]


@dataclass(slots=True)
class _Sending(Round):
    """Operations on their way to the vendor."""

    again: Mapping[str, Row] = field(default_factory=dict)
    """Link id -> fields that are added to its create, since an earlier one was sent and never showed up."""
    looked_at: float = -1.0
    """When nothing was found to keep the connection from being written to."""

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
        with gate.spending(paid.preflight_calls):
            preflights, failures = self._preflight_all()
        blamed = self._blames(failures, went_well=bool(preflights))
        for operation, error in failures:
            outcomes[self._preflight_failed(settle, operation, error, blamed)] += 1
        ready = [o for o in self.operations if o.id in preflights]
        if ready:
            wait(engine, self.connection, paid.last)
        with gate.spending(paid.of(ready)):
            cleared, settled = self._check(settle, ready, preflights)
            outcomes += settled
            unsent.extend(cleared)
            for ended in engine.call_groups(self._sends(unsent, preflights), self.width):
                outcomes.update(self._outcomes(settle, ended))
        settle.put_off([*unsent, *self.left], engine.clock.now())
        settle.announce()
        return outcomes

    @retry_on_lost_race
    def _call_off(self, settle: Settle) -> int:
        """Cancel operations that would be planned differently by now, before their vendor is called; returns how
        many."""
        with self.engine.ledger.read() as tx:
            late = _late(tx, self.operations)
        if not late:
            return 0
        with self.engine.ledger.write() as tx:
            late, change = _late(tx, self.operations, lock=True), Changeset()
            for held in late:
                change += conclude(held, OperationState.CANCELLED, "", settle.now)
            settle.commit(tx, change)
        called_off = {operation.id for operation in late}
        self.operations = [o for o in self.operations if o.id not in called_off]
        return len(late)

    def _stopped(self) -> bool:
        """Whether the connection may no longer be written to. A pause takes effect within ``PAUSED_WITHIN`` seconds."""
        now = self.engine.clock.now()
        if self.looked_at <= now < self.looked_at + PAUSED_WITHIN:
            return False
        with self.engine.ledger.read() as tx:
            stopped = not self.engine.may_call(tx, self.connection, writing=True)
        self.looked_at = -1.0 if stopped else now
        return stopped

    def _preflight_failed(
        self, settle: Settle, operation: Operation, error: SyncengineError, blamed: bool
    ) -> str:
        """The read before a write failed, so nothing is sent. For a row that cannot be read, a single read decides and
        may ask a person."""
        if operation.action is Action.CREATE or blamed or isinstance(error, Again):
            return self._not_sent(settle, operation, error, blamed)
        settle.vanished(operation)
        return "stale"

    def _not_sent(
        self, settle: Settle, operation: Operation, error: SyncengineError, blamed: bool
    ) -> str:
        """Try again later; what keeps failing by itself becomes a question."""
        again = blamed or isinstance(error, (Again, Astray))
        if again or operation.attempts < self.engine.limits.tries:
            settle.not_sent(operation, error)
            return "not_sent"
        settle.rejected(operation, Rejected(str(error)), sent=False)
        return "rejected"

    @retry_on_lost_race
    def _check(
        self,
        settle: Settle,
        operations: Sequence[Operation],
        preflights: Mapping[str, PreflightRead],
    ) -> tuple[list[Operation], Counter[str]]:
        """Store what was read and compare it with what the plans were made on, in one transaction right before sending.
        Returns the operations that may be sent, and the outcomes of the others."""
        engine, cleared, outcomes = self.engine, list[Operation](), Counter[str]()
        if not operations:
            return cleared, outcomes
        with engine.ledger.write() as tx:
            records = tx.records([o.record_id for o in operations], lock=True)
            capture_preflights(engine, tx, operations, preflights)
            links = tx.links([o.link_id for o in operations], lock=True)
            operations = renewed(engine, tx, operations)
            rivals = rivals_of(engine, tx, operations)
            self.again = lost_creates(engine, tx, operations)
            change, found = Changeset(operations=operations), list[Operation]()
            for operation in operations:
                link, record = links.get(operation.link_id), records.get(operation.record_id)
                preflight, rival = preflights[operation.id], rivals.get(operation.id)
                outcome, made = self._cleared(tx, operation, link, record, preflight, rival)
                change += made
                if outcome == "adopt":
                    found.append(operation)
                elif outcome:
                    outcomes[outcome] += 1
                else:
                    cleared.append(operation)
            settle.commit(tx, change)
            for operation in found:
                preflight = preflights[operation.id]
                outcomes[settle.adopt(tx, operation, preflight.items, preflight)] += 1
        return cleared, outcomes

    def _cleared(
        self, tx: Transaction, operation: Operation, link: Link | None, record: Record | None,
        preflight: PreflightRead, rival: Link | None,
    ) -> tuple[str, Changeset]:  # fmt: skip
        """Whether an operation may be sent: its outcome and what is to be written if not, ``adopt`` where a row was
        found instead, "" if it may. ``rival``: a local link that has the row which a create would make."""
        engine, now, action = self.engine, self.engine.clock.now(), operation.action
        system = engine.system(operation.entity, operation.connection)
        unwanted = conclude(operation, OperationState.CANCELLED, "", now)
        if link is None or system is None or record is None:
            return "cancelled", unwanted
        if action is Action.CREATE and preflight.items:
            return "adopt", Changeset()
        if action is Action.CREATE and record.deleted:
            return "cancelled", unwanted
        if outdated(link, record, operation):
            return "stale", stale(operation, link, now)
        if action is Action.DELETE and preflight.item is None:
            gone = "it was gone already"
            done = Done(system, link, operation, None, preflight.started, gone)
            return "applied", applied(engine, tx, [done])
        if rival is not None and row_exists(tx, rival):
            why, waits = "another row has its place", behind(link, rival)
            return "stale", conclude(operation, OperationState.CANCELLED, why, now, link=waits)
        if self._moved(system, link, operation, preflight):
            return "stale", stale(operation, link, now)
        return "", Changeset()

    def _moved(
        self, system: System, link: Link, operation: Operation, preflight: PreflightRead
    ) -> bool:
        if operation.action is Action.CREATE:
            return link.state is not LinkState.CREATING
        if preflight.item is None or moved_since(system, operation, link.row):
            return True
        names = {"_id": preflight.item.external_id, "_parent": preflight.item.parent}
        return moved_since(system, operation, {**names, **preflight.item.row})

    def _sends(
        self, unsent: deque[Operation], preflights: Mapping[str, PreflightRead]
    ) -> Iterator[tuple[Operation, Callable[[], Written | None]]]:
        """The writes, each taken from ``unsent`` when it is its turn; stops once the connection is paused or the slice
        of time is over."""
        now = self.engine.clock.now
        until, first = now() + self.engine.limits.slice, True
        while unsent and (first or now() < until) and not self._stopped():
            operation, first = unsent.popleft(), False
            item = preflights[operation.id].item
            yield operation, partial(self._sent, operation, {} if item is None else item.row)

    def _sent(self, operation: Operation, current: Mapping[str, Any]) -> Written | None:
        engine = self.engine
        connector = engine.connectors[self.connection]
        resource, external_id = operation.resource, operation.external_id or ""
        engine.needs[self.connection] += connector.calls_of(resource, operation.body, current)
        with engine.gates[self.connection].sending(operation.lease_until):
            match operation.action:
                case Action.CREATE:
                    body = {**operation.body, **self.again.get(operation.link_id, {})}
                    return connector.create(resource, body, operation.key)
                case Action.UPDATE:
                    return connector.update(
                        resource, external_id, operation.body, current, operation.key
                    )
                case Action.DELETE:
                    connector.delete(resource, external_id, operation.key)
        return None

    def _outcomes(self, settle: Settle, ended: Sequence[tuple[Operation, Any]]) -> Iterator[str]:
        """Settle writes that have ended: those that the vendor confirmed together, unless one of them keeps the others
        from it; each other one by itself. Yields their outcomes."""
        received = self.engine.clock.now()
        confirmed = [
            (o, result, received) for o, result in ended if not isinstance(result, BaseException)
        ]
        if confirmed:
            try:
                yield from settle.written(confirmed)
            except LostRace:
                for one in confirmed:
                    yield from settle.written([one])
        for operation, result in ended:
            if isinstance(result, Exists):
                yield self._taken(settle, operation, result)
            elif (error := failed(result)) is not None:
                yield self._outcome(settle, operation, error)

    def _outcome(self, settle: Settle, operation: Operation, error: SyncengineError) -> str:
        """Settle one write that was not confirmed; returns its outcome."""
        if isinstance(error, Rejected):
            if error.status in (404, 410) and operation.action is not Action.CREATE:
                settle.vanished(operation)
                return "stale"
            settle.rejected(operation, error)
            return "rejected"
        if isinstance(error, Unknown):
            settle.unknown(
                operation, Detail.NO_ROW_NAMED if isinstance(error, Unnamed) else str(error)
            )
            return "unknown"
        return self._not_sent(settle, operation, error, self._blames([(operation, error)], False))

    def _taken(self, settle: Settle, operation: Operation, error: Exists) -> str:
        """The vendor answers that the key of a create is taken: search for the row and adopt it; if nothing is found,
        the write counts as refused."""
        for _, result in self.engine.call_all(
            [(operation, partial(self._preflight, operation))], 1
        ):
            unseen = failed(result)
            if unseen is not None:
                return self._outcome(settle, operation, unseen)
            if result.items:
                return settle.adopted(operation, result.items, result)
        settle.rejected(operation, Rejected(str(error), 409, str(error)))
        return "rejected"


def _late(
    tx: Transaction, operations: Sequence[Operation], lock: bool = False
) -> list[Operation]:  # fmt: skip
    """The outdated ones of these operations, as they are stored."""
    records = tx.records([o.record_id for o in operations], lock=lock)
    links = tx.links([o.link_id for o in operations], lock=lock)
    late = {
        o.id: o
        for o in operations
        if o.link_id in links
        and o.record_id in records
        and outdated(links[o.link_id], records[o.record_id], o)
    }
    stored = tx.operations(late, lock=lock) if late else {}
    return [held for id_, held in stored.items() if is_ours(late[id_], stored)]
