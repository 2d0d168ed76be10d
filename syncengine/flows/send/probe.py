"""Probe: prove by reading whether writes with an unknown outcome took effect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from syncengine.flows.capture.rows import PreflightRead
from syncengine.flows.core.engine import Engine, retry_on_lost_race
from syncengine.flows.send.rounds import CHUNK, Round, capture_preflights, rounds
from syncengine.flows.send.settle import Settle
from syncengine.ledger import Transaction
from syncengine.mapping import System
from syncengine.model.operation import ANOTHERS, UNNAMED, Action, Operation
from syncengine.model.values import Row
from syncengine.planning.settle import shows

LATE = 60.0
"""Seconds after which a person is asked about a write that no read can prove."""


def probe(engine: Engine, ids: Collection[str] | None = None) -> Counter[str]:
    """Probe operations in state ``unknown``, for at most one slice of time per connection. Returns outcome ->
    number."""

    def claim(connection: str, tx: Transaction) -> Sequence[Operation]:
        if not engine.may_call(tx, connection):
            return ()
        now, lease, many = engine.clock.now(), engine.limits.lease, engine.limits.batch
        return tx.claim_probes(now, lease, min(CHUNK, many), [connection], ids)

    expire(engine)
    return rounds(engine, "probe", ids, claim, _Proving, _Proving.prove)


def expire(engine: Engine) -> int:
    """Set claimed operations whose lease has expired to ``unknown``: they may have been sent, and never become pending
    again."""
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
        engine = self.engine
        system = engine.system(operation.entity, operation.connection)
        horizon = self._horizon(operation)
        over = preflight.started > horizon
        row = preflight.item.row if preflight.item is not None else None
        with engine.ledger.write() as tx:
            link = tx.links([operation.link_id], lock=True).get(operation.link_id)
            if link is None or system is None:
                settle.cancel(tx, operation, link)
                return "stale"
            outcome = "unknown"
            if operation.action is Action.CREATE and preflight.items:
                outcome = settle.prove_create(
                    tx, system, link, operation, preflight.items, preflight
                )
            elif _shown(system, operation, row):
                settle.applied(tx, system, link, operation, None, preflight.started)
                outcome = "applied"
            elif over and operation.detail in (UNNAMED, ANOTHERS):
                settle.unmade(tx, link, operation)
                outcome = "rejected"
            elif over:
                outcome = settle.traceless(tx, link, operation)
            else:
                settle.wait(tx, operation, horizon)
            capture_preflights(engine, tx, [operation], {operation.id: preflight})
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
