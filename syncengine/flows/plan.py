"""Plan: what a sync would do, from the mirror, field by field, without a write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field

from syncengine.flows.engine import Engine
from syncengine.flows.forecast import Forecast, forecast
from syncengine.flows.look import Document, select_cases
from syncengine.flows.masking import Mask, mask
from syncengine.flows.names import Names, names
from syncengine.flows.patience import Tell
from syncengine.flows.scenes import as_list
from syncengine.flows.staging import Group, approved, group_of, room
from syncengine.flows.status import let_be
from syncengine.flows.sync import Progress, observe
from syncengine.flows.unsent import untouched
from syncengine.ledger import Transaction
from syncengine.mapping import System
from syncengine.model.case import CaseKind
from syncengine.model.change import Change
from syncengine.model.values import Json
from syncengine.planning.rulings import body_digest
from syncengine.planning.safety import kind_of, waits
from syncengine.planning.writes import Write


@dataclass(frozen=True, slots=True)
class Preview:
    """A plan as a document, and what the records in it are called."""

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
    made = forecast(engine)
    with engine.ledger.read() as tx:
        open_cases = {case.subject for case in tx.cases()}
        held = _Held(engine, tx, made, open_cases)
        unsorted = sum(
            tx.unsorted_links(entity.name, system.connection, system.resource.name)
            for entity, system in engine.places()
        )
        called = names(engine, tx, _mentioned(engine, made), made.unborn)
        new = untouched(engine, tx)
    changes = [
        *(_written(engine, called, held, *found) for found in made.writes.items()),
        *_learned(engine, called, made),
    ]
    changes.sort(key=lambda c: (c["entity"], c["connection"], c["name"], c["record"]))
    counts = Counter((c["entity"], c["connection"], c["action"]) for c in changes)
    unsent = Counter(c["connection"] for c in changes if c["observed_only"])
    first = Counter(
        c["connection"] for c in changes if c["action"] != "learn" and c["connection"] in new
    )
    births = Counter(rule.name for rule, _ in made.births.values())
    waiting = Counter(
        (k.entity, k.connection, k.wait.what)
        for k in made.waits.values()
        if k.wait is not None and not (k.ruling is not None and k.ruling.refuses)
    )
    document = {
        "digest": made.digest(),
        "changes": changes,
        "counts": [
            {"entity": e, "connection": c, "action": a, "count": n}
            for (e, c, a), n in sorted(counts.items())
        ],
        "unsent": dict(sorted(unsent.items())),
        "first": dict(sorted(first.items())),
        "made": [
            {"entity": r.ensure, "derivation": r.name, "rule": str(r.position), "count": n}
            for r in engine.project.derivations
            if (n := births[r.name])
        ],
        "staged": held.staged,
        "held": [case["question"] for case in select_cases(engine, CaseKind.STAGED)],
        "let_be": let_be(engine),
        "questions": _kinds(made, made.cases.keys() - open_cases),
        "open_questions": _kinds(made, made.cases.keys() & open_cases),
        "waiting": [
            {"entity": e, "connection": c, "what": what, "count": n}
            for (e, c, what), n in sorted(waiting.items())
        ],
        "unsorted": unsorted,
        "unread": len(made.unread),
        "faults": faults,
    }
    return Preview(document, called)


def _kinds(made: Forecast, subjects: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(str(made.cases[subject].kind) for subject in subjects).items()))


@dataclass(slots=True)
class _Held:
    """What keeps planned writes from going out. ``staged``: the groups that are more than ``safety`` allows, but for
    those that a person is asked about already. ``reasons``: by connection."""

    engine: Engine
    tx: Transaction
    made: Forecast
    open_cases: Collection[str]
    staged: list[Document] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    _kinds: set[Group] = field(default_factory=set)
    _ends: dict[str, Group] = field(default_factory=dict)
    _rows: dict[tuple[str, str], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, declared in self.engine.project.connections.items():
            paused = self.tx.connection(name).paused
            reason = f"paused: {paused}" if paused else ""
            reason = f"off: {declared.off}" if declared.off else reason
            self.reasons[name] = "only observed" if declared.mode != "write" else reason
        for (record_id, name), change in self.made.learned.items():
            if not name and change.connection:
                entity = self.made.records[record_id].entity
                self._ends[record_id] = Group(entity, change.connection, "delete")
        asked: dict[Group, list[str]] = {}
        for record_id, group in self._ends.items():
            asked.setdefault(group, []).append(record_id)
        for link_id, write in self.made.writes.items():
            if write.operation.record_id not in self._ends:
                for group in self._asked(link_id, write):
                    asked.setdefault(group, []).append(link_id)
        for group, wanting in sorted(asked.items()):
            self._limit(group, wanting)

    def _asked(self, link_id: str, write: Write) -> Iterator[Group]:
        """The groups in which the operations are judged that are neither in the outbox yet nor approved."""
        ruling = self.made.rulings.get(link_id)
        for operation in write.operations:
            place = operation.entity, operation.connection
            kind = kind_of(self.engine.project.entities[place[0]].systems[place[1]], operation)
            said = ruling is not None and approved(ruling, kind, body_digest(operation))
            if not (operation.id or said):
                yield Group(*place, kind)

    def _limit(self, group: Group, wanting: Collection[str]) -> None:
        """``wanting``: links that want a write of the group, and records that end."""
        allowed, written = room(self.engine, self.tx, group)
        mine = [k for k in self.made.staged.values() if group_of(k) == group]
        held = not {i for k in mine for i in (k.id, k.record_id)}.isdisjoint(wanting)
        if not waits(allowed, written, len(wanting), held):
            return
        self._kinds.add(group)
        if group.subject not in self.open_cases:
            told = {"count": len(wanting), "allowed": allowed, "written": written}
            self.staged.append({**asdict(group), **told})

    def why(self, link_id: str, write: Write) -> str:
        """Why a write would not go out; empty if it would. One that has to name a row which is to be made first waits
        as long as that one does."""
        seen, ahead = {link_id}, [(link_id, write)]
        for link, each in ahead:  # grows meanwhile
            reason = self._own(link, each)
            if reason:
                return reason
            more = [i for i in self._named(each) if i not in seen]
            seen |= set(more)
            ahead += [(i, self.made.writes[i]) for i in more]
        return ""

    def _named(self, write: Write) -> Iterator[str]:
        """The links whose rows are to be made before the first operation of a write can name them."""
        if not self._rows:
            self._rows |= {
                (w.operation.record_id, w.operation.connection): i
                for i, w in self.made.writes.items()
            }
        carried = {str(v) for value in write.operation.carried.values() for v in as_list(value)}
        for row in write.after:
            if row[0] in carried and row in self._rows:
                yield self._rows[row]

    def _own(self, link_id: str, write: Write) -> str:
        groups = {*self._asked(link_id, write)}
        ends = self._ends.get(write.operation.record_id)
        held = groups & self._kinds or ends in self._kinds
        return self.reasons[write.operation.connection] or (
            "waits for approval" if groups and held else ""
        )


def _mentioned(engine: Engine, made: Forecast) -> set[str]:
    """The records that a plan is about, and those that its refs name."""
    found = {c.record_id for c in made.learned.values()}
    told: list[tuple[str, Mapping[str, Json]]] = []
    for write in made.writes.values():
        found.add(write.operation.record_id)
        found |= {record for record, _ in write.after}
        told += [(write.operation.entity, write.old), (write.operation.entity, write.new)]
    records = made.records
    told += [
        (records[c.record_id].entity, {c.field: side})
        for c in made.learned.values()
        for side in (c.old, c.new)
    ]
    for entity, values in told:
        fields = engine.project.entities[entity].fields
        for name, value in values.items():
            if name in fields and fields[name].is_ref:
                found |= {str(target) for target in as_list(value)}
    return found


def _written(engine: Engine, called: Names, held: _Held, link_id: str, write: Write) -> Document:
    operation = write.operation
    entity = engine.project.entities[operation.entity]
    system = entity.systems[operation.connection]
    shown = mask(engine, entity)
    birth = held.made.births.get(operation.record_id)
    return {
        "entity": entity.name,
        "record": operation.record_id,
        "name": called.of(operation.record_id),
        "connection": operation.connection,
        "action": write.action,
        "observed_only": engine.project.connections[operation.connection].mode != "write",
        "held": held.why(link_id, write),
        **_reason(system, write),
        "made_by": "" if birth is None else str(birth[0].position),
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


def _learned(engine: Engine, called: Names, made: Forecast) -> Iterator[Document]:
    """What our own records learn, a record and a source at a time."""
    grouped: dict[tuple[str, str], list[Change]] = {}
    for change in made.learned.values():
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
