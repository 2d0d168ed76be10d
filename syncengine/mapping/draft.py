"""What is known while a project is compiled, and what names mean in its expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from syncengine.errors import RowInvalid
from syncengine.mapping.canonical import Parse, parser
from syncengine.mapping.expressions import (
    Env,
    Expression,
    Getter,
    Name,
    Scope,
    Unknown,
    compile_expression,
)
from syncengine.mapping.paths import walk
from syncengine.mapping.project import Connection
from syncengine.mapping.schema import EntityFile, FieldPart
from syncengine.mapping.source import Document, Loc, near
from syncengine.model.record import Record, World
from syncengine.model.resource import ResourceSpec
from syncengine.model.values import ABSENT, Json, TypeName

SPECIAL: Final = ("id", "systems", "created_at", "today")
PSEUDO: Final = frozenset({"_id", "_parent", "_period"})
Open = Callable[[World, Record], Any]


@dataclass(frozen=True, slots=True)
class Opened:
    """How to read a dotted name from a record; ``depth``: how many refs that opens."""

    get: Open
    uses_today: bool = False
    depth: int = 0


@dataclass(slots=True)
class EntityDraft:
    """An entity file whose parts are valid one by one."""

    document: Document
    part: EntityFile


@dataclass(slots=True)
class Draft:
    """``declared``: connection names, the faulty ones too. ``entity_names``: likewise."""

    zone: ZoneInfo
    connections: dict[str, Connection] = field(default_factory=dict)
    declared: frozenset[str] = frozenset()
    entities: dict[str, EntityDraft] = field(default_factory=dict)
    entity_names: frozenset[str] = frozenset()
    _formulas: dict[tuple[str, str], Expression | None] = field(default_factory=dict)
    _under_way: list[tuple[str, str]] = field(default_factory=list)

    def expression(
        self,
        document: Document,
        loc: Loc,
        source: str,
        scope: Scope,
        finish: Parse | None = None,
        zone: ZoneInfo | None = None,
    ) -> Expression | None:
        """Compile one expression of a file; its faults go to the file."""

        def report(text: str, offset: int) -> None:
            document.fault(loc, text, value=True, offset=offset)

        position = document.position(loc, value=True)
        return compile_expression(source, position, scope, zone or self.zone, report, finish)

    def formula(self, entity: str, name: str) -> Expression | None:
        """The formula of a field; compiled when it is first needed, a circle is a fault."""
        key = (entity, name)
        draft = self.entities[entity]
        part = draft.part.fields[name]
        if key in self._under_way:
            circle = " -> ".join(f for _, f in [*self._under_way, key])
            draft.document.fault(
                ("fields", name, "formula"), f"reads itself ({circle})", value=True
            )
            return None
        if key not in self._formulas and part.formula is not None:
            self._under_way.append(key)
            self._formulas[key] = self.expression(
                draft.document,
                ("fields", name, "formula"),
                part.formula,
                RecordScope(self, entity),
                self.canonical(part),
            )
            self._under_way.pop()
        return self._formulas.get(key)

    def canonical(self, part: FieldPart) -> Parse:
        """What makes a value canonical for a field, or raises ValueError."""
        parse = parser(part.type, self.zone, part.of)
        if part.type != "enum":
            return parse

        def choose(raw: Json) -> Json:
            value = parse(raw)
            if value is not None and value not in (part.choices or ()):
                raise ValueError("one of the choices")
            return value

        return choose

    def opened(self, entity: str, steps: Sequence[str]) -> Opened | None:
        """How to read a dotted name from a record of an entity. Raises Unknown."""
        head, *rest = steps
        if entity not in self.entities:
            return None
        if head in SPECIAL[:3] and not rest:
            return Opened(_SPECIAL[head])
        part = self.entities[entity].part.fields.get(head)
        if part is None:
            known = self.entities[entity].document.names("fields")
            if head in known:
                return None
            raise Unknown(f"{entity} has no field {head!r}, {near(head, known)}")
        read, today, depth = _stored(head), False, 0
        if part.formula is not None:
            formula = self.formula(entity, head)
            if formula is None:
                return None
            read, today, depth = formula.on_record_in, formula.uses_today, formula.depth
        if not rest:
            return Opened(_bound(read, part), today, depth)
        if part.type == "ref":
            return self._through(read, part.to or "", rest)
        if part.type == "object":
            return Opened(_inside(read, tuple(rest)), today, depth)
        raise Unknown(
            f"{head!r} is of type {part.type} and has nothing below it, remove .{rest[0]}"
        )

    def _through(self, read: Open, to: str, rest: Sequence[str]) -> Opened | None:
        beyond = self.opened(to, rest)
        if beyond is None:
            return None

        def through(world: World, record: Record) -> Any:
            other = world.records.get(read(world, record))
            return None if other is None else beyond.get(world, other)

        return Opened(through, beyond.uses_today, beyond.depth + 1)

    def constant(self, steps: Sequence[str]) -> Name | None:
        """A connection's name, ``anyone`` or ``today``, if it is one."""
        if len(steps) > 1:
            return None
        head = steps[0]
        if head == "today":
            return Name(lambda env: env.world.today if env.world else None, uses_today=True)
        if head in self.declared or head == "anyone":
            return Name(lambda _env: head, constant=True)
        return None


def _stored(head: str) -> Open:
    return lambda _world, record: record.values.get(head)


def _inside(read: Open, rest: tuple[str, ...]) -> Open:
    def inside(world: World, record: Record) -> Any:
        return _dig(read(world, record), rest)

    return inside


def _dig(value: Any, steps: Sequence[str]) -> Any:
    for step in steps:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _bound(read: Open, part: FieldPart) -> Open:
    if part.type == "datetime":
        return lambda world, record: moment(read(world, record))
    return read


def moment(value: Json) -> datetime | None:
    """A datetime text as CEL wants it."""
    return datetime.fromisoformat(value) if isinstance(value, str) and value else None


_SPECIAL: Final[Mapping[str, Open]] = {
    "id": lambda _world, record: record.id,
    "systems": lambda world, record: sorted(world.systems(record.id)),
    "created_at": lambda _world, record: moment(record.created_at),
}


@dataclass(frozen=True, slots=True)
class RecordScope:
    """Bare names are fields of one record. ``owners``: systems that may be named; None: any."""

    draft: Draft
    entity: str
    owners: frozenset[str] | None = None

    def name(self, steps: tuple[str, ...]) -> Name | None:
        """Raises Unknown."""
        head = steps[0]
        constant = self.draft.constant(steps)
        if constant is not None:
            if self.owners is not None and constant.constant and head not in self.owners:
                raise Unknown(f"{head} is no system of {self.entity}, {near(head, self.owners)}")
            return constant
        if head == "row":
            raise Unknown("row.x is known in where and read only, write a field of the record")
        try:
            found = self.draft.opened(self.entity, steps)
        except Unknown:
            if self.owners is not None and len(steps) == 1:
                raise Unknown(f"{head!r} is no owner, {near(head, self.owners)}") from None
            raise
        if found is None:
            return None

        def get(env: Env) -> Any:
            return found.get(env.world or _EMPTY, env.record) if env.record else None

        return Name(get, found.uses_today, found.depth)


_EMPTY: Final = World(today="")


@dataclass(frozen=True, slots=True)
class RowScope:
    """``row.x`` is a field of a vendor's row, as the connector declares it."""

    draft: Draft
    spec: ResourceSpec
    zone: ZoneInfo

    def name(self, steps: tuple[str, ...]) -> Name | None:
        """Raises Unknown."""
        constant = self.draft.constant(steps)
        if constant is not None:
            return constant
        if steps[0] != "row":
            raise Unknown(f"{steps[0]!r} is not known here, write row.{steps[0]}")
        if len(steps) == 1:
            raise Unknown("row stands alone, write row.x")
        top = steps[1]
        if top not in self.spec.fields and top not in PSEUDO and not self.spec.open:
            hint = near(top, self.spec.fields)
            raise Unknown(f"{self.spec.name} has no field {top!r}, {hint}")
        return Name(self._getter(steps[1:]))

    def _getter(self, steps: tuple[str, ...]) -> Getter:
        declared = self.spec.fields.get(steps[0])
        parse = parser(declared.type, self.zone) if declared and len(steps) == 1 else None
        kind: TypeName = declared.type if declared else "string"

        def get(env: Env) -> Any:
            try:
                raw = walk(env.row, steps)
            except RowInvalid:
                return None
            if raw is ABSENT or parse is None or kind in {"list", "set", "object"}:
                return None if raw is ABSENT else raw
            try:
                return moment(parse(raw)) if kind == "datetime" else parse(raw)
            except ValueError:
                return raw

        return get


@dataclass(frozen=True, slots=True)
class RecordsScope:
    """Each name begins with one of these entities."""

    draft: Draft
    entities: tuple[str, ...]

    def name(self, steps: tuple[str, ...]) -> Name | None:
        """Raises Unknown."""
        head, *rest = steps
        if head not in self.entities:
            constant = self.draft.constant(steps)
            if constant is not None:
                return constant
            raise Unknown(f"{head!r} is not known here, {near(head, self.entities)}")
        if not rest:
            return Name(lambda env: env.records[head].id if head in env.records else None)
        found = self.draft.opened(head, rest)
        if found is None:
            return None

        def get(env: Env) -> Any:
            record = env.records.get(head)
            return found.get(env.world or _EMPTY, record) if record else None

        return Name(get, found.uses_today, found.depth)


def truth(value: Json) -> bool:
    """What a condition means: empty is no. Raises ValueError for what is neither yes nor no."""
    if value is not None and not isinstance(value, bool):
        raise ValueError("a condition is true or false")
    return bool(value)


def chosen_key(value: Json) -> str | None:
    """A key as text. Raises ValueError for what is no text or number."""
    return None if value is None or value == "" else str(parser("string", ZoneInfo("UTC"))(value))


def ordered(
    names: Sequence[str], needs: Mapping[str, Sequence[str]]
) -> tuple[list[str], tuple[str, ...]]:
    """Names so that what others need comes first, and the first circle that is in the way."""
    done: list[str] = []
    way: list[str] = []
    circle: tuple[str, ...] = ()

    def visit(name: str) -> None:
        nonlocal circle
        if name in way:
            circle = circle or (*way[way.index(name) :], name)
        if name in way or name in done:
            return
        way.append(name)
        for other in needs.get(name, ()):
            visit(other)
        done.append(way.pop())

    for name in names:
        visit(name)
    return [name for name in done if name in names], circle
