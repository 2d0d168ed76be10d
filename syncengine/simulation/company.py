"""A company in a run: its vendors, the engine on them, and all that its people entered."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from random import Random

from sqlalchemy import Engine as Database

from syncengine.errors import RowInvalid
from syncengine.flows.capture.capture import capture
from syncengine.flows.core.engine import IDS
from syncengine.flows.core.limits import Limits
from syncengine.flows.people import pausing
from syncengine.flows.reconcile.follow import follow_project
from syncengine.flows.run.sweep import sweep
from syncengine.mapping import Context, Project, Rule
from syncengine.model.operation import Detail, OperationState
from syncengine.model.record import World
from syncengine.model.values import Json
from syncengine.simulation.bench import Bench, emptied, new_database
from syncengine.simulation.clock import START, ManualClock
from syncengine.simulation.kinds import KINDS
from syncengine.simulation.setting import Setting
from syncengine.simulation.vendor import FakeVendor

LIMITS = Limits(lease=6.0, request_timeout=2.0, batch=100, backoff=1.0)
EMAILS = ("a@x.de", "b@x.de", "c@x.de")
JOBS = ("dev", "dev", "lead", "left")
ROUNDS = 14
"""Listings of everything after which all must be quiet."""


class Violation(AssertionError):
    """A promise does not hold."""


@dataclass
class Edit:
    """What a person entered at a vendor's screen: the raw value that stood there then. ``tick``: the step;
    ``shown``, ``shown_at``: the step after which the engine had stored a row with it, and when that was. ``agreed``:
    the engine had compared this cell before."""

    connection: str
    resource: str
    external_id: str
    field: str
    raw: Json
    tick: int
    at: float
    agreed: bool = False
    shown: int | None = None
    shown_at: float = 0.0

    @property
    def cell(self) -> tuple[str, str, str, str]:
        """Where."""
        return self.connection, self.resource, self.external_id, self.field


@cache
def _database() -> Database:
    """One store for all runs of a process."""
    return new_database()


@lru_cache(8)
def _compiled(seed: int) -> Project:
    return Setting(seed).project()


@dataclass
class Company:
    """``removed``: (connection, resource, external id) of rows that people deleted. ``told``: record ids ever seen.
    ``compared``: cells that the engine has compared with a record.
    ``ruled``: people decided who is who, or whether a write took effect, or took away what a row of ours was to be
    found by, so that rows may be twice by their will. ``misled``: they said of a create that was done that it was not,
    or changed what its row is found by before the engine saw it, so that it counts as somebody else's.
    ``paused``: connections. ``tick`` counts steps, ``serial`` the values that people thought of."""

    setting: Setting
    bench: Bench = field(init=False)
    edits: list[Edit] = field(default_factory=list)
    removed: set[tuple[str, str, str]] = field(default_factory=set)
    told: set[str] = field(default_factory=set)
    compared: set[tuple[str, str, str, str]] = field(default_factory=set)
    ruled: bool = False
    misled: bool = False
    paused: set[str] = field(default_factory=set)
    tick: int = 0
    serial: int = 0
    began: float = START

    def __post_init__(self) -> None:
        IDS.seed(self.setting.seed)
        clock, made = ManualClock(), _compiled(self.setting.seed)
        vendors = self.setting.vendors(clock)
        self.bench = Bench.on(vendors, made, emptied(_database()), clock, LIMITS)

    def close(self) -> None:
        """Give back the threads of its engine."""
        self.bench.engine.close()
        IDS.seed(None)

    def vendor(self, name: str) -> FakeVendor:
        """By name."""
        return self.bench.vendors[name]

    def rule(self, name: str, column: str, entity: str = "person") -> Rule | None:
        """How a system spells a field, if it has it."""
        system = self.bench.engine.system(entity, name)
        return None if system is None else system.rules.get(column)

    # people

    def pick(self, name: str, chance: Random, resource: str = "people") -> str | None:
        """One of a vendor's rows."""
        rows = sorted(self.vendor(name).rows(resource))
        return chance.choice(rows) if rows else None

    def thought(self, name: str, column: str, chance: Random, old: Json = None) -> Json:
        """A raw value that a person may enter, as the vendor spells it."""
        self.serial += 1
        if column == "job":
            return chance.choice(JOBS if chance.random() < 0.9 else ("hidden",))
        if chance.random() < 0.15:
            return None
        if column == "boss":
            return self.pick(name, chance)
        rule, value = self.rule(name, column), KINDS[column].fresh(self.serial)
        value = self.setting.entered(column, value)
        if column == "tags" and isinstance(old, list):
            value = [*old, *value] if chance.random() < 0.6 else old[1:]
        if rule is None or rule.written:
            return value
        try:
            return rule.encode(value, Context(name, World(self.bench.engine.today)))
        except RowInvalid:
            return None

    def add(self, name: str, resource: str = "people", /, **values: Json) -> str:
        """A person enters a row."""
        vendor = self.vendor(name)
        row = vendor.add(resource, **values)
        for column in values:
            self._note(name, resource, row, column)
        return row

    def edit(self, name: str, row: str, column: str, value: Json, resource: str = "people") -> None:
        """A person changes a value."""
        vendor = self.vendor(name)
        before = vendor.row(row, resource).get(column)
        vendor.edit(row, resource, **{column: value})
        if vendor.row(row, resource)[column] != before:
            if column == "email" and not self._known(name, resource, row):
                self.ruled = self.misled = True
            self._note(name, resource, row, column)

    def _known(self, name: str, resource: str, row: str) -> bool:
        """Whether the engine has seen a row. One that it made and whose key a person changes before is another to
        whoever searches for it."""
        made = (resource, row) in self.vendor(name).maker
        return not made or any(k.external_id == row for k in self.bench.links(name))

    def remove(self, name: str, row: str, resource: str = "people") -> None:
        """A person deletes a row."""
        self.vendor(name).remove(row, resource)
        self.removed.add((name, resource, row))

    def _note(self, name: str, resource: str, row: str, column: str) -> None:
        raw = self.vendor(name).row(row, resource)[column]
        now = self.bench.clock.now()
        agreed = (name, resource, row, column) in self.compared
        self.edits.append(Edit(name, resource, row, column, raw, self.tick, now, agreed))

    def look(self) -> None:
        """What the engine has stored by now."""
        self.tick += 1
        links = self.bench.links()
        self.told |= {link.record_id for link in links if link.record_id}
        self.compared |= {
            (k.connection, k.resource, k.external_id or "", n) for k in links for n in k.base.vendor
        }
        waiting = [edit for edit in self.edits if edit.shown is None]
        rows = {(k.connection, k.resource, k.external_id): k.row for k in links} if waiting else {}
        for edit in waiting:
            row = rows.get((edit.connection, edit.resource, edit.external_id)) or {}
            if edit.field in row and row[edit.field] == edit.raw:
                edit.shown, edit.shown_at = self.tick, self.bench.clock.now()

    # the service

    def pause(self, name: str) -> None:
        """Writes to a connection are stopped."""
        pausing.pause(self.bench.engine, name, "an audit")
        self.paused.add(name)

    def resume(self) -> None:
        """All writes go on."""
        pausing.resume(self.bench.engine, None)
        self.paused.clear()

    def observe(self, *names: str) -> None:
        """The service starts anew; these connections are only observed now, the others are written to."""
        project = self.bench.engine.project
        made = {
            n: replace(c, mode="observe" if n in names else "write")
            for n, c in project.connections.items()
        }
        self.bench.engine.project = replace(project, connections=made)
        follow_project(self.bench.engine)

    def sent(self) -> Counter[str]:
        """Connection -> writes so far."""
        return Counter({name: len(v.keys) for name, v in self.bench.vendors.items()})

    def held(self) -> dict[str, int]:
        """The same, of connections that are not to be written to now."""
        connections = self.bench.engine.project.connections
        return {
            name: count for name, count in self.sent().items()
            if name in self.paused or connections[name].mode != "write"
        }  # fmt: skip

    def calm(self) -> None:
        """No more faults, nothing paused; everything that is under way comes to its end."""
        bench = self.bench
        for vendor in bench.vendors.values():
            vendor.faults.clear()
            vendor.during = vendor.after = None
        self.observe()
        self.resume()
        twice = any(
            not resource.single_get
            for vendor in bench.vendors.values()
            for resource in vendor.spec.resources.values()
        )
        quiet = 0
        for _ in range(ROUNDS):
            bench.clock.sleep(max(12.0, self.blocked_for()))
            before = self.sent()
            sweep(bench.engine)
            bench.settle()
            whole = self.list_all()
            bench.clock.sleep(4.0)
            bench.settle()
            self.look()
            still = whole and before == self.sent() and not self.moving()
            quiet = quiet + 1 if still else 0
            if quiet > twice:
                bench.clock.sleep(70.0)
                return
        raise Violation("it does not come to rest")

    def blocked_for(self) -> float:
        """Seconds until all vendors may be called, and the writes that were put off are due."""
        states = self.bench.read(lambda tx: tx.connections(self.bench.vendors))
        due = [
            o.next_at
            for o in self.bench.unsettled()
            if o.state is OperationState.PENDING or o.detail == Detail.LAST_TRY
        ]
        return max([s.blocked_until for s in states] + due) - self.bench.clock.now()

    def list_all(self) -> bool:
        """Every complete listing; whether all were complete."""
        listed = [
            capture(self.bench.engine, name, resource, "scan").complete
            for name, vendor in self.bench.vendors.items()
            for resource in vendor.spec.resources
        ]
        return all(listed)

    def moving(self) -> bool:
        """Whether anything that will move by itself is under way."""
        asked = {case.operation_id for case in self.bench.cases()}
        dirty = self.bench.read(lambda tx: tx.dirty_count())
        return bool(dirty or [o for o in self.bench.unsettled() if o.id not in asked])
