"""A small catalog of two vendors, and projects written to a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from syncengine.errors import ConfigInvalid
from syncengine.mapping import Context, Project, Rule, load_project
from syncengine.model.record import Record, World
from syncengine.model.ref import Ref
from syncengine.model.resource import ConnectorSpec, FieldSpec, ResourceSpec
from syncengine.model.values import Json, Row

TODAY: Final = "2026-11-22"

PEOPLE = ResourceSpec(
    name="people",
    fields={
        "id": FieldSpec(),
        "name": FieldSpec(writable=True, required=True),
        "mail": FieldSpec("email", writable=True),
        "number": FieldSpec("integer", writable=True),
        "state": FieldSpec(writable=True),
        "born": FieldSpec("date", writable=True, listed=False),
        "seen": FieldSpec("datetime"),
        "until": FieldSpec("time", writable=True),
        "done": FieldSpec("boolean", writable=True),
        "boss": FieldSpec("integer", writable=True),
        "groups": FieldSpec("list", writable=True),
        "extra": FieldSpec("object", writable=True),
        "attributes": FieldSpec("list", writable=True),
        "score": FieldSpec("number", writable=True),
    },
    chosen_id="id",
    poll=True,
    create=True,
    update=True,
    delete=True,
)
DAYS = ResourceSpec(
    name="days",
    fields={"id": FieldSpec(), "day": FieldSpec("date", writable=True)},
    parent="people",
    dated=True,
    create=True,
)
CATALOG: Final = {
    "alpha": ConnectorSpec("alpha", {"people": PEOPLE, "days": DAYS}, ("token",), {"size": "how"}),
    "beta": ConnectorSpec("beta", {"people": PEOPLE}, (), concurrency=2),
}

CONNECTIONS: Final = """
version: 1
timezone: Europe/Berlin
connections:
  one: {connector: alpha, base_url: http://one, credentials: {token: t}, resources: {people: {scan: 1h}}}
  two: {connector: beta, base_url: http://two, timezone: UTC, resources: {people: {scan: 1h}}}
"""


def load(folder: Path, environment: Mapping[str, str] | None = None, **files: str) -> Project:
    """A project of these files (name -> text); ``connections`` unless given."""
    for name, text in {"connections": CONNECTIONS, **files}.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return load_project(folder, CATALOG, environment or {})


def faults(folder: Path, **files: str) -> list[str]:
    """What is wrong with a project of these files."""
    with pytest.raises(ConfigInvalid) as raised:
        load(folder, None, **files)
    return list(raised.value.faults)


def person(fields: str, one: str, more: str = "") -> str:
    """An entity ``person`` with these fields and these rules in ``one``, each indented by two blanks."""
    return f"""
version: 1
entity: person
fields:
{_indent(fields, 2)}
systems:
  one:
    resource: people
    flow: both
    create: in
    fields:
{_indent(one, 6)}
{more}
"""


def _indent(text: str, by: int) -> str:
    lines = text.strip("\n").splitlines()
    shift = min(len(line) - len(line.lstrip()) for line in lines)
    return "\n".join(" " * by + line[shift:] for line in lines)


def rule(folder: Path, field: str, spelled: str) -> Rule:
    """The rule of one field ``x`` of this declaration, spelled so in ``one``."""
    project = load(folder, person=person(f"x: {field}", f"x: {spelled}"))
    return project.entities["person"].systems["one"].rules["x"]


def context(record: Record | None = None, row: Row | None = None, old: Json = None) -> Context:
    """Rows 1 and 2 of ``one`` are the records p1 and p2; 3 is linked nowhere."""
    tied = {("person", Ref("one", "people", str(n))): f"p{n}" for n in (1, 2)}
    externals = {(f"p{n}", "one"): str(n) for n in (1, 2)}
    records = {f"p{n}": Record(f"p{n}", "person", {}) for n in (1, 2, 3)}
    world = World(TODAY, records, tied, externals)
    return Context("one", world, record, row or {}, old)
