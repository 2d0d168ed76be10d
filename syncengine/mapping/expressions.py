"""Expressions: CEL behind one adapter. Names are looked up before CEL runs and bound to slots.

A dotted name never raises for something empty on its way; a ref stands for the id of its record. Source
length is bounded and comprehensions neither nest nor feed ``map`` with the result of another one, so that what an
evaluation can make is known from its source and what it is given (``cost``); that is bounded before it runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any, Final, Protocol

from syncengine.errors import RowInvalid
from syncengine.mapping.canonical import instant
from syncengine.mapping.comparing import COMPARING, Comparing
from syncengine.mapping.cost import Cost
from syncengine.mapping.evaluator import cel
from syncengine.mapping.functions import (
    BUILT_IN,
    MACROS,
    METHODS,
    NAMES,
    Function,
    Joining,
    functions,
)
from syncengine.mapping.source import near
from syncengine.model.record import Record, World
from syncengine.model.ref import Position
from syncengine.model.values import Json, Row

LONGEST: Final = 1000
SHOWN: Final = 500
"""Characters of a value that are kept as evidence."""
_GUARD: Final = "guard what may be empty, as in x != null && ..."
RESERVED: Final = frozenset({
    "as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in",
    "let", "loop", "namespace", "null", "package", "return", "true", "var", "void", "while",
})  # fmt: skip
_TOKEN: Final = re.compile(
    r"""(?P<gap>\s+|//[^\n]*)
    |(?P<text>[rR]?(?:'''(?:\\.|[^\\])*?'''|\"\"\"(?:\\.|[^\\])*?\"\"\"
        |'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"))
    |(?P<number>0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?u?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)
_PLACE: Final = re.compile(r"ERROR: <input>:(\d+):(\d+): (?:Syntax error: )?(.*)")


@dataclass(frozen=True, slots=True)
class Env:
    """What an evaluation may look at."""

    world: World | None = None
    record: Record | None = None
    row: Row = field(default_factory=dict)
    records: Mapping[str, Record] = field(default_factory=dict)


Getter = Callable[[Env], Any]


@dataclass(frozen=True, slots=True)
class Name:
    """A dotted name that is understood. ``depth``: how many refs it opens, formulas followed."""

    get: Getter
    uses_today: bool = False
    depth: int = 0
    constant: bool = False


class Unknown(Exception):
    """A name that a scope does not know; the message says what to write instead."""


class Scope(Protocol):
    """What names mean at some place of the YAML."""

    def name(self, steps: tuple[str, ...]) -> Name | None:
        """Raises Unknown. None: the name is declared, but faulty; that fault is reported already."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression. ``names``: the dotted names it reads (``end_date``, ``row.status``,
    ``person.active``). ``depth``: how many refs deep it opens records."""

    source: str
    position: Position
    names: frozenset[str]
    uses_today: bool
    depth: int
    constant: bool = field(repr=False)
    _cost: Cost = field(repr=False)
    _slots: tuple[tuple[str, Getter], ...] = field(repr=False)
    _called: tuple[str, ...] = field(repr=False)
    _program: cel.Program | None = field(repr=False)
    _functions: Mapping[str, Function] = field(repr=False)
    _finish: Callable[[Json], Json] | None = field(repr=False)

    @property
    def row_fields(self) -> frozenset[str]:
        """The fields of a row that it reads."""
        return frozenset(n.split(".")[1] for n in self.names if n.startswith("row."))

    def on_record(self, record: Record, world: World) -> Json:
        """The value for a record, computed once in its world. Raises RowInvalid."""
        known = world.computed.get((id(self), record.id))
        if known is not None and known[0] is self and known[1] is record:
            return known[2]
        value = self.on(Env(world, record))
        world.computed[id(self), record.id] = self, record, value
        return value

    def named(self, record: Record, world: World) -> dict[str, Json]:
        """What it reads of a record: name -> value."""
        env = Env(world, record)
        read = zip(self._called, self._slots, strict=True)
        return {name: get(env) for name, (_, get) in read if name in self.names - {"today", "id"}}

    def on_record_in(self, world: World, record: Record) -> Json:
        """``on_record`` with the arguments as names are opened."""
        return self.on_record(record, world)

    def on_row(self, row: Row, context: HasWorld | None = None) -> Json:
        """The value for a vendor's row. Raises RowInvalid."""
        return self.on(Env(context.world if context else None, row=row))

    def on_records(self, records: Mapping[str, Record], world: World) -> Json:
        """The value for one record of each entity. Raises RowInvalid."""
        return self.on(Env(world, records=records))

    def on(self, env: Env) -> Json:
        """The value in an environment. Raises RowInvalid, whose message names no values."""
        bound: dict[str, Any] = {}
        try:
            for slot, get in self._slots:
                bound[slot] = get(env)
            program = self._program
            value = _json(bound["_0"] if program is None else self._computed(program, bound))
            return self._finish(value) if self._finish else value
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
            advice = "use less of it" if "too large" in str(error) else _GUARD
            raise RowInvalid(
                f"{self.position}: the expression {self.source!r} cannot be computed "
                f"({type(error).__name__}); {advice}",
                evidence={"error": str(error), "values": [repr(v)[:SHOWN] for v in bound.values()]},
            ) from None

    def _computed(self, program: cel.Program, bound: dict[str, Any]) -> Any:
        self._cost.allow(bound)
        if not self._functions:
            return program.execute(bound)
        called = dict(self._functions)
        if "join" in called:
            called["join"] = Joining()
        return program.execute(cel.Context(bound, called))


class HasWorld(Protocol):
    """Whatever knows the world."""

    @property
    def world(self) -> World:
        """The surroundings."""


def _json(value: Any) -> Json:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, timedelta):
        return round(value.total_seconds())
    if isinstance(value, list):
        return [_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _json(item) for key, item in value.items()}
    raise TypeError(f"{type(value).__name__} is no value")


@lru_cache(maxsize=4096)
def _program(source: str) -> cel.Program:
    return cel.compile(source)


Report = Callable[[str, int], None]
"""Takes a fault of an expression: its text and the offset in the source."""


def compile_expression(
    source: str,
    position: Position,
    scope: Scope,
    zone: tzinfo,
    report: Report,
    finish: Callable[[Json], Json] | None = None,
) -> Expression | None:
    """The expression, or None if faults were reported (or a name it uses is faulty itself). ``finish`` makes
    the result canonical; its ValueError counts as one of the evaluation."""
    if len(source) > LONGEST:
        report(f"is longer than {LONGEST} characters, say it shorter", 0)
        return None
    try:
        _program(source)
    except ValueError as error:
        report(*_syntax(source, str(error)))
        return None
    reader = _Reader(source, scope, report)
    rewritten = reader.rewrite()
    if reader.faulty:
        return None
    found = list(reader.slots.values())
    names = {".".join(steps) for (steps, _), (_, name) in reader.slots.items() if not name.constant}
    direct = rewritten.strip() == "_0"
    own = functions(zone)
    return Expression(
        source=source,
        position=position,
        names=frozenset(names),
        uses_today=any(name.uses_today for _, name in found),
        depth=max((name.depth for _, name in found), default=0),
        constant=not found or all(name.constant for _, name in found),
        _cost=reader.cost,
        _slots=tuple((slot, name.get) for slot, name in found),
        _called=tuple(".".join(steps) for steps, _ in reader.slots),
        _program=None if direct else _program(rewritten),
        _functions={name: own[name] for name in reader.called - BUILT_IN}
        | {name: COMPARING[name] for name in reader.compared.called},
        _finish=finish,
    )


def _syntax(source: str, message: str) -> tuple[str, int]:
    found = _PLACE.search(message)
    if found is None:
        return "cannot be read as an expression, look for a missing bracket or quote", 0
    line, column = int(found[1]), int(found[2])
    before = sum(len(part) + 1 for part in source.split("\n")[: line - 1])
    what = found[3].split(" expecting ")[0].replace("'<EOF>'", "where it ends")
    return f"cannot be read as an expression ({what})", min(before + column - 1, len(source))


@dataclass(slots=True)
class _Reader:
    """Walks over the tokens of a source, understands its names and puts slots in their place."""

    source: str
    scope: Scope
    report: Report
    faulty: bool = False
    slots: dict[tuple[tuple[str, ...], str], tuple[str, Name]] = field(default_factory=dict)
    compared: Comparing = field(default_factory=lambda: Comparing(()))
    called: set[str] = field(default_factory=set)
    _tokens: list[tuple[str, str, int]] = field(default_factory=list)
    _local: set[str] = field(default_factory=set)
    _level: int = 0
    _inner: list[str] = field(default_factory=list)
    _outer: list[str] = field(default_factory=list)

    def rewrite(self) -> str:
        self._tokens = [
            (str(found.lastgroup), found.group(), found.start())
            for found in _TOKEN.finditer(self.source)
            if found.lastgroup != "gap"
        ]
        self.compared = Comparing(self._tokens)
        out: list[str] = []
        at, level, done = 0, 0, 0
        while at < len(self._tokens):
            kind, text, start = self._tokens[at]
            level += (text in "([{") - (text in ")]}") if kind == "sign" else 0
            if level < self._level:
                self._local, self._level = set(), 0
            given = self.compared.texts.get(at, text)
            step, piece = self._name(at, level) if kind == "name" else (1, given)
            out += (self.source[done:start], self.compared.opened(at), piece)
            at += step
            out.append(")" * self.compared.closes.get(at - 1, 0))
            done = self._tokens[at - 1][2] + len(self._tokens[at - 1][1])
        return "".join(out)

    @property
    def cost(self) -> Cost:
        """What counts for how much it may make."""
        words = sum(kind != "sign" for kind, _, _ in self._tokens)
        macros = {text for _, text, _ in self._tokens} & MACROS
        copies = bool(macros & {"map", "filter"})
        places = tuple(self._inner), tuple(self._outer)
        return Cost(words, len(self.source), bool(macros), copies, *places)

    def _maps_before(self, dot: int) -> bool:
        """Whether what stands before the dot, as far as it belongs together, has a ``map`` in it."""
        at, open_brackets = dot - 1, 0
        while at >= 0:
            kind, text, _ = self._tokens[at]
            if kind == "sign":
                open_brackets += (text in ")]}") - (text in "([{")
                joins = text in ")]}([{." or open_brackets > 0
                if open_brackets < 0 or not joins:
                    return False
            elif text == "in" and open_brackets == 0:
                return False
            elif text == "map" and self._text(at - 1) == ".":
                return True
            at -= 1
        return False

    def _text(self, at: int) -> str:
        return self._tokens[at][1] if 0 <= at < len(self._tokens) else ""

    def _fault(self, text: str, at: int) -> tuple[int, str]:
        self.faulty = True
        self.report(text, self._tokens[at][2])
        return 1, "null"

    def _name(self, at: int, level: int) -> tuple[int, str]:
        text = self._text(at)
        call = self._text(at + 1) == "("
        if self._text(at - 1) == ".":
            return self._method(at, level) if call else (1, text)
        if text in {"true", "false", "null", "in"}:
            return 1, text
        if call:
            self.called.add(text)
            if text not in NAMES:
                hint = "compare with null instead" if text == "has" else near(text, NAMES)
                return self._fault(f"no function {text!r}, {hint}", at)
            return 1, text
        if text in self._local:
            return 1, text
        return self._chain(at)

    def _method(self, at: int, level: int) -> tuple[int, str]:
        text = self._text(at)
        if text not in METHODS:
            hint = f"write {text}(x)" if text in NAMES else near(text, METHODS)
            return self._fault(f"no method {text!r}, {hint}", at)
        if text in MACROS:
            if text == "map" and self._maps_before(at - 1):
                return self._fault("'map' follows another 'map', say both steps in one", at)
            nested = bool(self._local)
            self._local.add(self._text(at + 2))
            self._level = self._level or level + 1
            if nested:
                return self._fault(f"{text!r} stands inside another one, use one only", at)
            if self._text(at + 2).startswith("_"):
                return self._fault("the name of an item begins with a letter", at + 2)
        return 1, text

    def _chain(self, at: int) -> tuple[int, str]:
        steps = [self._text(at)]
        end = at + 1
        while True:
            if self._text(end) == "." and self._named(end + 1) and self._text(end + 2) != "(":
                steps.append(self._text(end + 1))
                end += 2
            elif self._text(end) == "[" and self._quoted(end + 1) and self._text(end + 2) == "]":
                steps.append(self._text(end + 1)[1:-1])
                end += 3
            else:
                break
        if self._text(end) == "{":
            return self._fault("messages are not known here, write a value", at)
        how = self.compared.names.get(at, "")
        key = (tuple(steps), how)
        if key not in self.slots:
            try:
                name = self.scope.name(key[0])
            except Unknown as error:
                return (end - at, self._fault(str(error), at)[1])
            if name is None:
                self.faulty = True
                return end - at, "null"
            if how:
                get = name.get
                name = replace(name, get=lambda env: COMPARING[how](get(env)))
            self.slots[key] = (f"_{len(self.slots)}", name)
        (self._inner if self._local else self._outer).append(self.slots[key][0])
        return end - at, self.slots[key][0]

    def _named(self, at: int) -> bool:
        return at < len(self._tokens) and self._tokens[at][0] == "name"

    def _quoted(self, at: int) -> bool:
        if at >= len(self._tokens) or self._tokens[at][0] != "text":
            return False
        text = self._text(at)
        return text[0] in "'\"" and "\\" not in text and not text.startswith(("'''", '"""'))
