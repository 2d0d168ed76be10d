"""What decisions of people share: things held, changed by hand, and written down with author and reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from syncengine.errors import SetAside
from syncengine.flows.births import bear, new_record, renamed, spread
from syncengine.flows.engine import Engine, new_id, utc_text
from syncengine.flows.scenes import load_untied, load_world
from syncengine.flows.staging import review
from syncengine.mapping import Context
from syncengine.model.case import CaseKind
from syncengine.model.change import Change
from syncengine.model.event import Event
from syncengine.model.key import KeyKind
from syncengine.model.link import Base, Link, LinkState
from syncengine.model.operation import OperationState
from syncengine.model.record import Record, World
from syncengine.model.values import Json
from syncengine.planning.identity import AT_VENDOR, Correlation, inherited, make_record
from syncengine.ports import Transaction


class NotPossible(SetAside):
    """What a person decided cannot be carried out; nothing was changed."""


@dataclass(slots=True)
class Decision:
    """One decision in one transaction. All that it touches is locked until the end."""

    engine: Engine
    tx: Transaction
    author: str
    reason: str = ""

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
            raise NotPossible("the record is gone")
        return found

    def save(self, link: Link) -> None:
        """Write a locked link."""
        self.tx.save_links([link])

    def note(
        self, record: Record, policy: str, name: str = "", old: Json = None, new: Json = None,
        lost: Json = None, lost_by: str = "", stamp: int = 0,
    ) -> None:  # fmt: skip
        """A line of history; ``name`` empty: of the record as a whole."""
        line = Change(
            record.id, record.generation, name, old, new, lost, lost_by, stamp, policy=policy,
            author=self.author, reason=self.reason, at=self.engine.clock.now(),
        )  # fmt: skip
        self.tx.add_history([line])

    def change(
        self, record: Record, values: Mapping[str, Json], policy: str, but: Iterable[str] = ()
    ) -> Record:
        """A change of a person: a stamp, a generation, history, and everyone who has to know but links ``but``."""
        engine, tx = self.engine, self.tx
        event = Event("", record.entity, record.id, new_id(), "person", engine.clock.now())
        stamp = tx.add_events([event])[0] or 0
        new = replace(
            record,
            values={**record.values, **values},
            stamps={**record.stamps, **dict.fromkeys(values, stamp)},
            generation=record.generation + 1,
        )
        tx.save_records([new])
        for name, value in values.items():
            self.note(new, policy, name, record.values.get(name), value, stamp=stamp)
        world = load_world(engine, tx, (), {new.id: new})
        spread(engine, tx, [new], world, list(but))
        return new

    def delete(self, record: Record, policy: str) -> None:
        """A tombstone; whoever has to know is told."""
        gone = replace(record, deleted=True, generation=record.generation + 1)
        self.tx.save_records([gone])
        self.note(gone, policy, "", "", "deleted")
        spread(self.engine, self.tx, [gone], World(self.engine.today), ())

    def tie(self, link: Link, record: Record, policy: str) -> None:
        """An untied row becomes the record's row in its place; what holds that place by a plan only gives way."""
        for rival in self.tx.links_of([record.id]):
            if (rival.connection, rival.resource) == (link.connection, link.resource):
                self._give_way(rival)
        made = self.tx.creates(link.connection, link.resource, [link.external_id or ""])
        before = made.get(link.external_id or "")
        system = self.engine.project.entities[link.entity].systems[link.connection]
        base = Base() if before is None else inherited(system, before)
        self.join(replace(link, base=base), record.id)
        self.note(record, policy, "", None, f"linked in {link.connection}")

    def join(self, link: Link, record_id: str) -> None:
        """Write a link as tied, and wake who waited for that."""
        place = f"{link.connection}/{link.resource}/{link.external_id}"
        self.tx.drop_keys(KeyKind.ROW, [link.id])
        tied = replace(link, record_id=record_id, state=LinkState.LINKED, wait=None, ruling=None)
        self.save(replace(tied, dirty=link.dirty + 1))
        self.tx.dirty_waiting({f"ref:{place}", f"rec:{record_id}@{link.connection}"})
        renamed(self.engine, self.tx, link)

    def own_record(self, link: Link, policy: str) -> str:
        """A new record for an untied row, even if another bears the same identity; its id. Raises NotPossible where
        the row lacks what a record needs."""
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
        bear(engine, tx, entity, [record], world, origin, str(system.position), policy, shared=True)
        self.join(link, record.id)
        return record.id

    def calm(self, link: Link) -> None:
        """Call back a write that is not sent yet. Raises NotPossible for one that is under way."""
        unsettled = self.tx.unsettled([link.id]).get(link.id)
        if unsettled is None:
            return
        if unsettled.state is not OperationState.PENDING:
            raise NotPossible("a write for that record is under way: try again in a minute")
        self.tx.save_operations([replace(unsettled, state=OperationState.CANCELLED)])

    def close_questions(self, link: Link) -> None:
        """Whatever was asked about a link as it stood is asked no more."""
        subjects = {f"{kind}:{link.id}" for kind in CaseKind}
        self.tx.dissolve_cases(subjects, self.engine.clock.now())
        review(self.engine, self.tx, [link])

    def _give_way(self, rival: Link) -> None:
        if rival.state in AT_VENDOR:
            raise NotPossible(
                f"that record is linked in {rival.connection} already: split that link first"
            )
        self.calm(rival)
        if rival.state in (LinkState.CREATING, LinkState.WAITING, LinkState.MISSING):
            self.close_questions(rival)
            self.tx.remove_links([rival.id])


def record_of(engine: Engine, link: Link, world: World) -> Correlation:
    """What a record made of an untied row would be; none where the row lacks something, or does not fit."""
    entity = engine.project.entities[link.entity]
    context = Context(link.connection, world, row=link.row or {}, seen=utc_text(link.read_at))
    return make_record(entity, entity.systems[link.connection], link, context)
