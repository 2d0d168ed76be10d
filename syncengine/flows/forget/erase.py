"""Erase: somebody is forgotten. Everything that is held of her goes from every table, at once and for good.

What stays is a tombstone of keyed hashes, by which she is known should a vendor show her again
(``syncengine.flows.capture.returns``), and a line in the erasure log that does not say who it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from syncengine.errors import LostRace
from syncengine.flows.capture.returns import place_key, settle_return
from syncengine.flows.core.engine import Engine, new_id, stubborn
from syncengine.flows.core.staging import review
from syncengine.flows.core.world import load_world
from syncengine.flows.forget.circle import Circle, cleaned_case, gather, late, refs_in
from syncengine.flows.forget.retention import start_over
from syncengine.flows.naming.masking import shown_id
from syncengine.flows.naming.mentions import in_change, in_link, in_operation, in_record
from syncengine.flows.naming.names import Names, names
from syncengine.flows.people.decisions import Decision, NotPossible
from syncengine.flows.reconcile.births import spread
from syncengine.ledger import Transaction
from syncengine.model.case import CaseKind
from syncengine.model.change import Change
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
    """What an erasure would remove, what vendors hold besides, and what stands in its way. Raises NotPossible."""
    with engine.ledger.read() as tx:
        circle = gather(engine, tx, record_id)
        called = names(engine, tx, circle.records)
    return described(engine, circle, called)


def described(engine: Engine, circle: Circle, called: Names) -> Document:
    """``preview`` of what was gathered."""
    others = circle.others
    earlier = [r for r in circle.selves.values() if r.id != circle.record.id]
    held = {
        "records": circle.records, "links": circle.links, "operations": circle.operations,
        "history": circle.history, "events": circle.events, "cases": circle.cases,
    }  # fmt: skip
    named = Counter(
        f"{record.entity}.{name}"
        for record in others.records.values()
        for name, value in record.values.items()
        if circle.marks.named_by(value)
    )
    return {
        "entity": circle.record.entity,
        "record": circle.record.id,
        "name": called.of(circle.record.id),
        "earlier": [{"record": r.id, "name": called.of(r.id)} for r in earlier],
        "removes": {name: len(of) for name, of in held.items()},
        "belongs": dict(Counter(r.entity for i, r in circle.records.items() if i not in circle.selves)),
        "named_by": dict(sorted(named.items())),
        "vendors": [_place(engine, link) for link in _at_vendors(circle)],
        "under_way": _under_way(circle),
        "asked": _asked(circle),
    }  # fmt: skip


def _at_vendors(circle: Circle) -> list[Link]:
    """The rows that vendors hold, as far as is known."""
    there = [k for k in circle.links.values() if k.row is not None and k.external_id is not None]
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
    """Where the mapping says that a row is deleted there once its record leaves, and it can be; else nothing."""
    system = engine.system(link.entity, link.connection)
    connection = engine.project.connections.get(link.connection)
    if system is None or connection is None or link.record_id is None or link.row is None:
        return None
    if system.on_leave != "delete" or not system.resource.delete or connection.mode != "write":
        return None
    return system.cause("on_leave") if link.state is LinkState.LINKED else None


def _under_way(circle: Circle) -> list[str]:
    """Writes that may take effect still, in words."""
    held = [*circle.operations.values(), *circle.others.operations.values()]
    return sorted({_told(o) for o in held if o.state in UNDER_WAY})


def _asked(circle: Circle) -> list[Document]:
    """Open questions whether a row of nobody is hers: only a person can say whether it is to go with her."""
    return [
        {"case": case.id, "question": case.question}
        for case in circle.others.cases.values()
        if case.kind is CaseKind.IDENTITY and case.closed_at is None
        and not circle.selves.keys().isdisjoint(case.evidence.get("records", ()))
    ]  # fmt: skip


def _told(operation: Operation) -> str:
    how = "has no outcome yet" if operation.state is OperationState.UNKNOWN else "is under way"
    return f"{operation.action} of {operation.entity} in {operation.connection} {how}"


def erase(
    engine: Engine, record_id: str, reason: str, author: str, leave_rows: bool = False
) -> Erasure | list[Document]:
    """Forget a record and all that belongs to it, in one transaction. Where the mapping has rows deleted when their
    record leaves, and ``leave_rows`` is not said, that comes first: the records are deleted, and the rows that are
    waited for are returned. Raises NotPossible."""
    eraser = _Eraser(engine)
    made = eraser.erase(record_id, reason, author, leave_rows)
    done = made if isinstance(made, list) else eraser.catch_up(*made)
    for task in ("refresh", "reconcile", "derive"):
        engine.queue.announce(task, [])
    return done


@dataclass(slots=True)
class _Eraser:
    engine: Engine

    @stubborn
    def erase(
        self, record_id: str, reason: str, author: str, leave_rows: bool
    ) -> tuple[Circle, Erasure] | list[Document]:
        """What was read is removed if it is still so; else it is read again."""
        engine = self.engine
        with engine.ledger.read() as tx:
            circle = gather(engine, tx, record_id)
        _check_reason(circle, reason)
        with engine.ledger.write() as tx:
            self._lock(tx, circle)
            _check_ready(circle)
            first = [k for k in _at_vendors(circle) if mapped_delete(engine, k)]
            if first and not leave_rows:
                _let_leave(engine, tx, circle, first, author)
                return [_place(engine, link) for link in first]
            kind, now = circle.record.entity, engine.clock.now()
            line = Erasure(new_id(), kind, now, author, reason)
            return circle, self._remove(tx, circle, line)

    def _lock(self, tx: Transaction, circle: Circle) -> None:
        """Hold all that is to change. Raises LostRace where some of it has moved since it was read."""
        others = circle.others
        records = {**circle.records, **others.records}
        links = {**circle.links, **others.links}
        operations = {**circle.operations, **others.operations}
        now = tx.records(records, lock=True)
        held = tx.links(links, lock=True)
        due = tx.operations(operations, lock=True)
        same = (
            {i: r.generation for i, r in now.items()} == {i: r.generation for i, r in records.items()}
            and {i: _version(k) for i, k in held.items()} == {i: _version(k) for i, k in links.items()}
            and {i: o.state for i, o in due.items()} == {i: o.state for i, o in operations.items()}
            and {o.id for o in tx.operations_of(circle.records, circle.links)}
            == circle.operations.keys()
            and {k.id for k in tx.links_of(circle.records)} <= circle.links.keys()
        )  # fmt: skip
        if not same:
            raise LostRace("the service is at work on what is to be erased; try again in a minute")

    def _remove(self, tx: Transaction, circle: Circle, erasure: Erasure) -> Erasure:
        """Wake whoever has to know, take it out of others, and delete."""
        engine = self.engine
        tombstone = _tombstone(engine, tx, circle, erasure)
        tx.dirty_sharers([*circle.records, *circle.links])
        tx.dirty_waiting(circle.marks.waits)
        _clean_others(engine, tx, circle, erasure)
        for connection, resource in {(k.connection, k.resource) for k in circle.links.values()}:
            state = tx.resource(connection, resource)
            if state.progress:
                tx.save_resource(replace(state, progress={}))
        start_over(tx, circle.marks.things)
        waits = tx.connection("waits", lock=True)
        if waits.digest.partition(":")[2] in circle.marks.things:
            tx.save_connection(replace(waits, digest=""))
        refs = refs_in(circle.records, circle.marks)
        events = [e.id for e in tx.events_about(refs, circle.links, circle.operations)]
        counts = tx.erase(circle.records, circle.links, circle.operations, circle.cases, events)
        review(engine, tx, circle.links.values())
        tx.take_keys(tombstone)
        for told in tx.erasures([erasure.id], lock=True):
            more = replace(told, counts=dict(Counter(told.counts) + Counter(counts)))
            tx.save_erasures([more])
            return more
        told = replace(erasure, counts=counts)
        tx.add_erasure(told)
        return told

    @stubborn
    def catch_up(self, gone: Circle, erasure: Erasure) -> Erasure:
        """Another worker may have decided meanwhile on what it had read before: what names the erased goes, too."""
        engine = self.engine
        with engine.ledger.read() as tx:
            ours, left = late(engine, tx, gone)
            found = [gather(engine, tx, id_) for id_ in ours]
        if left.links or left.others.records:
            found.append(left)
        for circle in found:
            with engine.ledger.write() as tx:
                self._lock(tx, circle)
                erasure = self._remove(tx, circle, erasure)
        return erasure


def _version(link: Link) -> tuple[int, int, LinkState]:
    return link.version, link.row_version, link.state


def erasures(engine: Engine) -> list[Erasure]:
    """The erasure log, oldest first."""
    with engine.ledger.read() as tx:
        return tx.erasures()


def take_in(engine: Engine, erasure_id: str) -> None:
    """Whoever was erased is no longer kept out: what vendors show of her is as new. Raises NotPossible."""
    with engine.ledger.write() as tx:
        if not tx.erasures([erasure_id], lock=True):
            raise NotPossible("there is no such erasure: see `syncengine erasures`")
        settle_return(tx, erasure_id, TAKE_IN)
        tx.dissolve_cases({f"{ERASED}{erasure_id}"}, engine.clock.now())


def _check_reason(circle: Circle, reason: str) -> None:
    """Raises NotPossible where a reason says who it is."""
    if circle.marks.telling.hinted(reason):
        raise NotPossible(
            f"--reason says which {circle.record.entity} it is, and the erasure log must not: "
            "say why without a name, address or number, for example by the number of the request"
        )


def _check_ready(circle: Circle) -> None:
    """Raises NotPossible while a write may take effect still, or it is not known what is hers."""
    if busy := _under_way(circle):
        raise NotPossible(
            f"{'; '.join(busy)}: try again in a minute; where no outcome comes by itself, "
            "`syncengine cases list --kind unknown` asks for it"
        )
    if asked := _asked(circle):
        ids = ", ".join(str(case["case"])[-8:] for case in asked)
        raise NotPossible(
            f"it is asked whether {len(asked)} more rows are of this {circle.record.entity}, and they would stay: "
            f"answer that first, with `syncengine cases show` ({ids})"
        )


def _let_leave(
    engine: Engine, tx: Transaction, circle: Circle, links: Iterable[Link], author: str
) -> None:
    """The records of these rows are deleted like any others, so that their rows go as the mapping says."""
    act = Decision(engine, tx, author)
    for record_id in dict.fromkeys(link.record_id or "" for link in links):
        record = circle.records[record_id]
        if not record.deleted:
            act.delete(record, POLICY)


def _tombstone(engine: Engine, tx: Transaction, circle: Circle, erasure: Erasure) -> list[Key]:
    """By what she would be known again: each of her rows, and her identity as far as nobody else bears it."""
    keys = [place_key(entity, ref, erasure.id) for entity, ref in circle.marks.places]
    for record in circle.selves.values():
        entity = engine.project.entities.get(record.entity)
        if entity is None:
            continue
        world = load_world(engine, tx, (), {record.id: record})
        borne = record_keys(entity, replace(record, deleted=False), world)
        asked = [replace(k, kind=kind) for k in borne for kind in (KeyKind.RECORD, KeyKind.SHARED)]
        others = {
            (scope, parts)
            for (_, scope, parts), owners in tx.bearers(asked).items()
            if not circle.records.keys() >= set(owners)
        }
        keys += [
            replace(k, kind=KeyKind.ERASED, owner=erasure.id)
            for k in borne if (k.scope, k.parts) not in others
        ]  # fmt: skip
    return keys


def _clean_others(engine: Engine, tx: Transaction, circle: Circle, erasure: Erasure) -> None:
    """Nobody else names her any more."""
    others, marks = circle.others, circle.marks
    _clean_records(engine, tx, circle, erasure)
    links = tx.links(others.links)
    tx.save_links(
        [
            replace(in_link(engine.system(k.entity, k.connection), k, marks), dirty=k.dirty + 1)
            for k in links.values()
        ]
    )
    cleaned = [
        in_operation(engine.system(o.entity, o.connection), o, marks)
        for o in others.operations.values()
    ]
    pending = [o for o in cleaned if o.state is OperationState.PENDING]
    called_back = {o.id: replace(o, state=OperationState.CANCELLED) for o in pending}
    tx.save_operations([called_back.get(o.id, o) for o in cleaned])
    tx.dirty_links([o.link_id for o in pending])
    tx.dirty_waiting({f"op:{o.id}" for o in pending})
    tx.save_changes([in_change(change, marks) for change in others.changes])
    tx.save_cases([cleaned_case(engine, tx, case, marks) for case in others.cases.values()])


def _clean_records(engine: Engine, tx: Transaction, circle: Circle, erasure: Erasure) -> None:
    """Records lose the refs to her as by a change that does not say whom they named; whoever shared an identity with
    her bears it alone."""
    changed, lines = [], list[Change]()
    for record in circle.others.records.values():
        left = in_record(record, circle.marks)
        new = replace(left, generation=record.generation + 1)
        changed.append(new)
        emptied = ", ".join(n for n in left.values if left.values[n] != record.values[n])
        lines.append(
            Change(
                new.id, new.generation, "", new=f"forgot whom it named in {emptied}", policy=POLICY,
                author=erasure.author, at=erasure.at,
            )
        )  # fmt: skip
    gone = [replace(record, deleted=True) for record in circle.records.values()]
    world = load_world(engine, tx, (), {record.id: record for record in changed})
    tx.save_records(changed)
    tx.add_history(lines)
    known = [record for record in gone if record.entity in engine.project.entities]
    spread(engine, tx, [*changed, *known], world, ())
