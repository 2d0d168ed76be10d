"""Plan: what a sync would do, from the mirror, field by field, without a write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from syncengine.flows.capture import capture
from syncengine.flows.engine import Engine
from syncengine.flows.reconcile import decide_all
from syncengine.flows.refresh import refresh
from syncengine.flows.scenes import Batch, load_records
from syncengine.flows.sweep import listed
from syncengine.mapping import Entity
from syncengine.model.change import Change
from syncengine.model.link import LinkState
from syncengine.model.operation import Operation
from syncengine.model.record import Record
from syncengine.model.values import Json
from syncengine.planning.questions import digest

CHUNK = 500
"""Records that are planned together."""

DOTS = "•••"


def plan(engine: Engine, fresh: bool = False) -> dict[str, Any]:
    """The document of ``plan --json``. ``fresh``: read the vendors first; else no vendor is called."""
    if fresh:
        for connection, resource in listed(engine):
            if connection in engine.connectors:
                capture(engine, connection, resource, "scan")
        while refresh(engine):
            pass
    changes: list[dict[str, Any]] = []
    questions: Counter[str] = Counter()
    for entity in engine.project.entities.values():
        for found in _plans_of(engine, entity):
            changes += found.changes
            questions += found.questions
    changes.sort(key=lambda c: (c["entity"], c["connection"], c["record"], c["action"]))
    counts = Counter((c["entity"], c["connection"], c["action"]) for c in changes)
    return {
        "digest": digest([{**c, "observed_only": None} for c in changes]),
        "changes": changes,
        "counts": [
            {"entity": e, "connection": c, "action": a, "count": n}
            for (e, c, a), n in sorted(counts.items())
        ],
        "questions": dict(questions),
        "unsorted": _unsorted(engine),
    }


@dataclass(slots=True)
class _Found:
    changes: list[dict[str, Any]] = field(default_factory=list)
    questions: Counter[str] = field(default_factory=Counter)


def _unsorted(engine: Engine) -> int:
    """Rows that nobody has told yet who they are: reconciling comes first."""
    with engine.ledger.read() as tx:
        return sum(
            tx.unsorted_links(entity.name, system.connection, system.resource.name)
            for entity, system in engine.places()
        )


def _plans_of(engine: Engine, entity: Entity) -> Iterator[_Found]:
    """Each record once, with all its links, found by paging through the links."""
    after: str | None = None
    done: set[str] = set()
    states = [state for state in LinkState if state is not LinkState.SEEN]
    while True:
        with engine.ledger.read() as tx:
            links = tx.select_links(entity=entity.name, states=states, after=after, limit=CHUNK)
            if not links:
                return
            records = {link.record_id for link in links if link.record_id is not None} - done
            batch = load_records(engine, tx, records)
            busy = tx.unsettled(list(batch.links))
        yield _plan_batch(engine, entity, batch, busy)
        done |= records
        after = links[-1].id


def _plan_batch(
    engine: Engine, entity: Entity, batch: Batch, busy: Mapping[str, Operation]
) -> _Found:
    """Plan all links of a batch; what a record learns is carried on to its other links."""
    found, operations = _Found(), dict[str, Operation]()
    learned: dict[tuple[str, str], Change] = {}
    for _ in range(len(entity.systems) + 1):
        moved = False
        for link, plan in list(decide_all(engine, batch)):
            if link.id in busy:
                continue
            if plan.record is not None:
                batch.records[plan.record.id] = plan.record
                batch.world = replace(
                    batch.world, records={**batch.world.records, plan.record.id: plan.record}
                )
                learned |= {(c.record_id, c.field): c for c in plan.changes}
                moved = True
            if plan.operation is not None:
                operations[link.id] = plan.operation
            else:
                operations.pop(link.id, None)
            batch.links[link.id] = replace(plan.link, dirty=0)
            found.questions += Counter(str(c.kind) for c in plan.cases)
        if not moved:
            break
    for operation in (*operations.values(), *busy.values()):
        found.changes.append(_written(engine, entity, operation, batch.records))
    found.changes += [_learned(entity, change) for change in learned.values()]
    return found


def _written(
    engine: Engine, entity: Entity, operation: Operation, records: Mapping[str, Record]
) -> dict[str, Any]:
    record = records.get(operation.record_id)
    system = entity.systems[operation.connection]
    fields = [
        {
            "field": name,
            "old": _shown(entity, name, operation.expected.get(name)),
            "new": _shown(entity, name, value),
            "rule": operation.causes.get(name, str(system.position)),
        }
        for name, value in sorted(operation.carried.items())
    ]
    return {
        "entity": entity.name,
        "record": operation.record_id,
        "name": title(entity, record),
        "connection": operation.connection,
        "action": "leave" if operation.leave else str(operation.action),
        "observed_only": engine.project.connections[operation.connection].mode != "write",
        "fields": fields,
    }


def _learned(entity: Entity, change: Change) -> dict[str, Any]:
    return {
        "entity": entity.name,
        "record": change.record_id,
        "connection": change.connection,
        "action": "learn",
        "fields": [
            {
                "field": change.field,
                "old": _shown(entity, change.field, change.old),
                "new": _shown(entity, change.field, change.new),
                "rule": change.rule,
            }
        ],
    }


def _shown(entity: Entity, name: str, value: Json) -> Json:
    declared = entity.fields.get(name)
    return DOTS if declared is not None and declared.sensitive and value is not None else value


def title(entity: Entity, record: Record | None) -> str:
    """How people recognise a record: its first texts that are not sensitive, at most two."""
    if record is None:
        return ""
    texts: Sequence[str] = [
        str(record.values[name])
        for name, declared in entity.fields.items()
        if declared.type in ("string", "text", "date") and not declared.sensitive
        and record.values.get(name)
    ]  # fmt: skip
    return " ".join(texts[:2])
