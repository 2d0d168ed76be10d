"""Committing to which records rows belong: one bulk transaction in which each row stands or falls alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from syncengine.flows.capture.capture import wake_waiting_creates
from syncengine.flows.capture.rows import keep_row_keys
from syncengine.flows.core.engine import Engine
from syncengine.flows.core.loading import links_by_record
from syncengine.flows.core.staging import review
from syncengine.flows.reconcile.commit import announce_derive, lowered, opened, unmoved
from syncengine.flows.reconcile.records import (
    create_records,
    invalidate_references,
    new_record,
)
from syncengine.ledger import Transaction
from syncengine.mapping import Entity, System
from syncengine.model.key import Key, KeyKind
from syncengine.model.link import Link, LinkState
from syncengine.model.operation import Operation, OperationState
from syncengine.model.record import Record, World
from syncengine.planning.identity import (
    Correlation,
    ask,
    identity_subject,
    known_by,
    place_free,
)
from syncengine.planning.questions import about


@dataclass(slots=True)
class Ties:
    """Writes to which records untied rows belong, as decided on ``world``. ``now``: when all that it compares with was
    locked."""

    engine: Engine
    world: World
    now: float = 0.0

    def commit(
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
                if i in held and unmoved(held[i], read[i])
                and _may_absorb(d, held, operations)
                and (d.link.record_id is None or _is_live(records.get(d.link.record_id)))
            }  # fmt: skip
            good = self._one_each(good)
            self._absorb(tx, good)
            review(engine, tx, [held[i] for d in good.values() for i in d.absorbed])
            created = self._create_records(tx, entity, system, good)
            links = [
                lowered(
                    held[i], read[i], replace(d.link, record_id=created.get(i, d.link.record_id))
                )
                for i, d in good.items()
            ]
            tx.save_links(links)
            self._after_tying(tx, entity, system, links)
            replaced = [d.link for d in good.values() if d.replaces_row]
            if replaced:
                invalidate_references(engine, tx, replaced[0])
            sure = [
                subject
                for d in good.values()
                if d.ask is None and not d.link.set_aside
                for subject in (identity_subject(d.link), f"quarantined:{d.link.id}")
            ]
            tx.dissolve_cases(sure, self.now)
            asks = [opened(d.ask, self.now) for d in good.values() if d.ask is not None]
            tx.raise_cases(asks)
            tx.swap_keys(KeyKind.ASKS, list(good), [k for d in good.values() for k in d.about])
            wake_waiting_creates(engine, tx, system.connection, system.resource.name)
        engine.queue.announce("reconcile", [])
        announce_derive(engine)
        return {link.record_id for link in links if link.record_id is not None}

    def _one_each(self, good: dict[str, Correlation]) -> dict[str, Correlation]:
        """Of two rows that would be tied to one record in one batch the first is; the other becomes a question next
        time."""
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

    def _create_records(
        self, tx: Transaction, entity: Entity, system: System, good: dict[str, Correlation]
    ) -> dict[str, str]:
        """Create the new records; returns link id -> record id. A link whose record lost a race is removed from
        ``good``; if its record needs a key that the row itself does not show, a question is asked, since it would lose
        every time."""
        created: dict[str, Record] = {}
        for link_id, decision in good.items():
            if decision.record is not None:
                created[link_id] = new_record(self.engine, decision.record)
        origin = {record.id: system.connection for record in created.values()}
        lost = create_records(
            self.engine, tx, entity, list(created.values()), self.world, origin,
            str(system.position), "create: in",
        )  # fmt: skip
        taken = {key.owner: key for key in sorted(lost, key=lambda k: _shows(entity, system, k))}
        for link_id in [i for i, record in created.items() if record.id in taken]:
            key = taken[created.pop(link_id).id]
            if _shows(entity, system, key):
                del good[link_id]
            else:
                calm = replace(good[link_id].link, state=LinkState.SEEN, dirty=0)
                holders = [o for of in tx.key_owners([key]).values() for o in of]
                case = ask(entity, calm, key.parts, holders, (), links_by_record(tx, holders), True)
                about = (replace(key, kind=KeyKind.ASKS, owner=link_id),)
                good[link_id] = Correlation(calm, ask=case, about=about)
        return {link_id: record.id for link_id, record in created.items()}

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


def _shows(entity: Entity, system: System, key: Key) -> bool:
    """Whether rows of a system show an identity key of a record, so that looking again finds its holder."""
    rules = {f"{entity.name}:{n}": names for n, names in enumerate(entity.identity)}
    return key.scope in rules and set(rules[key.scope]) <= system.rules.keys()


def _is_live(record: Record | None) -> bool:
    """Whether a record is neither deleted nor erased."""
    return record is not None and not record.deleted


def _may_absorb(
    decision: Correlation, held: Mapping[str, Link], operations: Mapping[str, Operation]
) -> bool:
    """Whether the links that a row replaces may still be replaced, with no create sent."""
    places = (LinkState.CREATING, LinkState.WAITING, LinkState.MISSING)
    unsent = all(operations[o.id].state is OperationState.PENDING for o in decision.cancelled)
    return unsent and all(i in held and held[i].state in places for i in decision.absorbed)
