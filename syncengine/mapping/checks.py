"""What ``check`` tries out on typed samples: every expression; and the JSON Schema of the files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from syncengine.errors import RowInvalid
from syncengine.mapping.entities import expressions
from syncengine.mapping.expressions import Env, Expression
from syncengine.mapping.project import Project, System
from syncengine.mapping.rule import Field
from syncengine.mapping.schema import FILES
from syncengine.model.record import Record, World
from syncengine.model.values import Json, Row, TypeName

TODAY: Final = "2026-11-22"
SEEN: Final = "2026-11-22T10:00:00Z"
_SAMPLES: Final[Mapping[TypeName, tuple[Json, ...]]] = {
    "string": ("a", "7", "ä ß", " Ab "),
    "text": ("a", "a\nb", " Ab "),
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
    return World(TODAY, {record.id: record for record in trial.records.values()})


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
    records = {name: Record(f"{name}-1", name, {}, created_at=SEEN) for name in project.entities}
    for name, record in records.items():
        own = {field: value for (entity, field), value in values.items() if entity == name}
        records[name] = replace(record, values=own)
    rows: dict[tuple[str, str], dict[str, Json]] = {}
    for (connection, resource, field), value in shown.items():
        rows.setdefault((connection, resource), {})[field] = value
    return _Trial(records, rows, what)
