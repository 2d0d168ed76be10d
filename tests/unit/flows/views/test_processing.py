"""Records of processing: which data of whom come from where and go where, by which rule, how long."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from syncengine.adapters.vendors import CATALOG
from syncengine.cli.app import app
from syncengine.flows.views.processing import people_of, processing
from syncengine.mapping import Retention, load_project
from tests.support.places import MAPPINGS


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """Of the starter project, with keys."""
    return processing(load_project(MAPPINGS, CATALOG, {}), encrypted=True)


def line(document: dict[str, Any], entity: str, field: str) -> dict[str, Any]:
    """The one of a field."""
    (found,) = (x for x in document["data"] if (x["entity"], x["field"]) == (entity, field))
    return found


def test_every_field_of_every_entity_has_one_line(document: dict[str, Any]) -> None:
    """With whom it is of, whether it is sensitive and encrypted, and how long it stays."""
    project = load_project(MAPPINGS, CATALOG, {})
    expected = [(e.name, name) for e in project.entities.values() for name in e.fields]
    assert [(x["entity"], x["field"]) for x in document["data"]] == expected
    assert all(x["encrypted"] for x in document["data"])
    hidden = {(x["entity"], x["field"]) for x in document["data"] if x["sensitive"]}
    assert hidden == {
        ("person", "private_email"), ("absence", "vacation"), ("absence", "kind"),
        ("absence", "type"), ("absence", "time_off"), ("absence", "differences"),
    }  # fmt: skip


def test_where_a_value_comes_from_and_goes(document: dict[str, Any]) -> None:
    """Each place with path and rule; what only tells who is who; ids that we make of it; formulas and derivations."""
    number = line(document, "person", "employee_number")
    assert [p["paths"] for p in number["from"]] == [["employeeNumber"]]
    assert {(p["connection"], *p["paths"]) for p in number["to"]} == {
        ("heavenhr", "employeeNumber"), ("weekly10", "api_id"),
    }  # fmt: skip
    mail = line(document, "person", "work_email")
    assert {p["connection"] for p in mail["compared_with"]} == {"hakuna", "haekka"}
    assert mail["identifies"]
    private = line(document, "person", "private_email")
    assert private["to"] == []
    ((place),) = private["from"]
    text = (MAPPINGS / "person.yaml").read_text("utf-8").splitlines()
    assert "private_email" in text[int(place["rule"].split(":")[1]) - 1]
    assert line(document, "person", "active")["computed"].startswith("person.yaml:")
    made = line(document, "training_record", "training")["derived"]
    assert [d["derivation"] for d in made] == ["mandatory-trainings"]


def test_of_whom_data_are(document: dict[str, Any]) -> None:
    """What refers to people is about them; a place is about nobody."""
    assert line(document, "absence", "kind")["of_whom"] == ["employees"]
    assert line(document, "training_record", "training")["of_whom"] == ["employees"]
    assert line(document, "location", "city")["of_whom"] == []
    project = load_project(MAPPINGS, CATALOG, {})
    person = replace(project.entities["person"], people="")
    circle = replace(project, entities={**project.entities, "person": person})
    assert people_of(circle, "person") == []


def test_what_is_kept_beside_the_fields_is_told(document: dict[str, Any]) -> None:
    """A row is kept as far as the mapping looks at it, and with the names that people recognise it by."""
    rows = {(x["entity"], x["connection"]): x["kept_beside"] for x in document["rows"]}
    assert rows["absence", "heavenhr"] == ["firstName", "lastName"]
    assert rows["person", "heavenhr"] == []


def test_how_long_is_as_the_project_says() -> None:
    """The spans of ``retention:``, and whether there are keys."""
    project = load_project(MAPPINGS, CATALOG, {})
    document = processing(replace(project, retention=Retention(left=1.0, history=2.0)), False)
    told = line(document, "person", "work_email")
    assert (told["kept_s"]["left"], told["kept_s"]["history"]) == (1.0, 2.0)
    assert document["kept_s"]["history"] == 2.0
    assert not document["encrypted"]
    assert not told["encrypted"]


def test_the_command_prints_a_table_and_a_document(tmp_path: Path) -> None:
    """Both say the same; neither needs a database or a vendor."""
    environment = {
        "SYNCENGINE_PROJECT": str(MAPPINGS), "COLUMNS": "250",
        "SYNCENGINE_DATABASE_URL": f"sqlite:///{tmp_path}/none.db",
    }  # fmt: skip
    run = CliRunner().invoke
    shown = run(app, ["privacy"], env=environment, prog_name="syncengine")
    assert shown.exit_code == 0, shown.output
    (told,) = (x for x in shown.stdout.splitlines() if "absence.kind" in x)
    assert told.split()[:3] == ["employees", "absence.kind", "sensitive"]
    assert "heavenhr absences (absenceType)" in told
    assert "180d after it was deleted" in shown.stdout
    assert "Encrypted in the database: no" in shown.stdout
    document = json.loads(run(app, ["privacy", "--json"], env=environment).stdout)
    assert line(document, "absence", "kind")["sensitive"]
    assert not list(tmp_path.iterdir())
