"""The footprint of a record: all that is stored about one person, from every table, and where other records refer to
her.

It contains her former records (joined into hers, or deleted with the same identity), what cannot exist without her
(records whose required ref names her, and so on from these), every row of any of them, and untied rows that show her
identity or require one of her rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from syncengine.flows.capture.erased_rows import place_key, shown_by
from syncengine.flows.core.engine import Engine
from syncengine.flows.core.world import load_world
from syncengine.flows.naming.identifying import IdentifyingWords, identifying
from syncengine.flows.naming.mentions import (
    Marks,
    bound,
    in_case,
    in_change,
    in_link,
    in_operation,
    in_record,
    refs_of,
)
from syncengine.flows.naming.names import names
from syncengine.flows.people.decisions import NotPossible
from syncengine.ledger import Transaction
from syncengine.mapping import Entity
from syncengine.model.case import Case, CaseKind
from syncengine.model.change import JOINED, Change
from syncengine.model.condition import Condition, OperationSettled, RecordAt
from syncengine.model.event import Event
from syncengine.model.key import Key
from syncengine.model.link import Link, LinkState
from syncengine.model.operation import Operation
from syncengine.model.record import Record
from syncengine.model.ref import Ref
from syncengine.planning.identity import Parts, conditions_met, former_keys, place_free, row_keys_of

T = TypeVar("T", Link, Operation)
SLICE = 1000
"""Links or operations that are looked at together."""


@dataclass(frozen=True, slots=True)
class Others:
    """Things outside the footprint that refer to it."""

    records: Mapping[str, Record] = field(default_factory=dict)
    links: Mapping[str, Link] = field(default_factory=dict)
    operations: Mapping[str, Operation] = field(default_factory=dict)
    changes: Sequence[Change] = ()
    cases: Mapping[str, Case] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Footprint:
    """All that is stored about one person. ``record``: whom it is about. ``selves``: that record and its former ones.
    ``records``: these and what belongs to them. The other fields: all that exists of these."""

    record: Record
    selves: Mapping[str, Record]
    records: Mapping[str, Record]
    links: Mapping[str, Link]
    operations: Mapping[str, Operation]
    cases: Mapping[str, Case]
    history: Sequence[Change]
    events: Sequence[Event]
    marks: Marks
    others: Others


def refs_in(records: Mapping[str, Record], marks: Marks) -> set[Ref]:
    """The rows at vendors, and where decisions of people about these records are noted."""
    own = {Ref("", record.entity, record.id) for record in records.values()}
    return own | {ref for _, ref in marks.places}


def gather(
    engine: Engine, tx: Transaction, record_id: str, to_show: bool = False
) -> Footprint:  # fmt: skip
    """Collect the footprint of a record. ``to_show``: of what is outside of it only what people are shown, which takes
    a part of the time: records that name it, writes that may take effect still, and open questions whether a row is
    hers. Raises NotPossible where there is no such record, or another record of its own kind would belong to it."""
    search = _Search(engine, tx)
    record = tx.records([record_id]).get(record_id)
    if record is None:
        raise NotPossible(
            "that record is not there any more: `syncengine erasures` says what was erased"
        )
    selves = search.selves(record)
    records = search.belongings(selves)
    links = search.rows(selves, records)
    operations = {o.id: o for o in tx.operations_of(records, links)}
    told = identifying(engine, names(engine, tx, selves), selves.values())
    marks = _marks(records, links, operations, told)
    asked = tx.cases(open_only=False)
    showing = search.known_by(selves, marks)
    cases = {
        c.id: c for c in asked
        if _is_about(c, records, links, operations, marks)
        or not showing.isdisjoint(shown_by(engine, c))
    }  # fmt: skip
    if to_show:
        asked = [c for c in asked if _asks_whether(c, selves)]
        others = search.others_shown(records, operations, marks)
    else:
        others = search.others(records, links, operations, marks)
    others = replace(others, cases=search.naming_cases(asked, cases, marks))
    events = tx.events_about(refs_in(records, marks), links, operations)
    return Footprint(
        record, selves, records, links, operations, cases, tx.histories(records), events, marks,
        others,
    )  # fmt: skip


def _marks(
    records: Collection[str], links: Mapping[str, Link], operations: Collection[str],
    told: IdentifyingWords,
) -> Marks:  # fmt: skip
    known = [link for link in links.values() if link.external_id is not None]
    waits: set[Condition] = {
        on for link in known for on in (place_free(link), *conditions_met(link))
    }
    waits |= {OperationSettled(id_) for id_ in operations}
    waits |= {RecordAt(k.record_id, k.connection) for k in links.values() if k.record_id}
    return Marks(
        frozenset(records),
        frozenset({*records, *links, *operations}),
        frozenset((link.entity, link.ref) for link in known),
        frozenset(waits),
        told,
    )


def _is_about(
    case: Case, records: Collection[str], links: Collection[str], operations: Collection[str],
    marks: Marks,
) -> bool:  # fmt: skip
    """Whether a case is about the footprint, or about a part of a listing that shows it."""
    about = (case.record_id, records), (case.link_id, links), (case.operation_id, operations)
    if any(id_ in held for id_, held in about if id_ is not None):
        return True
    places = {(e, Ref(c, r, x)) for e, c, r, x in case.evidence.get("places", ())}
    if not places.isdisjoint(marks.places):
        return True
    if case.kind is not CaseKind.QUARANTINED or case.link_id is not None:
        return False
    place, _, _ = case.subject.removeprefix("quarantined:").partition("/")
    shown = {case.evidence.get("external_id"), case.evidence.get("parent")} - {None, ""}
    return not shown.isdisjoint(marks.at(place))


def _asks_whether(case: Case, selves: Mapping[str, Record]) -> bool:
    """Whether a case asks if a row is one of these records'."""
    asks = case.kind is CaseKind.IDENTITY and case.closed_at is None
    return asks and not selves.keys().isdisjoint(case.evidence.get("records", ()))


@dataclass(slots=True)
class _Search:
    engine: Engine
    tx: Transaction
    kept: dict[str, list[Record]] = field(default_factory=dict)
    named: dict[str, list[Record]] | None = None

    def everyone(self, entity: str) -> list[Record]:
        """All records of an entity, deleted ones too."""
        if entity not in self.kept:
            live = self.tx.records_of(entity)
            self.kept[entity] = [*live, *self.tx.records_of(entity, deleted=True)]
        return self.kept[entity]

    def namers(self) -> Iterator[Record]:
        """All records that may refer to others: those with refs, and those of entities that the project no longer
        has."""
        for name in self.tx.record_ids():
            entity = self.engine.project.entities.get(name)
            if entity is None or refs_of(entity):
                yield from self.everyone(name)

    def naming(self, ids: Collection[str]) -> list[Record]:
        """All records that refer to one of these."""
        if self.named is None:
            self.named = {}
            for record in self.namers():
                for value in record.values.values():
                    for item in value if isinstance(value, list) else (value,):
                        if isinstance(item, str):
                            self.named.setdefault(item, []).append(record)
        return list({r.id: r for id_ in ids for r in self.named.get(id_, ())}.values())

    def selves(self, record: Record) -> dict[str, Record]:
        """A record, those joined with it, and deleted ones of the same identity."""
        found, due = {record.id: record}, [record]
        while due:
            one = due.pop()
            into = [c.policy for c in self.tx.histories([one.id]) if c.policy.startswith(JOINED)]
            near = {policy.removeprefix(JOINED) for policy in into} | self.tx.joined([one.id])
            near |= {o for of in self.tx.key_owners(self._former(one)).values() for o in of}
            fresh = self.tx.records(near - found.keys())
            found |= fresh
            due += fresh.values()
        return found

    def _former(self, record: Record) -> list[Key]:
        entity = self.engine.project.entities.get(record.entity)
        if entity is None:
            return []
        world = load_world(self.engine, self.tx, (), {record.id: record})
        return former_keys(entity, record, world)

    def belongings(self, selves: Mapping[str, Record]) -> dict[str, Record]:
        """These records and those that cannot exist without them. Raises NotPossible."""
        found, fresh = dict(selves), set(selves)
        kinds = {record.entity for record in selves.values()}
        while fresh:
            more = {}
            for record in self.naming(fresh):
                name = None if record.id in found else self.belongs(record, fresh)
                if name is None:
                    continue
                if record.entity in kinds:
                    raise NotPossible(_takes_along(self.engine, record.entity, name))
                more[record.id] = record
            found |= more
            fresh = set(more)
        return found

    def belongs(self, record: Record, to: Collection[str]) -> str | None:
        """The field by which a record belongs to one of these."""
        entity = self.engine.project.entities.get(record.entity)
        for name, value in record.values.items():
            declared = entity.fields.get(name) if entity is not None else None
            loose = declared is not None and not (declared.required and declared.type == "ref")
            if not loose and isinstance(value, str) and value in to:
                return name
        return None

    def rows(self, selves: Mapping[str, Record], records: Mapping[str, Record]) -> dict[str, Link]:
        """The links of these records, and untied rows that show their identity or refer to them."""
        links = {link.id: link for link in self.tx.links_of(records)}
        places = {(k.entity, k.ref) for k in links.values() if k.external_id is not None}
        shown = {owner for record in selves.values() for owner in self._showing(record)}
        for link in self.tx.links(shown).values():
            if link.record_id is None:
                links[link.id] = link
                places |= {(link.entity, link.ref)} if link.external_id is not None else set()
        return links | self.untied(places)

    def untied(self, places: Collection[tuple[str, Ref]]) -> dict[str, Link]:
        """Untied rows that require one of these rows."""
        states = (LinkState.SEEN, LinkState.UNLINKED)
        return {k.id: k for k in self.tx.select_links(states=states) if self._names(k, places)}

    def known_by(self, selves: Mapping[str, Record], marks: Marks) -> set[tuple[str, Parts]]:
        """Scope and parts of each key by which a row is recognised as one of these records'."""
        keys = [k for record in selves.values() for k in self._former(record)]
        keys += [place_key(entity, ref) for entity, ref in marks.places]
        return {(key.scope, key.parts) for key in keys}

    def _showing(self, record: Record) -> set[str]:
        """Untied links that show the identity of a record."""
        entity = self.engine.project.entities.get(record.entity)
        keys = row_keys_of(entity, self._former(record)) if entity is not None else []
        return (
            {owner for of in self.tx.key_owners(keys).values() for owner in of} if keys else set()
        )

    def _names(self, link: Link, places: Collection[tuple[str, Ref]]) -> bool:
        """Whether a row requires one of these rows."""
        parents = {r.external_id for _, r in places if r.connection == link.connection}
        system = self.engine.system(link.entity, link.connection)
        return link.parent in parents or not bound(system, link).isdisjoint(places)

    def others(
        self, records: Mapping[str, Record], links: Collection[str], operations: Collection[str],
        marks: Marks,
    ) -> Others:  # fmt: skip
        """What else refers to them."""
        entities, fields = self.engine.project.entities, set[str]()
        found = Others({r.id: r for r in self.naming(marks.records) if r.id not in records})
        named_links, named_operations = dict[str, Link](), dict[str, Operation]()
        for link in _sliced(lambda after: self.tx.select_links(after=after or None, limit=SLICE)):
            system = self.engine.system(link.entity, link.connection)
            if link.id not in links and in_link(system, link, marks) is not link:
                named_links[link.id] = link
        for entity in entities.values():
            fields |= set(refs_of(entity))
            for operation in self._operations(entity):
                system = self.engine.system(operation.entity, operation.connection)
                known = operation.id in operations
                if not known and in_operation(system, operation, marks) is not operation:
                    named_operations[operation.id] = operation
        changes = [
            c for c in self.tx.changes_of(fields)
            if c.record_id not in records and in_change(c, marks) is not c
        ]  # fmt: skip
        return replace(found, links=named_links, operations=named_operations, changes=changes)

    def others_shown(
        self, records: Mapping[str, Record], operations: Collection[str], marks: Marks
    ) -> Others:
        """What of all that refers to them people are shown."""
        found, named = self.naming(marks.records), dict[str, Operation]()
        for operation in self.tx.operations_under_way():
            system = self.engine.system(operation.entity, operation.connection)
            known = operation.id in operations
            if not known and in_operation(system, operation, marks) is not operation:
                named[operation.id] = operation
        return Others({r.id: r for r in found if r.id not in records}, operations=named)

    def _operations(self, entity: Entity) -> Iterator[Operation]:
        return _sliced(lambda after: self.tx.operations_after(entity.name, after, SLICE))

    def naming_cases(
        self, asked: Sequence[Case], hers: Collection[str], marks: Marks
    ) -> dict[str, Case]:
        """Cases about other records that refer to these."""
        rest = [case for case in asked if case.id not in hers]
        return {c.id: c for c in rest if cleaned_case(self.engine, self.tx, c, marks) != c}


def late(engine: Engine, tx: Transaction, gone: Footprint) -> tuple[list[str], Footprint]:
    """What came to belong to a footprint while it was erased: records and untied rows, with the records that refer to
    it."""
    search, ours, marks = _Search(engine, tx), [], gone.marks
    naming = {r.id: r for r in search.namers() if in_record(r, marks) is not r}
    for id_ in [i for i, r in naming.items() if search.belongs(r, marks.records)]:
        ours.append(id_)
        del naming[id_]
    rows = search.untied(marks.places)
    cases = {c.id: c for c in tx.cases(open_only=False) if c.link_id in rows} if rows else {}
    left = replace(
        gone, selves={}, records={}, links=rows, operations={}, cases=cases, history=(), events=(),
        marks=replace(marks, places=marks.places | {(k.entity, k.ref) for k in rows.values()}),
        others=Others(naming),
    )  # fmt: skip
    return ours, left


def cleaned_case(engine: Engine, tx: Transaction, case: Case, marks: Marks) -> Case:
    """A case about somebody else, without references to the footprint."""
    rests_on_row = case.link_id and not {"row", "body"}.isdisjoint(case.evidence)
    link = tx.links([case.link_id or ""]).get(case.link_id or "") if rests_on_row else None
    if link is None:
        return in_case(None, "", case, marks)
    return in_case(engine.system(link.entity, link.connection), link.connection, case, marks)


def _takes_along(engine: Engine, entity: str, name: str) -> str:
    declared = engine.project.entities[entity].fields[name]
    return (
        f"another {entity} would go, too: its {name} is required and leads there "
        f"({declared.position}); let it name somebody else first"
    )


def _sliced(read: Callable[[str], Sequence[T]]) -> Iterator[T]:
    """All items, read in slices. ``read``: returns what comes after an id."""
    after = ""
    while some := read(after):
        yield from some
        after = some[-1].id
