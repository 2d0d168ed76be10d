"""What must hold when all is quiet, whatever happened before."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property

from syncengine.errors import RowInvalid
from syncengine.flows.scenes import load_world
from syncengine.mapping import Context, Entity, Rule, System, Unresolved, paths
from syncengine.model.case import Case, CaseKind
from syncengine.model.change import Change
from syncengine.model.link import Link, LinkState
from syncengine.model.operation import UNSETTLED, Action, Operation, OperationState
from syncengine.model.record import Record, World
from syncengine.model.values import ABSENT, Json, Row, is_empty
from syncengine.planning.questions import emptied_subject
from syncengine.planning.sight import sent_raw
from syncengine.simulation.company import Company, Edit, Violation

STEPS = ("made", "deleted")


def check(company: Company) -> None:
    """All promises. Raises Violation."""
    quiet(company)
    End(company).check()


def quiet(company: Company) -> None:
    """Another pass writes nothing."""
    before = company.sent()
    company.list_all()
    company.bench.settle()
    if company.sent() != before:
        raise Violation(f"another pass writes again: {dict(company.sent() - before)}")


def _same(left: Json, right: Json) -> bool:
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


def _named(link: Link) -> str:
    wait = "" if link.wait is None else f", waits for {link.wait.key}"
    return f"{link.entity} {link.connection} {link.external_id} ({link.state.value}{wait})"


def _told(operation: Operation) -> str:
    place = f"{operation.entity} {operation.connection} {operation.external_id}"
    return f"{operation.action.value} of {place}, {operation.state.value}: {dict(operation.body)}"


@dataclass
class End:
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

    def check(self) -> None:
        """All promises at rest."""
        self.outcomes()
        self.single()
        self.nothing_by_accident()
        for link in self.links:
            self.agreement(link)
            self.waits(link)
        self.generations()
        self.derived_once()
        self.causes()
        self.no_echo()
        self.newest()
        self.edits()

    # parts

    @cached_property
    def open(self) -> list[Case]:
        """Questions that nobody has answered."""
        return [case for case in self.cases if case.closed_at is None]

    def asked(self, link: Link, name: str = "") -> bool:
        """Whether somebody is asked about a link as a whole, or about one field of it."""
        for case in self.open:
            if case.link_id == link.id or link.id in case.evidence.get("links", ()):
                of_fields = case.kind is CaseKind.DRIFT or "record" in case.answers
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
            subject = emptied_subject(link.connection, link.resource)
            return any(case.subject == subject for case in self.open)
        return system.where is None or bool(system.where.on_row(row))

    # promises

    def outcomes(self) -> None:
        """What has no outcome yet is a question."""
        asked = {case.operation_id for case in self.open}
        for operation in self.operations:
            if operation.state in UNSETTLED and operation.id not in asked:
                raise Violation(f"without an outcome: {_told(operation)}")

    def single(self) -> None:
        """No write took effect twice, and no record has two rows of our making in one place."""
        made_by = {o.key: o.record_id for o in self.operations}
        for name, vendor in self.company.bench.vendors.items():
            twice = [key for key, count in vendor.made.items() if count > 1]
            if twice:
                raise Violation(f"a create took effect twice in {name}")
            living = Counter(
                (resource, made_by[key])
                for resource, table in vendor.tables.items()
                for row in table.rows
                if (key := vendor.maker.get((resource, row))) in made_by
            )
            double = [place for place, count in living.items() if count > 1]
            if double and not self.company.ruled:
                raise Violation(f"a record has two rows of ours in {name} {double[0][0]}")
            if vendor.twins and not self.company.ruled:
                raise Violation(f"a row in {name} got a twin: {vendor.twins[0]}")

    def nothing_by_accident(self) -> None:
        """What is taken for gone is gone."""
        for link in self.links:
            system, row = self.system(link), self.row(link)
            gone = link.state in (LinkState.MISSING, LinkState.GONE) and link.row is None
            if system is None or row is None or not gone:
                continue
            if system.where is None or system.where.on_row(row):
                raise Violation(f"taken for gone, and it is there: {_named(link)}")

    def agreement(self, link: Link) -> None:
        """Linked rows in scope show what their record holds, or somebody is asked."""
        system, record, row = (
            self.system(link),
            self.records.get(link.record_id or ""),
            self.row(link),
        )
        if system is None or record is None or self.asked(link):
            return
        at_vendor = link.state in (LinkState.LINKED, LinkState.LEFT)
        if at_vendor and not self.counts(link, system, row):
            raise Violation(f"linked to nothing: {_named(link)}")
        if not at_vendor or link.wait is not None or row is None:
            return
        if (link.state is LinkState.LINKED) != self.in_scope(system, record):
            raise Violation(f"not as its scope says: {_named(link)}")
        for name, rule in system.rules.items():
            if link.state is LinkState.LINKED and rule.writes and not self.asked(link, name):
                self.field(link, record, row, name, rule)

    def field(self, link: Link, record: Record, row: Row, name: str, rule: Rule) -> None:
        """One field of a row against its record, up to the vendor's own spelling."""
        values = self.entity(record).values(record, self.world)
        value, theirs = values.get(name), rule.look(row)
        try:
            ours = rule.encode(value, Context(link.connection, self.world, record, row, value))
        except Unresolved:
            return
        if theirs is ABSENT or is_empty(theirs):
            ok = is_empty(value) or rule.apply == "create"
        elif rule.apply != "always" or (is_empty(value) and not rule.field.clear):
            ok = True
        else:
            wanted = deepcopy(dict(row))
            for path, raw in rule.body(ours).items():
                paths.put(wanted, path, raw)
            self.company.vendor(link.connection).shape(wanted)
            ok = rule.same(theirs, rule.look(wanted)) or rule.same(theirs, ours)
        if not ok:
            raise Violation(
                f"{link.connection} {link.external_id} {name}: {theirs!r} at the vendor, "
                f"{value!r} in the record"
            )

    def waits(self, link: Link) -> None:
        """Who waits waits for something that is so; who waits for nothing is not left lying."""
        key = "" if link.wait is None else link.wait.key
        what, _, about = key.partition(":")
        rows = self.company.vendor(link.connection).rows(link.resource)
        if what == "scan":
            raise Violation(f"waits for a listing that came: {_named(link)}")
        if what == "op" and about not in {o.id for o in self.operations if o.state in UNSETTLED}:
            raise Violation(f"waits for what is over: {_named(link)}")
        if what == "free" and about.removeprefix(f"{link.connection}/{link.resource}/") not in rows:
            raise Violation(f"waits for a row that is gone: {_named(link)}")
        if what == "rec" and tuple(about.split("@")) in self.world.externals:
            raise Violation(f"waits for a row that is there: {_named(link)}")
        record, system = self.records.get(link.record_id or ""), self.system(link)
        idle = link.state is LinkState.CREATING and link.wait is None and not self.asked(link)
        if record is not None and system is not None and idle and self.in_scope(system, record):
            raise Violation(f"in scope, without a row, and nobody knows why: {_named(link)}")

    def generations(self) -> None:
        """Each generation of a record has its lines in the history, and there is none beyond."""
        found: dict[str, set[int]] = {}
        for change in self.history:
            if change.old != change.new or change.new in STEPS:
                found.setdefault(change.record_id, set()).add(change.generation)
        for record in self.records.values():
            if found.get(record.id, set()) != set(range(1, record.generation + 1)):
                raise Violation(
                    f"record {record.id} is at generation {record.generation}, its history "
                    f"tells of {sorted(found.get(record.id, set()))}"
                )

    def derived_once(self) -> None:
        """A rule has made one record for a person, ever."""
        made = Counter(
            str(self.records[c.record_id].values.get("person"))
            for c in self.history
            if c.policy.startswith("derive ") and c.new == "made"
        )
        if any(count > 1 for count in made.values()) and not self.company.ruled:
            raise Violation("a record was derived twice for one person")

    def causes(self) -> None:
        """Each write has a cause, and none is repeated without a new one."""
        last: dict[tuple[str, str], tuple[Operation, Json]] = {}
        for operation in self.operations:
            system = self.company.bench.engine.system(operation.entity, operation.connection)
            record = self.records.get(operation.record_id)
            if system is None or record is None:
                continue
            if operation.action is Action.UPDATE and not operation.leave:
                self.cause(system, operation)
            elif operation.action is not Action.CREATE and self.always_in(system, record):
                raise Violation(f"taken away without a cause: {_told(operation)}")
            for name in operation.carried if operation.state is OperationState.APPLIED else ():
                before, raw = last.get((operation.link_id, name)), sent_raw(system, operation, name)
                if before is not None and _same(before[1], raw):
                    self.repeated(before[0], operation, name)
                last[(operation.link_id, name)] = (operation, raw)

    def always_in(self, system: System, record: Record) -> bool:
        """Whether there was never a reason to take a record's row away."""
        return system.scope is None and not record.deleted

    def cause(self, system: System, operation: Operation) -> None:
        """An update carries fields that its rules want, and changes something."""
        changed = [
            name for name in operation.carried
            if name in system.rules and not system.rules[name].same(
                operation.expected.get(name, ABSENT), sent_raw(system, operation, name)
            )
        ]  # fmt: skip
        if not changed or operation.carried.keys() - operation.causes.keys():
            raise Violation(f"a write without a cause: {_told(operation)}")

    def repeated(self, first: Operation, second: Operation, name: str) -> None:
        """The same value was written twice: somebody has changed it in between, at either side."""
        since = first.created_at
        ours = any(
            c.field in (name, "") and c.record_id == second.record_id and c.at >= since
            for c in self.history
        )
        theirs = any(
            e.connection == second.connection and e.field == name and e.at >= since
            for e in self.company.edits
        )
        if not (ours or theirs or second.action is Action.CREATE or self.company.ruled):
            raise Violation(f"{name} was written twice for nothing: {_told(second)}")

    def no_echo(self) -> None:
        """What a record learned from a vendor a person had entered there."""
        entered: dict[tuple[str, str], list[Json]] = {}
        for edit in self.company.edits:
            entered.setdefault((edit.connection, edit.field), []).append(edit.raw)
        for change in self.history:
            rule = self.learned(change)
            if rule is None:
                continue
            raws = entered.get((change.connection, change.field), [])
            if self.company.ruled and change.policy == "first value":
                continue  # a row that we wrote may belong to another record by a person's word
            if not any(_same(self.meaning(rule, change, raw), change.new) for raw in raws):
                raise Violation(f"nobody entered this in {change.connection}: {change}")

    def learned(self, change: Change) -> Rule | None:
        """The rule by which a value came from a vendor as it stood there, of such as can be told."""
        entity = self.entity(self.records[change.record_id])
        system = entity.systems.get(change.connection)
        rule = None if system is None else system.rules.get(change.field)
        if rule is None or change.author or change.old == change.new or rule.field.is_ref:
            return None
        setting = self.company.setting
        lossy = entity.name == "person" and setting.spelling(change.connection, change.field).lossy
        timed = "happened" in setting.rule(change.connection, change.field)
        return None if lossy or timed or rule.field.type == "set" else rule

    def meaning(self, rule: Rule, change: Change, raw: Json) -> Json:
        """A raw value in our terms."""
        try:
            raw = {rule.field.name: raw} if rule.written else raw
            return rule.decode(raw, Context(change.connection, self.world, old=change.old))
        except (RowInvalid, Unresolved):
            return None

    def newest(self) -> None:
        """Where the newest counts, the value that lost was not shown after the one that won."""
        for change in self.history:
            told = self.entity(self.records[change.record_id]).fields.get(change.field)
            alike = told is None or told.type in ("boolean", "enum")
            if alike or change.policy != "newest" or is_empty(change.lost) or is_empty(change.new):
                continue
            won, lost = self.entries(change, change.new), self.entries(change, change.lost)
            if len(won) == 1 == len(lost) and self.later(lost[0], won[0], change):
                raise Violation(f"an older value won: {change}")

    def later(self, edit: Edit, than: Edit, change: Change) -> bool:
        """Whether one entry was stored after another, both before a change."""
        if edit.shown is None or than.shown is None:
            return False
        return edit.shown > than.shown and max(edit.shown_at, than.shown_at) <= change.at

    def entries(self, change: Change, value: Json) -> list[Edit]:
        """What people entered that means this value."""
        name = self.records[change.record_id].entity
        found = []
        for edit in self.company.edits:
            rule = self.company.rule(edit.connection, edit.field, name)
            if edit.field != change.field or rule is None:
                continue
            if _same(self.meaning(rule, change, edit.raw), value):
                found.append(edit)
        return found

    def edits(self) -> None:
        """What a person entered and the engine has seen was learned, or lost to a named policy, or is asked about."""
        trail = self.trail()
        links = {(k.connection, k.resource, k.external_id): k for k in self.links}
        for edit in {edit.cell: edit for edit in self.company.edits}.values():
            link = links.get(edit.cell[:3])
            rule = (
                None
                if link is None
                else self.company.rule(link.connection, edit.field, link.entity)
            )
            if link is None or rule is None or edit.shown is None:
                continue
            if edit.cell[:3] in self.company.removed or self.stands(edit, link, rule):
                continue
            if not self.kept(edit, rule, trail.get(edit.field, [])):
                raise Violation(f"lost in silence: {edit}")

    def stands(self, edit: Edit, link: Link, rule: Rule) -> bool:
        """Whether a value is at the vendor still and nobody has to learn it, or went with a row that only we kept."""
        row, record = self.row(link), self.records.get(link.record_id or "")
        learns = rule.reads and rule.apply == "always"
        if row is None:
            return not learns
        if not _same(row.get(edit.field), edit.raw):
            return False
        waits = link.wait is not None or self.asked(link, edit.field)
        return waits or not learns or record is None or link.state is not LinkState.LINKED

    def trail(self) -> dict[str, list[Json]]:
        """Field -> every value that records held, that lost, or that somebody was asked about."""
        found: dict[str, list[Json]] = {}
        for change in self.history:
            found.setdefault(change.field, []).extend((change.old, change.new, change.lost))
        for record in self.records.values():
            for name, value in record.values.items():
                found.setdefault(name, []).append(value)
        for case in self.cases:
            sides = case.evidence.get("fields", {})
            sides = sides if case.kind in (CaseKind.CONFLICT, CaseKind.DRIFT) else {}
            for name, values in sides.items():
                found.setdefault(name, []).extend(values.values())
            for name, value in (case.evidence.get("row") or {}).items():
                found.setdefault(name, []).append(value)
        return found

    def kept(self, edit: Edit, rule: Rule, trail: Iterable[Json]) -> bool:
        """Whether the trail of a field holds what was entered."""
        if is_empty(edit.raw):
            return self.emptied(edit, rule)
        setting = self.company.setting
        if "happened" in setting.rule(edit.connection, edit.field):
            return True
        if rule.field.is_ref:
            linked = self.tied(edit, rule)
            return linked is None or any(linked == value or edit.raw == value for value in trail)
        change = Change("", 0, edit.field, connection=edit.connection)
        meant, values = self.meaning(rule, change, edit.raw), list(trail)
        if rule.field.type in ("set",) and isinstance(meant, list):
            items = {item for value in values if isinstance(value, list) for item in value}
            return set(meant) <= items
        return any(_same(value, meant) or _same(value, edit.raw) for value in values)

    def emptied(self, edit: Edit, rule: Rule) -> bool:
        """Whether an emptied cell was filled again with a reason."""
        if not rule.field.clear or rule.field.owner is not None or not rule.reads:
            return True
        if not edit.agreed:  # an empty cell is filled where two sides meet for the first time
            return True
        told = any(c.field in (edit.field, "") and c.at >= edit.at for c in self.history)
        return told or rule.apply != "always" or self.is_empty_here(edit)

    def is_empty_here(self, edit: Edit) -> bool:
        """Whether the record of an entry has no value either."""
        ids = {
            k.record_id for k in self.links
            if (k.connection, k.resource, k.external_id) == edit.cell[:3]
        }  # fmt: skip
        records = [self.records[i] for i in ids if i in self.records]
        return any(is_empty(record.values.get(edit.field)) for record in records)

    def tied(self, edit: Edit, rule: Rule) -> str | None:
        """The record that a ref named."""
        named = (edit.connection, str(edit.raw))
        for link in self.links:
            if (link.connection, link.external_id) == named and link.entity == rule.field.to:
                return link.record_id
        return None
