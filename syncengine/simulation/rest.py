"""A company at rest: its links, records, questions and writes, beside what its vendors hold."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property

from syncengine.flows.core.world import load_world
from syncengine.mapping import Entity, System
from syncengine.model.case import Case, CaseKind
from syncengine.model.change import Change
from syncengine.model.link import Link
from syncengine.model.operation import Operation
from syncengine.model.record import Record, World
from syncengine.model.spelling import folded
from syncengine.model.values import Json, Row
from syncengine.planning.questions import emptied_subject
from syncengine.simulation.company import Company


def same(left: Json, right: Json) -> bool:
    """Whether two values are one, in whatever way their texts are coded."""
    told = [json.dumps(folded(value), sort_keys=True) for value in (left, right)]
    return told[0] == told[1]


@dataclass
class Rest:
    """A company at rest, and all that the ledger says of it."""

    company: Company
    links: list[Link] = field(init=False)
    records: dict[str, Record] = field(init=False)
    cases: list[Case] = field(init=False)
    operations: list[Operation] = field(init=False)
    history: list[Change] = field(init=False)
    world: World = field(init=False)

    def __post_init__(self) -> None:
        engine = self.company.bench.engine
        with engine.ledger.read() as tx:
            self.links = tx.select_links()
            self.records = tx.records(self.company.told)
            self.cases = tx.cases(open_only=False)
            self.operations = tx.select_operations()[::-1]
            self.history = [c for i in sorted(self.records) for c in tx.history(i)]
            self.world = load_world(engine, tx, self.links, self.records)

    @cached_property
    def open(self) -> list[Case]:
        """Questions that nobody has answered."""
        return [case for case in self.cases if case.closed_at is None]

    def asked(self, link: Link, name: str = "") -> bool:
        """Whether somebody is asked about a link as a whole, or about one field of it."""
        for case in self.open:
            if case.link_id == link.id or link.id in case.evidence.get("links", ()):
                update = case.evidence.get("kind") == "update"
                of_fields = case.kind is CaseKind.DRIFT or "record" in case.answers or update
                if not of_fields or name in case.evidence["fields"]:
                    return True
        return False

    def system(self, link: Link) -> System | None:
        """What the mapping says of a link's system."""
        return self.company.bench.engine.system(link.entity, link.connection)

    def row(self, link: Link) -> Row | None:
        """What the vendor holds."""
        rows = self.company.vendor(link.connection).rows(link.resource)
        return rows.get(link.external_id or "")

    def entity(self, record: Record) -> Entity:
        """Of a record."""
        return self.company.bench.engine.project.entities[record.entity]

    def in_scope(self, system: System, record: Record) -> bool:
        """Whether a system is to hold a record."""
        if record.deleted or system.scope is None:
            return not record.deleted
        return bool(system.scope.on_record(record, self.world))

    def counts(self, link: Link, system: System, row: Row | None) -> bool:
        """Whether the mapping counts a row; where all rows are gone at once a person is asked whether that is so."""
        if row is None:
            return self.all_gone(link)
        return system.where is None or bool(system.where.on_row(row))

    def all_gone(self, link: Link) -> bool:
        """Whether somebody is asked if all rows are really gone in a link's place."""
        subject = emptied_subject(link.connection, link.resource)
        return any(case.subject == subject for case in self.open)
