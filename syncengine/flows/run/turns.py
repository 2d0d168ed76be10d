"""Turns: what changes by itself at midnight. Expressions that look at the date are computed for one day after the
other, on records as they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from syncengine.errors import RowInvalid
from syncengine.flows.core.engine import Engine
from syncengine.flows.core.world import load_world
from syncengine.ledger import Ledger
from syncengine.mapping import Entity, Expression
from syncengine.mapping.entities import expressions
from syncengine.model.changeset import Changeset, Wakes
from syncengine.model.record import Record, World
from syncengine.model.values import Json

_FAILS: Final = "\x00"
"""Stands for what cannot be computed; no value has this character."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A formula of a record that has another value from some day on."""

    record: Record
    field: str
    old: Json
    new: Json


@dataclass(slots=True)
class Turned:
    """What turns on one day. ``records``: ids of those to be planned again. ``entities``: of which all links are.
    ``derivations``: records whose derivations are due."""

    records: set[str] = field(default_factory=set)
    entities: set[str] = field(default_factory=set)
    derivations: set[str] = field(default_factory=set)
    formulas: list[Turn] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.records or self.entities or self.derivations)

    def wakes(self) -> Changeset:
        """That they are looked at again."""
        wakes = Wakes(
            records=dict.fromkeys(self.records, frozenset()),
            entities={(name, None) for name in self.entities},
        )
        return Changeset(wakes=wakes, derivations=self.derivations)


@dataclass(slots=True)
class Watch:
    """Looks at one day after the other. ``engine``: on ``ledger``, whose records are loaded anew after ``forget``."""

    engine: Engine
    ledger: Ledger
    _loaded: dict[str, tuple[dict[str, Record], World]] = field(default_factory=dict)

    def turned(self, before: str, day: str) -> Turned:
        """What is otherwise on a day than it was on the day before."""
        found, project = Turned(), self.engine.project
        for entity in project.entities.values():
            looked = [e for on, e in expressions(entity) if on == "record" and e.uses_today]
            if looked:
                self._records(entity, looked, before, day, found)
            if any(e.uses_today for on, e in expressions(entity) if on != "record"):
                found.entities.add(entity.name)
        for rule in project.derivations:
            for name, condition in rule.sources.items():
                if condition.uses_today:
                    found.derivations |= self._sources(name, condition, before, day)
        return found

    def forget(self) -> None:
        """Records may have changed."""
        self._loaded.clear()

    def _records(
        self, entity: Entity, looked: Sequence[Expression], before: str, day: str, found: Turned
    ) -> None:
        records, past, then = self._worlds(entity.name, before, day)
        formulas = {f.name: f.formula for f in entity.fields.values() if f.formula in looked}
        for record in records.values():
            if any(_on(e, record, past) != _on(e, record, then) for e in looked):
                found.records.add(record.id)
                found.formulas += _turns(formulas, record, past, then)

    def _sources(self, name: str, condition: Expression, before: str, day: str) -> set[str]:
        """The records over which a rule is to be evaluated again: all where its condition looks at others, too."""
        records, past, then = self._worlds(name, before, day)
        if {n.partition(".")[0] for n in condition.names} - {name, "today"}:
            return set(records)
        return {
            record.id
            for record in records.values()
            if _among(condition, name, record, past) != _among(condition, name, record, then)
        }

    def _worlds(self, name: str, before: str, day: str) -> tuple[dict[str, Record], World, World]:
        """The records of an entity, and the world on both days; the second one is kept for the next look."""
        if name not in self._loaded:
            with self.ledger.read() as tx:
                records = {record.id: record for record in tx.records_of(name)}
                world = load_world(self.engine, tx, (), records)
            self._loaded[name] = records, replace(world, today=before)
        records, past = self._loaded[name]
        if past.today == day:
            return records, replace(past, today=before), past
        past = past if past.today == before else replace(past, today=before)
        then = replace(past, today=day)
        self._loaded[name] = records, then
        return records, past, then


def _turns(
    formulas: dict[str, Expression | None], record: Record, past: World, then: World
) -> Iterator[Turn]:
    for name, formula in formulas.items():
        if formula is not None:
            old, new = _on(formula, record, past), _on(formula, record, then)
            if old != new and _FAILS not in (old, new):
                yield Turn(record, name, old, new)


def _on(expression: Expression, record: Record, world: World) -> Json:
    try:
        return expression.on_record(record, world)
    except RowInvalid:
        return _FAILS


def _among(condition: Expression, name: str, record: Record, world: World) -> Json:
    try:
        return bool(condition.on_records({name: record}, world))
    except RowInvalid:
        return None
