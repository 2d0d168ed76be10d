"""Planned writes described in canonical values, for plans and previews."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from syncengine.errors import RowInvalid
from syncengine.mapping import Context, System, Unresolved, paths
from syncengine.model.link import Link
from syncengine.model.operation import Action, Operation
from syncengine.model.record import Record, World
from syncengine.model.spelling import blank
from syncengine.model.values import ABSENT, Json
from syncengine.planning.observation import sent_raw

Creates = tuple[tuple[str, str], ...]
"""(record, connection) of rows that are to be made."""


@dataclass(frozen=True, slots=True)
class Write:
    """What is written to one row, by one operation or several. ``old``, ``new``: field -> canonical value; for the
    fields in ``raw_old`` and ``raw_new`` the raw vendor value, which cannot be decoded. ``was``: vendor path -> raw
    value that is overwritten. ``after``: (record, connection) of the creates that have to come first. ``deleted``:
    whether the record is deleted."""

    operations: tuple[Operation, ...]
    old: Mapping[str, Json]
    new: Mapping[str, Json]
    raw_old: frozenset[str]
    raw_new: frozenset[str]
    was: Mapping[str, Json]
    after: tuple[tuple[str, str], ...]
    deleted: bool
    parts: tuple[Write, ...] = ()

    @property
    def steps(self) -> tuple[Write, ...]:
        """One for each operation."""
        return self.parts or (self,)

    @property
    def operation(self) -> Operation:
        """The first one."""
        return self.operations[0]

    @property
    def actions(self) -> list[str]:
        """``create``, ``update``, ``delete``, ``leave``, as far as they come."""
        return ["leave" if o.leave else str(o.action) for o in self.operations]

    @property
    def action(self) -> str:
        """The action that the operations amount to."""
        return next(a for a in ("delete", "leave", "create", "update") if a in self.actions)

    @property
    def body(self) -> dict[str, Json]:
        """Vendor path -> raw value, of all operations."""
        return {path: raw for o in self.operations for path, raw in o.body.items()}

    def then(self, more: Write) -> Write:
        """This write followed by another one of the same row."""
        return Write(
            (*self.operations, *more.operations),
            {**more.old, **self.old},
            {**self.new, **more.new},
            self.raw_old | (more.raw_old - self.old.keys()),
            self.raw_new | more.raw_new,
            {**more.was, **self.was},
            tuple(sorted({*self.after, *more.after})),
            more.deleted,
            (*self.steps, *more.steps),
        )

    def covers(self, system: System, operation: Operation, carried: Mapping[str, Json]) -> bool:
        """Whether an operation with these carried values writes nothing that this write does not contain, and
        overwrites nothing that it has not seen."""
        action = "leave" if operation.leave else str(operation.action)
        if action not in (*self.actions, *(["update"] if "create" in self.actions else ())):
            return False
        wanted = {n: v for o in self.operations for n, v in o.carried.items()}
        seen = {n: v for o in reversed(self.operations) for n, v in o.expected.items()}
        return all(
            name in wanted and wanted[name] == value for name, value in carried.items()
        ) and all(
            system.rules[name].same(raw, seen[name]) if name in seen else blank(raw)
            for name, raw in operation.expected.items()
            if name in carried and name in system.rules
        )

    @property
    def essence(self) -> list[Json]:
        """The values by which two writes are compared."""
        first = self.operation
        return [
            first.entity, first.connection, first.resource, first.record_id, first.external_id,
            sorted(set(self.actions)), self.body, self.old,
        ]  # fmt: skip


def describe_write(
    system: System, link: Link, operation: Operation, record: Record | None, world: World,
    after: Creates,
) -> Write:  # fmt: skip
    """One operation as a ``Write``. ``link``: with the row that it was planned on."""
    raws, row = operation.expected, link.row or {}
    context = Context(link.connection, world, record, row)
    old, raw_old = dict[str, Json](), set[str]()
    for name in raws if operation.action is Action.DELETE else operation.carried:
        rule = system.rules.get(name)
        if rule is None or name not in raws:
            continue
        old[name] = raws[name]
        try:
            old[name] = raws[name] if rule.write_only else rule.decode(raws[name], context)
        except (RowInvalid, Unresolved):
            raw_old.add(name)
    told = {n for n in operation.carried if n in system.rules and system.rules[n].write_only}
    new = {**operation.carried, **{name: sent_raw(system, operation, name) for name in told}}
    left = operation.body if operation.leave else ()
    was = {path: raw for path in left if (raw := paths.get(row, path)) is not ABSENT}
    deleted = record is not None and record.deleted
    raw_old |= told & old.keys()
    return Write((operation,), old, new, frozenset(raw_old), frozenset(told), was, after, deleted)
