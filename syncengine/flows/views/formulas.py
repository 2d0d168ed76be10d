"""Formulas explained: what a computed field is computed from, and since when it is so.

A formula has no history of its own, so it is computed for what the record was after each of its changes, and where it
looks at the date, for the days between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Final

from syncengine.errors import RowInvalid
from syncengine.flows.core.engine import Engine
from syncengine.flows.naming.names import Names
from syncengine.mapping import Entity, Expression
from syncengine.model.change import Change
from syncengine.model.record import Record, World
from syncengine.model.values import Json

DAYS: Final = 3660
"""How many days are looked back for the one on which a formula turned."""


def inputs(
    called: Names, entity: Entity, name: str, values: Mapping[str, Json], today: str
) -> list[dict[str, Any]]:
    """What a formula reads: our fields, each with its value and, where it is computed, too, how; the date; systems."""
    formula = entity.fields[name].formula
    roots = sorted({n.split(".")[0] for n in formula.names} if formula is not None else ())
    found = []
    for root in roots:
        declared = entity.fields.get(root)
        value = today if root == "today" else values.get(root)
        told = called.value(entity, root, value) if declared is not None else value
        source = None if declared is None or declared.formula is None else declared.formula.source
        if declared is not None or root == "today":
            found.append({"name": root, "value": told, "formula": source})
    return found


def since(
    engine: Engine,
    entity: Entity,
    name: str,
    record: Record,
    history: Sequence[Change],
    world: World,
    forgotten: float = 0.0,
) -> float | None:
    """When a formula became what it is: a change of the record, or the beginning of a day (in epoch seconds). None
    where it opens other records, whose past is not looked at, or cannot be computed, or where that was before
    ``forgotten``, up to when changes are on record in part only."""
    formula = entity.fields[name].formula
    if formula is None or formula.depth or record.deleted:
        return None
    began: float | None = None
    last = engine.clock.now()
    try:
        present = formula.on_record(record, world)
        for change, then in _back(record, history):
            first, until = engine.day_of(change.at), engine.day_of(last)
            if formula.uses_today and (
                turned := _turned(formula, then, world, first, until, present)
            ):
                return engine.begins(turned)
            if formula.on_record(then, _on(world, first)) != present:
                return began
            if change.at < forgotten:
                return None
            began, last = change.at, change.at
    except RowInvalid:
        return None
    return began


def _back(record: Record, history: Sequence[Change]) -> Iterator[tuple[Change, Record]]:
    """The record after each of its changes, the last one first."""
    values = dict(record.values)
    for number, change in enumerate(reversed(history)):
        if change.field and change.old == change.new:
            continue
        yield change, replace(record, values=dict(values), generation=-number)
        if change.field:
            values[change.field] = change.old


def _turned(
    formula: Expression, record: Record, world: World, first: str, until: str, present: Json
) -> str | None:
    """The day after ``first`` from which on a formula has its present value, where it had another one before."""
    day, turned = date.fromisoformat(until), ""
    for _ in range(DAYS):
        if formula.on_record(record, _on(world, day.isoformat())) != present:
            return turned or None
        if day.isoformat() <= first:
            return None
        turned, day = day.isoformat(), day - timedelta(days=1)
    return None


def _on(world: World, today: str) -> World:
    return replace(world, today=today)
