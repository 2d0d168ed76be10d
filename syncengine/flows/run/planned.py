"""What a pass would do, as a rehearsal has shown it: each write in our words, what keeps it back, and the digest by
which a person agrees to it.

Records and rows that are made only in the rehearsal are named by what they come from, so that the next rehearsal of the
same facts names them alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, Final

from syncengine.flows.core.engine import Engine
from syncengine.flows.core.staging import Group
from syncengine.flows.core.world import load_world
from syncengine.flows.reconcile.derive import derived_key
from syncengine.ledger import Transaction
from syncengine.mapping import Derivation
from syncengine.model.change import Change
from syncengine.model.link import Link, Waiting
from syncengine.model.operation import Action, Operation
from syncengine.model.record import Record
from syncengine.model.values import Json, Row, as_list, digest
from syncengine.planning.derivations import Ids
from syncengine.planning.writes import Write, describe_write

CHUNK: Final = 500
"""Writes that are described together."""

_ID: Final = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""An id as ``engine.new_id`` gives it."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A write of a rehearsal. ``before``: the row that it changed or deleted. ``held``: whether it was sent only once
    what keeps writes back was lifted, and ``why`` that is, as far as its own row or record says so."""

    operation: Operation
    before: Row
    held: bool
    why: str


@dataclass(frozen=True, slots=True)
class Staged:
    """Writes about which a person would be asked: how many, how many are allowed, how many the window contains."""

    group: Group
    count: int
    allowed: int | None
    written: int


@dataclass(slots=True)
class Planned:
    """What a pass would do. ``writes``: by link, each with what its parts are held for. ``derived_records``: id of a
    record that a derivation makes -> the derivation and its inputs. ``records``: those that are made or learn
    something, as they will be; ``new``: which are made. ``learned``: what our records learn. ``asked``: subject of an
    open question -> its kind. ``waits``: links that will wait. ``unread``: rows of records that need a fresh
    read first; ``unsorted``: rows of nobody that do. ``unfinished``: more follows than is foreseen."""

    engine: Engine
    writes: dict[str, Write] = field(default_factory=dict)
    derived_records: dict[str, tuple[Derivation, Ids]] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    new: frozenset[str] = frozenset()
    learned: list[Change] = field(default_factory=list)
    asked: dict[str, str] = field(default_factory=dict)
    waits: list[Waiting] = field(default_factory=list)
    staged: list[Staged] = field(default_factory=list)
    unread: int = 0
    unsorted: int = 0
    unfinished: bool = False
    _parts: dict[str, list[tuple[Write, str]]] = field(default_factory=dict)
    _by_row: dict[tuple[str, str, str], Write] = field(default_factory=dict)

    @property
    def new_records(self) -> dict[str, Record]:
        """The records that are made."""
        return {record_id: self.records[record_id] for record_id in self.new}

    def digest(self) -> str:
        """Digest of the writes; what only our own records learn is not part of it."""
        return digest(sorted((w.essence for w in self.writes.values()), key=repr))

    def parts(self, link_id: str) -> Iterator[tuple[Write, str]]:
        """Which operations of a write are sent, and which are not, with the reason."""
        steps = self._parts[link_id]
        for held in (False, True):
            some = [step for step, why in steps if bool(why) is held]
            why = next((why for _, why in steps if bool(why) is held), "")
            if some:
                yield reduce(Write.then, some), why

    def contains(self, operation: Operation, real: Mapping[str, str]) -> bool:
        """Whether the plan contains all that an operation writes. ``real``: as ``real`` returns it."""

        def here(value: Json) -> Json:
            if isinstance(value, list):
                return [here(item) for item in value]
            return real.get(value, value) if isinstance(value, str) else value

        if not self._by_row:
            self._by_row = {_row(w.operation): w for w in self.writes.values()}
        record, connection, resource = _row(operation)
        write = self._by_row.get((here(record), connection, resource))
        system = self.engine.system(operation.entity, operation.connection)
        if write is None or system is None:
            return False
        return write.covers(system, operation, {n: here(v) for n, v in operation.carried.items()})

    def real(self, tx: Transaction) -> dict[str, str]:
        """Id of a record created since -> its id in this plan."""
        known: dict[str, str] = {}
        while asked := {
            derived_key(rule.name, ids): created
            for created, (rule, made_of) in self.derived_records.items()
            if created not in known
            and not (self.derived_records.keys() & set(made_of)) - known.keys()
            for ids in [tuple(known.get(i, i) for i in made_of)]
        }:
            found = tx.key_owners(asked)
            told = {
                asked[k]: found[name][0]
                for k in asked
                if (name := (str(k.kind), k.scope, k.parts)) in found
            }
            if not told:
                break
            known |= told
        return {real: created for created, real in known.items()}


def _row(operation: Operation) -> tuple[str, str, str]:
    return operation.record_id, operation.connection, operation.resource


@dataclass(slots=True)
class Telling:
    """Tells a rehearsal: the ledger it ran on is read once more, at its end.

    ``engine``: on the copy. ``made``: id of a record that was derived -> the derivation and its inputs. ``born``: id
    of each record that was made -> the connection that showed it, if one did. ``for_sure``: a write of the second play
    is held for some reason; else only for one that is its own, or that of a write which it follows."""

    engine: Engine
    tx: Transaction
    sent: Sequence[Sent]
    made: Mapping[str, tuple[Derivation, Ids]]
    born: Mapping[str, str]
    for_sure: bool = True
    names: dict[str, str] = field(default_factory=dict)
    _made_rows: set[tuple[str, str]] = field(default_factory=set)

    def tell(self, learned: Iterable[Change]) -> Planned:
        """What was done. Questions, waits and groups are for the caller to add."""
        self._made_rows = {
            (s.operation.record_id, s.operation.connection)
            for s in self.sent
            if s.operation.action is Action.CREATE
        }
        self.names = self._names()
        changes = [
            self._renamed_change(change) for change in learned if change.record_id not in self.born
        ]
        records = self.tx.records({*self.born, *(c.record_id for c in changes)})
        made = {
            self.named(i): (rule, tuple(self.named(n) for n in ids))
            for i, (rule, ids) in self.made.items()
            if i in self.born
        }
        planned = Planned(
            self.engine,
            derived_records=made,
            records={self.named(i): self._renamed_record(r) for i, r in records.items()},
            new=frozenset(map(self.named, self.born)),
            learned=changes,
        )
        self._tell_writes(planned)
        return planned

    # names

    def named(self, record_id: str) -> str:
        """What a record is called in the plan."""
        return self.names.get(record_id, record_id)

    def _names(self) -> dict[str, str]:
        """Record that was made -> ``new:`` and what it comes from: its derivation and inputs, or its row."""
        shown = self.born.keys() - self.made.keys()
        names = {
            link.record_id: f"new:{digest(['row', link.id])}"
            for link in (self.tx.links_of(shown) if shown else ())
            if link.record_id and link.connection == self.born[link.record_id]
        }
        left = [i for i in self.made if i in self.born]
        while ready := [i for i in left if not set(self.made[i][1]) & (set(left) - {i})]:
            for i in ready:
                rule, ids = self.made[i]
                names[i] = f"new:{digest([rule.name, *(names.get(n, n) for n in ids)])}"
            left = [i for i in left if i not in names]
        return names

    def _rename(self, value: Any) -> Any:
        """A value in which the ids of new records are replaced."""
        if isinstance(value, str):
            return _ID.sub(lambda found: self.named(found[0]), value)
        if isinstance(value, Mapping):
            return {name: self._rename(inner) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self._rename(inner) for inner in value)
        return value

    def _renamed_change(self, change: Change) -> Change:
        return replace(change, old=self._rename(change.old), new=self._rename(change.new))

    def _renamed_record(self, record: Record) -> Record:
        return replace(record, id=self.named(record.id), values=self._rename(record.values))

    def _renamed_write(self, write: Write) -> Write:
        if not self.names:
            return write
        operations = tuple(
            replace(
                o, record_id=self.named(o.record_id), external_id=self._rename(o.external_id),
                body=self._rename(o.body), carried=self._rename(o.carried),
                expected=self._rename(o.expected),
            )
            for o in write.operations
        )  # fmt: skip
        return replace(
            write, operations=operations, old=self._rename(write.old), new=self._rename(write.new),
            was=self._rename(write.was),
            after=tuple(sorted((self.named(r), c) for r, c in write.after)),
        )  # fmt: skip

    # writes

    def _tell_writes(self, planned: Planned) -> None:
        reasons = _Reasons(self)
        parts: dict[str, list[tuple[Write, str]]] = {}
        for start in range(0, len(self.sent), CHUNK):
            for sent, write in self._described(self.sent[start : start + CHUNK]):
                why = reasons.of(sent, write)
                told = self._renamed_write(write), why
                parts.setdefault(sent.operation.link_id, []).append(told)
        for link_id, steps in parts.items():
            whole = reduce(Write.then, (step for step, _ in steps))
            # What the plan would create and then remove again is in no plan: it is never created.
            if "create" not in whole.actions or whole.action in ("create", "update"):
                planned.writes[link_id], planned._parts[link_id] = whole, steps

    def _described(self, some: Sequence[Sent]) -> Iterator[tuple[Sent, Write]]:
        found = self.tx.links([s.operation.link_id for s in some])
        rows = [
            replace(found.get(s.operation.link_id) or _link_of(s.operation), row=s.before)
            for s in some
        ]
        records = self.tx.records({s.operation.record_id for s in some})
        world = load_world(self.engine, self.tx, rows, records)
        for sent, link in zip(some, rows, strict=True):
            o = sent.operation
            system = self.engine.project.entities[o.entity].systems[o.connection]
            record = records.get(o.record_id)
            yield sent, describe_write(system, link, o, record, world, self._after(o))

    def _after(self, operation: Operation) -> tuple[tuple[str, str], ...]:
        """The creates of other records that have to be sent before this write."""
        here = operation.connection
        return tuple(
            sorted((r, here) for r in named(self.engine, operation) if (r, here) in self._made_rows)
        )


def named(engine: Engine, operation: Operation) -> set[str]:
    """The records that a write names."""
    fields = engine.project.entities[operation.entity].fields
    return {
        target
        for name, value in operation.carried.items()
        if name in fields and fields[name].is_ref
        for target in as_list(value)
    }


def _link_of(operation: Operation) -> Link:
    o = operation
    return Link(o.link_id, o.entity, o.connection, o.resource, record_id=o.record_id)


@dataclass(slots=True)
class _Reasons:
    """Why writes are held that only follow from others which are: for the same reason as these."""

    of_plan: Telling
    by_record: dict[str, str] = field(default_factory=dict)
    by_row: dict[tuple[str, str], str] = field(default_factory=dict)

    def of(self, sent: Sent, write: Write) -> str:
        """Empty where it is not held."""
        if not sent.held:
            return ""
        operation = sent.operation
        record_id, here = operation.record_id, operation.connection
        _, inputs = self.of_plan.made.get(record_id, (None, ()))
        followed = [
            *(self.by_row.get(row, "") for row in write.after),
            *(self.by_record.get(i, "") for i in (record_id, *inputs)),
            *(self.by_record.get(i, "") for i in sorted(named(self.of_plan.engine, operation))),
        ]
        why = sent.why or next(filter(None, followed), "")
        if not why and self.of_plan.for_sure:
            why = next(filter(None, self.by_record.values()), "another write has to be sent first")
        self.by_record.setdefault(record_id, why)
        if operation.action is Action.CREATE:
            self.by_row[record_id, here] = why
        return why
