"""Probe: prove by reading whether writes took effect of which nobody knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from syncengine.flows.capture.rows import Look
from syncengine.flows.core.engine import Engine, stubborn
from syncengine.flows.send.rounds import CHUNK, Round, capture_looks, rounds
from syncengine.flows.send.settle import Settle
from syncengine.ledger import Transaction
from syncengine.mapping import System
from syncengine.model.operation import ANOTHERS, UNNAMED, Action, Operation
from syncengine.model.values import Row
from syncengine.planning.settle import shows

LATE = 60.0
"""Seconds after which a person is asked about a write that no read can prove."""


def probe(engine: Engine, ids: Collection[str] | None = None) -> Counter[str]:
    """Prove by reading whether unknown writes took effect, of each connection as many as a slice of time allows.
    Returns outcome -> how many."""

    def claim(connection: str, tx: Transaction) -> Sequence[Operation]:
        if not engine.may_call(tx, connection):
            return ()
        now, lease, many = engine.clock.now(), engine.limits.lease, engine.limits.batch
        return tx.claim_probes(now, lease, min(CHUNK, many), [connection], ids)

    expire(engine)
    return rounds(engine, "probe", ids, claim, _Proving, _Proving.prove)


def expire(engine: Engine) -> int:
    """A claim whose lease is over may have been sent: unknown, never pending again."""
    settle, now = Settle(engine), engine.clock.now()
    with engine.ledger.read() as tx:
        if not tx.has_expired(now):
            return 0
    with engine.ledger.write() as tx:
        expired = tx.expired_claims(now, engine.limits.batch)
        settle.unknown_all(tx, expired)
    return len(expired)


@dataclass(slots=True)
class _Proving(Round):
    """Operations of which nobody knows whether they took effect."""

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
