"""What a run is set in: two to four vendors of drawn abilities, and a drawn mapping between them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any, TypeVar

from syncengine.mapping import Project
from syncengine.model.resource import ConnectorSpec, FieldSpec, ResourceSpec
from syncengine.model.values import Json, TypeName, is_empty
from syncengine.ports import Clock
from syncengine.simulation.bench import project
from syncengine.simulation.clock import ManualClock
from syncengine.simulation.kinds import (
    AS_IT_IS,
    CUT_AT,
    KINDS,
    ODD,
    SHOUTED,
    TEXTS,
    WORDY,
    Spelling,
)
from syncengine.simulation.traits import LATENCY, Fault, Front
from syncengine.simulation.vendor import FakeVendor

T = TypeVar("T")
NAMES = ("hr", "lms", "tm", "pay")
SETTLE = 2.0
"""Seconds within which every vendor commits."""


@dataclass(frozen=True)
class Setting:
    """All that is drawn from a seed. Each draw has a name of its own, so that one more does not change the others."""

    seed: int

    def draw(self, name: str, *choices: T) -> T:
        """One of some choices, always the same for a seed and a name; the more often it stands there, the likelier."""
        return Random(f"{self.seed}/{name}/0").choice(choices)

    # vendors

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of the vendors; people are entered in the first."""
        return NAMES[: self.draw("vendors", 2, 3, 3, 3, 4)]

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """Of the person, besides email and job."""
        known = [*KINDS]
        Random(f"{self.seed}/fields").shuffle(known)
        return tuple(known[: self.draw("many", 3, 4, 5)])

    @cached_property
    def courses(self) -> bool:
        """Whether courses are derived for people, which exist in all vendors but the first."""
        return self.draw("courses", True, False, False)

    def ids(self, name: str) -> str:
        """How a row that we made is found again: by the id that we chose, a search, a marker, or not at all."""
        kinds = ("search", "search", "chosen", "marker", "none")
        return "search" if name == "hr" else self.draw(f"{name}.ids", *kinds)

    def answers(self, name: str) -> Any:
        """What the answer of a write shows."""
        return self.draw(f"{name}.answers", "full", "full", "sent", "empty")

    def deaf(self, name: str) -> frozenset[str]:
        """Columns that a vendor accepts in writes and never changes."""
        return frozenset(self.draw(f"{name}.deaf", *[()] * 7, self.fields[:1], self.fields[1:3]))

    def first(self, name: str) -> tuple[Fault | None, ...]:
        """What befalls a vendor's first creates."""
        claims: tuple[tuple[Fault | None, ...], ...] = (
            ("unnamed",), ("ignore",), (None, "unnamed"), (None, "mute"), ("later",)
        )  # fmt: skip
        return self.draw(f"{name}.first", *[()] * 10, *claims)

    def last(self, name: str) -> tuple[Fault | None, ...]:
        """What befalls a vendor's first deletes, of which there are few."""
        faults: tuple[Fault, ...] = (
            "refuse", "down", "limit", "lost", "drop", "late", "ignore", "mute", "later"
        )  # fmt: skip
        return self.draw(f"{name}.last", (), (), (), *((fault,) for fault in faults))

    def front(self, name: str) -> Front:
        """How a vendor behaves over HTTP."""
        return Front(
            pages=self.draw(f"{name}.pages", 0.0, 0.0, 0.0, 6.0),
            pause=self.draw(f"{name}.pause", None, None, None, None, 1.0, 1.5, 7.0, 600.0),
            hangs=self.draw(f"{name}.hangs", LATENCY, LATENCY, LATENCY, 9.0),
            gone=self.draw(f"{name}.gone", 404, 404, 410),
            rows=self.draw(f"{name}.rows", 0, 0, 2, 1),
        )

    def spelling(self, name: str, column: str) -> Spelling:
        """How a vendor keeps a column. One that loses something shows in its answer what it made of a value."""
        if column == "email":
            return self.draw(f"{name}.email.spelling", AS_IT_IS, SHOUTED)
        if column not in KINDS or "codec" in self.rule(name, column):
            return AS_IT_IS
        found = self.draw(f"{name}.{column}.spelling", *KINDS[column].spellings)
        found = AS_IT_IS if found.lossy and self.answers(name) == "empty" else found
        return TEXTS[self.texts(name, column)] if found is AS_IT_IS else found

    def texts(self, name: str, column: str) -> str:
        """How a vendor codes the texts of a column."""
        if column not in WORDY or self.rule(name, column):
            return "as it is"
        return self.draw(f"{name}.{column}.texts", *["as it is"] * 2, *TEXTS)

    def coded(self, name: str, column: str) -> str:
        """How a vendor really codes the texts of a column that people enter in more than one code."""
        found = self.spelling(name, column)
        odd = self.entered(column, "") != ""
        return next((told for told, s in TEXTS.items() if s is found and odd), "as it is")

    def entered(self, column: str, value: Json) -> Json:
        """A value as people enter it."""
        odd = column in WORDY and self.draw(f"{column}.odd", True, True, False)
        return f"{value}{ODD}" if odd else value

    def rule(self, name: str, column: str) -> str:
        """What stands in a field rule beside the path."""
        if column not in KINDS:
            return ""
        return self.draw(f"{name}.{column}.rule", *KINDS[column].rules)

    def vendors(self, clock: Clock) -> list[FakeVendor]:
        """New ones, without a row."""
        return [self._vendor(name, clock) for name in self.names]

    def _vendor(self, name: str, clock: Clock) -> FakeVendor:
        lists = self.draw(f"{name}.lists", "all", "all", "less", "late")
        idle = self.ids(name) == "search" and name != "hr"

        def shape(row: dict[str, Json]) -> None:
            for column in row.keys() & {"email", *self.fields}:
                if not is_empty(row[column]):
                    row[column] = self.spelling(name, column).keep(row[column])

        return FakeVendor(
            self._spec(name, lists),
            clock,
            answers=self.answers(name),
            shape=shape,
            unique=self.draw(f"{name}.unique", ("email",), (), ()) if idle else (),
            late=SETTLE - 0.5,
            stamps=lists == "less",
            remembers=self.draw(f"{name}.remembers", True, False),
            deaf=self.deaf(name),
            faults={"create": deque(self.first(name)), "delete": deque(self.last(name))},
            front=self.front(name),
        )

    def _spec(self, name: str, lists: str) -> ConnectorSpec:
        ids = self.ids(name)
        columns: dict[str, TypeName] = {"id": "string", "email": "string", "job": "string"}
        for column in self.fields:
            declared = self.spelling(name, column).column or KINDS[column].column
            columns[column] = "boolean" if "happened" in self.rule(name, column) else declared
        for column in ("state", "title", *(["mark"] if ids == "marker" else [])):
            columns[column] = "string"
        unlisted = self.fields[1:3] if lists == "less" else ()
        people = ResourceSpec(
            "people",
            {n: FieldSpec(t, n != "id" or ids == "chosen", listed=n not in unlisted,
                          longest=CUT_AT if self.spelling(name, n) is TEXTS["cut"] else None)
             for n, t in columns.items()},
            chosen_id="id" if ids == "chosen" else None,
            search=("email",) if ids == "search" else (),
            marker="mark" if ids == "marker" else None,
            poll=True,
            single_get=self.flow(name) != "in" or self.draw(f"{name}.single", True, False),
            create=True, update=True, delete=True,
            list_lag=4.0 if lists == "late" else 0.0,
            read_lag=self.draw(f"{name}.behind", 3.0, *[0.0] * 7),
        )  # fmt: skip
        made = {"people": people}
        if self.courses and name != "hr" and self.flow(name) == "both":
            columns = {"id": "string", "person": "string", "title": "string"}
            shown = {n: FieldSpec(t, n != "id") for n, t in columns.items()}
            made["courses"] = ResourceSpec(
                "courses", shown, search=("person",), create=True, update=True, delete=True
            )
        calls = self.draw(f"{name}.calls", 1, 1, 3)
        return ConnectorSpec(name, made, (), settle_time=SETTLE, concurrency=calls)

    def told(self) -> list[str]:
        """Vendors and mapping, for people."""
        lines = []
        for vendor in self.vendors(ManualClock()):
            name, people = vendor.spec.name, vendor.spec.resources["people"]
            spelled = {n: self.spelling(name, n) for n in ("email", *self.fields)}
            own = [n for n, spelling in spelled.items() if spelling is not AS_IT_IS]
            own = [f"{n} ({told})" if told != "as it is" else n
                   for n in own for told in [self.coded(name, n)]]  # fmt: skip
            lines.append(
                f"{name}: rows of ours are found by {self.ids(name)}, writes are answered "
                f"{vendor.answers}, listings lag {people.list_lag:g} s and reads {people.read_lag:g} s, "
                f"not listed: {', '.join(sorted(people.unlisted)) or 'nothing'}, "
                f"own spelling: {', '.join(own) or 'nothing'}, "
                f"accepted and not changed: {', '.join(sorted(vendor.deaf)) or 'nothing'}, "
                f"over HTTP: {self.front(name)}"
            )
        return [*lines, *(line for text in self.files() for line in text.splitlines())]

    # the mapping

    def flow(self, name: str) -> str:
        """Of a system."""
        if name == "hr":
            return self.draw("hr.flow", "both", "both", "both", "in")
        flows = ["both"] * 8 + ["out"] + (["match"] if name == self.names[-1] != "lms" else [])
        return self.draw(f"{name}.flow", *flows)

    def carries(self, name: str, column: str) -> bool:
        """Whether a system has a field."""
        return column == "email" or (
            self.flow(name) != "match"
            and (name == "hr" or self.draw(f"{name}.{column}.there", *[True] * 7, False))
        )

    def narrowed(self, name: str, column: str) -> str:
        """The flow of a field rule."""
        flow = self.flow(name)
        if flow != "both" or column in ("email", "job"):
            return flow
        return self.draw(f"{name}.{column}.flow", *["both"] * 8, "in", "out")

    def project(self) -> Project:
        """The compiled mapping."""
        return project(self.vendors(ManualClock()), *self.files())

    def files(self) -> list[str]:
        """The mapping as YAML."""
        lines = ["version: 1", "entity: person", "fields:"]
        lines += [f"  {n}: {{{self._policy(n)}}}" for n in ("email", "job", *self.fields)]
        whose = "boss.job" if "boss" in self.fields else "job"
        lines += [f"  title: {{type: string, formula: \"{whose} == 'lead' ? 'Head' : 'Staff'\"}}"]
        lines += ["identity: [[email]]", self.draw("safety", *_SAFETY), "systems:"]
        for name in self.names:
            lines += [f"  {name}:", *(f"    {line}" for line in self._system(name))]
        carrying = [n for n in self.names if n != "hr" and self.courses and self.flow(n) == "both"]
        return ["\n".join(lines) + "\n", *(_courses(carrying) if carrying else [])]

    def _policy(self, name: str) -> str:
        if name == "email":
            return self.draw(
                "email.owner", "type: email, owner: hr", "type: email, on_conflict: hr"
            )
        if name == "job":
            owned = "type: string, owner: hr"
            return self.draw("job.owner", owned, owned, "type: string, on_conflict: newest")
        kind = KINDS[name]
        readers = [n for n in self.names if self.carries(n, name) and "in" in self._way(n, name)]
        told = [f"type: {kind.declared}"]
        constant = self.draw(f"{name}.owner", "", "", "", "system", "sometimes")
        system = self.draw(f"{name}.system", *(readers or ["hr"]))
        if constant and readers:
            some = f"\"job == 'lead' ? {system} : anyone\""
            told.append(f"owner: {system if constant == 'system' else some}")
            told.append(f"on_drift: {self.draw(f'{name}.drift', 'revert', 'revert', 'flag')}")
        if constant != "system" or not readers:
            policies = ["flag", "newest", "newest", system] + ["max", "min"] * kind.ordered
            told.append(f"on_conflict: {self.draw(f'{name}.policy', *policies)}")
        if name == "name" and self.draw("name.required", True, False, False):
            told.append("required: true")
        elif self.draw(f"{name}.clear", True, False):
            told.append("clear: true")
        if name in ("level", "active") and self.draw(f"{name}.default", True, False):
            told.append("default: 1" if name == "level" else "default: true")
        return ", ".join(told)

    def _way(self, name: str, column: str) -> tuple[str, ...]:
        flow = self.narrowed(name, column)
        return ("in", "out") if flow == "both" else (flow,)

    def _system(self, name: str) -> list[str]:
        flow = self.flow(name)
        made = ["resource: people", f"flow: {flow}", f"create: {self._creates(name)}"]
        missing = ["keep", "flag", "delete"]
        if name == "hr" and self.draw("hr.where", True, False, False, False):
            made.append("where: \"row.job != 'hidden'\"")
        if name != "hr" and flow != "match":
            missing.append("recreate")
            made += self.draw(f"{name}.scope", ["scope: \"job != 'left'\""], [])
            made += [f"key: {self.draw(f'{name}.key', 'email', 'id')}"] * (
                self.ids(name) == "chosen"
            )
            made.append(self.draw(f"{name}.leave", *_LEAVING))
        made.append(f"on_missing: {self.draw(f'{name}.missing', *missing)}")
        carried = [n for n in ("email", "job", *self.fields) if self.carries(name, n)]
        rules = [self._rule(name, n) for n in carried]
        if "out" in (flow, "out" * (flow == "both")) and self.draw(f"{name}.title", True, False):
            rules.append("title: {field: title, flow: out}")
        return [*made, "fields:", *(f"  {rule}" for rule in rules)]

    def _creates(self, name: str) -> str:
        flow = self.flow(name)
        if name == "hr":
            return self.draw("hr.create", "both", "in", "in", "in") if flow == "both" else "in"
        if flow == "both":
            return self.draw(f"{name}.create", "both", "out", "out")
        return "none" if flow == "match" else "out"

    def _rule(self, name: str, column: str) -> str:
        if column in ("email", "job"):
            return f"{column}: {column}"
        more = self.rule(name, column)
        told = [more] if more.startswith("read") else [f"field: {column}", more]
        flow, apply = self.narrowed(name, column), ["always"] * 8
        told += [f"flow: {flow}"] * (flow != self.flow(name))
        told.append(f"apply: {self.draw(f'{name}.{column}.apply', *apply, 'create', 'if_empty')}")
        return f"{column}: {{{', '.join(filter(None, told))}}}"


_LEAVING = (
    "on_leave: delete", "on_leave: keep",
    "set: {create: {state: new}, leave: {state: gone}}", "set: {leave: {job: gone}}",
)  # fmt: skip
_SAFETY = (
    *["safety: {deletes: 100%, floor: 100}"] * 4,
    "safety: {deletes: 0%, floor: 1, window: 1m}",
    "safety: {deletes: 0%, creates: 0%, updates: 0%, floor: 2, window: 1m}",
)


_RULES = """
version: 1
derive:
  - name: basics
    for: {person: "person.job == 'dev'"}
    ensure: course
    with: {person: person, title: "'basics'"}
"""


def _courses(names: list[str]) -> list[str]:
    """Entity and rule of courses that people have, in these vendors."""
    systems = "".join(
        f"  {name}: {{resource: courses, flow: both, create: {creates}, on_missing: {missing}, "
        "fields: {person: person, title: title}}\n"
        for name, (creates, missing) in zip(
            names, [("both", "delete"), ("out", "recreate"), ("out", "flag")], strict=False
        )
    )
    return [
        "version: 1\nentity: course\nfields:\n  person: {type: ref, to: person, required: true}\n"
        "  title: {type: string, on_conflict: newest}\nidentity: [[person]]\nsystems:\n" + systems,
        _RULES,
    ]
