"""Committing what was decided: one bulk transaction in which each item stands or falls alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from syncengine.flows.capture.capture import wake_sorted
from syncengine.flows.capture.rows import keep_row_keys
from syncengine.flows.core.engine import Engine, new_id, new_key
from syncengine.flows.core.scenes import Records, links_by_record
from syncengine.flows.core.staging import group_of, review, stage
from syncengine.flows.reconcile.births import (
    bear,
    bears_the_same,
    identify,
    new_record,
    placed,
    renamed,
    spread_on,
)
from syncengine.flows.reconcile.follow import mark_modes
from syncengine.flows.reconcile.unsent import OBSERVED, only_observed
from syncengine.ledger import Transaction
from syncengine.mapping import Entity, System
from syncengine.model.case import Case
from syncengine.model.key import Key, KeyKind
from syncengine.model.link import SCOPE, Link, LinkState
from syncengine.model.operation import Operation, OperationState
from syncengine.model.record import Record, World
from syncengine.planning.aggregate import Decided
from syncengine.planning.identity import (
    AT_VENDOR,
    Correlation,
    ask,
    identity_subject,
    known_by,
    place_free,
)
from syncengine.planning.questions import STAGED, about
from syncengine.planning.rulings import same_write, without_write
from syncengine.planning.safety import kind_of
from syncengine.planning.scene import Plan


@dataclass(slots=True)
class Commit:
    """Writes decisions that were made on ``world``. ``now``: when all that it compares with was locked."""

    engine: Engine
    world: World
    now: float = 0.0

    # untied rows

    def correlations(
        self, entity: Entity, system: System, read: Mapping[str, Link],
        decided: Mapping[str, Correlation],
    ) -> set[str]:  # fmt: skip
        """Commit to whom rows belong; returns the records to which some belong now. What another worker has moved
        meanwhile stays dirty."""
        engine = self.engine
        with engine.ledger.write() as tx:
            tied = {d.link.record_id for d in decided.values() if d.link.record_id}
            records = tx.records(tied, lock=True)
            absorbed = {i for d in decided.values() for i in d.absorbed}
            held = tx.links([*decided, *absorbed], lock=True)
            self.now = engine.clock.now()
            cancelled = [o.id for d in decided.values() for o in d.cancelled]
            operations = tx.operations(cancelled, lock=True) if cancelled else {}
            good = {
                i: d for i, d in decided.items()
                if i in held and _unmoved(held[i], read[i])
                and _may_absorb(d, held, operations)
                and (d.link.record_id is None or _is_live(records.get(d.link.record_id)))
            }  # fmt: skip
            good = self._one_each(good)
            self._absorb(tx, good)
            review(engine, tx, [held[i] for d in good.values() for i in d.absorbed])
            born = self._bear(tx, entity, system, good)
            links = [
                _saved(held[i], read[i], replace(d.link, record_id=born.get(i, d.link.record_id)))
                for i, d in good.items()
            ]
            tx.save_links(links)
            self._after_tying(tx, entity, system, links)
            again = [d.link for d in good.values() if d.again]
            if again:
                renamed(engine, tx, again[0])
            sure = [
                subject
                for d in good.values()
                if d.ask is None and not d.link.set_aside
                for subject in (identity_subject(d.link), f"quarantined:{d.link.id}")
            ]
            tx.dissolve_cases(sure, self.now)
            asks = [self._opened(d.ask) for d in good.values() if d.ask is not None]
            tx.raise_cases(asks)
            tx.swap_keys(KeyKind.ASKS, list(good), [k for d in good.values() for k in d.about])
            wake_sorted(engine, tx, system.connection, system.resource.name)
        engine.queue.announce("reconcile", [])
        self._announce_derive()
        return {link.record_id for link in links if link.record_id is not None}

    def _announce_derive(self) -> None:
        if self.engine.project.derivations:
            self.engine.queue.announce("derive", [])

    def _one_each(self, good: dict[str, Correlation]) -> dict[str, Correlation]:
        """Two rows that would tie to one record in one batch: the first does, the other asks the next time."""
        seen: set[str] = set()
        kept: dict[str, Correlation] = {}
        for link_id, decision in good.items():
            record_id = decision.link.record_id
            if record_id is None or record_id not in seen:
                kept[link_id] = decision
            if record_id is not None:
                seen.add(record_id)
        return kept

    def _absorb(self, tx: Transaction, good: Mapping[str, Correlation]) -> None:
        cancelled = [operation for d in good.values() for operation in d.cancelled]
        absorbed = [i for d in good.values() for i in d.absorbed]
        if cancelled:
            tx.save_operations(cancelled)
        if absorbed:
            asked = {subject for link_id in absorbed for subject in about(link_id)}
            tx.dissolve_cases(asked, self.now)
            tx.remove_links(absorbed)

    def _bear(
        self, tx: Transaction, entity: Entity, system: System, good: dict[str, Correlation]
    ) -> dict[str, str]:
        """Make the new records; returns link id -> record id. A link whose record lost a race leaves ``good``; one
        whose record would bear a key that the row itself does not show asks, for it would lose again and again."""
        born: dict[str, Record] = {}
        for link_id, decision in good.items():
            if decision.record is not None:
                born[link_id] = new_record(self.engine, decision.record)
        origin = {record.id: system.connection for record in born.values()}
        lost = bear(
            self.engine, tx, entity, list(born.values()), self.world, origin,
            str(system.position), "create: in",
        )  # fmt: skip
        taken = {key.owner: key for key in sorted(lost, key=lambda k: _shows(entity, system, k))}
        for link_id in [i for i, record in born.items() if record.id in taken]:
            key = taken[born.pop(link_id).id]
            if _shows(entity, system, key):
                del good[link_id]
            else:
                calm = replace(good[link_id].link, state=LinkState.SEEN, dirty=0)
                holders = [o for of in tx.bearers([key]).values() for o in of]
                case = ask(entity, calm, key.parts, holders, (), links_by_record(tx, holders), True)
                about = (replace(key, kind=KeyKind.ASKS, owner=link_id),)
                good[link_id] = Correlation(calm, ask=case, about=about)
        return {link_id: record.id for link_id, record in born.items()}

    def _after_tying(
        self, tx: Transaction, entity: Entity, system: System, links: Sequence[Link]
    ) -> None:
        tied = [link for link in links if link.record_id is not None]
        untied = [link for link in links if link.record_id is None]
        stored = [link.id for link in untied]
        keep_row_keys(self.engine, tx, entity, system, untied, stored, self.world)
        if not tied:
            return
        tx.dirty_sharers([i for link in tied for i in (link.id, link.record_id) if i])
        tx.dirty_siblings({k.record_id or "" for k in tied}, [k.id for k in tied])
        tx.drop_keys(KeyKind.ROW, [link.id for link in tied])
        tx.dirty_waiting({key for k in tied for key in (place_free(k), *known_by(k))})

    # tied rows

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
                    i in held and i not in sent and _unmoved(held[i], read.links[i])
                    for i in decided[a.record.id].plans
                )
            }
            unsent = {i: unsettled[i] for of in good.values() for i in of.plans if i in unsettled}
            self._take_back(tx, unsent.values())
            plans = {i: p for of in good.values() for i, p in of.plans.items()}
            plans = stage(engine, tx, read.links, self._ready(tx, read.links, plans))
            plans = _put_back(plans, unsent)
            changed = _changed(good, plans)
            tx.save_records(changed)
            self._write(tx, held, read, plans, unsent)
            self._wake(tx, read.links, plans, unsent, changed, good)
            tx.release_links(list(plans))
            operations = [p.operation for p in plans.values() if p.operation is not None]
            waiting = [i for i, p in plans.items() if _begins_to_wait(held[i], p.link, p.operation)]
        engine.announce("reconcile", waiting)
        if changed:
            engine.queue.announce("reconcile", [])
            self._announce_derive()
        engine.announce("dispatch", [operation.id for operation in operations])
        return plans.keys()

    def _spread(
        self, tx: Transaction, read: Mapping[str, Link], changed: Sequence[Record],
        knowing: Collection[str],
    ) -> None:  # fmt: skip
        """Changed records: their identities, if these are others, their other links, and who rests on them."""
        entities, now = self.engine.project.entities, {r.id: r for r in changed}
        world = replace(self.world, records={**self.world.records, **now})
        before = self.world.records
        identify(
            self.engine, tx,
            [r for r in changed if not bears_the_same(entities[r.entity], before[r.id], r, world)],
            world,
        )  # fmt: skip
        unaware = {k.record_id for k in read.values() if k.id not in knowing}
        tx.dirty_records([i for i in now if i in unaware], knowing)
        spread_on(self.engine, tx, changed)

    def _take_back(self, tx: Transaction, unsent: Iterable[Operation]) -> None:
        """What nobody has begun to send is planned anew with its link, and counts as written no more."""
        cancelled = OperationState.CANCELLED
        tx.save_operations([replace(o, state=cancelled, detail="planned anew") for o in unsent])

    def _write(
        self, tx: Transaction, held: Mapping[str, Link], read: Records,
        good: Mapping[str, Plan], unsent: Mapping[str, Operation],
    ) -> None:  # fmt: skip
        """``unsent``: link id -> its operation that is stored already."""
        now, there = self.now, {o.id for o in unsent.values()}
        tx.save_links(
            [
                _saved(
                    held[i],
                    read.links[i],
                    replace(p.link, dirty=p.link.dirty + p.again),
                    p.operation,
                )
                for i, p in good.items()
            ]
        )
        operations = [p.operation for p in good.values() if p.operation is not None]
        tx.save_operations([o for o in operations if o.id in there])
        tx.add_operations([o for o in operations if o.id not in there])
        tx.raise_cases([self._opened(case) for p in good.values() for case in p.cases])
        tx.dissolve_cases(
            {s for p in good.values() for s in p.dissolves}.intersection(read.asked), now
        )
        changes = [c for p in good.values() for c in (*p.earlier, *p.changes)]
        tx.add_history([replace(c, at=now) for c in changes])

    def _wake(
        self, tx: Transaction, read: Mapping[str, Link], good: Mapping[str, Plan],
        unsent: Mapping[str, Operation], changed: Sequence[Record], decided: Mapping[str, Decided],
    ) -> None:  # fmt: skip
        """Whoever has to know is looked at again. After the links are written, since what is written over wakes
        nobody."""
        knowing = {i for of in decided.values() for i in of.knowing}
        self._spread(tx, read, changed, knowing)
        moved = [i for i, p in good.items() if _moved(read[i], p.link)]
        came = [good[i].link for i in moved if good[i].link.state in AT_VENDOR]
        placed(self.engine, tx, came, [read[i] for i in moved if read[i].state in AT_VENDOR])
        turned = {i for i, p in good.items() if p.link.state is not read[i].state}
        tx.dirty_siblings({read[i].record_id or "" for i in turned}, turned | knowing)
        stay = {p.operation.id for p in good.values() if p.operation is not None}
        wakes = {f"op:{o.id}" for o in unsent.values() if o.id not in stay}
        wakes |= {key for p in good.values() for key in p.wakes}
        wakes |= {key for link in came for key in known_by(link)}
        if wakes:
            tx.dirty_waiting(wakes)

    def _opened(self, case: Case) -> Case:
        return replace(case, id=new_id(), opened_at=self.now)

    def _ready(
        self, tx: Transaction, read: Mapping[str, Link], good: Mapping[str, Plan]
    ) -> dict[str, Plan]:
        """Operations get their identity. Those of connections that are only observed are dropped, and their links say
        so; what is held there stays held."""
        ready, now, dropped = dict(good), self.now, set[str]()
        for link_id, plan in good.items():
            operation = plan.operation
            if operation is None:
                continue
            if self.engine.project.connections[operation.connection].mode != "write":
                held = read[link_id].wait if group_of(read[link_id]) else only_observed(plan.link)
                ready[link_id] = without_write(plan, replace(plan.link, wait=held))
                dropped.add(operation.entity)
                continue
            system = self.engine.project.entities[operation.entity].systems[operation.connection]
            fresh = replace(
                operation, id=new_id(), key=new_key(), created_at=now,
                kind=kind_of(system, operation),
            )  # fmt: skip
            ready[link_id] = replace(plan, operation=fresh)
        if dropped:
            mark_modes(self.engine, tx, dropped)
        return ready


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


def _shows(entity: Entity, system: System, key: Key) -> bool:
    """Whether rows of a system show an identity key of a record, so that looking again finds who holds it."""
    rules = {f"{entity.name}:{n}": names for n, names in enumerate(entity.identity)}
    return key.scope in rules and set(rules[key.scope]) <= system.rules.keys()


def _is_live(record: Record | None) -> bool:
    """Whether a record is neither deleted nor erased."""
    return record is not None and not record.deleted


def _unmoved(held: Link, read: Link) -> bool:
    return held.version == read.version and held.row_version == read.row_version


def _is_sent(operation: Operation) -> bool:
    """Whether it was sent, or may have been."""
    return operation.state is not OperationState.PENDING


def _moved(read: Link, decided: Link) -> bool:
    """Whether its record came to a row or lost it."""
    return (read.state in AT_VENDOR) != (decided.state in AT_VENDOR)


def _same_record(locked: Mapping[str, Record], read: Record) -> bool:
    record = locked.get(read.id)
    return record is not None and record.generation == read.generation


def _may_absorb(
    decision: Correlation, held: Mapping[str, Link], operations: Mapping[str, Operation]
) -> bool:
    """Whether the links whose place a row takes are still such as may be taken, their creates unsent."""
    places = (LinkState.CREATING, LinkState.WAITING, LinkState.MISSING)
    unsent = all(operations[o.id].state is OperationState.PENDING for o in decision.cancelled)
    return unsent and all(i in held and held[i].state in places for i in decision.absorbed)


def _begins_to_wait(held: Link, decided: Link, operation: Operation | None = None) -> bool:
    """Whether a link is to be looked at once more: what it waits for may have come since it was looked at, and
    then nobody wakes it. An answer comes by the link itself, and what is written is looked at afterwards."""
    if operation is not None:
        return False
    key = "" if decided.wait is None else decided.wait.key
    return bool(key) and not key.startswith((STAGED, OBSERVED, SCOPE)) and decided.wait != held.wait


def _saved(held: Link, read: Link, decided: Link, operation: Operation | None = None) -> Link:
    """The link to write: dirty only lowered to what was read."""
    begins = _begins_to_wait(held, decided, operation)
    dirty = max(0, held.dirty - read.dirty) + decided.dirty + begins
    return replace(
        decided,
        dirty=dirty,
        version=held.version,
        read_at=held.read_at,
        nominated_at=held.nominated_at,
        need_get=held.need_get,
        noted=held.noted,
    )
