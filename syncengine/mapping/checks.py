"""What ``check`` tries out on typed samples: every expression; and the JSON Schema of the files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from syncengine.errors import RowInvalid
from syncengine.mapping.entities import expressions
from syncengine.mapping.expressions import Env, Expression
from syncengine.mapping.files import FILES
from syncengine.mapping.project import Project, System
from syncengine.mapping.rule import Field
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
    faults, plain = list[str](), _plain(project)
    for expression, run in _runs(project):
        for trial in _trials(project, expression, plain):
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


def _plain(project: Project) -> _Trial:
    """The plainest sample of everything."""
    records = {
        entity.name: Record(
            f"{entity.name}-1", entity.name,
            {f.name: samples(f)[0] for f in entity.fields.values() if f.formula is None}, created_at=SEEN,
        )
        for entity in project.entities.values()
    }  # fmt: skip
    rows = {
        (system.connection, system.resource.name): {
            name: _SAMPLES.get(spec.type, ("a",))[0]
            for name, spec in system.resource.fields.items()
        }
        for entity in project.entities.values()
        for system in entity.systems.values()
    }
    return _Trial(records, rows, "on any sample; look at the types of what it compares")


def _trials(project: Project, expression: Expression, plain: _Trial) -> Iterator[_Trial]:
    """The plainest sample, then each other sample of one field with each other one empty."""
    words = _words(project, expression)
    yield plain
    varied = [{}, *_variants(project, words)]
    for place, row in plain.rows.items():
        for name in row:
            if name in words:
                what = f"where row.{name} is empty; add row.{name} != null && ..."
                yield replace(plain, rows={**plain.rows, place: {**row, name: None}}, what=what)
    for entity, record in plain.records.items():
        for name in record.values:
            if name in words and not project.entities[entity].fields[name].required:
                what = f"where {name} of {entity} is empty; add {name} != null && ..., or coalesce"
                for other in varied:
                    yield replace(
                        plain,
                        records=_with(plain.records, {**other, (entity, name): None}),
                        what=what,
                    )


def _with(
    records: Mapping[str, Record], values: Mapping[tuple[str, str], Json]
) -> dict[str, Record]:
    """The records with other values of some fields."""
    changed = dict(records)
    for (entity, name), value in values.items():
        record = changed[entity]
        changed[entity] = replace(record, values={**record.values, name: value})
    return changed


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
