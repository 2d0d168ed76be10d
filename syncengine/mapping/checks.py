"""What ``check`` tries out: expressions on typed samples, rules as lenses, JSON Schema of the files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from syncengine.errors import RowInvalid
from syncengine.mapping.entities import expressions
from syncengine.mapping.expressions import Env, Expression
from syncengine.mapping.project import Entity, Project, System
from syncengine.mapping.rule import Context, Field, Rule
from syncengine.mapping.schema import FILES
from syncengine.model.record import Record, World
from syncengine.model.ref import Position, Ref
from syncengine.model.values import Json, Row, TypeName

_TODAY: Final = "2026-11-22"
_SEEN: Final = "2026-11-22T10:00:00Z"
_SAMPLES: Final[Mapping[TypeName, tuple[Json, ...]]] = {
    "string": ("a", "7", "ä ß"),
    "text": ("a", "a\nb"),
    "email": ("a@example.org",),
    "date": ("2026-11-21", "2026-11-23", "2024-02-29"),
    "datetime": ("2026-11-21T10:00:00Z", "2026-11-23T10:00:00.000001Z"),
    "time": ("08:00", "00:00", "23:59", "24:00"),
    "integer": (1, 0, -1, 2**40),
    "number": (1.0, 0.0, -0.5),
    "boolean": (True, False),
    "duration": (60, 0, 61),
    "object": ({"a": 1},),
    "list": (["a"],),
}


@dataclass(frozen=True, slots=True)
class LensVerdict:
    """``detail``: what is lost, or why values flow one way only. ``example``: the smallest value of
    ours (or of theirs) that does not come back, and what comes back; None where there is none."""

    entity: str
    connection: str
    field: str
    verdict: Literal["two-way", "lossy", "one-way"]
    detail: str
    example: tuple[Json, Json] | None
    position: Position


def json_schema() -> dict[str, dict[str, Any]]:
    """File kind (its top key) -> JSON Schema, for editors."""
    return {kind: model.model_json_schema(by_alias=True) for kind, model in FILES.items()}


def samples(field: Field) -> tuple[Json, ...]:
    """Typed edge values of a field, the plainest first."""
    if field.type in {"list", "set"}:
        items = samples(replace(field, type=field.of or "string", of=None))
        return ([items[0]], sorted(items[:2], key=str)) if field.type == "set" else ([items[0]],)
    if field.type == "enum":
        return field.choices
    if field.type == "ref":
        return (f"{field.to}-1",)
    return _SAMPLES[field.type]


@dataclass(frozen=True, slots=True)
class _Trial:
    """One sample world: fields and vendor fields that differ from the plainest sample."""

    records: Mapping[str, Record]
    rows: Mapping[tuple[str, str], Row]
    what: str


def sample_faults(project: Project) -> list[str]:
    """Every expression on typed samples, each optional field empty in turn; a line for each that fails."""
    faults: list[str] = []
    for expression, run in _runs(project):
        for trial in _trials(project, expression):
            try:
                run(trial)
            except RowInvalid:
                faults.append(
                    f"{expression.position}: {expression.source!r} cannot be computed {trial.what}"
                )
                break
    return faults


Run = Callable[[_Trial], Json]


def _runs(project: Project) -> Iterator[tuple[Expression, Run]]:
    for entity in project.entities.values():
        for connection, expression in expressions(entity):
            if connection == "record":
                yield expression, _on_record(expression, entity.name)
            else:
                yield expression, _on_row(expression, entity.systems[connection])
    for derivation in project.derivations:
        for expression in (*derivation.sources.values(), *derivation.values.values()):
            yield expression, _on_records(expression)


def _on_record(expression: Expression, entity: str) -> Run:
    return lambda trial: expression.on(Env(_world(trial), trial.records[entity]))


def _on_row(expression: Expression, system: System) -> Run:
    key = (system.connection, system.resource.name)
    return lambda trial: expression.on(Env(_world(trial), row=trial.rows[key]))


def _on_records(expression: Expression) -> Run:
    return lambda trial: expression.on(Env(_world(trial), records=trial.records))


def _world(trial: _Trial) -> World:
    return World(_TODAY, {record.id: record for record in trial.records.values()})


def _trials(project: Project, expression: Expression) -> Iterator[_Trial]:
    """The plainest sample, then each other sample of one field with each other one empty."""
    words = _words(project, expression)
    plain = {
        (entity.name, field.name): samples(field)[0]
        for entity in project.entities.values()
        for field in entity.fields.values()
        if field.formula is None
    }
    shown = {
        (system.connection, system.resource.name, name): _SAMPLES.get(spec.type, ("a",))[0]
        for entity in project.entities.values()
        for system in entity.systems.values()
        for name, spec in system.resource.fields.items()
    }
    yield _trial(project, plain, shown, "on any sample; look at the types of what it compares")
    varied = [{}, *_variants(project, words)]
    for vendor_field in shown:
        if vendor_field[2] in words:
            what = f"where row.{vendor_field[2]} is empty; add row.{vendor_field[2]} != null && ..."
            yield _trial(project, plain, {**shown, vendor_field: None}, what)
    for entity, name in plain:
        if name in words and not project.entities[entity].fields[name].required:
            what = f"where {name} of {entity} is empty; add {name} != null && ..., or coalesce"
            for other in varied:
                yield _trial(project, {**plain, **other, (entity, name): None}, shown, what)


def _variants(project: Project, words: frozenset[str]) -> Iterator[dict[tuple[str, str], Json]]:
    for entity in project.entities.values():
        for field in entity.fields.values():
            if field.name in words and field.formula is None:
                for value in samples(field)[1:]:
                    yield {(entity.name, field.name): value}


def _words(project: Project, expression: Expression) -> frozenset[str]:
    """The words of an expression and of every formula that it may read."""
    formulas = {
        field.name: field.formula.source
        for entity in project.entities.values()
        for field in entity.fields.values()
        if field.formula is not None
    }
    words: set[str] = set()
    due = [expression.source]
    while due:
        fresh = set(re.findall(r"\w+", due.pop())) - words
        words |= fresh
        due += [formulas[word] for word in fresh if word in formulas]
    return frozenset(words)


def _trial(
    project: Project,
    values: Mapping[tuple[str, str], Json],
    shown: Mapping[tuple[str, str, str], Json],
    what: str,
) -> _Trial:
    records = {name: Record(f"{name}-1", name, {}, created_at=_SEEN) for name in project.entities}
    for name, record in records.items():
        own = {field: value for (entity, field), value in values.items() if entity == name}
        records[name] = replace(record, values=own)
    rows: dict[tuple[str, str], dict[str, Json]] = {}
    for (connection, resource, field), value in shown.items():
        rows.setdefault((connection, resource), {})[field] = value
    return _Trial(records, rows, what)


def lens_report(project: Project) -> list[LensVerdict]:
    """What each rule that flows keeps of a value: two-way, lossy, or one-way."""
    return [
        _verdict(project, entity, system, rule)
        for entity in project.entities.values()
        for system in entity.systems.values()
        for rule in system.rules.values()
        if rule.reads or rule.writes
    ]


def _verdict(project: Project, entity: Entity, system: System, rule: Rule) -> LensVerdict:
    verdict: Literal["two-way", "lossy", "one-way"] = "two-way"
    detail, example = "", None
    if not (rule.reads and rule.writes):
        verdict, detail = "one-way", "in" if rule.reads else "out"
    else:
        example = _counter_example(rule, _context(project, entity, system))
        if example is not None or rule.lens.loses:
            verdict = "lossy"
            detail = rule.lens.loses or "some values do not come back"
    return LensVerdict(
        entity.name, system.connection, rule.field.name, verdict, detail, example, rule.position
    )


def _context(project: Project, entity: Entity, system: System) -> Context:
    tied = {
        (name, Ref(other.connection, other.resource.name, "1")): f"{name}-1"
        for name, owner in project.entities.items()
        for other in owner.systems.values()
        if other.connection == system.connection
    }
    externals = {(record, system.connection): "1" for record in tied.values()}
    values = {f.name: samples(f)[0] for f in entity.fields.values() if f.formula is None}
    record = Record(f"{entity.name}-1", entity.name, values, created_at=_SEEN)
    records = {
        f"{name}-1": Record(f"{name}-1", name, {}, created_at=_SEEN) for name in project.entities
    }
    world = World(_TODAY, {**records, record.id: record}, tied, externals)
    return Context(system.connection, world, record, seen=_SEEN)


def _counter_example(rule: Rule, context: Context) -> tuple[Json, Json] | None:
    """PutGet and GetPut on edge values, up to the declared equivalence; the first that fails."""
    for value in (*samples(rule.field), None):
        try:
            raw = rule.encode(value, context)
            back = rule.decode(raw, context)
            if back != value and (
                rule.lens.loses or not rule.same(raw, rule.encode(back, context))
            ):
                return value, back
            if not rule.same(rule.encode(rule.decode(raw, context), context), raw):
                return raw, rule.encode(rule.decode(raw, context), context)
        except RowInvalid as error:
            return value, str(error)
    return None
