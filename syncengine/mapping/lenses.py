"""Rules as lenses: what each keeps of a value on its way there and back, on edge values and on rows seen so far."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from functools import partial
from typing import Literal

from syncengine.errors import RowInvalid
from syncengine.mapping.canonical import parser
from syncengine.mapping.checks import SEEN, TODAY, samples
from syncengine.mapping.project import Entity, Project, System
from syncengine.mapping.rule import Context, Rule, Unresolved
from syncengine.model.record import Record, World
from syncengine.model.ref import Position, Ref
from syncengine.model.values import ABSENT, Json, is_empty

Mirror = Mapping[tuple[str, str], Sequence[Context]]
"""(entity, connection) -> rows that were seen there, each with its record and what surrounds both."""
STEPS = 200
"""Most steps on which a counter-example is made smaller."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A value that does not come back. ``side``: whose it is. ``back``: what comes instead. ``refused``: it cannot be
    written at all. ``seen``: a row or record holds it (or holds a larger one), else it is a sample."""

    side: Literal["ours", "theirs"]
    given: Json
    back: Json = None
    refused: bool = False
    seen: bool = False


@dataclass(frozen=True, slots=True)
class LensVerdict:
    """What a rule keeps. ``detail``: what is lost, or which way values flow. ``loss``: the smallest value that shows
    it; None where there is none."""

    entity: str
    connection: str
    field: str
    verdict: Literal["two-way", "lossy", "one-way"]
    detail: str
    loss: Loss | None
    position: Position


def lens_report(project: Project, mirror: Mirror | None = None) -> list[LensVerdict]:
    """What each rule that flows keeps of a value: two-way, lossy, or one-way."""
    return [
        _verdict(project, entity, system, rule, (mirror or {}).get((entity.name, name), ()))
        for entity in project.entities.values()
        for name, system in entity.systems.items()
        for rule in system.rules.values()
        if rule.reads or rule.writes
    ]


def _verdict(
    project: Project, entity: Entity, system: System, rule: Rule, seen: Sequence[Context]
) -> LensVerdict:
    verdict: Literal["two-way", "lossy", "one-way"] = "two-way"
    detail, loss = "", None
    if not (rule.reads and rule.writes):
        verdict, detail = "one-way", "in" if rule.reads else "out"
    else:
        loss = _on_samples(rule, _context(project, entity, system)) or _on_rows(rule, seen)
        if loss is not None or rule.lens.loses:
            verdict, detail = "lossy", rule.lens.loses or "some values"
    name = rule.field.name
    return LensVerdict(entity.name, system.connection, name, verdict, detail, loss, rule.position)


def _context(project: Project, entity: Entity, system: System) -> Context:
    tied = {
        (name, Ref(other.connection, other.resource.name, "1")): f"{name}-1"
        for name, owner in project.entities.items()
        for other in owner.systems.values()
        if other.connection == system.connection
    }
    externals = {(record, system.connection): "1" for record in tied.values()}
    values = {f.name: samples(f)[0] for f in entity.fields.values() if f.formula is None}
    record = Record(f"{entity.name}-1", entity.name, values, created_at=SEEN)
    records = {
        f"{name}-1": Record(f"{name}-1", name, {}, created_at=SEEN) for name in project.entities
    }
    world = World(TODAY, {**records, record.id: record}, tied, externals)
    return Context(system.connection, world, record, seen=SEEN)


def _on_samples(rule: Rule, context: Context) -> Loss | None:
    """The first edge value of the field, or a vendor's spelling of one, that does not come back."""
    for value in (*samples(rule.field), *(() if rule.field.required else (None,))):
        loss = put_get(rule, value, context) or _spelled(rule, value, context)
        if loss is not None:
            return loss
    return None


def _spelled(rule: Rule, value: Json, context: Context) -> Loss | None:
    try:
        return get_put(rule, rule.encode(value, context), context)
    except (RowInvalid, Unresolved):
        return None


def _on_rows(rule: Rule, seen: Sequence[Context]) -> Loss | None:
    """The first value of a row, or of its record, that does not come back, made as small as it goes."""
    tried: set[str] = set()
    for context in seen:
        raw = rule.extract(context.row)
        ours = None if context.record is None else context.record.values.get(rule.field.name)
        told = json.dumps([None if raw is ABSENT else raw, ours], sort_keys=True, default=str)
        if told in tried:
            continue
        tried.add(told)
        theirs = None if raw is ABSENT else get_put(rule, raw, context)
        if theirs is not None:
            return smallest(theirs, partial(get_put, rule, context=context))
        mine = None if is_empty(ours) else put_get(rule, ours, context)
        if mine is not None:
            return smallest(mine, partial(_put_get_fitting, rule, context=context))
    return None


def put_get(rule: Rule, value: Json, context: Context) -> Loss | None:
    """Our value, written there and read back, is the same. Another value may mean the same only by a codec that says
    so, not by expressions, which say nothing of what they lose."""
    try:
        raw = rule.encode(value, context)
    except Unresolved:
        return None
    except RowInvalid:
        return Loss("ours", value, refused=True)
    try:
        back = rule.decode(raw, context)
        declared = not (rule.lens.loses or rule.read)
        if back == value or (declared and rule.same(raw, rule.encode(back, context))):
            return None
    except (RowInvalid, Unresolved):
        back = None
    return Loss("ours", value, back)


def get_put(rule: Rule, raw: Json, context: Context) -> Loss | None:
    """A vendor's value, read and written again, is the same there. What does not fit is asked about when it comes."""
    try:
        value = rule.decode(raw, context)
    except (RowInvalid, Unresolved):
        return None
    try:
        again = rule.encode(value, context)
    except Unresolved:
        return None
    except RowInvalid:
        return Loss("theirs", raw, refused=True)
    return None if rule.same(again, raw) else Loss("theirs", raw, again)


def _put_get_fitting(rule: Rule, value: Json, context: Context) -> Loss | None:
    """As ``put_get``, for what the field may hold."""
    field = rule.field
    try:
        fits = parser(field.type, UTC, field.of)(value) == value
    except ValueError:
        return None
    return put_get(rule, value, context) if fits and not (field.choices or field.is_ref) else None


def smallest(found: Loss, still: Callable[[Json], Loss | None]) -> Loss:
    """A loss with the smallest value that is ``still`` lost, going down step by step."""
    for _ in range(STEPS):
        less = next((loss for v in _smaller(found.given) if (loss := still(v)) is not None), None)
        if less is None:
            break
        found = less
    return replace(found, seen=True)


def _smaller(value: Json) -> Iterator[Json]:
    """Values like this one, but smaller, the smallest first."""
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int | float):
        yield from (v for v in (0, 1, int(value / 2), int(value)) if abs(v) < abs(value))
    elif isinstance(value, str | list) and value:
        half = len(value) // 2
        parts = (value[:half], value[half:], value[1:], value[:-1])
        yield from (part for part in parts if len(part) < len(value))
        if isinstance(value, list):
            for n, item in enumerate(value):
                yield from ([*value[:n], less, *value[n + 1 :]] for less in _smaller(item))
    elif isinstance(value, Mapping):
        for name in value:
            yield {n: v for n, v in value.items() if n != name}
        for name, item in value.items():
            yield from ({**value, name: less} for less in _smaller(item))
