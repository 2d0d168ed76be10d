"""Look: records, links, operations, events and cases as people read them. Nothing here changes anything.

Records go by readable names (their required values that are not sensitive), sensitive values are dotted.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from syncengine.flows.cases import answers_now
from syncengine.flows.engine import Engine
from syncengine.flows.names import DOTS, Names, identity_texts, names
from syncengine.flows.scenes import as_list, load_world
from syncengine.mapping import Entity, Rule, System
from syncengine.model.case import Case, CaseKind
from syncengine.model.change import Change
from syncengine.model.event import Event
from syncengine.model.link import Link, LinkState
from syncengine.model.operation import UNSETTLED, Operation, OperationState
from syncengine.model.record import Record
from syncengine.model.ref import Ref
from syncengine.model.values import ABSENT, Json, is_empty
from syncengine.planning.sight import LABELS

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


def row_values(system: System, entity: Entity, row: Mapping[str, Json]) -> dict[str, Json]:
    """What a vendor's row shows of our fields, in the vendor's words; sensitive values dotted."""
    seen = {name: spoken(rule, row) for name, rule in system.rules.items()}
    return {
        name: DOTS if entity.fields[name].sensitive and not is_empty(raw) else raw
        for name, raw in seen.items()
        if raw is not ABSENT
    }


def spoken(rule: Rule, row: Mapping[str, Json]) -> Json:
    """A vendor's own value of a field; of a rule with expressions, what they read."""
    raw = rule.look(row)
    if not (rule.read and rule.written and isinstance(raw, dict)):
        return raw
    found = [value for value in raw.values() if not is_empty(value)]
    return found if len(found) > 1 else next(iter(found), None)


def _row_name(engine: Engine, link: Link) -> str:
    """What an untied row is called, after the same fields as a record, or its first identity."""
    entity, system = engine.project.entities.get(link.entity), _system(engine, link)
    if entity is None or system is None or link.row is None:
        return ""
    shown, labelled = row_values(system, entity, link.row), _labels(system, entity, link.row)
    required = [n for n in shown if entity.fields[n].required and not entity.fields[n].is_ref]
    bare = [n for n in labelled if n != "email"]
    chosen = required or bare or [n for rule in entity.identity for n in rule if n in shown][:1]
    found = labelled | shown
    return " ".join(str(found[n]) for n in chosen if not is_empty(found[n]))


def _labels(system: System, entity: Entity, row: Mapping[str, Json]) -> dict[str, Json]:
    """What else of a row people recognise it by: names and addresses that the mapping does not read."""
    read = {root for rule in system.rules.values() for root in rule.roots}
    hidden = {name for name, declared in entity.fields.items() if declared.sensitive}
    unread = (name for name in LABELS if name not in read | hidden)
    return {name: row[name] for name in unread if not is_empty(row.get(name))}


def select_links(
    engine: Engine, entity: str | None, connection: str | None, states: Collection[str], limit: int
) -> list[Document]:
    """Links as asked, the oldest first."""
    with engine.ledger.read() as tx:
        links = tx.select_links(entity=entity, connection=connection, states=states, limit=limit)
        called = names(engine, tx, [link.record_id for link in links])
    return [link_document(called, link) for link in links]


def link_document(called: Names, link: Link) -> Document:
    tied = link.record_id is not None
    said = link.ruling if link.ruling is not None and link.ruling.refuses else None
    return {
        "id": link.id,
        "entity": link.entity,
        "connection": link.connection,
        "resource": link.resource,
        "external_id": link.external_id,
        "record": link.record_id,
        "name": called.of(link.record_id) if tied else _row_name(called.engine, link),
        "state": str(link.state),
        "waits_for": link.wait.what if link.wait and said is None else None,
        "let_be": f"{said.kind} {said.told}{': ' * bool(said.reason)}{said.reason}"
        if said
        else None,
        "read_at": link.read_at or None,
    }


def select_operations(
    engine: Engine, connection: str | None, states: Collection[str], limit: int
) -> list[Document]:
    """Operations as asked, the newest first; which fields they carry, not the values."""
    with engine.ledger.read() as tx:
        operations = tx.select_operations(states, connection, limit=limit)
        called = names(engine, tx, [o.record_id for o in operations])
    return [_operation(called, operation) for operation in operations]


def _operation(called: Names, operation: Operation) -> Document:
    return {
        "id": operation.id,
        "entity": operation.entity,
        "connection": operation.connection,
        "resource": operation.resource,
        "external_id": operation.external_id,
        "record": operation.record_id,
        "name": called.of(operation.record_id),
        "action": "leave" if operation.leave else str(operation.action),
        "state": str(operation.state),
        "attempts": operation.attempts,
        "fields": sorted(operation.carried),
        "created_at": operation.created_at,
        "next_at": operation.next_at or None,
        "detail": "" if operation.state is OperationState.APPLIED else operation.detail,
    }


def select_events(engine: Engine, connection: str | None, limit: int) -> list[Event]:
    """The newest events first."""
    with engine.ledger.read() as tx:
        return tx.select_events(connection, limit)


def held_back(engine: Engine) -> tuple[int, int]:
    """(operations that only a person can move, all unsettled ones): the connection is paused, or a question about
    the operation is open."""
    with engine.ledger.read() as tx:
        waiting = tx.select_operations(UNSETTLED)
        asked = {case.operation_id for case in tx.cases(kind=CaseKind.UNKNOWN)}
        paused = {n for n in engine.project.connections if tx.connection(n).paused}
    held = [o for o in waiting if o.id in asked or o.connection in paused]
    return len(held), len(waiting)


def select_cases(engine: Engine, kind: str | None = None, closed: bool = False) -> list[Document]:
    """Cases, the oldest first, each with what it is about; ``case`` shows one with its evidence."""
    with engine.ledger.read() as tx:
        found = tx.cases(kind=kind, open_only=not closed)
        links = tx.links({case.link_id for case in found if case.link_id})
        called = names(engine, tx, [c.record_id or _record(links, c) for c in found])
    return [_case(called, links, case) for case in found]


def _record(links: Mapping[str, Link], case: Case) -> str | None:
    link = links.get(case.link_id or "")
    return link.record_id if link is not None else None


def _case(called: Names, links: Mapping[str, Link], case: Case) -> Document:
    link = links.get(case.link_id or "")
    record = case.record_id or _record(links, case)
    about = called.of(record) if record else _row_name(called.engine, link) if link else ""
    return {
        "id": case.id,
        "kind": str(case.kind),
        "entity": case.entity,
        "about": about,
        "connection": link.connection if link else None,
        "external_id": link.external_id if link else case.evidence.get("external_id"),
        "question": case.question,
        "answers": case.answers,
        "opened_at": case.opened_at,
        "closed_at": case.closed_at,
        "answer": case.answer,
        "author": case.author,
        "reason": case.reason,
    }


def find_cases(engine: Engine, text: str) -> list[str]:
    """Ids of the cases, closed ones too, that an id or its end may mean."""
    with engine.ledger.read() as tx:
        ids = [case.id for case in tx.cases(open_only=False)]
    exact = [i for i in ids if i == text]
    return exact or [i for i in ids if len(text) >= SHORTEST and i.endswith(text)]


def case(engine: Engine, case_id: str) -> Document:
    """One case with its evidence: ``sides`` are what stands beside each other (``title``, ``values``), ``writes``
    the writes that are held. Raises KeyError for an unknown id."""
    with engine.ledger.read() as tx:
        found = {c.id: c for c in tx.cases(ids=[case_id], open_only=False)}[case_id]
        evidence = found.evidence
        near = {*evidence.get("rows", ()), *evidence.get("links", ()), found.link_id or ""}
        links = tx.links(near)
        shown = {i: replace(k, row=_row_shown(found, k)) for i, k in links.items()}
        tied = load_world(engine, tx, shown.values(), {}).tied
        ids = {*evidence.get("records", ()), found.record_id, *_ref_values(engine, found)}
        ids |= {*tied.values(), *(link.record_id for link in links.values())}
        called = names(engine, tx, ids)
        possible = answers_now(engine, tx, found)
        history = tx.history(found.record_id) if found.record_id and "fields" in evidence else []
    document = _case(called, links, found)
    document["answers"] = {
        given: _readable(called, given, does) for given, does in possible.items()
    }
    document["sides"] = _sides(called, tied, shown, found, _origin(history, found))
    document["writes"] = [
        link_document(called, links[i]) for i in evidence.get("links", ()) if i in links
    ]
    document["vendor_says"] = evidence.get("answer")
    return document


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
    if entity is None:
        return [_side("found", {k: v for k, v in evidence.items() if k != "row"})]
    if "fields" in evidence:
        return _values_in_question(called, entity, case, origin)
    link = links.get(case.link_id or "")
    system = _system(called.engine, link)
    sides = []
    if link is not None and "row" in evidence:
        sides.append(_row_side(called, tied, link, "this row: "))
    sides += [_row_side(called, tied, links[i]) for i in evidence.get("rows", ()) if i in links]
    about = evidence.get("records") or ([case.record_id] if case.record_id else [])
    sides += [_record_side(called, entity, i, len(about)) for i in about if i in called.records]
    if "body" in evidence:
        sides.append(_side("we sent", _body(system, evidence["body"])))
    if "found" in evidence:
        sides.append(_side("the row has", _misfit(entity, evidence)))
    return sides


def _system(engine: Engine, link: Link | None) -> System | None:
    return None if link is None else engine.system(link.entity, link.connection)


def _side(title: str, values: Mapping[str, Json]) -> Document:
    return {"title": title.strip(), "values": dict(values)}


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
        values = row_values(system, entity, link.row)
        for name in [n for n in values if not entity.fields[n].sensitive]:
            refs = system.rules[name].refs(system.rules[name].look(link.row))
            records = [tied[ref] for ref in refs if ref in tied]
            if records and len(records) == len(refs):
                values[name] = ", ".join(called.of(record) for record in records)
        values = _labels(system, entity, link.row) | values
    return _side(f"{title}{link.connection} {link.external_id or ''}", values)


def _record_side(called: Names, entity: Entity, record_id: str, of: int) -> Document:
    record = called.records[record_id]
    values = {n: called.value(entity, n, v) for n, v in record.values.items()}
    return _side("our record" if of == 1 else f"record {record_id[-8:]}", values)


def _body(system: System | None, body: Mapping[str, Json]) -> dict[str, Json]:
    """A body in the vendor's words, by our fields, or by vendor path where no field stands behind it."""
    rules = system.rules.values() if system is not None else ()
    fields = {path: rule.field for rule in rules for path in rule.paths if rule.writes}
    return {
        fields[path].name if path in fields else path:
        DOTS if path in fields and fields[path].sensitive else raw
        for path, raw in body.items()
    }  # fmt: skip


def _misfit(entity: Entity, evidence: Mapping[str, Json]) -> dict[str, Json]:
    name = str(evidence.get("field", ""))
    declared = entity.fields.get(name)
    found = evidence["found"]
    value = found.get("value", found) if isinstance(found, dict) else found
    return {name: DOTS if declared is not None and declared.sensitive else value}
