"""What all decisions of people share: locking, changes by hand, and history with author and reason."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from syncengine.errors import SetAside
from syncengine.flows.core.engine import Engine, new_id
from syncengine.flows.core.loading import load_untied
from syncengine.flows.core.staging import review
from syncengine.flows.core.world import load_world
from syncengine.flows.reconcile.records import (
    create_records,
    invalidate,
    new_record,
    referring,
)
from syncengine.ledger import Transaction
from syncengine.mapping import Context
from syncengine.model.change import Change
from syncengine.model.changeset import Changeset, Wakes
from syncengine.model.event import Event
from syncengine.model.key import KeyKind
from syncengine.model.link import Base, Link, LinkState
from syncengine.model.operation import OperationState
from syncengine.model.record import Record, World
from syncengine.model.values import ABSENT, Json, utc_text
from syncengine.planning.doubts import unread
from syncengine.planning.identity import AT_VENDOR, Correlation, conditions_met, make_record
from syncengine.planning.questions import about
from syncengine.planning.settle import inherited_base


class NotPossible(SetAside):
    """A person's decision cannot be carried out; nothing was changed."""


@dataclass(slots=True)
class Decision:
    """A person's decision, carried out in one transaction. All that it touches is locked until the end. Its steps
    return what is to be written. ``freed``: links that no case is to hold any longer, as soon as that is written."""

    engine: Engine
    tx: Transaction
    author: str
    reason: str = ""
    freed: list[Link] = field(default_factory=list, kw_only=True)

    def link(self, link_id: str) -> Link:
        """A link, locked."""
        found = self.tx.links([link_id], lock=True)
        if not found:
            raise NotPossible("the link is gone: see `syncengine links list`")
        return found[link_id]

    def record(self, record_id: str) -> Record:
        """A live record, locked."""
        found = self.tx.records([record_id], lock=True).get(record_id)
        if found is None or found.deleted:
            raise NotPossible(f"the record is gone{self.said_of(record_id)}")
        return found

    def said_of(self, record_id: str, name: str = "") -> str:
        """Who decided last about a record or a field of it, and when: ``; kim at 2026-11-22T10:00:00Z: join``."""
        told = [c for c in self.tx.history(record_id) if c.field == name]
        last = told[-1] if told and told[-1].author else None
        return f"; {last.author} at {utc_text(last.at)}: {last.policy}" if last else ""

    def commit(self, change: Changeset) -> None:
        """Write what was decided so far, and what follows for the cases that held links."""
        self.tx.write(change)
        review(self.engine, self.tx, self.freed)
        self.freed.clear()

    def saved(self, link: Link) -> Changeset:
        """A locked link as it is from now on; its siblings become dirty."""
        siblings = {link.record_id: frozenset({link.id})} if link.record_id else {}
        return Changeset(links=[link], wakes=Wakes(siblings=siblings))

    def note(
        self, record: Record, policy: str, name: str = "", old: Json = None, new: Json = None,
        lost: Json = None, lost_by: str = "", stamp: int = 0,
    ) -> Changeset:  # fmt: skip
        """A history entry; ``name`` empty: of the record as a whole."""
        line = Change(
            record.id, record.generation, name, old, new, lost, lost_by, stamp, policy=policy,
            author=self.author, reason=self.reason, at=self.engine.clock.now(),
        )  # fmt: skip
        return Changeset(history=[line])

    def change(
        self, record: Record, values: Mapping[str, Json], policy: str, but: Iterable[str] = ()
    ) -> tuple[Record, Changeset]:
        """The record with other values, and what follows: a stamp, a generation, history, and dependent links dirty,
        except links ``but``."""
        engine, tx = self.engine, self.tx
        event = Event("", record.entity, record.id, new_id(), "person", engine.clock.now())
        stamp = tx.add_events([event])[0] or 0
        new = replace(
            record,
            values={**record.values, **values},
            stamps={**record.stamps, **dict.fromkeys(values, stamp)},
            generation=record.generation + 1,
        )
        change = Changeset(records=[new])
        for name, value in values.items():
            change += self.note(new, policy, name, record.values.get(name), value, stamp=stamp)
        change += self._accepted(new, values, but)
        world = load_world(engine, tx, (), {new.id: new})
        return new, change + invalidate(engine, tx, [new], world, list(but))

    def _accepted(self, record: Record, values: Iterable[str], but: Iterable[str]) -> Changeset:
        """Accept the differences of fields that are only compared, so that they are not asked about again."""
        entity, change = self.engine.project.entities[record.entity], Changeset()
        names = [name for name in values if name in entity.compared]
        near = [k.id for k in self.tx.links_of([record.id]) if k.row is not None] if names else []
        for link in self.tx.links([i for i in near if i not in but], lock=True).values():
            system = entity.systems.get(link.connection)
            seen = [n for n in names if system is not None and n in system.rules]
            if seen:
                base = self.accept_difference(link, record, seen)
                change += self.saved(link.tied(base=base))
        return change

    def accept_difference(self, link: Link, record: Record, names: Iterable[str]) -> Base:
        """The base by which these fields differ and neither side has changed since."""
        rules = self.engine.project.entities[link.entity].systems[link.connection].rules
        shown = {name: rules[name].extract(link.row or {}) for name in names}
        there = {name: raw for name, raw in shown.items() if raw is not ABSENT}
        return replace(
            link.base,
            canonical={**link.base.canonical, **{n: record.values.get(n) for n in there}},
            vendor={**link.base.vendor, **there},
            rules={**link.base.rules, **{n: rules[n].fingerprint for n in there}},
        )

    def delete(self, record: Record, policy: str) -> Changeset:
        """A record is deleted (keeping a tombstone), and dependent links become dirty."""
        gone = replace(record, deleted=True, generation=record.generation + 1)
        change = Changeset(records=[gone]) + self.note(gone, policy, "", "", "deleted")
        world = World(self.engine.today)
        return change + invalidate(self.engine, self.tx, [gone], world)

    def tie(
        self, link: Link, record: Record, policy: str, untied: Collection[str] = ()
    ) -> Changeset:
        """Tie an untied row to the record; a planned create in its place gives way. ``untied``: links that are the
        record's no longer, though they are not written yet."""
        change = Changeset()
        for rival in self.tx.links_of([record.id]):
            here = (rival.connection, rival.resource) == (link.connection, link.resource)
            if here and rival.id not in untied:
                change += self._gives_way(rival)
        made = self.tx.creates(link.connection, link.resource, [link.external_id or ""])
        before = made.get(link.external_id or "")
        system = self.engine.project.entities[link.entity].systems[link.connection]
        base = Base() if before is None else inherited_base(system, before)
        change += self.joined(link.tied(base=base), record.id)
        return change + self.note(record, policy, "", None, f"linked in {link.connection}")

    def joined(self, link: Link, record_id: str) -> Changeset:
        """A link is tied, and the links that waited for it are woken."""
        tied = link.tied(record_id=record_id, state=LinkState.LINKED, wait=None, approval=None).woken()  # fmt: skip
        wakes = Wakes(waiting=conditions_met(tied)) + referring(self.engine, link)
        change = self.row_forgotten(link, record_id) + self.saved(tied)
        return change + Changeset(wakes=wakes)

    def row_forgotten(self, link: Link, *records: str) -> Changeset:
        """The row is excluded from correlation; links that shared its identity become dirty."""
        keys = {(kind, link.id) for kind in (KeyKind.ROW, KeyKind.ASKS)}
        return Changeset(dropped_keys=keys, wakes=Wakes(sharers={link.id, *records}))

    def own_record(self, link: Link, policy: str) -> tuple[str, Changeset]:
        """A record for an untied row, even if another one has the same identity: its id, and what is to be written.
        Raises NotPossible where the row lacks what a record needs."""
        engine, tx = self.engine, self.tx
        entity = engine.project.entities[link.entity]
        system = entity.systems[link.connection]
        world = load_untied(engine, tx, entity, [link]).world
        made = record_of(engine, link, world)
        if made.record is None:
            lacking = "" if made.link.wait is None else f": {made.link.wait.what} is lacking"
            raise NotPossible(f"no record can be made of this row yet{lacking}")
        record = new_record(engine, made.record)
        origin = {record.id: link.connection}
        _, change = create_records(
            engine, tx, entity, [record], world, origin, str(system.position), policy, shared=True
        )
        change += self.joined(link, record.id)
        change += self.note(record, policy, "", None, f"linked in {link.connection}")
        return record.id, change

    def cancelled(self, link: Link) -> Changeset:
        """A write of the link that is not sent yet is cancelled. Raises NotPossible for one that is under way, or that
        the vendor accepted and no read has shown: the row may then show our value and not the vendor's."""
        system = self.engine.system(link.entity, link.connection)
        if system is not None and unread(system, link):
            here = link.connection
            raise NotPossible(f"{here} took our last write, and nobody has read the row since: try again "
                              f"after the next listing of {here}")  # fmt: skip
        unsettled = self.tx.unsettled([link.id]).get(link.id)
        if unsettled is None:
            return Changeset()
        if unsettled.state is not OperationState.PENDING:
            raise NotPossible("a write for that record is under way: try again in a minute")
        return Changeset(operations=[replace(unsettled, state=OperationState.CANCELLED)])

    def questions_closed(self, link: Link) -> Changeset:
        """All cases about a link are closed, and the one that holds it is reviewed."""
        self.freed.append(link)
        return Changeset(dissolved=dict.fromkeys(about(link.id), self.engine.clock.now()))

    def _gives_way(self, rival: Link) -> Changeset:
        if rival.state in AT_VENDOR:
            raise NotPossible(
                f"that record is linked in {rival.connection} already: split that link first"
            )
        change = self.cancelled(rival)
        if rival.state in (LinkState.CREATING, LinkState.WAITING, LinkState.MISSING):
            change += self.questions_closed(rival) + Changeset(removed={rival.id})
        return change


def record_of(engine: Engine, link: Link, world: World) -> Correlation:
    """The record that would be made of an untied row; None where the row lacks something or does not fit."""
    entity = engine.project.entities[link.entity]
    context = Context(link.connection, world, row=link.row or {}, seen=utc_text(link.read_at))
    return make_record(entity, entity.systems[link.connection], link, context)
