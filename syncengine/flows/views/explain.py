"""Explain: which system, which change and which rule made each field of a record so, and what it replaced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from syncengine.flows.core.engine import Engine
from syncengine.flows.core.world import load_world
from syncengine.flows.forget.retention import spans
from syncengine.flows.naming.masking import Mask, mask, shown_id, without
from syncengine.flows.naming.names import Names, names
from syncengine.flows.people.undo import may_be_undone
from syncengine.flows.views.formulas import inputs, since
from syncengine.flows.views.queries import link_document
from syncengine.flows.views.sides import spoken
from syncengine.ledger import Transaction
from syncengine.mapping import Entity
from syncengine.model.change import Change
from syncengine.model.event import Event
from syncengine.model.link import Link
from syncengine.model.operation import Action, Operation
from syncengine.model.record import Record, World
from syncengine.model.ref import Ref
from syncengine.model.values import ABSENT, Json, as_list, is_empty
from syncengine.planning.identity import former_keys
from syncengine.planning.observation import body_row

Document = dict[str, Any]


def explain(engine: Engine, record_id: str, field: str | None = None) -> Document:
    """The document of ``explain --json``: each field (or the one) with its value, the change that made it so, all its
    changes, our writes of it, and how it stands in each system; of the record itself its changes, how it left systems,
    when it was deleted, and who bore its identity earlier. Sensitive values are dotted. Raises KeyError for an unknown
    record."""
    with engine.ledger.read() as tx:
        story = _load(engine, tx, record_id)
    asked = [field] if field else list(story.entity.fields)
    return {
        "entity": story.entity.name,
        "record": record_id,
        "name": story.called.of(record_id),
        "generation": story.record.generation,
        "deleted": story.deleted,
        "forgotten_before": story.forgotten or None,
        "earlier": story.earlier,
        "changes": [
            _change(story.called, story.entity, c, story.known)
            for c in story.history
            if not c.field
        ],
        "left": story.leaving(),
        "links": [link_document(story.called, link) for link in story.links],
        "fields": [story.field(name) for name in asked],
    }


_WHOLE = ("made", "deleted")
"""What becomes of a record as a whole."""


def select_history(
    engine: Engine, lost: bool, limit: int, since: float | None = None, until: float | None = None,
    state: str = "", **asked: str | None,
) -> list[Document]:  # fmt: skip
    """Changes of all records, the newest first; ``lost``: those that put a value aside, by a merge, a person or our own
    write. ``state``: only ``made`` or ``deleted`` records, or ``changed`` values. ``asked``: ``record_id``, ``author``,
    ``connection`` that they came from."""
    with engine.ledger.read() as tx:
        if state in _WHOLE:
            # What became of a record is encrypted, as values are.
            found = tx.select_history(lost, 0, since, until, field="", **asked)
            found = [change for change in found if change.new == state][:limit]
        else:
            asked |= {"field__ne": ""} if state == "changed" else {}
            found = tx.select_history(lost, limit, since, until, **asked)
        return change_documents(engine, tx, found)


def change_documents(engine: Engine, tx: Transaction, changes: Sequence[Change]) -> list[Document]:
    """Changes of any records as documents, each with the record's name."""
    called = _named(engine, tx, {c.record_id for c in changes}, changes)
    found = []
    for change in changes:
        record = called.records.get(change.record_id)
        entity = None if record is None else engine.project.entities.get(record.entity)
        about = {
            "entity": record.entity if record else "",
            "record": change.record_id,
            "name": called.of(change.record_id),
        }
        found.append({**about, **_change(called, entity, change, {})})
    return found


def _named(
    engine: Engine, tx: Transaction, ids: Iterable[str], changes: Iterable[Change],
    writes: Iterable[Operation] = (),
) -> Names:  # fmt: skip
    """Names of records, and of those that values of these changes and writes refer to."""
    entities = engine.project.entities.values()
    refs = {n for entity in entities for n, f in entity.fields.items() if f.is_ref}
    seen = [v for c in changes if c.field in refs for v in (c.old, c.new, c.lost)]
    seen += [v for o in writes for n, v in o.carried.items() if n in refs]
    near = {*ids, *(t for v in seen for t in as_list(v) if isinstance(t, str))}
    return names(engine, tx, near)


def _load(engine: Engine, tx: Transaction, record_id: str) -> _Story:
    record = tx.records([record_id])[record_id]
    history, links = tx.history(record_id), tx.links_of([record_id])
    writes = tx.select_operations(record_id=record_id)
    stamps = {change.stamp for change in history} | {*record.stamps.values()}
    events = tx.events(stamps, [link.ref for link in links if link.external_id is not None])
    world = load_world(engine, tx, links, {record.id: record})
    entity = engine.project.entities[record.entity]
    before = _before(tx, entity, record, world)
    called = _named(engine, tx, [record_id, *before], history, writes)
    story = _Story(engine, entity, record, world, called, links, history, writes[::-1], events)
    story.earlier = [
        {"record": i, "name": called.of(i), **(_deleted(past) or {})} for i, past in before.items()
    ]
    return story


def _before(
    tx: Transaction, entity: Entity, record: Record, world: World
) -> dict[str, Sequence[Change]]:
    """Records that bore the identity of this one and were deleted before it was made: id -> history."""
    borne = tx.key_owners(former_keys(entity, record, world))
    owners = sorted({o for of in borne.values() for o in of if o < record.id})
    return {owner: tx.history(owner) for owner in owners}


def _deleted(history: Sequence[Change]) -> Document | None:
    """When a record was deleted, and why."""
    last = next((c for c in reversed(history) if not c.field and c.new == "deleted"), None)
    if last is None:
        return None
    names = ("at", "connection", "policy", "rule", "author", "reason")
    return {name: getattr(last, name) for name in names}


@dataclass(slots=True)
class _Story:
    """All that is on record of one thing."""

    engine: Engine
    entity: Entity
    record: Record
    world: World
    called: Names
    links: Sequence[Link]
    history: Sequence[Change]
    writes: Sequence[Operation]
    events: Sequence[Event]
    known: dict[int, Document] = field(default_factory=dict)
    settled: dict[str, float] = field(default_factory=dict)
    values: Mapping[str, Json] = field(default_factory=dict)
    earlier: list[Document] = field(default_factory=list)

    @property
    def forgotten(self) -> float:
        """Up to when changes are on record in part only, of a record that is older than these are kept."""
        before = self.engine.clock.now() - spans(self.engine)["history"]
        made = min((change.at for change in self.history), default=before)
        return before if made < before else 0.0

    @property
    def deleted(self) -> Document | None:
        """When and why the record went, if it did."""
        return _deleted(self.history) if self.record.deleted else None

    def __post_init__(self) -> None:
        self.values = self.entity.values(self.record, self.world)
        announced: dict[Ref, Event] = {}
        for event in self.events:
            ref = Ref(event.connection, event.resource, event.external_id)
            if event.source == "webhook":
                announced[ref] = event
                continue
            notice = announced.pop(ref, None)
            told = notice and _event(self.engine, notice)
            self.known[event.id] = _event(self.engine, event) | {"notice": told}
            if event.source == "write":
                self.settled[event.event_id.removeprefix("write:")] = event.at

    def field(self, name: str) -> Document:
        """All that is on record of one field."""
        declared = self.entity.fields[name]
        changes = [c for c in self.history if c.field == name]
        first = self.first(name, changes)
        told = [_change(self.called, self.entity, c, self.known) for c in [*first, *changes]]
        moved = [document for document in told if document["old"] != document["new"]]
        because = moved[-1] if moved else None
        if declared.formula is not None:
            because = {"policy": "formula", "rule": str(declared.formula.position)}
        return {
            "field": name,
            "value": self.called.value(self.entity, name, self.values.get(name)),
            "owner": declared.owned_by(self.record, self.world) or "anyone",
            "formula": self.formula(name),
            "because": because,
            "changes": told,
            "writes": [self.write(name, o) for o in self.writes if self.writes_to(name, o)],
            "systems": [system for link in self.links for system in self.system(name, link)],
        }

    def formula(self, name: str) -> Document | None:
        """How a field is computed, from what, and since when it is so."""
        formula = self.entity.fields[name].formula
        if formula is None:
            return None
        world, today = self.world, self.engine.today
        return {
            "source": formula.source,
            "rule": str(formula.position),
            "inputs": inputs(self.called, self.entity, name, self.values, today),
            "since": since(
                self.engine, self.entity, name, self.record, self.history, world, self.forgotten
            ),
        }

    @property
    def mask(self) -> Mask:
        """What whoever asks may see."""
        return mask(self.engine, self.entity)

    def secrets(self, operation: Operation) -> list[Json]:
        """What the vendor's words about a write may repeat, former values among it."""
        system = self.engine.system(operation.entity, operation.connection)
        found = self.mask.secrets(system, self.record, operation=operation)
        for link in self.links:
            found += self.mask.secrets(self.engine.system(link.entity, link.connection), link=link)
        past = [c for c in self.history if c.field and self.mask.hides(c.field)]
        return found + [value for c in past for value in (c.old, c.new, c.lost)]

    def writes_to(self, name: str, operation: Operation) -> bool:
        """Whether a write carried a field, or set what the field reads there when the record left."""
        return name in operation.carried or self.set_to(name, operation) is not ABSENT

    def set_to(self, name: str, operation: Operation) -> Json:
        """The constant that ``set.leave`` puts where a field is read, in the vendor's words."""
        system = self.engine.system(operation.entity, operation.connection)
        rule = system.rules.get(name) if system is not None and operation.leave else None
        return ABSENT if rule is None else rule.extract(body_row(operation.body))

    def leaving(self) -> list[Document]:
        """The writes by which the record left systems: rows that were deleted, and what ``set.leave`` set."""
        found = []
        for operation in self.writes:
            if not operation.leave and operation.action is not Action.DELETE:
                continue
            system = self.engine.system(operation.entity, operation.connection)
            sets = {p: self.mask.at(system, p, value) for p, value in operation.body.items()}
            found.append({**self.sent(operation), "sets": sets})
        return found

    def first(self, name: str, changes: Sequence[Change]) -> list[Change]:
        """The value that the record was made with, as a change of the field, with the field's own rule."""
        made = next((c for c in self.history if not c.field and c.new == "made"), None)
        moved = [c for c in changes if c.old != c.new]
        value = moved[0].old if moved else self.record.values.get(name)
        if made is None or (changes and self.forgotten):
            return []
        if is_empty(value) or self.entity.fields[name].formula is not None:
            return []
        stamp = made.stamp if moved else self.record.stamps.get(name, made.stamp)
        rule, policy = self.origin(name, made)
        return [replace(made, id=0, field=name, new=value, stamp=stamp, rule=rule, policy=policy)]

    def origin(self, name: str, made: Change) -> tuple[str, str]:
        """Rule and policy by which a new record got its value of a field."""
        system = self.entity.systems.get(made.connection)
        if system is not None and name in system.rules and system.rules[name].reads:
            return str(system.rules[name].position), made.policy
        for derivation in self.engine.project.derivations:
            if made.policy == f"derive {derivation.name}" and name in derivation.values:
                return str(derivation.values[name].position), made.policy
        return str(self.entity.fields[name].position), "default"

    def write(self, name: str, operation: Operation) -> Document:
        """One write that carried the field, and what the vendor answered, when. ``refills``: the vendor showed the
        field empty, which does not empty ours."""
        shown = operation.expected.get(name, ABSENT)
        value = operation.carried.get(name)
        if name not in operation.carried:
            value = self.set_to(name, operation)
        updates = operation.action is Action.UPDATE and not operation.leave
        return {
            **self.sent(operation),
            "value": self.called.value(self.entity, name, value),
            "refills": updates and shown is not ABSENT and is_empty(shown) and not is_empty(value),
            "rule": operation.causes.get(name, "") or self.cause(operation),
        }

    def cause(self, operation: Operation) -> str:
        """Where it is said that a record which leaves is written to, or its row deleted."""
        system = self.engine.system(operation.entity, operation.connection)
        if system is None or not (operation.leave or operation.action is Action.DELETE):
            return ""
        keys = [f"set.leave.{path}" for path in operation.body] if operation.leave else ["on_leave"]
        return system.cause(keys[0])

    def sent(self, operation: Operation) -> Document:
        """A write, whatever it carried."""
        return {
            "at": operation.created_at,
            "to": operation.connection,
            "action": "leave" if operation.leave else str(operation.action),
            "rule": self.cause(operation),
            "state": str(operation.state),
            "answer": without(operation.detail, self.secrets(operation)),
            "answered_at": self.settled.get(operation.id),
        }

    def system(self, name: str, link: Link) -> list[Document]:
        """The vendor's own value in a system that has a rule for the field."""
        system = self.engine.system(link.entity, link.connection)
        rule = system.rules.get(name) if system is not None else None
        if rule is None:
            return []
        raw = spoken(rule, link.row) if link.row is not None else ABSENT
        return [
            {
                "connection": link.connection,
                "external_id": shown_id(
                    self.engine, link.connection, link.resource, link.external_id
                ),
                "value": None if raw is ABSENT else self.mask.raw(rule, raw),
                "flow": rule.flow,
                "rule": str(rule.position),
                "state": str(link.state),
                "read_at": link.read_at or None,
            }
        ]


def _event(engine: Engine, event: Event) -> Document:
    return {
        "event": event.id,
        "source": event.source,
        "at": event.at,
        "connection": event.connection,
        "external_id": shown_id(engine, event.connection, event.resource, event.external_id),
    }


def _change(
    called: Names, entity: Entity | None, change: Change, events: Mapping[int, Document]
) -> Document:
    return {
        "change": change.id or None,
        "at": change.at,
        "field": change.field,
        "from": change.connection,
        "old": called.value(entity, change.field, change.old),
        "new": called.value(entity, change.field, change.new),
        "lost": called.value(entity, change.field, change.lost),
        "lost_by": change.lost_by,
        "policy": change.policy,
        "rule": change.rule,
        "author": change.author,
        "reason": change.reason,
        "undoable": may_be_undone(entity, change),
        "event": events.get(change.stamp),
    }
