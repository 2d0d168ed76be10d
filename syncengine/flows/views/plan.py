"""Plan: what a sync would do, from the mirror, field by field, without a write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from syncengine.flows.core.engine import Engine
from syncengine.flows.naming.masking import Mask, mask
from syncengine.flows.naming.names import Names, names
from syncengine.flows.reconcile.unsent import untouched
from syncengine.flows.run.planned import Planned, Staged
from syncengine.flows.run.rehearsal import rehearse
from syncengine.flows.run.sync import Progress, observe
from syncengine.flows.run.waiting import Tell
from syncengine.flows.views.queries import Document
from syncengine.flows.views.questions import select_cases
from syncengine.flows.views.status import rejected_writes
from syncengine.mapping import System
from syncengine.model.case import CaseKind
from syncengine.model.change import Change
from syncengine.model.values import Json, as_list
from syncengine.planning.safety import said_of
from syncengine.planning.writes import Write


@dataclass(frozen=True, slots=True)
class Preview:
    """A plan as a document, and the names of the records in it."""

    document: Document
    called: Names


def plan(engine: Engine, fresh: bool = False, progress: Progress | None = None) -> Document:
    """The document of ``plan --json``. ``fresh``: read the vendors first; else no vendor is called."""
    return preview(engine, fresh, progress).document


def preview(
    engine: Engine, fresh: bool = False, progress: Progress | None = None, tell: Tell | None = None
) -> Preview:
    """The plan and the names of its records."""
    faults = observe(engine, progress, tell) if fresh else []
    made = rehearse(engine)
    with engine.ledger.read() as tx:
        open_cases = {case.subject for case in tx.cases()}
        called = names(engine, tx, mentioned(engine, made), made.new_records)
        new = untouched(engine, tx)
    changes = changes_of(engine, called, made)
    per_rule = Counter(rule.name for rule, _ in made.derived_records.values())
    document = {
        "digest": made.digest(),
        "changes": changes,
        **_counted(changes, new),
        "made": [
            {"entity": r.ensure, "derivation": r.name, "rule": str(r.position), "count": n}
            for r in engine.project.derivations
            if (n := per_rule[r.name])
        ],
        "staged": [_staged(engine, group) for group in made.staged],
        "held": [case["question"] for case in select_cases(engine, CaseKind.STAGED)],
        "let_be": rejected_writes(engine),
        "questions": _kinds(made, made.asked.keys() - open_cases),
        "open_questions": _kinds(made, made.asked.keys() & open_cases),
        "waiting": _waiting(made),
        "unsorted": made.unsorted,
        "unfinished": made.unfinished,
        "unread": made.unread,
        "faults": faults,
    }
    return Preview(document, called)


def about(engine: Engine, whole: Preview, record: str) -> Preview:
    """What of a plan concerns one record: its own changes, and those of records that name it or that come after its
    rows. The digest stays that of the whole plan; ``others``: how many changes are left out."""
    document = whole.document
    with engine.ledger.read() as tx:
        new = untouched(engine, tx)
        links = tx.links_of([record])
    changes = [
        c
        for c in document["changes"]
        if record == c["record"] or record in [after["record"] for after in c["after"]]
    ]
    waits = Counter((k.entity, k.connection, k.wait.what) for k in links if k.wait is not None)
    only = {
        "changes": changes,
        **_counted(changes, new),
        "record": record,
        "others": len(document["changes"]) - len(changes),
        "waiting": [
            {"entity": e, "connection": c, "what": what, "count": n}
            for (e, c, what), n in sorted(waits.items())
        ],
        **{key: [] for key in ("made", "staged", "held", "let_be")},
        **{key: {} for key in ("questions", "open_questions")},
    }
    return Preview({**document, **only}, whole.called)


def changes_of(engine: Engine, called: Names, made: Planned) -> list[Document]:
    """What would be written and what would be learned, in order."""
    changes = [
        *(
            _written(engine, called, made, write, why)
            for link_id in made.writes
            for write, why in made.parts(link_id)
        ),
        *_learned(engine, called, made),
    ]
    changes.sort(key=lambda c: (c["entity"], c["connection"], c["name"], c["record"]))
    return changes


def _counted(changes: Sequence[Document], new: Collection[str]) -> Document:
    """How many changes of each kind there are, how many are not sent, and how many go where nothing ever went."""
    counts = Counter((c["entity"], c["connection"], c["action"]) for c in changes)
    unsent = Counter(c["connection"] for c in changes if c["observed_only"])
    first = Counter(
        c["connection"] for c in changes if c["action"] != "learn" and c["connection"] in new
    )
    return {
        "counts": [
            {"entity": e, "connection": c, "action": a, "count": n}
            for (e, c, a), n in sorted(counts.items())
        ],
        "unsent": dict(sorted(unsent.items())),
        "first": dict(sorted(first.items())),
    }


def _waiting(made: Planned) -> list[Document]:
    """What links would wait for."""
    waiting = Counter((w.entity, w.connection, w.what) for w in made.waits)
    return [
        {"entity": e, "connection": c, "what": what, "count": n}
        for (e, c, what), n in sorted(waiting.items())
    ]


def _staged(engine: Engine, group: Staged) -> Document:
    """Writes about which a person would be asked; ``said``: what each of them is called."""
    told_of = group.group
    said = said_of(engine.system(told_of.entity, told_of.connection), told_of.kind)
    told = {"count": group.count, "allowed": group.allowed, "written": group.written, "said": said}
    return {**asdict(told_of), **told}


def _kinds(made: Planned, subjects: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(made.asked[subject] for subject in subjects).items()))


def mentioned(engine: Engine, made: Planned) -> set[str]:
    """The records that a plan is about, and those that its refs name."""
    found = {c.record_id for c in made.learned}
    told: list[tuple[str, Mapping[str, Json]]] = []
    for write in made.writes.values():
        found.add(write.operation.record_id)
        found |= {record for record, _ in write.after}
        told += [(write.operation.entity, write.old), (write.operation.entity, write.new)]
    records = made.records
    told += [
        (records[c.record_id].entity, {c.field: side})
        for c in made.learned
        for side in (c.old, c.new)
    ]
    for entity, values in told:
        fields = engine.project.entities[entity].fields
        for name, value in values.items():
            if name in fields and fields[name].is_ref:
                found |= {str(target) for target in as_list(value)}
    return found


def _written(engine: Engine, called: Names, made: Planned, write: Write, held: str) -> Document:
    operation = write.operation
    entity = engine.project.entities[operation.entity]
    system = entity.systems[operation.connection]
    shown = mask(engine, entity)
    made_by = made.derived_records.get(operation.record_id)
    return {
        "entity": entity.name,
        "record": operation.record_id,
        "name": called.of(operation.record_id),
        "connection": operation.connection,
        "action": write.action,
        "observed_only": engine.project.connections[operation.connection].mode != "write",
        "held": held,
        **_reason(system, write),
        "made_by": "" if made_by is None else str(made_by[0].position),
        "after": [
            {"record": record, "name": called.of(record), "connection": connection}
            for record, connection in write.after
        ],
        "fields": [*_fields(shown, system, write), *_constants(shown, system, write)],
    }


def _reason(system: System, write: Write) -> Document:
    """Why a row is made or leaves, and where that is said."""
    if write.action == "update":
        return {"why": "", "rule": ""}
    if write.action == "create":
        return {"why": "", "rule": system.cause("create")}
    if write.deleted:
        return {"why": "its record is deleted", "rule": system.cause("on_leave")}
    return {"why": f"leaves the scope of {system.connection}", "rule": system.cause("scope")}


def _fields(shown: Mask, system: System, write: Write) -> Iterator[Document]:
    gone = write.action == "delete"
    said = write.old if gone else write.new
    causes = {name: at for o in write.operations for name, at in o.causes.items()}
    for name in (n for n in (shown.entity.fields if shown.entity else ()) if n in said):
        sides = [s for s, raw in (("old", write.raw_old), ("new", write.raw_new)) if name in raw]
        rule = system.rules.get(name)
        told = {
            side: shown.raw(rule, value)
            if rule is not None and side in sides
            else shown.value(name, value)
            for side, value in (("old", write.old.get(name)), ("new", write.new.get(name)))
        }
        yield {
            "field": name,
            "old": told["old"],
            "new": None if gone else told["new"],
            "rule": causes.get(name, system.cause("on_leave")),
            "vendor_words": sides,
        }


def _constants(shown: Mask, system: System, write: Write) -> Iterator[Document]:
    """What ``set`` adds to a write; by the field that has the path, if there is one."""
    kind = write.action
    given = {"create": system.set_create, "leave": system.set_leave}.get(kind, {})
    owners = {path: name for name, rule in system.rules.items() for path in rule.paths}
    body = write.body
    for path in (p for p in given if p in body and body[p] == given[p]):
        name = owners.get(path, path)
        if name in write.new:
            continue
        yield {
            "field": path,
            "old": shown.at(system, path, write.was.get(path)),
            "new": shown.at(system, path, body[path]),
            "rule": system.cause(f"set.{kind}.{path}"),
            "vendor_words": ["old", "new"],
        }


def _learned(engine: Engine, called: Names, made: Planned) -> Iterator[Document]:
    """What our own records learn, a record and a source at a time."""
    grouped: dict[tuple[str, str], list[Change]] = {}
    for change in made.learned:
        grouped.setdefault((change.record_id, change.connection), []).append(change)
    for (record_id, connection), changes in grouped.items():
        entity = engine.project.entities[made.records[record_id].entity]
        shown = mask(engine, entity)
        yield {
            "entity": entity.name,
            "record": record_id,
            "name": called.of(record_id),
            "connection": connection,
            "action": "learn",
            "observed_only": False,
            "held": "",
            "why": "",
            "rule": "",
            "made_by": "",
            "after": [],
            "fields": [
                {
                    "field": change.field,
                    "old": shown.value(change.field, change.old),
                    "new": shown.value(change.field, change.new),
                    "rule": change.rule,
                    "vendor_words": [],
                }
                for change in changes
            ],
        }
