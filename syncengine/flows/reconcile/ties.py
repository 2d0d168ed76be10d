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
from syncengine.flows.reconcile.records import create_records, new_record, referring
from syncengine.ledger import Transaction
from syncengine.mapping import Entity, System
from syncengine.model.changeset import Changeset, Wakes
from syncengine.model.key import Key, KeyKind
from syncengine.model.link import Link, LinkState
from syncengine.model.operation import Operation, OperationState
from syncengine.model.record import Record, World
from syncengine.planning.identity import (
    Correlation,
    ask,
    conditions_met,
    identity_subject,
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
            replaceable = {i for d in decided.values() for i in d.absorbed}
            held = tx.links([*decided, *replaceable], lock=True)
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
            absorbed = {i for d in good.values() for i in d.absorbed}
            change = self._absorbed(good) + self._created(tx, entity, system, good)
            links = [lowered(held[i], read[i], d.link) for i, d in good.items()]
            change += self._tied(tx, entity, system, links) + self._asked(good)
            replaced = [d.link for d in good.values() if d.replaces_row]
            if replaced:
                change += Changeset(wakes=referring(engine, replaced[0]))
            tx.write(change)
            tx.swap_keys(KeyKind.ASKS, list(good), [k for d in good.values() for k in d.about])
            review(engine, tx, [held[i] for i in absorbed])
            tx.write(wake_waiting_creates(engine, tx, system.connection, system.resource.name))
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

    def _absorbed(self, good: Mapping[str, Correlation]) -> Changeset:
        """The links that rows replace, and their creates, which are not sent."""
        absorbed = {i for d in good.values() for i in d.absorbed}
        over = {subject for link_id in absorbed for subject in about(link_id)}
        return Changeset(
            operations=[operation for d in good.values() for operation in d.cancelled],
            dissolved=dict.fromkeys(over, self.now),
            removed=absorbed,
        )

    def _asked(self, good: Mapping[str, Correlation]) -> Changeset:
        """Questions about rows, and those whose answer is sure now."""
        sure = [
            subject
            for d in good.values()
            if d.ask is None and not d.link.set_aside
            for subject in (identity_subject(d.link), f"quarantined:{d.link.id}")
        ]
        asks = [opened(d.ask, self.now) for d in good.values() if d.ask is not None]
        return Changeset(dissolved=dict.fromkeys(sure, self.now), raised=asks)

    def _created(
        self, tx: Transaction, entity: Entity, system: System, good: dict[str, Correlation]
    ) -> Changeset:
        """The new records, to which their rows are tied in ``good``. A link whose record lost a race is removed from
        there; if its record needs a key that the row itself does not show, a question is asked, since it would lose
        every time."""
        created: dict[str, Record] = {}
        for link_id, decision in good.items():
            if decision.record is not None:
                created[link_id] = new_record(self.engine, decision.record)
        origin = {record.id: system.connection for record in created.values()}
        lost, change = create_records(
            self.engine, tx, entity, list(created.values()), self.world, origin,
            str(system.position), "create: in",
        )  # fmt: skip
        taken = {key.owner: key for key in sorted(lost, key=lambda k: _shows(entity, system, k))}
        for link_id, record in created.items():
            key = taken.get(record.id)
            if key is None:
                tied = good[link_id].link.tied(record_id=record.id)
                good[link_id] = replace(good[link_id], link=tied)
            elif _shows(entity, system, key):
                del good[link_id]
            else:
                calm = good[link_id].link.at_rest().tied(state=LinkState.SEEN)
                holders = [o for of in tx.key_owners([key]).values() for o in of]
                case = ask(entity, calm, key.parts, holders, (), links_by_record(tx, holders), True)
                about = (replace(key, kind=KeyKind.ASKS, owner=link_id),)
                good[link_id] = Correlation(calm, ask=case, about=about)
        return change

    def _tied(
        self, tx: Transaction, entity: Entity, system: System, links: Sequence[Link]
    ) -> Changeset:
        """The links, and whoever depends on them."""
        tied = [link for link in links if link.record_id is not None]
        untied = [link for link in links if link.record_id is None]
        stored = [link.id for link in untied]
        ours = frozenset(link.id for link in tied)
        wakes = Wakes(
            sharers={i for link in tied for i in (link.id, link.record_id) if i},
            siblings={k.record_id: ours for k in tied if k.record_id},
            waiting={key for k in tied for key in (place_free(k), *conditions_met(k))},
        )
        dropped = {(KeyKind.ROW, link.id) for link in tied}
        change = keep_row_keys(self.engine, tx, entity, system, untied, stored, self.world)
        return Changeset(links=links, dropped_keys=dropped, wakes=wakes) + change


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
