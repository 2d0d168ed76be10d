"""The world of the machine: three vendors of different abilities, one mapping, and what must hold when all is quiet."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal

from syncengine.flows.engine import Limits
from syncengine.flows.sweep import sweep
from syncengine.mapping import Context, Project, Unresolved
from syncengine.model.link import Link, LinkState
from syncengine.model.record import Record, World
from syncengine.model.resource import ConnectorSpec
from syncengine.model.values import ABSENT, Json, is_empty
from syncengine.simulation.bench import Bench, emptied, new_database, project
from tests.support.clock import TestClock
from tests.support.people import entity
from tests.support.vendor import FakeVendor, Shape, as_it_is, spec

LIMITS = Limits(lease=6.0, request_timeout=2.0, batch=100, backoff=1.0)
SETTLE = 2.0
FIELDS = """
  email: {type: email, owner: hr}
  name: {type: string, on_conflict: newest}
  job: {type: string, owner: hr}
  size: {type: string, owner: lms}
  note: {type: string, clear: true}
  tags: {type: set, of: string}
"""
COLUMNS = ("id", "email", "name", "job", "size", "note", "tags")
MAPPED = "{email: email, name: name, job: job, size: size, note: note, tags: tags}"
EDITED = ("name", "job", "size", "note", "tags")


@dataclass(frozen=True)
class Traits:
    """How the vendors are this time. ``lms_ids``: how a lost create is found again there."""

    lms_ids: Literal["chosen", "search", "marker", "none"] = "search"
    lms_answers: Literal["full", "empty", "sent"] = "full"
    lms_leave: Literal["keep", "delete"] = "keep"
    lms_missing: Literal["flag", "keep", "recreate"] = "flag"
    lms_spells: bool = False
    hr_lists: Literal["all", "less", "late"] = "all"
    tm_lists: Literal["all", "less", "late"] = "all"
    tm_missing: Literal["flag", "keep", "delete"] = "flag"
    tm_spells: bool = False
    courses: bool = False


COURSE = """
version: 1
entity: course
fields:
  person: {type: ref, to: person, required: true}
  title: {type: string, on_conflict: newest}
identity: [[person]]
systems:
  lms: {resource: courses, flow: both, create: both, on_missing: keep, fields: {person: person, title: title}}
  tm: {resource: courses, flow: both, create: out, on_missing: recreate, fields: {person: person, title: title}}
"""
RULES = """
version: 1
derive:
  - name: basics
    for: {person: "person.job == 'dev'"}
    ensure: course
    with: {person: person, title: "'basics'"}
"""


def lists(how: str) -> dict[str, Any]:
    """Abilities of a resource whose listing shows all, less than a single read, or is late."""
    kinds: dict[str, dict[str, Any]] = {
        "all": {}, "less": {"unlisted": ("note", "tags")}, "late": {"list_lag": 4.0},
    }  # fmt: skip
    return kinds[how]


def same_mail(row: dict[str, Json]) -> None:
    """Another spelling of the same address."""
    if isinstance(row.get("email"), str):
        row["email"] = row["email"].upper()


def own_names(row: dict[str, Json]) -> None:
    """Names in this vendor's own spelling, cut to six letters."""
    if isinstance(row.get("name"), str):
        row["name"] = row["name"].upper()[:6]


def texts_of(traits: Traits) -> tuple[str, ...]:
    """The entity files and rules."""
    return (person_of(traits), *((COURSE, RULES) if traits.courses else ()))


def person_of(traits: Traits) -> str:
    """The person.yaml."""
    keyed = "key: email, " if traits.lms_ids == "chosen" else ""
    leave = "on_leave: delete" if traits.lms_leave == "delete" else "set: {leave: {note: gone}}"
    return entity(
        FIELDS,
        "safety: {deletes: 100%, floor: 100}\n",
        hr=f"{{resource: people, flow: both, create: in, on_missing: delete, fields: {MAPPED}}}",
        lms=(
            f"{{resource: people, flow: both, create: out, {keyed}scope: \"job != 'left'\", {leave}, "
            f"on_missing: {traits.lms_missing}, fields: {MAPPED}}}"
        ),
        tm=(
            "{resource: people, flow: both, create: both, on_missing: "
            f"{traits.tm_missing}, fields: {MAPPED}}}"
        ),
    )


@cache
def database() -> Any:
    """One store for all runs of a process."""
    return new_database()


def with_courses(declared: ConnectorSpec) -> ConnectorSpec:
    """The same vendor, with courses of its people."""
    more = spec(declared.name, "id", "person", "title", resource="courses", search=("person",))
    return replace(declared, resources={**declared.resources, **more.resources})


def vendors(traits: Traits, clock: TestClock) -> list[FakeVendor]:
    """The three."""
    made = plain_vendors(traits, clock)
    for vendor in made[1:] if traits.courses else ():
        vendor.declared = with_courses(vendor.declared)
        vendor.__post_init__()
    return made


def plain_vendors(traits: Traits, clock: TestClock) -> list[FakeVendor]:
    """The three, with people only."""
    ids: dict[str, dict[str, Any]] = {
        "chosen": {"chosen_id": "id"},
        "search": {"search": ("email",)},
        "marker": {"marker": "mark"},
        "none": {},
    }
    columns = (*COLUMNS, "mark") if traits.lms_ids == "marker" else COLUMNS
    spells: Shape = own_names if traits.lms_answers == "full" else same_mail
    kinds: dict[str, Any] = {"types": {"tags": "set"}, "settle_time": SETTLE}
    return [
        FakeVendor(
            spec("hr", *COLUMNS, search=("email",), **kinds, **lists(traits.hr_lists)),
            clock,
            stamps=traits.hr_lists == "less",
        ),
        FakeVendor(
            spec("lms", *columns, **kinds, **ids[traits.lms_ids]),
            clock,
            answers=traits.lms_answers,
            shape=spells if traits.lms_spells else as_it_is,
            late=SETTLE - 0.5,
        ),
        FakeVendor(
            spec("tm", *COLUMNS, search=("email",), **kinds, **lists(traits.tm_lists)),
            clock,
            shape=own_names if traits.tm_spells else as_it_is,
            stamps=traits.tm_lists == "less",
            late=SETTLE - 0.5,
        ),
    ]


@cache
def compiled(traits: Traits) -> Project:
    """The project; a vendor's declaration is part of it."""
    return project(vendors(traits, TestClock()), *texts_of(traits))


@dataclass
class Edit:
    """What a person did at a vendor's screen. ``shown``: the engine has stored a row with it."""

    connection: str
    external_id: str
    field: str
    value: Json
    shown: bool = False


@dataclass
class Scene:
    """A bench, and what people did in it."""

    traits: Traits
    made: Bench = field(init=False)
    edits: list[Edit] = field(default_factory=list)

    def __post_init__(self) -> None:
        clock = TestClock()
        made = compiled(self.traits)
        self.made = Bench.on(vendors(self.traits, clock), made, emptied(database()), clock, LIMITS)

    def vendor(self, name: str) -> FakeVendor:
        """By name."""
        return self.made.vendors[name]

    def edit(self, name: str, row: str, field: str, value: Json) -> None:
        """A person changes a value at a vendor's screen."""
        vendor = self.vendor(name)
        before = vendor.row(row).get(field)
        vendor.edit(row, **{field: value})
        after = vendor.row(row)[field]
        if after != before:
            self.edits.append(Edit(name, row, field, after))

    def pick(self, name: str, number: int) -> str | None:
        """One of a vendor's rows."""
        rows = sorted(self.vendor(name).rows())
        return rows[number % len(rows)] if rows else None

    def look(self) -> None:
        """Which edits the engine has stored by now."""
        waiting = [e for e in self.edits if not e.shown]
        if not waiting:
            return
        rows = {(k.connection, k.external_id): k.row for k in self.made.links()}
        for edit in waiting:
            row = rows.get((edit.connection, edit.external_id)) or {}
            edit.shown = edit.field in row and row[edit.field] == edit.value

    # when all is quiet

    def calm(self) -> None:
        """No more faults; everything that is under way comes to its end."""
        made = self.made
        for vendor in made.vendors.values():
            vendor.faults.clear()
            vendor.during = None
        for _ in range(12):
            made.clock.sleep(12.0)
            before = self.sent()
            sweep(made.engine)
            made.scan_all()
            made.settle()
            self.look()
            if before == self.sent() and not self.waiting():
                break
        made.clock.sleep(70.0)

    def waiting(self) -> bool:
        """Whether anything that will move by itself is under way."""
        asked = {case.operation_id for case in self.made.cases()}
        dirty = self.made.read(lambda tx: tx.dirty_count())
        return bool(dirty or [o for o in self.made.unsettled() if o.id not in asked])

    def check(self) -> None:
        """All promises at quiet."""
        made = self.made
        before = self.sent()
        made.scan_all()
        made.settle()
        assert self.sent() == before, "another pass writes again"
        self.check_unsettled()
        for vendor in made.vendors.values():
            assert all(n == 1 for n in vendor.made.values()), "a key made two rows"
        self.check_agreement()
        self.check_waits()
        self.check_edits()

    def sent(self) -> dict[str, int]:
        """Connection -> writes so far."""
        return {name: len(vendor.keys) for name, vendor in self.made.vendors.items()}

    def check_unsettled(self) -> None:
        """What has no outcome yet is a question."""
        asked = {case.operation_id for case in self.made.cases()}
        left = [o for o in self.made.unsettled() if o.id not in asked]
        assert not left, f"without an outcome: {left}"

    def check_agreement(self) -> None:
        """Linked rows in scope show what their record holds, or somebody is asked."""
        made = self.made
        asked = {case.link_id for case in made.cases()}
        records = {record.id: record for record in [*made.records(), *made.records("course")]}
        for link in made.links():
            row = self.vendor(link.connection).rows(link.resource).get(link.external_id or "")
            if link.state in (LinkState.LINKED, LinkState.LEFT) and link.id not in asked:
                assert row is not None, f"linked to nothing: {link}"
            record = records.get(link.record_id or "")
            if record is None or link.state is not LinkState.LINKED or link.id in asked:
                continue
            if link.wait is None and row is not None:
                self.check_row(link, record, row)

    def check_row(self, link: Link, record: Record, row: dict[str, Json]) -> None:
        """One row against its record, up to the vendor's own spelling."""
        system = self.made.engine.project.entities[link.entity].systems[link.connection]
        externals = {
            (k.record_id or "", k.connection): k.external_id or ""
            for k in self.made.links()
            if k.entity == "person" and k.state in (LinkState.LINKED, LinkState.LEFT)
        }
        world = World(self.made.engine.today, externals=externals)
        spelled = dict(row)
        for name, rule in system.rules.items():
            context = Context(link.connection, world, record, row, record.values.get(name))
            try:
                ours = rule.encode(record.values.get(name), context)
            except Unresolved:
                continue
            wanted = {**spelled, name: ours}
            self.vendor(link.connection).shape(wanted)
            theirs = rule.look(row)
            if (theirs is ABSENT or is_empty(theirs)) and is_empty(ours):
                continue
            assert rule.same(theirs, wanted[name]) or rule.same(theirs, ours), (
                f"{link.connection} {name}: {theirs!r} at the vendor, {ours!r} in the record"
            )

    def check_waits(self) -> None:
        """Who waits waits for something that is so; who waits for nothing is not left lying."""
        made = self.made
        asked = {case.link_id for case in made.cases()}
        busy = {o.link_id for o in made.unsettled()}
        unsettled = {f"op:{o.id}" for o in made.unsettled()}
        live = {record.id: record for record in [*made.records(), *made.records("course")]}
        for link in made.links():
            key = "" if link.wait is None else link.wait.key
            assert not key.startswith("scan:"), f"waits for a listing that came: {link}"
            assert not key.startswith("op:") or key in unsettled, f"waits for what is over: {link}"
            if key.startswith("free:"):
                name = key.removeprefix(f"free:{link.connection}/{link.resource}/")
                rows = self.vendor(link.connection).rows(link.resource)
                assert name in rows, f"waits for a row that is gone: {link}"
            record = live.get(link.record_id or "")
            idle = link.state is LinkState.CREATING and link.wait is None and link.id not in busy
            if record is not None and idle and link.id not in asked:
                system = made.engine.project.entities[link.entity].systems[link.connection]
                world = World(made.engine.today, live)
                out = system.scope is not None and not system.scope.on_record(record, world)
                assert out, f"in scope, without a row, and nobody knows why: {link}"

    def check_edits(self) -> None:
        """An edit that the engine has seen was taken, or lost by a named policy, or is asked about."""
        made = self.made
        links = {(k.connection, k.external_id): k for k in made.links()}
        asked = {case.link_id for case in made.cases()}
        live = {record.id: record for record in made.records()}
        for number, edit in enumerate(self.edits):
            link = links.get((edit.connection, edit.external_id))
            if not edit.shown or link is None or link.row is None:
                continue
            if link.record_id not in live or link.id in asked:
                continue
            if any(self.again(edit, later) for later in self.edits[number + 1 :]):
                continue
            record = live[link.record_id or ""]
            known = [record.values.get(edit.field)]
            for change in made.history(record.id):
                if change.field == edit.field:
                    known += [change.old, change.new, change.lost]
            spelled = {edit.field: record.values.get(edit.field)}
            self.vendor(edit.connection).shape(spelled)
            known.append(spelled[edit.field])
            if is_empty(edit.value) or isinstance(edit.value, list):
                continue
            if edit.field == "email":
                known += [str(value).upper() for value in known]
            assert edit.value in known, f"lost in silence: {edit}, known: {known}"

    @staticmethod
    def again(edit: Edit, later: Edit) -> bool:
        """Whether the same person changed the same field of the same row once more."""
        mine = (edit.connection, edit.external_id, edit.field)
        return mine == (later.connection, later.external_id, later.field)
