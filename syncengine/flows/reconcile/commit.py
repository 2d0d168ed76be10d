"""Committing decisions: one bulk transaction, in which each record is checked by compare-and-set."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from syncengine.flows.core.engine import Engine, new_id, new_key
from syncengine.flows.core.loading import Records
from syncengine.flows.core.staging import group_of, stage
from syncengine.flows.reconcile.follow import mark_modes
from syncengine.flows.reconcile.records import dependents, identify, retied, same_identity
from syncengine.flows.reconcile.unsent import only_observed
from syncengine.ledger import Transaction
from syncengine.model.case import Case
from syncengine.model.changeset import Changeset, Wakes
from syncengine.model.condition import Approved, Condition, InScope, OperationSettled, WrittenTo
from syncengine.model.connection import ConnectionState
from syncengine.model.link import Link
from syncengine.model.operation import Operation, OperationState
from syncengine.model.record import Record, World
from syncengine.planning.aggregate import Decided
from syncengine.planning.approvals import same_write, without_write
from syncengine.planning.identity import (
    AT_VENDOR,
    conditions_met,
)
from syncengine.planning.plan_input import Plan
from syncengine.planning.safety import kind_of


@dataclass(slots=True)
class Commit:
    """Writes decisions that were made on ``world``. ``now``: when all that it compares with was locked."""

    engine: Engine
    world: World
    now: float = 0.0

    def records(self, read: Records, decided: Mapping[str, Decided]) -> Collection[str]:
        """Commit what was decided of records: each with all its links, or not at all where somebody else has moved
        one of them. Records first, then links, operations, questions and history. Returns the links that were
        written; their leases are over."""
        plans = {i: p for of in decided.values() for i, p in of.plans.items()}
        if not plans:
            return ()
        engine = self.engine
        with engine.ledger.write() as tx:
            locked = tx.records(list(decided), lock=True)
            held = tx.links(list(plans), lock=True)
            self.now = engine.clock.now()
            unsettled = tx.unsettled(list(plans), lock=True)
            sent = {i for i, o in unsettled.items() if _is_sent(o)}
            good = {
                a.record.id: decided[a.record.id]
                for a in read.aggregates
                if _same_record(locked, a.record)
                and all(
                    i in held and i not in sent and unmoved(held[i], read.links[i])
                    for i in decided[a.record.id].plans
                )
            }
            unsent = {i: unsettled[i] for of in good.values() for i in of.plans if i in unsettled}
            tx.write(_taken_back(unsent.values()))
            plans = {i: p for of in good.values() for i, p in of.plans.items()}
            plans, observed = self._ready(tx, read.links, plans)
            plans = _put_back(stage(engine, tx, read.links, plans), unsent)
            if any(group_of(plan.link) for plan in plans.values()):
                # Writes that were called back have made links dirty, perhaps some of these.
                held = tx.links(list(plans), lock=True)
            changed = _changed(good, plans)
            tx.write(
                Changeset(records=changed, connections=observed)
                + self._planned(held, read, plans, unsent)
                + self._woken(tx, read.links, plans, unsent, changed, good)
            )
            tx.release_links(list(plans))
            operations = [p.operation for p in plans.values() if p.operation is not None]
            waiting = [i for i, p in plans.items() if _begins_to_wait(held[i], p.link, p.operation)]
        engine.announce("reconcile", waiting)
        if changed:
            engine.queue.announce("reconcile", [])
            announce_derive(engine)
        engine.announce("dispatch", [operation.id for operation in operations])
        return plans.keys()

    def _planned(
        self, held: Mapping[str, Link], read: Records, good: Mapping[str, Plan],
        unsent: Mapping[str, Operation],
    ) -> Changeset:  # fmt: skip
        """What the plans say. ``unsent``: link id -> its operation that is stored already."""
        now, there = self.now, {o.id for o in unsent.values()}
        links = [
            lowered(
                held[i],
                read.links[i],
                p.link.woken(p.requeue),
                p.operation,
            )
            for i, p in good.items()
        ]
        operations = [p.operation for p in good.values() if p.operation is not None]
        over = {s for p in good.values() for s in p.dissolves}.intersection(read.asked)
        changes = [c for p in good.values() for c in (*p.earlier, *p.changes)]
        return Changeset(
            links=links,
            operations=[o for o in operations if o.id in there],
            new_operations=[o for o in operations if o.id not in there],
            raised=[opened(case, now) for p in good.values() for case in p.cases],
            dissolved=dict.fromkeys(over, now),
            history=[replace(c, at=now) for c in changes],
        )

    def _woken(
        self, tx: Transaction, read: Mapping[str, Link], good: Mapping[str, Plan],
        unsent: Mapping[str, Operation], changed: Sequence[Record], decided: Mapping[str, Decided],
    ) -> Changeset:  # fmt: skip
        """Whoever has to know is looked at again."""
        final = frozenset(i for of in decided.values() for i in of.final)
        moved = [i for i, p in good.items() if _moved(read[i], p.link)]
        came = [good[i].link for i in moved if good[i].link.state in AT_VENDOR]
        went = [read[i] for i in moved if read[i].state in AT_VENDOR]
        turned = frozenset(i for i, p in good.items() if p.link.state is not read[i].state)
        unaware = {k.record_id for k in read.values() if k.id not in final}
        stay = {p.operation.id for p in good.values() if p.operation is not None}
        satisfies: set[Condition] = {
            OperationSettled(o.id) for o in unsent.values() if o.id not in stay
        }
        satisfies |= {key for p in good.values() for key in p.satisfies}
        satisfies |= {key for link in came for key in conditions_met(link)}
        wakes = Wakes(
            records={r.id: final for r in changed if r.id in unaware},
            siblings=dict.fromkeys({read[i].record_id or "" for i in turned}, turned | final),
            waiting=satisfies,
        )
        change = self._identified(tx, changed) + dependents(self.engine, changed)
        return change + Changeset(wakes=wakes + retied(self.engine, came, went))

    def _identified(self, tx: Transaction, changed: Sequence[Record]) -> Changeset:
        """The identities of changed records, if these are others."""
        entities, now = self.engine.project.entities, {r.id: r for r in changed}
        world = replace(self.world, records={**self.world.records, **now})
        before = self.world.records
        others = [
            r for r in changed if not same_identity(entities[r.entity], before[r.id], r, world)
        ]
        return identify(self.engine, tx, others, world)

    def _ready(
        self, tx: Transaction, read: Mapping[str, Link], good: Mapping[str, Plan]
    ) -> tuple[dict[str, Plan], list[ConnectionState]]:
        """Give operations their ids and idempotency keys. Those of connections that are only observed are dropped, and
        their links say so; held links stay held. Also returns the marks of the modes by which some were dropped."""
        ready, now, dropped = dict(good), self.now, set[str]()
        for link_id, plan in good.items():
            operation = plan.operation
            if operation is None:
                continue
            if self.engine.project.connections[operation.connection].mode != "write":
                held = read[link_id].wait if group_of(read[link_id]) else only_observed(plan.link)
                ready[link_id] = without_write(plan, plan.link.tied(wait=held))
                dropped.add(operation.connection)
                continue
            system = self.engine.project.entities[operation.entity].systems[operation.connection]
            fresh = replace(
                operation, id=new_id(), key=new_key(), created_at=now,
                kind=kind_of(system, operation),
            )  # fmt: skip
            ready[link_id] = replace(plan, operation=fresh)
        return ready, mark_modes(self.engine, tx, dropped) if dropped else []


def _taken_back(unsent: Iterable[Operation]) -> Changeset:
    """Cancel operations that no worker has begun to send; their links are planned again, and safety no longer counts
    them."""
    cancelled = OperationState.CANCELLED
    return Changeset(
        operations=[replace(o, state=cancelled, detail="planned anew") for o in unsent]
    )


def _put_back(plans: Mapping[str, Plan], unsent: Mapping[str, Operation]) -> dict[str, Plan]:
    """A write that is planned as it was stays the operation that it was."""
    kept = dict(plans)
    for link_id, before in unsent.items():
        operation = plans[link_id].operation
        if operation is not None and same_write(operation, before):
            same = replace(
                operation, id=before.id, key=before.key, created_at=before.created_at,
                attempts=before.attempts, next_at=before.next_at, detail=before.detail,
            )  # fmt: skip
            kept[link_id] = replace(plans[link_id], operation=same)
    return kept


def _changed(decided: Mapping[str, Decided], plans: Mapping[str, Plan]) -> list[Record]:
    """The records that learned something, or end."""
    changed = []
    for of in decided.values():
        ended = next((r for i in of.plans if (r := plans[i].record) and r.deleted), None)
        record = ended or of.learned
        if record is not None:
            changed.append(record)
    return changed


def unmoved(held: Link, read: Link) -> bool:
    """Whether nobody has written a link, or read its row anew, since it was read to be decided."""
    return held.version == read.version and held.row_version == read.row_version


def _is_sent(operation: Operation) -> bool:
    """Whether it was sent, or may have been."""
    return operation.state is not OperationState.PENDING


def _moved(read: Link, decided: Link) -> bool:
    """Whether its record gained or lost a row."""
    return (read.state in AT_VENDOR) != (decided.state in AT_VENDOR)


def _same_record(locked: Mapping[str, Record], read: Record) -> bool:
    record = locked.get(read.id)
    return record is not None and record.generation == read.generation


def _begins_to_wait(held: Link, decided: Link, operation: Operation | None = None) -> bool:
    """Whether a link has to be planned once more: what it waits for may have come since it was planned, when nothing
    wakes it. Not where it waits for an answer or writes something."""
    if operation is not None:
        return False
    on = None if decided.wait is None else decided.wait.on
    asleep = on is None or isinstance(on, Approved | WrittenTo | InScope)
    return not asleep and decided.wait != held.wait


def lowered(held: Link, read: Link, decided: Link, operation: Operation | None = None) -> Link:
    """The link to store; ``dirty`` is lowered only by what was counted when it was read."""
    begins = _begins_to_wait(held, decided, operation)
    dirty = max(0, held.dirty - read.dirty) + decided.dirty + begins
    return decided.beside_reads(held, dirty)


def opened(case: Case, at: float) -> Case:
    """A question that is asked from now on."""
    return replace(case, id=new_id(), opened_at=at)


def announce_derive(engine: Engine) -> None:
    """Tell the queue that derivations may be due."""
    if engine.project.derivations:
        engine.queue.announce("derive", [])
