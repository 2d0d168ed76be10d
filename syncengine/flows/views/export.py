"""Export: everything that is held of somebody, from where, since when and why, for her own eyes (art. 15 and 20)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from syncengine.flows.core.engine import Engine
from syncengine.flows.forget.footprint import Footprint, gather
from syncengine.flows.naming.names import Names, names
from syncengine.flows.views.explain import explain
from syncengine.model.case import Case
from syncengine.model.event import Event
from syncengine.model.link import Base, Link
from syncengine.model.operation import Operation
from syncengine.model.values import Json, as_list, utc_text

Document = dict[str, Any]


def export(engine: Engine, record_id: str, author: str) -> Document:
    """All that is held of a record and of what belongs to it, sensitive values too, in plain words and plain JSON.
    Raises NotPossible."""
    engine = replace(engine, shows_sensitive=True)
    with engine.ledger.read() as tx:
        footprint = gather(engine, tx, record_id, to_show=True)
        targets = {
            t for r in footprint.records.values() for v in r.values.values() for t in as_list(v)
        }
        ids = {*footprint.records, *(t for t in targets if isinstance(t, str))}
        called = names(engine, tx, ids)
    told = {i: _explained(engine, i) for i, r in footprint.records.items()
            if r.entity in engine.project.entities}  # fmt: skip
    return {
        "what": "Everything that is held of one person or thing, and of what belongs to it.",
        "made_at": utc_text(engine.clock.now()),
        "made_by": author,
        "entity": footprint.record.entity,
        "record": footprint.record.id,
        "name": called.of(footprint.record.id),
        "records": [_record(footprint, called, i, told.get(i)) for i in _in_order(footprint)],
        "rows_of_nobody": [_link(k) for k in footprint.links.values() if k.record_id is None],
        "questions": [_case(case) for case in footprint.cases.values()],
        "sightings": [_event(event) for event in footprint.events],
        "named_by": _named_by(footprint),
    }


_AS_SHOWN = frozenset(
    ["shows", "agreed_on", "seen_meanwhile", "sent", "for", "instead_of", "evidence", "value"]
)
"""What stands in a document as vendors and records have it."""


def readable(document: Json, name: str = "") -> Json:
    """A document with times in words, in UTC; what vendors and records say stays as it is."""
    if name in _AS_SHOWN:
        return document
    if isinstance(document, Mapping):
        return {key: readable(value, key) for key, value in document.items()}
    if isinstance(document, list):
        return [readable(item) for item in document]
    is_time = isinstance(document, float) and (name.endswith("at") or name == "since")
    return utc_text(document) if is_time else document


def _explained(engine: Engine, record_id: str) -> Document:
    return explain(engine, record_id)


def _in_order(footprint: Footprint) -> list[str]:
    """She herself first, then what she was before, then what belongs to her."""
    first = [footprint.record.id, *footprint.selves]
    rest = sorted(footprint.records, key=lambda i: (footprint.records[i].entity, i))
    return list(dict.fromkeys([*first, *rest]))


def _record(footprint: Footprint, called: Names, id_: str, told: Document | None) -> Document:
    """One record. ``told``: what is explained of it, unless the project no longer knows its entity."""
    record = footprint.records[id_]
    explained = {} if told is None else {f["field"]: f for f in told["fields"]}
    values = {**record.values, **{n: f["value"] for n, f in explained.items()}}
    return {
        "entity": record.entity,
        "record": id_,
        "name": called.of(id_),
        "since": record.created_at,
        "deleted": told["deleted"] if told is not None else record.deleted,
        "fields": [
            {"field": name, "value": value, **_origin(explained.get(name))}
            for name, value in values.items()
        ],
        "whole": [] if told is None else [*told["changes"], *told["left"]],
        "rows": [_link(k) for k in footprint.links.values() if k.record_id == id_],
        "writes": [_operation(o) for o in _by_time(footprint) if o.record_id == id_],
        "history": [asdict(change) for change in footprint.history if change.record_id == id_],
    }


def _by_time(footprint: Footprint) -> list[Operation]:
    return sorted(footprint.operations.values(), key=lambda o: (o.created_at, o.id))


def _origin(field: Mapping[str, Any] | None) -> Document:
    """From where a value is, since when, by which rule and policy; all its changes, our writes of it, and how it stands
    at each vendor."""
    if field is None:
        return {"from": "", "since": None, "why": "", "story": {}}
    why = field["because"] or {}
    return {
        "from": why.get("from") or why.get("author") or "",
        "since": why.get("at"),
        "why": ", ".join(w for w in (why.get("policy"), why.get("rule"), why.get("reason")) if w),
        "story": {name: field[name] for name in ("changes", "writes", "systems", "formula")},
    }


def _link(link: Link) -> Document:
    """A vendor's row as it was last seen, and what is remembered of it."""
    return {
        "connection": link.connection,
        "resource": link.resource,
        "row": link.external_id,
        "below": link.parent,
        "state": str(link.state),
        "read_at": link.read_at or None,
        "shows": link.row,
        "agreed_on": _base(link.base),
        "seen_meanwhile": dict(link.foreign_values),
        "decided": asdict(link.approval) if link.approval is not None else None,
        "waits_for": link.wait.what if link.wait is not None else None,
    }


def _base(base: Base) -> dict[str, Json]:
    return {
        "our_values": dict(base.canonical), "vendor_values": dict(base.vendor),
        "released": dict(base.released),
        "unproved": {name: asdict(doubt) for name, doubt in base.doubts.items()},
    }  # fmt: skip


def _operation(operation: Operation) -> Document:
    return {
        "at": operation.created_at,
        "to": operation.connection,
        "resource": operation.resource,
        "row": operation.external_id,
        "action": "leave" if operation.leave else str(operation.action),
        "state": str(operation.state),
        "sent": dict(operation.body),
        "for": dict(operation.carried),
        "instead_of": dict(operation.expected),
        "answer": operation.detail,
    }


def _case(case: Case) -> Document:
    """A question that was asked about her, with its evidence, and who answered what, and why."""
    return {
        "kind": str(case.kind),
        "question": case.question,
        "evidence": case.evidence,
        "answers": case.answers,
        "asked_at": case.opened_at,
        "answer": case.answer,
        "answered_by": case.author,
        "reason": case.reason,
        "answered_at": case.closed_at,
    }


def _event(event: Event) -> Document:
    return {
        "at": event.at, "connection": event.connection, "resource": event.resource,
        "row": event.external_id, "how": event.source, "number": event.id,
    }  # fmt: skip


def _named_by(footprint: Footprint) -> dict[str, int]:
    """Which fields of how many others name her; whose they are is theirs to ask."""
    named = Counter(
        f"{record.entity}.{name}"
        for record in footprint.others.records.values()
        for name, value in record.values.items()
        if footprint.marks.named_by(value)
    )
    return dict(sorted(named.items()))
