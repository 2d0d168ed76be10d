"""A vendor in memory that keeps ``ports.Connector``: own spelling, own ids, late and lost answers."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Literal

from syncengine.errors import (
    Bug,
    Exists,
    RateLimited,
    Rejected,
    SyncengineError,
    Unauthorized,
    Unknown,
    VendorDown,
)
from syncengine.mapping import paths
from syncengine.model.operation import Written
from syncengine.model.resource import ConnectorSpec, FieldSpec, ResourceSpec
from syncengine.model.values import Json, Row, TypeName, is_empty
from syncengine.ports import Clock, Gate, Item, Page, Tally, Window

Shape = Callable[[dict[str, Json]], None]
"""Brings a row into the vendor's own spelling, in place."""


def as_it_is(row: dict[str, Json]) -> None:
    """The vendor keeps what it is given."""
    del row


Fault = Literal[
    "refuse", "down", "limit", "locked_out",  # surely not done
    "lost",  # never arrives, no answer
    "drop",  # done, the answer is lost
    "late",  # no answer, done later
    "fail", "partial", "empty", "short",  # listings
]  # fmt: skip

PAGE = 3
LATENCY = 0.25
"""Seconds of each half of a call."""


def spec(
    name: str, *fields: str, resource: str = "people", types: Mapping[str, TypeName] | None = None,
    settle_time: float = 5.0, **abilities: Any,
) -> ConnectorSpec:  # fmt: skip
    """A vendor of one resource, all fields of which may be written; ``id`` may only be read."""
    chosen = abilities.get("chosen_id")
    made = {
        n: FieldSpec((types or {}).get(n, "string"), n != "id" or chosen == "id") for n in fields
    }
    unlisted = abilities.pop("unlisted", ())
    for n in unlisted:
        made[n] = FieldSpec(made[n].type, True, listed=False)
    able: dict[str, Any] = {"create": True, "update": True, "delete": True, **abilities}
    return ConnectorSpec(
        name, {resource: ResourceSpec(resource, made, **able)}, (), settle_time=settle_time,
        concurrency=1,
    )  # fmt: skip


class Open:
    """A gate that lets all pass."""

    def enter(self, write: bool) -> None:
        """Nothing is asked."""


@dataclass(slots=True)
class _Table:
    rows: dict[str, dict[str, Json]] = field(default_factory=dict)
    past: list[tuple[float, dict[str, dict[str, Json]]]] = field(default_factory=list)
    number: int = 0


@dataclass
class FakeVendor:
    """One account. ``answers``: what a write's answer shows (``full`` row, ``empty``, or the ``sent`` fields).
    ``shape``: the vendor's own spelling, of people's rows too. ``faults``: per verb (scan, poll, get, find, create,
    update, delete) what befalls the next calls, in order; None lets one pass. ``calls``: verb and id of each
    request that arrived. ``made``: idempotency key -> rows made by it. ``late``: seconds until a late write is
    done. ``stamps``: each row shows when it was changed.
    ``during``: runs once inside the next write, before it takes effect (somebody else is quicker)."""

    declared: ConnectorSpec
    clock: Clock
    answers: Literal["full", "empty", "sent"] = "full"
    shape: Shape = as_it_is
    unique: tuple[str, ...] = ()
    late: float = 3.0
    gate: Gate = field(default_factory=Open)
    faults: dict[str, deque[Fault | None]] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    made: Counter[str] = field(default_factory=Counter)
    keys: list[tuple[str, str]] = field(default_factory=list)
    during: Callable[[], object] | None = None
    tables: dict[str, _Table] = field(default_factory=dict)
    stamps: bool = False
    _tally: Tally = field(default_factory=Tally)
    _coming: list[tuple[float, Callable[[], object]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tables = {name: _Table() for name in self.declared.resources}

    # people at the vendor's own screen

    def add(self, resource: str = "people", **values: Json) -> str:
        """A person enters a row; its id."""
        return self._insert(resource, dict(values))

    def edit(self, external_id: str, resource: str = "people", **values: Json) -> None:
        """A person changes fields of a row."""
        self._change(resource, external_id, values)

    def remove(self, external_id: str, resource: str = "people") -> None:
        """A person deletes a row."""
        self._forget(resource, external_id)

    def rows(self, resource: str = "people") -> dict[str, dict[str, Json]]:
        """What is there now."""
        self._arrive()
        return deepcopy(self.tables[resource].rows)

    def row(self, external_id: str, resource: str = "people") -> dict[str, Json]:
        """One row as it is now."""
        return self.rows(resource)[external_id]

    def fault(self, verb: str, *faults: Fault | None) -> None:
        """What befalls the next calls of a verb."""
        self.faults.setdefault(verb, deque()).extend(faults)

    def wrote(self) -> list[tuple[str, str]]:
        """The writes that arrived, in order."""
        return [call for call in self.calls if call[0] in ("create", "update", "delete")]

    # ports.Connector

    @property
    def spec(self) -> ConnectorSpec:
        """What it declares."""
        return self.declared

    @property
    def tally(self) -> Tally:
        """What it was asked."""
        return self._tally

    @property
    def token_calls(self) -> int:
        """It wants no token."""
        return 0

    def health(self) -> None:
        """One cheap call."""
        self._end(self._begin("health", "", False))

    def scan(
        self, resource: str, parent: str | None = None, window: Window | None = None
    ) -> Iterator[Page]:
        """The complete listing, ``PAGE`` rows a page, each page as old as the listing may lag."""
        shown: set[str] = set()
        number, ending = 0, None
        while True:
            fault = self._begin("scan" if not number else "page", resource, False)
            if fault in ("empty", "short", "partial"):
                ending = fault
            else:
                self._end(fault)
            rows = self._listed(resource)
            names = [n for n in sorted(rows) if n not in shown]
            if parent is not None:
                names = [n for n in names if rows[n].get("_parent") == parent]
            if window is not None:
                names = [n for n in names if window.start <= str(rows[n].get("day")) <= window.end]
            if ending == "empty":
                names = []
            if ending == "short":
                names = names[: len(names) // 2]
            page, shown = names[:PAGE], shown | set(names[:PAGE])
            self._pass(LATENCY)
            yield Page([self._item(resource, n, rows[n], listed=True) for n in page])
            number += 1
            if ending == "partial":
                raise VendorDown("the listing broke off")
            if len(names) <= PAGE or ending:
                return

    def poll(self, resource: str, cursor: str | None) -> Iterator[Page]:
        """Rows that differ from what they were at the cursor."""
        self._end(self._begin("poll", resource, False))
        before = self._at(resource, float(cursor)) if cursor else {}
        rows, at = self._listed(resource), self.clock.now() - self._spec(resource).list_lag
        self._pass(LATENCY)
        moved = [n for n in sorted(rows) if before.get(n) != rows[n]]
        yield Page([self._item(resource, n, rows[n], listed=True) for n in moved], repr(at))

    def get(self, resource: str, external_id: str) -> Item | None:
        """One full row, as old as a read may lag."""
        if not self._spec(resource).single_get:
            raise Bug(f"{resource} has no single read")
        self._end(self._begin("get", external_id, False))
        rows = self._at(resource, self.clock.now() - self._spec(resource).read_lag)
        self._pass(LATENCY)
        found = rows.get(external_id)
        return None if found is None else self._item(resource, external_id, found)

    def find(self, resource: str, body: Mapping[str, Json], key: str) -> Sequence[Item]:
        """By chosen id, marker, or the first searchable field that the body gives."""
        spec = self._spec(resource)
        self._end(self._begin("find", resource, False))
        self._pass(LATENCY)
        if spec.chosen_id and spec.chosen_id in body:
            rows = self._at(resource, self.clock.now() - spec.read_lag)
            names = [str(body[spec.chosen_id])] if str(body[spec.chosen_id]) in rows else []
            return [self._item(resource, n, rows[n]) for n in names]
        rows = self._listed(resource)
        if spec.marker:
            holding = f"#{key}"
            return [
                self._item(resource, n, r) for n, r in rows.items()
                if holding in str(r.get(spec.marker))
            ]  # fmt: skip
        by = next((n for n in spec.search if not is_empty(body.get(n))), None)
        if by is None:
            raise Bug(f"a create of {resource} cannot be found")
        wanted = str(body[by]).casefold()
        return [
            self._item(resource, n, r)
            for n, r in rows.items()
            if str(r.get(by)).casefold() == wanted
        ]

    def create(self, resource: str, body: Mapping[str, Json], key: str) -> Written:
        """Make a row."""
        spec = self._spec(resource)
        fault = self._begin("create", key, True)
        self.keys.append(("create", key))
        row: dict[str, Json] = {}
        for path, value in body.items():
            paths.put(row, path, value)
        if spec.marker:
            row[spec.marker] = f"{row.get(spec.marker) or ''} #{key}".strip()
        chosen = row.pop(spec.chosen_id, None) if spec.chosen_id else None

        def do() -> str:
            self.made[key] += 1
            return self._insert(resource, row, chosen)

        if fault == "late":
            self._later(lambda: do() if not self._taken(resource, row, chosen) else None)
        self._refuse(fault)
        if self._taken(resource, row, chosen):
            raise Exists("that id or key is taken")
        external_id = do()
        self._pass(LATENCY)
        if fault == "drop":
            raise Unknown("no answer")
        return self._written(resource, external_id, body)

    def update(
        self, resource: str, external_id: str, body: Mapping[str, Json], current: Row, key: str
    ) -> Written:
        """Change a row."""
        del current
        fault = self._begin("update", external_id, True)
        self.keys.append(("update", key))

        def do() -> None:
            if external_id in self.tables[resource].rows:
                self._change(resource, external_id, body)

        if fault == "late":
            self._later(do)
        self._refuse(fault)
        if external_id not in self.tables[resource].rows:
            raise Rejected("there is no such row", 404)
        do()
        self._pass(LATENCY)
        if fault == "drop":
            raise Unknown("no answer")
        return self._written(resource, external_id, body)

    def delete(self, resource: str, external_id: str, key: str) -> None:
        """Delete a row."""
        fault = self._begin("delete", external_id, True)
        self.keys.append(("delete", key))
        if fault == "late":
            self._later(lambda: self._forget(resource, external_id))
        self._refuse(fault)
        self._forget(resource, external_id)
        self._pass(LATENCY)
        if fault == "drop":
            raise Unknown("no answer")

    def pages(self, resource: str, rows: int, window: Window | None = None) -> int:
        """How many calls a listing takes."""
        del resource, window
        return max(1, -(-rows // PAGE))

    def calls_of(self, resource: str, body: Mapping[str, Json], current: Row | None = None) -> int:
        """One."""
        del resource, body, current
        return 1

    def close(self) -> None:
        """There is nothing to close."""

    # inside

    def _spec(self, resource: str) -> ResourceSpec:
        return self.declared.resources[resource]

    def _begin(self, verb: str, what: str, write: bool) -> Fault | None:
        """A request goes out and arrives, unless its fault says otherwise."""
        self.gate.enter(write)
        self._tally.writes += write
        self._tally.reads += not write
        self._pass(LATENCY)
        waiting = self.faults.get(verb)
        fault = waiting.popleft() if waiting else None
        self.calls.append((verb, what))
        if write and self.during is not None:
            meanwhile, self.during = self.during, None
            meanwhile()
        return fault

    def _end(self, fault: Fault | None) -> None:
        """What a fault does to a read."""
        if fault is not None:
            raise _surely_not(fault) or VendorDown("no answer")

    def _refuse(self, fault: Fault | None) -> None:
        """What a fault does to a write that is not done, or not now."""
        surely = _surely_not(fault)
        if surely is not None:
            raise surely
        if fault in ("lost", "late"):
            self._pass(LATENCY)
            raise Unknown("no answer")

    def _pass(self, seconds: float) -> None:
        self.clock.sleep(seconds)
        self._arrive()

    def _later(self, do: Callable[[], object]) -> None:
        self._coming.append((self.clock.now() + self.late, do))

    def _arrive(self) -> None:
        due = [do for at, do in self._coming if at <= self.clock.now()]
        self._coming = [(at, do) for at, do in self._coming if at > self.clock.now()]
        for do in due:
            do()

    def _remember(self, resource: str) -> None:
        table = self.tables[resource]
        table.past.append((self.clock.now(), deepcopy(table.rows)))

    def _at(self, resource: str, at: float) -> dict[str, dict[str, Json]]:
        """The rows as they were."""
        self._arrive()
        table = self.tables[resource]
        if at >= self.clock.now():
            return table.rows
        known = [rows for when, rows in table.past if when <= at]
        return known[-1] if known else {}

    def _listed(self, resource: str) -> dict[str, dict[str, Json]]:
        return self._at(resource, self.clock.now() - self._spec(resource).list_lag)

    def _item(
        self, resource: str, external_id: str, row: dict[str, Json], listed: bool = False
    ) -> Item:
        hidden = self._spec(resource).unlisted if listed else frozenset()
        shown = {n: v for n, v in row.items() if n not in hidden}
        return Item(external_id, deepcopy(shown), row.get("_parent"))

    def _written(self, resource: str, external_id: str, body: Mapping[str, Json]) -> Written:
        row = self.tables[resource].rows[external_id]
        if self.answers == "empty":
            return Written(external_id)
        if self.answers == "sent":
            roots = {paths.root(path) for path in body} | {"id"}
            return Written(external_id, {n: v for n, v in row.items() if n in roots})
        return Written(external_id, deepcopy(row))

    def _taken(self, resource: str, row: Row, chosen: Json) -> bool:
        rows = self.tables[resource].rows
        shaped = dict(row)
        self.shape(shaped)
        return str(chosen) in rows or any(
            not is_empty(shaped.get(name)) and other.get(name) == shaped.get(name)
            for name in self.unique
            for other in rows.values()
        )

    def _insert(self, resource: str, row: dict[str, Json], chosen: Json = None) -> str:
        table = self.tables[resource]
        table.number += 1
        external_id = str(
            row.pop("id", None) or chosen or f"{self.declared.name}-{table.number:04}"
        )
        row["id"] = external_id
        self._spell(row)
        table.rows[external_id] = row
        self._remember(resource)
        return external_id

    def _change(self, resource: str, external_id: str, body: Mapping[str, Json]) -> None:
        row = self.tables[resource].rows[external_id]
        for path, value in body.items():
            paths.put(row, path, value)
        self._spell(row)
        self._remember(resource)

    def _spell(self, row: dict[str, Json]) -> None:
        self.shape(row)
        if self.stamps:
            row["changed"] = self.clock.now()

    def _forget(self, resource: str, external_id: str) -> None:
        if self.tables[resource].rows.pop(external_id, None) is not None:
            self._remember(resource)


def _surely_not(fault: Fault | None) -> SyncengineError | None:
    errors: dict[str, SyncengineError] = {
        "refuse": Rejected("that is not allowed", 422, "not allowed"),
        "down": VendorDown("refused the connection"),
        "fail": VendorDown("503"),
        "limit": RateLimited("429", 0.0),
        "locked_out": Unauthorized("401"),
    }
    return errors.get(fault or "")
