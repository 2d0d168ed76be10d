"""Erase: a person is forgotten. All that is stored about her is deleted from every table, at once and for good.

What remains is a tombstone of keyed hashes, by which she is recognised should a vendor show her again
(``syncengine.flows.capture.erased_rows``), and an entry in the erasure log that does not say who it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from syncengine.errors import LostRace
from syncengine.flows.capture.erased_rows import place_key, settle_return
from syncengine.flows.core.engine import Engine, new_id, retry_on_lost_race
from syncengine.flows.core.staging import review
from syncengine.flows.core.world import load_world
from syncengine.flows.forget.footprint import Footprint, cleaned_case, gather, late, refs_in
from syncengine.flows.forget.retention import started_over
from syncengine.flows.naming.masking import shown_id
from syncengine.flows.naming.mentions import in_change, in_link, in_operation, in_record
from syncengine.flows.naming.names import Names, names
from syncengine.flows.people.decisions import Decision, NotPossible
from syncengine.flows.reconcile.records import invalidate
from syncengine.ledger import Transaction
from syncengine.model.case import CaseKind
from syncengine.model.change import Change
from syncengine.model.changeset import Changeset, Wakes
from syncengine.model.condition import OperationSettled
from syncengine.model.erasure import ERASED, TAKE_IN, Erasure
from syncengine.model.key import Key, KeyKind
from syncengine.model.link import Link, LinkState
from syncengine.model.operation import Operation, OperationState
from syncengine.planning.identity import record_keys

Document = dict[str, Any]
POLICY = "erasure"
"""What the history of others says of the change that took a ref away."""
UNDER_WAY = (OperationState.CLAIMED, OperationState.UNKNOWN)


def preview(engine: Engine, record_id: str) -> Document:
    """What an erasure would delete, what vendors hold besides, and what prevents it. Raises NotPossible."""
    with engine.ledger.read() as tx:
        footprint = gather(engine, tx, record_id, to_show=True)
        called = names(engine, tx, footprint.records)
    return described(engine, footprint, called)


def described(engine: Engine, footprint: Footprint, called: Names) -> Document:
    """``preview`` of a footprint that is collected already."""
    others = footprint.others
    earlier = [r for r in footprint.selves.values() if r.id != footprint.record.id]
    held = {
        "records": footprint.records, "links": footprint.links, "operations": footprint.operations,
        "history": footprint.history, "events": footprint.events, "cases": footprint.cases,
    }  # fmt: skip
    named = Counter(
        f"{record.entity}.{name}"
        for record in others.records.values()
        for name, value in record.values.items()
        if footprint.marks.named_by(value)
    )
    return {
        "entity": footprint.record.entity,
        "record": footprint.record.id,
        "name": called.of(footprint.record.id),
        "earlier": [{"record": r.id, "name": called.of(r.id)} for r in earlier],
        "removes": {name: len(of) for name, of in held.items()},
        "belongs": dict(Counter(r.entity for i, r in footprint.records.items() if i not in footprint.selves)),
        "named_by": dict(sorted(named.items())),
        "vendors": [_place(engine, link) for link in _at_vendors(footprint)],
        "under_way": _under_way(footprint),
        "asked": _asked(footprint),
    }  # fmt: skip


def _at_vendors(footprint: Footprint) -> list[Link]:
    """The rows that vendors hold, as far as is known."""
    there = [k for k in footprint.links.values() if k.row is not None and k.external_id is not None]
    return sorted(there, key=lambda k: (k.connection, k.resource, k.external_id or ""))


def _place(engine: Engine, link: Link) -> Document:
    connection = engine.project.connections.get(link.connection)
    return {
        "connection": link.connection,
        "resource": link.resource,
        "external_id": shown_id(engine, link.connection, link.resource, link.external_id),
        "entity": link.entity,
        "at": connection.base_url if connection is not None else None,
        "deletes": mapped_delete(engine, link),
    }


def mapped_delete(engine: Engine, link: Link) -> str | None:
    """The mapping's position that says that a row is deleted when its record leaves, if it can be; else nothing."""
    system = engine.system(link.entity, link.connection)
    connection = engine.project.connections.get(link.connection)
    if system is None or connection is None or link.record_id is None or link.row is None:
        return None
    if not system.deletes or connection.mode != "write":
        return None
    return system.cause("on_leave") if link.state is LinkState.LINKED else None


def _under_way(footprint: Footprint) -> list[str]:
    """Writes that may take effect still, in words."""
    held = [*footprint.operations.values(), *footprint.others.operations.values()]
    return sorted({_told(o) for o in held if o.state in UNDER_WAY})


def _asked(footprint: Footprint) -> list[Document]:
    """Open cases about whether an untied row is hers: only a person can say whether it is to be erased as well."""
    return [
        {"case": case.id, "question": case.question}
        for case in footprint.others.cases.values()
        if case.kind is CaseKind.IDENTITY and case.closed_at is None
        and not footprint.selves.keys().isdisjoint(case.evidence.get("records", ()))
    ]  # fmt: skip


def _told(operation: Operation) -> str:
    how = "has no outcome yet" if operation.state is OperationState.UNKNOWN else "is under way"
    return f"{operation.action} of {operation.entity} in {operation.connection} {how}"


def erase(
    engine: Engine, record_id: str, reason: str, author: str, leave_rows: bool = False
) -> Erasure | list[Document]:
    """Delete the footprint of a record in one transaction. If the mapping deletes rows whose record leaves, and not
    ``leave_rows``, that comes first: the records are deleted, and the rows that have to go are returned. Raises
    NotPossible."""
    eraser = _Eraser(engine)
    made = eraser.erase(record_id, reason, author, leave_rows)
    done = made if isinstance(made, list) else eraser.catch_up(*made)
    for task in ("refresh", "reconcile", "derive"):
        engine.queue.announce(task, [])
    return done


@dataclass(slots=True)
class _Eraser:
    engine: Engine

    @retry_on_lost_race
    def erase(
        self, record_id: str, reason: str, author: str, leave_rows: bool
    ) -> tuple[Footprint, Erasure] | list[Document]:
        """Delete what was read if it is unchanged; else read it again."""
        engine = self.engine
        with engine.ledger.read() as tx:
            footprint = gather(engine, tx, record_id)
        _check_reason(footprint, reason)
        with engine.ledger.write() as tx:
            self._lock(tx, footprint)
            _check_ready(footprint)
            first = [k for k in _at_vendors(footprint) if mapped_delete(engine, k)]
            if first and not leave_rows:
                _let_leave(engine, tx, footprint, first, author)
                return [_place(engine, link) for link in first]
            kind, now = footprint.record.entity, engine.clock.now()
            line = Erasure(new_id(), kind, now, author, reason)
            return footprint, self._remove(tx, footprint, line)

    def _lock(self, tx: Transaction, footprint: Footprint) -> None:
        """Lock all that is to change. Raises LostRace where something changed since it was read."""
        others = footprint.others
        records = {**footprint.records, **others.records}
        links = {**footprint.links, **others.links}
        operations = {**footprint.operations, **others.operations}
        now = tx.records(records, lock=True)
        held = tx.links(links, lock=True)
        due = tx.operations(operations, lock=True)
        same = (
            {i: r.generation for i, r in now.items()} == {i: r.generation for i, r in records.items()}
            and {i: _version(k) for i, k in held.items()} == {i: _version(k) for i, k in links.items()}
            and {i: o.state for i, o in due.items()} == {i: o.state for i, o in operations.items()}
            and {o.id for o in tx.operations_of(footprint.records, footprint.links)}
            == footprint.operations.keys()
            and {k.id for k in tx.links_of(footprint.records)} <= footprint.links.keys()
        )  # fmt: skip
        if not same:
            raise LostRace("the service is at work on what is to be erased; try again in a minute")

    def _remove(self, tx: Transaction, footprint: Footprint, erasure: Erasure) -> Erasure:
        """Invalidate what depends on her, remove references to her from others, and delete."""
        engine = self.engine
        tombstone = _tombstone(engine, tx, footprint, erasure)
        tx.write(_others_cleaned(engine, tx, footprint, erasure) + _started_anew(tx, footprint))
        tx.save_changes([in_change(c, footprint.marks) for c in footprint.others.changes])
        refs = refs_in(footprint.records, footprint.marks)
        events = [e.id for e in tx.events_about(refs, footprint.links, footprint.operations)]
        counts = tx.erase(
            footprint.records, footprint.links, footprint.operations, footprint.cases, events
        )
        tx.drop_plans()  # they name people, and are computed again when somebody asks
        tx.drop_forms()  # their reasons may name her
        review(engine, tx, footprint.links.values())
        tx.write(Changeset(keys=tombstone))
        for told in tx.erasures([erasure.id], lock=True):
            more = replace(told, counts=dict(Counter(told.counts) + Counter(counts)))
            tx.save_erasures([more])
            return more
        told = replace(erasure, counts=counts)
        tx.add_erasure(told)
        return told

    @retry_on_lost_race
    def catch_up(self, gone: Footprint, erasure: Erasure) -> Erasure:
        """Erase also what another worker stored meanwhile, from data that it had read before."""
        engine = self.engine
        with engine.ledger.read() as tx:
            ours, left = late(engine, tx, gone)
            found = [gather(engine, tx, id_) for id_ in ours]
        if left.links or left.others.records:
            found.append(left)
        for footprint in found:
            with engine.ledger.write() as tx:
                self._lock(tx, footprint)
                erasure = self._remove(tx, footprint, erasure)
        return erasure


def _version(link: Link) -> tuple[int, int, LinkState]:
    return link.version, link.row_version, link.state


def erasures(engine: Engine) -> list[Erasure]:
    """The erasure log, oldest first."""
    with engine.ledger.read() as tx:
        return tx.erasures()


def take_in(engine: Engine, erasure_id: str) -> None:
    """Stop keeping an erased person out: what vendors show of her is taken in as new. Raises NotPossible."""
    with engine.ledger.write() as tx:
        if not tx.erasures([erasure_id], lock=True):
            raise NotPossible("there is no such erasure: see `syncengine erasures`")
        settle_return(tx, erasure_id, TAKE_IN)
        tx.write(Changeset(dissolved={f"{ERASED}{erasure_id}": engine.clock.now()}))


def _check_reason(footprint: Footprint, reason: str) -> None:
    """Raises NotPossible where a reason identifies the person."""
    if footprint.marks.identifying.hinted(reason):
        raise NotPossible(
            f"the reason says which {footprint.record.entity} it is, and the erasure log must not: "
            "say why without a name, address or number, for example by the number of the request"
        )


def _check_ready(footprint: Footprint) -> None:
    """Raises NotPossible while a write may still take effect, or it is undecided whether a row is hers."""
    if busy := _under_way(footprint):
        raise NotPossible(
            f"{'; '.join(busy)}: try again in a minute; where no outcome comes by itself, "
            "`syncengine cases list --kind unknown` asks for it"
        )
    if asked := _asked(footprint):
        ids = ", ".join(str(case["case"])[-8:] for case in asked)
        raise NotPossible(
            f"it is asked whether {len(asked)} more rows are of this {footprint.record.entity}, and they would stay: "
            f"answer that first, with `syncengine cases show` ({ids})"
        )


def _let_leave(
    engine: Engine, tx: Transaction, footprint: Footprint, links: Iterable[Link], author: str
) -> None:
    """Delete the records of these rows as by any change, so that the rows are deleted as the mapping says."""
    act = Decision(engine, tx, author)
    for record_id in dict.fromkeys(link.record_id or "" for link in links):
        record = footprint.records[record_id]
        if not record.deleted:
            act.commit(act.delete(record, POLICY))


def _tombstone(
    engine: Engine, tx: Transaction, footprint: Footprint, erasure: Erasure
) -> list[Key]:
    """The keys by which she would be recognised again: each of her rows, and her identity as far as nobody else has
    it."""
    keys = [place_key(entity, ref, erasure.id) for entity, ref in footprint.marks.places]
    for record in footprint.selves.values():
        entity = engine.project.entities.get(record.entity)
        if entity is None:
            continue
        world = load_world(engine, tx, (), {record.id: record})
        borne = record_keys(entity, replace(record, deleted=False), world)
        asked = [replace(k, kind=kind) for k in borne for kind in (KeyKind.RECORD, KeyKind.SHARED)]
        others = {
            (scope, parts)
            for (_, scope, parts), owners in tx.key_owners(asked).items()
            if not footprint.records.keys() >= set(owners)
        }
        keys += [
            replace(k, kind=KeyKind.ERASED, owner=erasure.id)
            for k in borne if (k.scope, k.parts) not in others
        ]  # fmt: skip
    return keys


def _started_anew(tx: Transaction, footprint: Footprint) -> Changeset:
    """Listings and walks that have come to something of hers begin anew."""
    things = footprint.marks.things
    places = sorted({(k.connection, k.resource) for k in footprint.links.values()})
    states = [tx.resource(*place) for place in places]
    under_way = [replace(state, progress={}) for state in states if state.progress]
    waits = tx.connection("waits", lock=True)
    is_hers = waits.digest.partition(":")[2] in things
    return Changeset(
        resources=[*under_way, *started_over(tx, things)],
        connections=[replace(waits, digest="")] if is_hers else (),
    )


def _others_cleaned(
    engine: Engine, tx: Transaction, footprint: Footprint, erasure: Erasure
) -> Changeset:
    """Everything else without references to her; what depended on her becomes dirty."""
    others, marks = footprint.others, footprint.marks
    links = [
        in_link(engine.system(k.entity, k.connection), k, marks).woken()
        for k in tx.links(others.links).values()
    ]
    cleaned = [
        in_operation(engine.system(o.entity, o.connection), o, marks)
        for o in others.operations.values()
    ]
    pending = [o for o in cleaned if o.state is OperationState.PENDING]
    called_back = {o.id: replace(o, state=OperationState.CANCELLED) for o in pending}
    wakes = Wakes(
        links={o.link_id for o in pending},
        sharers=[*footprint.records, *footprint.links],
        waiting={*marks.waits, *(OperationSettled(o.id) for o in pending)},
    )
    change = Changeset(
        links=links,
        operations=[called_back.get(o.id, o) for o in cleaned],
        cases=[cleaned_case(engine, tx, case, marks) for case in others.cases.values()],
        wakes=wakes,
    )
    return _records_cleaned(engine, tx, footprint, erasure) + change


def _records_cleaned(
    engine: Engine, tx: Transaction, footprint: Footprint, erasure: Erasure
) -> Changeset:
    """Other records without refs to her, by a change that does not say whom they named; a record that shared an
    identity with her now holds it alone."""
    changed, lines = [], list[Change]()
    for record in footprint.others.records.values():
        left = in_record(record, footprint.marks)
        new = replace(left, generation=record.generation + 1)
        changed.append(new)
        emptied = ", ".join(n for n in left.values if left.values[n] != record.values[n])
        lines.append(
            Change(
                new.id, new.generation, "", new=f"forgot whom it named in {emptied}", policy=POLICY,
                author=erasure.author, at=erasure.at,
            )
        )  # fmt: skip
    gone = [replace(record, deleted=True) for record in footprint.records.values()]
    world = load_world(engine, tx, (), {record.id: record for record in changed})
    known = [record for record in gone if record.entity in engine.project.entities]
    change = Changeset(records=changed, history=lines)
    return change + invalidate(engine, tx, [*changed, *known], world)
