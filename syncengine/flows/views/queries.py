"""Queries for screens and documents: links, operations, events and cases, with names, masked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from syncengine.flows.core.engine import Engine
from syncengine.flows.core.world import load_world
from syncengine.flows.naming.masking import mask, shown_id, without
from syncengine.flows.naming.names import Names, identity_texts, names
from syncengine.flows.people.approving import Votes, held_by, votes_on
from syncengine.flows.people.cases import answers_now
from syncengine.flows.people.taking import taken
from syncengine.flows.reconcile.unsent import is_observed
from syncengine.flows.views.evidence import Shown, rivals_in
from syncengine.flows.views.held import why_wanted
from syncengine.flows.views.sides import row_name, row_values
from syncengine.ledger import Transaction
from syncengine.mapping import Entity, System
from syncengine.model.case import Case, CaseKind
from syncengine.model.change import Change
from syncengine.model.condition import InScope
from syncengine.model.event import Event
from syncengine.model.link import Link, LinkState
from syncengine.model.operation import UNSETTLED, Operation, OperationState
from syncengine.model.record import Record
from syncengine.model.ref import Ref
from syncengine.model.values import Json, as_list

SHORTEST = 6
"""Characters that the end of an id must have to stand for it."""
UNLINKED = (LinkState.SEEN, LinkState.UNLINKED)

Document = dict[str, Any]
Tied = Mapping[tuple[str, Ref], str]
"""Entity and row that a row refers to -> the record whose row that is."""


Hit = tuple[str, str, str]
"""Entity, id and name of a record."""


def find_records(
    engine: Engine, text: str, entity: str | None = None, gone: bool = False
) -> list[Hit]:
    """The live records that ``text`` may mean: an id or its end, a whole name, an external id or one of the identity
    values (an address, a number); if there is none, a part of a name. ``gone``: if no live one is meant exactly, a
    deleted one may be."""
    asked = [e for e in engine.project.entities.values() if entity in (None, e.name)]
    wanted = text.strip().casefold()
    with engine.ledger.read() as tx:
        groups = [[r for e in asked for r in tx.records_of(e.name)]]
        if gone:
            groups.append([r for e in asked for r in tx.records_of(e.name, deleted=True)])
        called = names(engine, tx, [record.id for group in groups for record in group])
        external = {
            link.record_id
            for e in asked
            for link in tx.select_links(entity=e.name, states=[LinkState.LINKED, LinkState.LEFT])
            if (link.external_id or "").casefold() == wanted
        }
    exact, parts = list[list[Hit]](), list[list[Hit]]()
    for group in groups:
        hits = [(r, (r.entity, r.id, called.of(r.id))) for r in group]
        exact.append([h for r, h in hits if _is_meant(called, r, wanted, r.id in external)])
        parts.append([h for _, h in hits if wanted and wanted in h[2].casefold()])
    return next((found for found in (*exact, *parts) if found), [])


def _is_meant(called: Names, record: Record, wanted: str, external: bool) -> bool:
    entity = called.engine.project.entities[record.entity]
    return (
        external
        or record.id == wanted
        or (len(wanted) >= SHORTEST and record.id.endswith(wanted))
        or wanted in [called.of(record.id, alone=alone).casefold() for alone in (True, False)]
        or wanted in [text.casefold() for text in identity_texts(entity, record)]
    )


def select_links(
    engine: Engine, entity: str | None, connection: str | None, states: Collection[str], limit: int,
    waiting: bool = False,
) -> list[Document]:  # fmt: skip
    """Links as asked, the oldest first; ``waiting``: only those that wait for something."""
    with engine.ledger.read() as tx:
        links = tx.select_links(entity, connection, states, limit=limit, waiting=waiting)
        called = names(engine, tx, [link.record_id for link in links])
    return [link_document(called, link) for link in links]


def link_document(called: Names, link: Link) -> Document:
    tied = link.record_id is not None
    said = link.approval if link.approval is not None and link.approval.refuses else None
    return {
        "id": link.id,
        "entity": link.entity,
        "connection": link.connection,
        "resource": link.resource,
        "external_id": shown_id(called.engine, link.connection, link.resource, link.external_id),
        "record": link.record_id,
        "name": called.of(link.record_id) if tied else row_name(called.engine, link),
        "state": str(link.state),
        "waits_for": link.wait.what if link.wait and said is None else None,
        "out_of_scope": link.wait is not None and link.wait.on == InScope(),
        "let_be": f"{said.kind} {said.summary}{': ' * bool(said.reason)}{said.reason}"
        if said
        else None,
        "read_at": link.read_at or None,
    }


def select_operations(
    engine: Engine, connection: str | None, state: str | None, limit: int,
    record: str | None = None, since: float | None = None, until: float | None = None,
) -> list[Document]:  # fmt: skip
    """Operations as asked, the newest first; which fields they carry, not the values."""
    with engine.ledger.read() as tx:
        found = tx.page_of_operations(
            None, limit, connection=connection, state=state, record_id=record,
            created_at__ge=since, created_at__lt=until,
        )  # fmt: skip
        return operation_documents(engine, tx, found)


def operation_documents(
    engine: Engine, tx: Transaction, operations: Sequence[Operation]
) -> list[Document]:
    """Operations as documents; which fields they carry, not the values."""
    called = names(engine, tx, [o.record_id for o in operations])
    links = tx.links({o.link_id for o in operations if o.detail})
    return [_operation(called, links, operation) for operation in operations]


def _operation(called: Names, links: Mapping[str, Link], operation: Operation) -> Document:
    engine, applied = called.engine, operation.state is OperationState.APPLIED
    secrets = mask(engine, operation.entity).secrets(
        engine.system(operation.entity, operation.connection),
        called.records.get(operation.record_id), links.get(operation.link_id), operation,
    )  # fmt: skip
    return {
        "id": operation.id,
        "entity": operation.entity,
        "connection": operation.connection,
        "resource": operation.resource,
        "external_id": shown_id(
            engine, operation.connection, operation.resource, operation.external_id
        ),
        "record": operation.record_id,
        "name": called.of(operation.record_id),
        "action": "leave" if operation.leave else str(operation.action),
        "state": str(operation.state),
        "attempts": operation.attempts,
        "fields": sorted(operation.carried),
        "created_at": operation.created_at,
        "next_at": operation.next_at or None,
        "detail": "" if applied else without(operation.detail, secrets),
    }


def select_events(
    engine: Engine, connection: str | None, limit: int, record: str | None = None,
    since: float | None = None, until: float | None = None, source: str | None = None,
) -> list[Event]:  # fmt: skip
    """The newest events first; ``record``: of the rows that belong to it, or did."""
    with engine.ledger.read() as tx:
        links = [] if record is None else tx.links_of([record])
        refs = {Ref(k.connection, k.resource, k.external_id) for k in links if k.external_id}
        asked = None if record is None else refs
        found = tx.select_events(connection, limit, since, until, asked, source)
    return [
        replace(e, external_id=shown_id(engine, e.connection, e.resource, e.external_id) or "")
        for e in found
    ]


def blocked_operations(engine: Engine) -> tuple[int, int]:
    """(operations that only a person can move, all unsettled ones): the connection is paused, or a question about
    the operation is open. What waits where writes are only observed is neither."""
    with engine.ledger.read() as tx:
        waiting = [
            o for o in tx.select_operations(UNSETTLED)
            if not (o.state is OperationState.PENDING and is_observed(engine, o.connection))
        ]  # fmt: skip
        asked = {case.operation_id for case in tx.cases(kind=CaseKind.UNKNOWN)}
        paused = {n for n in engine.project.connections if tx.connection(n).paused}
    held = [o for o in waiting if o.id in asked or o.connection in paused]
    return len(held), len(waiting)


def case_documents(engine: Engine, tx: Transaction, found: Sequence[Case]) -> list[Document]:
    """Cases as documents, each with what it is about."""
    links = tx.links({case.link_id for case in found if case.link_id})
    called = names(engine, tx, [c.record_id or record_of(links, c) for c in found])
    rivals = rivals_in(tx, found)
    by = taken(tx, found, engine.clock.now())
    return [{**_case(called, links, case, rivals), "taken": by.get(case.id)} for case in found]


def record_of(links: Mapping[str, Link], case: Case) -> str | None:
    """The record of the link that a case is about."""
    link = links.get(case.link_id or "")
    return link.record_id if link is not None else None


def _case(called: Names, links: Mapping[str, Link], case: Case, rivals: Sequence[Link]) -> Document:
    link = links.get(case.link_id or "")
    record = case.record_id or record_of(links, case)
    about = called.of(record) if record else row_name(called.engine, link) if link else ""
    at = Shown(called, case, link, rivals)
    return {
        "id": case.id,
        "kind": str(case.kind),
        "entity": case.entity,
        "about": about,
        "connection": at.place[0] if at.place else None,
        "external_id": at.external_id,
        "question": at.text(case.question),
        "answers": {given: at.text(does) for given, does in case.answers.items()},
        "opened_at": case.opened_at,
        "closed_at": case.closed_at,
        "answer": case.answer,
        "author": case.author,
        "reason": at.text(case.reason),
    }


def find_cases(engine: Engine, text: str) -> list[str]:
    """Ids of the cases, closed ones too, that an id or its end may mean."""
    with engine.ledger.read() as tx:
        ids = [case.id for case in tx.cases(open_only=False)]
    exact = [i for i in ids if i == text]
    return exact or [i for i in ids if len(text) >= SHORTEST and i.endswith(text)]


def questions_about(engine: Engine, name: str) -> list[str]:
    """Ids of the open questions about somebody of this name who is no record yet."""
    with engine.ledger.read() as tx:
        found = case_documents(engine, tx, tx.cases(kind=CaseKind.IDENTITY))
    wanted = name.strip().casefold()
    return [case["id"] for case in found if case["about"].casefold() == wanted]


def case(engine: Engine, case_id: str) -> Document:
    """One case with its evidence: ``sides`` are what stands beside each other (``title``, ``values``), ``writes``
    the writes that are held (of a closed case those that are still held back, if any, else what it was about),
    ``approvals`` how far these are approved. Raises KeyError for an unknown id."""
    with engine.ledger.read() as tx:
        found = {c.id: c for c in tx.cases(ids=[case_id], open_only=False)}[case_id]
        evidence = found.evidence
        near = {*evidence.get("rows", ()), *evidence.get("links", ()), found.link_id or ""}
        back = held_by(tx, found) if found.kind is CaseKind.STAGED and found.closed_at else []
        links = tx.links(near) | {k.id: k for k in back}
        shown = {i: replace(k, row=_row_shown(found, k)) for i, k in links.items()}
        tied = load_world(engine, tx, shown.values(), {}).tied
        ids = {*evidence.get("records", ()), found.record_id, *_ref_values(engine, found)}
        ids |= {*tied.values(), *(link.record_id for link in links.values())}
        called = names(engine, tx, ids)
        possible = answers_now(engine, tx, found)
        rivals = rivals_in(tx, [replace(found, answers=possible)])
        history = tx.history(found.record_id) if found.record_id and "fields" in evidence else []
        votes = votes_on(engine, tx, found)
        held = back or [links[i] for i in evidence.get("links", ()) if i in links]
        why = why_wanted(engine, tx, called, held) if held else {}
        by = taken(tx, [found], engine.clock.now())
    document = {**_case(called, links, found, rivals), "taken": by.get(case_id)}
    at = Shown(called, found, links.get(found.link_id or ""), rivals)
    document["answers"] = {
        given: _readable(called, given, at.text(does)) for given, does in possible.items()
    }
    document["sides"] = _sides(called, tied, shown, found, _origin(history, found))
    document["writes"] = [
        {**link_document(called, link), "because": why.get(link.id, [])} for link in held
    ]
    document["vendor_says"] = at.vendor_says
    document["approvals"] = None if votes is None else _approvals(votes)
    return document


def _approvals(votes: Votes) -> Document:
    """How far held writes are approved, and the digest by which an approval says which ones it means."""
    given = [{"by": v.author, "at": v.at, "reason": v.reason} for v in votes.given]
    told = {"digest": votes.digest, "needed": votes.needed, "given": given}
    return {**told, "part": list(votes.part)}


def _ref_values(engine: Engine, case: Case) -> set[str]:
    """Record ids among the values that are in question."""
    entity = engine.project.entities.get(case.entity)
    return {
        target
        for name, sides in case.evidence.get("fields", {}).items()
        if entity is not None and name in entity.fields and entity.fields[name].is_ref
        for value in sides.values()
        for target in as_list(value)
    }


def _readable(called: Names, answer: str, does: str) -> str:
    record = answer.partition(" ")[2]
    return does.replace(record, called.of(record)) if record else does


def _row_shown(case: Case, link: Link) -> Mapping[str, Json] | None:
    """The row as the case has it, if it is about this one; as it is now, of others."""
    row: Mapping[str, Json] | None = case.evidence.get("row") if link.id == case.link_id else None
    return row if row is not None else link.row


def _origin(history: Sequence[Change], case: Case) -> str:
    """``, from hr`` where all of our values that are in question came from one system."""
    origins = {
        next(iter(c.connection for c in reversed(history) if c.field in (name, "")), "")
        for name in case.evidence.get("fields", ())
    }
    return f", from {origins.pop()}" if len(origins) == 1 and all(origins) else ""


def _sides(
    called: Names, tied: Tied, links: Mapping[str, Link], case: Case, origin: str
) -> list[Document]:
    evidence = case.evidence
    entity = called.engine.project.entities.get(case.entity)
    link = links.get(case.link_id or "")
    at = Shown(called, case, link)
    if entity is None:
        return [_side("found", at.loose())]
    if "fields" in evidence:
        return _values_in_question(called, entity, case, origin)
    sides = []
    if link is not None and "row" in evidence:
        sides.append(_row_side(called, tied, link, "this row: "))
    sides += [_row_side(called, tied, links[i]) for i in evidence.get("rows", ()) if i in links]
    for name, place in _places(called.engine, evidence).items():
        sides.append(_side(name, place))
    about = evidence.get("records") or ([case.record_id] if case.record_id else [])
    sides += [_record_side(called, entity, i, len(about)) for i in about if i in called.records]
    if "body" in evidence:
        sides.append(_side("we sent", at.body(evidence["body"])))
    if "found" in evidence:
        sides.append(_side("the row has", at.misfit()))
    return sides


def _places(engine: Engine, evidence: Mapping[str, Json]) -> dict[str, dict[str, Json]]:
    """Connection -> resource -> the rows that are shown again of somebody who was erased."""
    found: dict[str, dict[str, Json]] = {}
    for _, connection, resource, external_id in evidence.get("places", ()):
        rows = found.setdefault(connection, {})
        told = shown_id(engine, connection, resource, external_id) or "some of it"
        rows[resource] = ", ".join([*([rows[resource]] if resource in rows else []), told])
    return found


def _system(engine: Engine, link: Link | None) -> System | None:
    return None if link is None else engine.system(link.entity, link.connection)


def _side(title: str, values: Mapping[str, Json], of: str = "") -> Document:
    """``of``: the id with which the title ends."""
    return {"title": title.strip(), "of": of, "values": dict(values)}


def _values_in_question(called: Names, entity: Entity, case: Case, origin: str) -> list[Document]:
    """Our value and the vendor's of each field, as the evidence has them."""
    fields: Mapping[str, Mapping[str, Json]] = case.evidence["fields"]
    sides = dict.fromkeys(side for values in fields.values() for side in values)
    return [
        _side(
            f"our record{origin}" if side == "record" else side,
            {n: called.value(entity, n, values.get(side)) for n, values in fields.items()},
        )
        for side in sides
    ]


def _row_side(called: Names, tied: Tied, link: Link, title: str = "") -> Document:
    """A vendor's row; what it refers to by name, where we know it."""
    entity, system = called.engine.project.entities.get(link.entity), _system(called.engine, link)
    values: dict[str, Json] = {}
    if entity is not None and system is not None and link.row is not None:
        at = mask(called.engine, entity)
        values = row_values(at, system, link.row)
        for name in [n for n in values if not at.hides(n)]:
            refs = system.rules[name].refs(system.rules[name].extract(link.row))
            records = [tied[ref] for ref in refs if ref in tied]
            if records and len(records) == len(refs):
                values[name] = ", ".join(called.of(record) for record in records)
        values = at.labels(system, link.row) | values
    row = shown_id(called.engine, link.connection, link.resource, link.external_id)
    return _side(f"{title}{link.connection} {row or ''}", values, row or "")


def _record_side(called: Names, entity: Entity, record_id: str, of: int) -> Document:
    record = called.records[record_id]
    values = {n: called.value(entity, n, v) for n, v in record.values.items()}
    short = record_id[-8:]
    return _side(*("our record", values) if of == 1 else (f"record {short}", values, short))
