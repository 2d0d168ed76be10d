"""A vendor in memory that keeps ``ports.Connector``: own spelling, own ids, late and lost answers."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from syncengine.errors import Bug, Exists, Rejected, Unknown, Unnamed, VendorDown
from syncengine.mapping import paths
from syncengine.model.operation import Written
from syncengine.model.resource import ConnectorSpec, ResourceSpec
from syncengine.model.values import Json, Row, is_empty
from syncengine.ports import Gate, Item, Page, Tally, Window
from syncengine.simulation.account import Account
from syncengine.simulation.traits import LATENCY, Fault, Front, Open, surely_not

PAGE = 3


@dataclass
class FakeVendor(Account):
    """An account that is called. ``answers``: what a write's answer shows (``full`` row, ``empty``, or the ``sent``
    fields). ``faults``: per verb (scan, poll, get, find, create, update, delete) what befalls the next calls, in order;
    None lets one pass. ``calls``: verb and id of each request that arrived. ``made``: idempotency key -> rows made by
    it. ``late``: seconds until a late write is done. ``remembers``: a write whose idempotency key was seen before is
    answered as then and not done again. ``befell``: the faults that befell calls.
    ``maker``: (resource, id) -> idempotency key of the create that made a row. ``twins``: rows that a create made
    beside one that its search would have found. ``deaf``: columns of people that it accepts and does not change, for
    whoever calls it.
    ``during``, ``after``: run once inside the next write, before it takes effect (somebody else is quicker) and
    before it is answered (somebody was waiting for it)."""

    answers: Literal["full", "empty", "sent"] = "full"
    late: float = 3.0
    latency: float = LATENCY
    gate: Gate = field(default_factory=Open)
    faults: dict[str, deque[Fault | None]] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    made: Counter[str] = field(default_factory=Counter)
    keys: list[tuple[str, str]] = field(default_factory=list)
    during: Callable[[], object] | None = None
    remembers: bool = False
    befell: Counter[str] = field(default_factory=Counter)
    maker: dict[tuple[str, str], str] = field(default_factory=dict)
    twins: list[str] = field(default_factory=list)
    after: Callable[[], object] | None = None
    deaf: frozenset[str] = frozenset()
    front: Front = field(default_factory=Front)
    _astray_until: float = 0.0
    _answers: dict[str, Written | None] = field(default_factory=dict)
    _tally: Tally = field(default_factory=Tally)

    def fault(self, verb: str, *faults: Fault | None) -> None:
        """What befalls the next calls of a verb."""
        self.faults.setdefault(verb, deque()).extend(faults)

    def wrote(self) -> list[tuple[str, str]]:
        """The writes that arrived, in order."""
        return [call for call in self.calls if call[0] in ("create", "update", "delete")]

    @property
    def pretended(self) -> bool:
        """Whether it ever accepted what it did not do."""
        return bool(self.deaf or self.befell.keys() & {"update ignore", "update mute"})

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
        """The complete listing, ``PAGE`` rows a page or fewer, each page as old as the listing may lag."""
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
            page, shown = names[: self._rows], shown | set(names[: self._rows])
            self._pass(self.latency)
            yield Page([self._item(resource, n, rows[n], listed=True) for n in page])
            number += 1
            if ending == "partial":
                raise VendorDown("the listing broke off")
            if len(names) <= self._rows or ending:
                return

    def poll(self, resource: str, cursor: str | None) -> Iterator[Page]:
        """Rows that differ from what they were at the cursor."""
        self._end(self._begin("poll", resource, False))
        before = self._at(resource, float(cursor)) if cursor else {}
        rows, at = self._listed(resource), self.clock.now() - self._spec(resource).list_lag
        self._pass(self.latency)
        moved = [n for n in sorted(rows) if before.get(n) != rows[n]]
        yield Page([self._item(resource, n, rows[n], listed=True) for n in moved], repr(at))

    def get(self, resource: str, external_id: str) -> Item | None:
        """One full row, as old as a read may lag."""
        if not self._spec(resource).single_get:
            raise Bug(f"{resource} has no single read")
        self._end(self._begin("get", external_id, False))
        rows = self._at(resource, self.clock.now() - self._spec(resource).read_lag)
        self._pass(self.latency)
        found = rows.get(external_id)
        return None if found is None else self._item(resource, external_id, found)

    def find(self, resource: str, body: Mapping[str, Json], key: str) -> Sequence[Item]:
        """By chosen id, marker, or the first searchable field that the body gives."""
        spec = self._spec(resource)
        self._end(self._begin("find", resource, False))
        self._pass(self.latency)
        if spec.chosen_id and spec.chosen_id in body:
            rows = self._at(resource, self.clock.now() - spec.read_lag)
            names = [str(body[spec.chosen_id])] if str(body[spec.chosen_id]) in rows else []
            return [self._item(resource, n, rows[n]) for n in names]
        rows = self._listed(resource)
        if spec.marks(body):
            holding = f"#{key}"
            return [
                self._item(resource, n, r) for n, r in rows.items()
                if holding in str(r.get(spec.marker or ""))
            ]  # fmt: skip
        if not any(not is_empty(body.get(n)) for n in spec.search):
            raise Bug(f"a create of {resource} cannot be found")
        return [self._item(resource, n, rows[n]) for n in self._found(resource, spec, body)]

    def _found(self, resource: str, spec: ResourceSpec, body: Mapping[str, Json]) -> list[str]:
        """Rows that show the first searchable field that the body gives."""
        by = next((n for n in spec.search if not is_empty(body.get(n))), None)
        wanted = str(body[by]).casefold() if by else ""
        rows = self._listed(resource) if by else {}
        return [n for n, row in rows.items() if str(row.get(by or "")).casefold() == wanted]

    def create(self, resource: str, body: Mapping[str, Json], key: str) -> Written:
        """Make a row."""
        spec = self._spec(resource)
        row: dict[str, Json] = {}
        for path, value in body.items():
            paths.put(row, path, value)
        if spec.marker and spec.marks(body):
            row[spec.marker] = f"{row.get(spec.marker) or ''} #{key}".strip()
        chosen = row.pop(spec.chosen_id, None) if spec.chosen_id else None

        def do() -> Written:
            if self._taken(resource, row, chosen):
                raise Exists("that id or key is taken")
            self.made[key] += 1
            # Before a late write, or by a search that lags, nobody could have seen the other row.
            sure = self._moment is None and not spec.list_lag
            twin = spec.search and sure and self._found(resource, spec, row)
            heard = {n: v for n, v in row.items() if n not in self.deaf}
            external_id = self._insert(resource, heard, chosen)
            self.maker[(resource, external_id)] = key
            self.twins += [external_id] * bool(twin)
            return self._written(resource, external_id, body)

        done = self._write("create", key, key, do, lambda _: None)
        if done is None:
            raise Unnamed("accepted, but the answer names no row")
        return done

    def update(
        self, resource: str, external_id: str, body: Mapping[str, Json], current: Row, key: str
    ) -> Written:
        """Change a row."""
        del current

        def do() -> Written:
            if external_id not in self.tables[resource].rows:
                raise Rejected("there is no such row", self.front.gone)
            heard = {p: v for p, v in body.items() if paths.root(p) not in self.deaf}
            self._change(resource, external_id, heard)
            return self._written(resource, external_id, body)

        def pretend(mute: bool) -> Written:
            if external_id not in self.tables[resource].rows:
                raise Rejected("there is no such row", self.front.gone)
            self._change(resource, external_id, {})
            return Written(external_id) if mute else self._written(resource, external_id, body)

        done = self._write("update", external_id, key, do, pretend)
        assert done is not None
        return done

    def delete(self, resource: str, external_id: str, key: str) -> None:
        """Delete a row."""
        forget = partial(self._forget, resource, external_id)
        self._write("delete", external_id, key, forget, lambda _: None)

    def pages(self, resource: str, rows: int, window: Window | None = None) -> int:
        """How many calls a listing takes."""
        del resource, window
        return max(1, -(-rows // self._rows))

    def calls_of(self, resource: str, body: Mapping[str, Json], current: Row | None = None) -> int:
        """One."""
        del resource, body, current
        return 1

    def close(self) -> None:
        """There is nothing to close."""

    # inside

    @property
    def _rows(self) -> int:
        return self.front.rows or PAGE

    def _write(
        self, verb: str, what: str, key: str, do: Callable[[], Written | None],
        pretend: Callable[[bool], Written | None],
    ) -> Written | None:  # fmt: skip
        """One write, and what befalls it. ``pretend``: the answer of one that is not done, or not yet; whether mute."""
        fault = self._begin(verb, what, True)
        self.keys.append((verb, key))

        def once() -> Written | None:
            if not (self.remembers and key in self._answers):
                self._answers[key] = do()
            return self._answers[key]

        def at_last() -> None:
            with suppress(Exists, Rejected):
                once()

        if fault in ("late", "later"):
            self._coming.append((self.clock.now() + self.late, at_last))
        surely = surely_not(fault, self.front, self.clock.now())
        if surely is not None:
            raise surely
        if fault in ("lost", "late"):
            self._pass(self.front.hangs)
            raise Unknown("no answer")
        pretends = fault in ("ignore", "mute", "later")
        answer = pretend(fault == "mute") if pretends else once()
        if fault == "unnamed":
            answer = None
        if self.after is not None:
            meanwhile, self.after = self.after, None
            meanwhile()
        self._pass(self.latency)
        if fault == "drop":
            raise Unknown("no answer")
        return answer

    def _begin(self, verb: str, what: str, write: bool) -> Fault | None:
        """A request goes out and arrives, unless its fault says otherwise."""
        self.gate.enter(write)
        self._tally.writes += write
        self._tally.reads += not write
        self._pass(self.latency)
        waiting = self.faults.get(verb)
        fault = waiting.popleft() if waiting else None
        if fault in ("down", "fail") and self.front.pages:
            self._astray_until = self.clock.now() + self.front.pages
        if self.clock.now() < self._astray_until:
            fault = "page"
        if fault is not None:
            self.befell[f"{verb} {fault}"] += 1
        self.calls.append((verb, what))
        # What somebody enters right before a write that is accepted and not done, or later, stands in its answer just
        # as the vendor's own spelling of our value would.
        heard = not self.deaf and fault not in ("ignore", "mute", "later")
        if write and heard and self.during is not None:
            meanwhile, self.during = self.during, None
            meanwhile()
        return fault

    def _end(self, fault: Fault | None) -> None:
        """What a fault does to a read."""
        if fault is not None:
            raise surely_not(fault, self.front, self.clock.now()) or VendorDown("no answer")

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
