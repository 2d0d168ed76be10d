"""Explain: which system, which change and which rule made each field of a record so, and what it replaced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from syncengine.flows.engine import Engine
from syncengine.flows.look import Names, names
from syncengine.flows.plan import DOTS
from syncengine.flows.scenes import as_list, load_world
from syncengine.mapping import Entity
from syncengine.model.change import Change
from syncengine.model.link import Link
from syncengine.model.operation import Operation
from syncengine.model.values import ABSENT, is_empty

Document = dict[str, Any]


def explain(engine: Engine, record_id: str, field: str | None = None) -> Document:
    """The document of ``explain --json``: each field (or the one) with its value, the change that made it so, all its
    changes, our writes of it, and how it stands in each system. Sensitive values are dotted. Raises KeyError for an
    unknown record."""
    with engine.ledger.read() as tx:
        record = tx.records([record_id])[record_id]
        entity = engine.project.entities[record.entity]
        history = tx.history(record_id)
        links = tx.links_of([record_id])
        written = tx.select_operations(record_id=record_id)
        world = load_world(engine, tx, links, {record.id: record})
        values = entity.values(record, world)
        seen = [v for c in history for v in (c.old, c.new, c.lost) if _is_ref(entity, c.field)]
        seen += [v for o in written for n, v in o.carried.items() if _is_ref(entity, n)]
        refs = {t for v in seen for t in as_list(v) if isinstance(t, str)}
        called = names(engine, tx, [record_id, *refs])
    asked = [field] if field else list(entity.fields)
    return {
        "entity": entity.name,
        "record": record_id,
        "name": called.of(record_id),
        "generation": record.generation,
        "fields": [
            {
                "field": name,
                "value": called.value(entity, name, values.get(name)),
                "owner": entity.fields[name].owned_by(record, world) or "anyone",
                "because": _because(called, entity, name, history, not is_empty(values.get(name))),
                "changes": [_change(called, entity, c) for c in history if c.field == name],
                "writes": [
                    _write(called, entity, name, o) for o in reversed(written) if name in o.carried
                ],
                "systems": _systems(engine, entity, name, links),
            }
            for name in asked
        ],
    }


def _is_ref(entity: Entity, field: str) -> bool:
    return field in entity.fields and entity.fields[field].is_ref


def _because(
    called: Names, entity: Entity, name: str, history: Sequence[Change], given: bool
) -> Document | None:
    """The change that made the value what it is: the last one of the field, else the record's own making."""
    formula = entity.fields[name].formula
    if formula is not None:
        return {"policy": "formula", "rule": str(formula.position)}
    moved = [c for c in history if c.field == name and c.old != c.new]
    made = [c for c in history if not c.field and c.new == "made"] if given else []
    found = moved[-1:] or made[:1]
    return _change(called, entity, found[0]) if found else None


def _change(called: Names, entity: Entity, change: Change) -> Document:
    shown = {
        k: called.value(entity, change.field, getattr(change, k)) for k in ("old", "new", "lost")
    }
    return {
        "change": change.id,
        "at": change.at,
        "from": change.connection,
        **(shown if change.field else {"new": change.new}),
        "lost_by": change.lost_by,
        "policy": change.policy,
        "rule": change.rule,
        "author": change.author,
        "reason": change.reason,
        "event": change.stamp or None,
    }


def _write(called: Names, entity: Entity, name: str, operation: Operation) -> Document:
    """One write that carried the field, and what the vendor answered."""
    return {
        "at": operation.created_at,
        "to": operation.connection,
        "action": "leave" if operation.leave else str(operation.action),
        "value": called.value(entity, name, operation.carried[name]),
        "rule": operation.causes.get(name, ""),
        "state": str(operation.state),
        "answer": operation.detail,
    }


def _systems(engine: Engine, entity: Entity, name: str, links: Sequence[Link]) -> list[Document]:
    """The vendor's own value in each system that has a rule for the field."""
    found = []
    for link in links:
        system = engine.system(link.entity, link.connection)
        rule = system.rules.get(name) if system is not None else None
        if rule is None:
            continue
        raw = rule.look(link.row) if link.row is not None else ABSENT
        hidden = entity.fields[name].sensitive and not is_empty(raw)
        found.append(
            {
                "connection": link.connection,
                "external_id": link.external_id,
                "value": DOTS if hidden else None if raw is ABSENT else raw,
                "flow": rule.flow,
                "rule": str(rule.position),
                "read_at": link.read_at or None,
            }
        )
    return found
