"""One field of an entity, and how one system's rows and our value of it turn into each other."""

from __future__ import annotations

import dataclasses
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Final

from syncengine.errors import RowInvalid
from syncengine.mapping.codecs import Lens
from syncengine.mapping.expressions import Expression
from syncengine.mapping.paths import Steps, put, walk
from syncengine.mapping.words import Apply, Flow, OnDrift
from syncengine.model.condition import RecordAt, RowTied
from syncengine.model.link import Wait
from syncengine.model.record import Record, World
from syncengine.model.ref import Position, Ref
from syncengine.model.values import ABSENT, Absent, Json, Row, TypeName

MISFIT: Final = "does not fit"
NOWHERE: Final = Position("", 1, 1)


class Unresolved(Exception):
    """A value names something that is not linked yet; ``wait`` says what."""

    def __init__(self, wait: Wait) -> None:
        super().__init__(wait.what)
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Context:
    """What surrounds one conversion. ``record``: for write expressions. ``old``: our present value.
    ``seen``: UTC text of when the row was read."""

    connection: str
    world: World
    record: Record | None = None
    row: Row = dataclasses.field(default_factory=dict)
    old: Json = None
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an entity. ``owner`` None: anyone may change it."""

    name: str
    type: TypeName
    choices: tuple[str, ...] = ()
    to: str | None = None
    of: TypeName | None = None
    required: bool = False
    default: Json = None
    formula: Expression | None = None
    owner: Expression | None = None
    on_conflict: str = "flag"
    on_drift: OnDrift = "revert"
    clear: bool = False
    sensitive: bool = False
    position: Position = NOWHERE

    @property
    def is_ref(self) -> bool:
        """Whether it points at records."""
        return self.type == "ref" or self.of == "ref"

    def owned_by(self, record: Record, world: World) -> str | None:
        """The connection that owns the field of this record; None for anyone. Raises RowInvalid."""
        owner = self.owner.on_record(record, world) if self.owner else None
        return None if owner is None or owner == "anyone" else str(owner)


@dataclass(frozen=True, slots=True)
class Target:
    """What a ref of one system points at: our entity, and the resource its rows are of."""

    entity: str
    connection: str
    resource: str


@dataclass(frozen=True, slots=True)
class Written:
    """One path that a ``write`` rule fills."""

    path: str
    steps: Steps
    value: Expression
    lens: Lens


@dataclass(frozen=True, slots=True)
class Rule:
    """How a system spells a field. ``paths``: vendor paths that it reads or writes.

    ``fingerprint``: where it looks and how it spells, each as a short hash with a dot between; equal while the
    rule means the same.

    A raw value is what stands at the path; for ``read`` alone the value of the expression; for ``write``
    alone the value at its path, or {path: value} of several; for both a small row of all that is read or
    written.
    """

    field: Field
    position: Position
    flow: Flow
    apply: Apply
    paths: tuple[str, ...]
    roots: frozenset[str]
    fingerprint: str
    lens: Lens = dataclasses.field(repr=False)
    target: Target | None = dataclasses.field(default=None, repr=False)
    read: Expression | None = dataclasses.field(default=None, repr=False)
    written: tuple[Written, ...] = dataclasses.field(default=(), repr=False)
    steps: Steps = dataclasses.field(default=(), repr=False)

    @property
    def reads(self) -> bool:
        """Whether values flow in."""
        return self.flow in ("in", "both")

    @property
    def writes(self) -> bool:
        """Whether values flow out."""
        return self.flow in ("out", "both")

    @property
    def write_only(self) -> bool:
        """Whether it can only be written: what stands there has no meaning of ours."""
        return bool(self.written) and self.read is None

    def extract(self, row: Row) -> Json | Absent:
        """The raw value in a row; ABSENT where the row says nothing. Never raises: what cannot be
        looked at is marked, and ``decode`` says so."""
        if len(self.steps) == 1:
            return row.get(self.paths[0], ABSENT)
        try:
            return self._extract(row)
        except RowInvalid as error:
            return {MISFIT: str(error)}

    def _extract(self, row: Row) -> Json | Absent:
        if self.steps:
            return walk(row, self.steps)
        if self.roots and self.roots.isdisjoint(row):
            return ABSENT
        if self.read:
            return self._part(row) if self.written else self.read.on_row(row)
        found = {part.path: walk(row, part.steps) for part in self.written}
        if len(found) == 1:
            return next(iter(found.values()))
        return {path: raw for path, raw in found.items() if raw is not ABSENT} or ABSENT

    def decode(self, raw: Json, context: Context) -> Json:
        """Our value. Raises RowInvalid, and Unresolved for a ref whose row is not linked.

        What ``write`` alone makes cannot be read: it gives our value where the raw one agrees with
        it, else the raw one.
        """
        if self.write_only:
            same = self.same(raw, self.encode(context.old, context))
            return context.old if same else raw
        value = self._meaning(raw, context)
        if self.target is None or value is None:
            return value
        if isinstance(value, list):
            ids = [self._record(external, context) for external in value]
            return sorted(set(ids)) if self.field.type == "set" else ids
        return self._record(value, context)

    def encode(self, value: Json, context: Context) -> Json:
        """The raw value. Raises RowInvalid where it cannot be said there, and Unresolved for a ref to a
        record without a live link."""
        if self.written:
            return self._write(value, context)
        if value is None:
            return self.lens.empty
        if self.target is not None:
            if isinstance(value, list):
                externals = [self._external(record, context) for record in value]
                return sorted(externals) if self.field.type == "set" else externals
            return self._external(value, context)
        try:
            return self.lens.encode(value)
        except (ValueError, TypeError) as error:
            raise RowInvalid(
                f"{self.position}: {self.field.name} holds a value that cannot be written here; "
                f"complete the values of the rule",
                evidence={"value": value, "reason": str(error)},
            ) from None

    def body(self, raw: Json) -> dict[str, Json]:
        """Vendor path -> raw, as an operation carries it."""
        if not self.written:
            return {self.paths[0]: raw} if self.steps else {}
        if self.read:
            return {part.path: walk(raw, part.steps) or None for part in self.written}
        if len(self.written) == 1:
            return {self.written[0].path: raw}
        return dict(raw)

    def same(self, left: Json, right: Json) -> bool:
        """Whether two raw values mean the same; refs are compared by their external ids."""
        if left is ABSENT or right is ABSENT:
            return left is right
        if self.written and self.read:
            return bool(self._small(left) == self._small(right))
        if self.written and len(self.written) > 1:
            return all(
                part.lens.same(left.get(part.path), right.get(part.path)) for part in self.written
            )
        return (self.written[0].lens if self.written else self.lens).same(left, right)

    def refs(self, raw: Json) -> tuple[tuple[str, Ref], ...]:
        """(entity, vendor ref) of each row that a raw value names; () for what is no ref."""
        if self.target is None or self.write_only:
            return ()
        try:
            value = self._meaning(raw, None)
        except RowInvalid:
            return ()
        found = value if isinstance(value, list) else [value]
        return tuple((self.target.entity, self._ref(e)) for e in found if e is not None)

    def _meaning(self, raw: Json, context: Context | None) -> Json:
        """The value behind a raw one; refs still as external ids."""
        if isinstance(raw, dict) and MISFIT in raw:
            raise RowInvalid(f"{self.position}: {raw[MISFIT]}", evidence={"field": self.field.name})
        if self.written and self.read:
            raw = self.read.on_row(raw, context)
        old, seen = (context.old, context.seen) if context else (None, "")
        try:
            return self.lens.decode(raw, old, seen)
        except (ValueError, TypeError):
            kind = (
                "none of the values of the rule" if self.field.choices else f"no {self.field.type}"
            )
            raise RowInvalid(
                f"{self.position}: what {self.field.name} is read from is {kind}",
                evidence={"field": self.field.name, "value": raw},
            ) from None

    def _small(self, raw: Json) -> tuple[str, Json]:
        assert self.read is not None
        try:
            return "", self.lens.norm(self.read.on_row(raw))
        except (RowInvalid, ValueError, TypeError):
            return "?", raw

    def _part(self, row: Row) -> dict[str, Json]:
        return {name: row[name] for name in sorted(self.roots) if name in row}

    def _write(self, value: Json, context: Context) -> Json:
        record = context.record
        if record is None:
            raise RowInvalid(f"{self.position}: a write expression needs its record")
        if self.field.formula is None:
            record = replace(record, values={**record.values, self.field.name: value})
        raws = {part.path: part.value.on_record(record, context.world) for part in self.written}
        if self.read is None:
            return raws if len(raws) > 1 else next(iter(raws.values()))
        row = deepcopy(self._part(context.row))
        for path, raw in raws.items():
            put(row, path, raw)
        return row

    def _ref(self, external: Json) -> Ref:
        assert self.target is not None
        return Ref(self.target.connection, self.target.resource, str(external))

    def _record(self, external: Json, context: Context) -> str:
        assert self.target is not None
        ref = self._ref(external)
        record = context.world.tied.get((self.target.entity, ref))
        if record is None:
            raise Unresolved(
                Wait(RowTied(ref), f"{self.target.entity} of {ref.connection} to be linked")
            )
        return record

    def _external(self, record: Json, context: Context) -> Json:
        assert self.target is not None
        external = context.world.externals.get((record, self.target.connection))
        if external is None:
            on = RecordAt(str(record), self.target.connection)
            raise Unresolved(Wait(on, f"{self.target.entity} in {self.target.connection}"))
        return self.lens.encode(external)
