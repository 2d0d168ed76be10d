"""Probe: prove by reading whether writes with an unknown outcome took effect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from syncengine.flows.capture.rows import PreflightRead
from syncengine.flows.core.engine import Engine, retry_on_lost_race
from syncengine.flows.send.applied import Done, applied
from syncengine.flows.send.outcomes import traceless, untaken
from syncengine.flows.send.rounds import Round, capture_preflights, rounds
from syncengine.flows.send.settle import Settle
from syncengine.ledger import Transaction
from syncengine.mapping import System
from syncengine.model.changeset import Changeset
from syncengine.model.link import Link
from syncengine.model.operation import Action, Detail, Operation, OperationState
from syncengine.model.values import Row
from syncengine.planning.conclude import conclude
from syncengine.planning.settle import shows

LATE = 60.0
"""Seconds after which a person is asked about a write that no read can prove."""


def probe(engine: Engine, ids: Collection[str] | None = None) -> Counter[str]:
    """Probe operations in state ``unknown``, for at most one slice of time per connection. Returns outcome ->
    number."""

    def claim(connection: str, tx: Transaction) -> Sequence[Operation]:
        if not engine.may_call(tx, connection):
            return ()
        now, lease = engine.clock.now(), engine.limits.lease
        many = min(engine.limits.round, engine.limits.batch)
        return tx.claim_probes(now, lease, many, [connection], ids)

    expire(engine)
    return rounds(engine, "probe", ids, claim, _Proving, _Proving.prove)


def expire(engine: Engine) -> int:
    """Set claimed operations whose lease has expired to ``unknown``: they may have been sent, and never become pending
    again."""
    now = engine.clock.now()
    with engine.ledger.read() as tx:
        if not tx.has_expired(now):
            return 0
    with engine.ledger.write() as tx:
        expired = tx.expired_claims(now, engine.limits.batch)
        unknown, why = OperationState.UNKNOWN, "the lease ended"
        tx.write(Changeset(operations=[replace(o, state=unknown, detail=why) for o in expired]))
    return len(expired)


@dataclass(slots=True)
class _Proving(Round):
    """Operations whose outcome is unknown."""

    def prove(self) -> Counter[str]:
        settle, outcomes = Settle(self.engine), Counter[str]()
        spec = self.engine.connectors[self.connection].spec
        unprovable = [o for o in self.operations if not _provable(spec.resources[o.resource], o)]
        settle.ask(unprovable)
        asked = {o.id for o in unprovable}
        self.operations = [o for o in self.operations if o.id not in asked]
        preflights, failures = self._preflight_all()
        if not self._blames(failures, went_well=bool(preflights)):
            settle.ask(
                [o for o, _ in failures if self._horizon(o) + LATE < self.engine.clock.now()]
            )
        for operation in self.operations:
            if operation.id in preflights:
                outcomes[self._proved(settle, operation, preflights[operation.id])] += 1
        settle.unseen(self.left)
        settle.announce()
        return outcomes

    def _horizon(self, operation: Operation) -> float:
        """When the vendor must have committed what it accepted, and shows it."""
        spec = self.engine.connectors[self.connection].spec
        resource = spec.resources[operation.resource]
        lists = resource.list_lag if operation.action is Action.CREATE else 0.0
        return operation.lease_until + spec.settle_time + resource.read_lag + lists

    @retry_on_lost_race
    def _proved(self, settle: Settle, operation: Operation, preflight: PreflightRead) -> str:
        with self.engine.ledger.write() as tx:
            link = tx.links([operation.link_id], lock=True).get(operation.link_id)
            held = settle.ours(tx, operation)
            outcome = "stale"
            if held is not None:
                outcome = self._outcome(settle, tx, link, held, preflight)
            if link is not None:
                capture_preflights(self.engine, tx, [operation], {operation.id: preflight})
        return outcome

    def _outcome(
        self, settle: Settle, tx: Transaction, link: Link | None, held: Operation,
        preflight: PreflightRead,
    ) -> str:  # fmt: skip
        """Settle an operation by what was read; returns its outcome."""
        engine, now, horizon = self.engine, settle.now, self._horizon(held)
        system, over = engine.system(held.entity, held.connection), preflight.started > horizon
        row = preflight.item.row if preflight.item is not None else None
        outcome, change = "unknown", settle.waits(held, horizon)
        if link is None or system is None:
            outcome, change = "stale", conclude(held, OperationState.CANCELLED, "", now)
        elif held.action is Action.CREATE and preflight.items:
            return settle.prove_create(tx, system, link, held, preflight.items, preflight)
        elif _shown(system, held, row):
            done = Done(system, link, held, None, preflight.started)
            outcome, change = "applied", applied(engine, tx, [done])
        elif over and held.detail in (Detail.NO_ROW_NAMED, Detail.OTHER_ROW_NAMED):
            outcome, change = "rejected", untaken(held, link, now)
        elif over:
            outcome, change = traceless(tx, held, link, now)
        settle.commit(tx, change)
        return outcome


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
