"""What ``check`` tries out."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncengine.mapping.checks import json_schema, sample_faults
from tests.unit.mapping.helpers import load, person

FIELDS = """
name: {type: string, required: true}
born: {type: date}
done: {type: datetime}
state: {type: enum, choices: [open, shut]}
"""


@pytest.mark.parametrize(
    ("formula", "missing"),
    [
        ("born < today", "born"),
        ("born != null && born < today", None),
        ("name.startsWith('a')", None),
        ("name == 'a' && state.startsWith('o')", "state"),
        ("state == 'open' || born < today", "born"),
        ("done < created_at", "done"),
        ("born < 5", "any sample"),
    ],
)
def test_samples_find_the_missing_guard(tmp_path: Path, formula: str, missing: str | None) -> None:
    """An expression that fails where an optional field is empty is told, with the field to guard."""
    fields = FIELDS + f'\nout: {{type: boolean, formula: "{formula}"}}'
    told = sample_faults(load(tmp_path, person=person(fields, "name: name")))
    assert len(told) == (missing is not None)
    assert all(missing is not None and missing in line for line in told)
    assert all(line.startswith("person.yaml:") for line in told)


def test_samples_try_rows_and_rules_too(tmp_path: Path) -> None:
    """Conditions on rows and of derivations are tried on samples as well."""
    more = '    where: "row.number > 5"'
    rules = """
version: 1
derive:
  - {name: a, for: {person: "person.born < today"}, ensure: person, with: {name: "person.name + 'x'"}}
"""
    project = load(tmp_path, person=person(FIELDS, "name: name", more), rules=rules)
    told = sample_faults(project)
    assert len(told) == 2
    assert "row.number is empty" in told[0]
    assert "born of person is empty" in told[1]


def test_every_kind_of_file_has_a_schema() -> None:
    """Editors get a JSON Schema for each kind of file, under the names that are written in YAML."""
    schemas = json_schema()
    assert set(schemas) == {"connections", "entity", "derive", "notify", "console"}
    assert "for" in schemas["derive"]["$defs"]["DerivePart"]["properties"]
    assert schemas["entity"]["additionalProperties"] is False
    webhook = schemas["connections"]["$defs"]["ConnectionPart"]["properties"]["webhook"]
    assert [form["type"] for form in webhook["anyOf"]] == ["string", "array"]
