"""Rows that a vendor does not document: what may be read of them, and that nothing is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncengine.adapters.vendors import CATALOG as SHIPPED_CATALOG
from syncengine.errors import ConfigInvalid
from syncengine.mapping import load_project

NESTED = """
version: 1
entity: person
fields:
  mail: {type: email}
  name: {type: string}
  left: {type: boolean}
identity: [[mail]]
systems:
  tool:
    resource: employees
    flow: in
    create: in
    where: "row.deactivated_at == null"
    fields:
      mail: MAIL
      name: {read: "row.profile.name"}
"""


TOOL = """
version: 1
connections:
  tool: {connector: haekka, base_url: http://tool, credentials: {api_key: k}, resources: {employees: {scan: 1h}}}
"""


def test_rows_that_a_vendor_does_not_document_may_hold_anything(tmp_path: Path) -> None:
    """A field of such a row may be nested or unheard of: it is read, and `check` warns that it is a guess."""
    (tmp_path / "connections.yaml").write_text(TOOL)
    (tmp_path / "person.yaml").write_text(NESTED.replace("MAIL", "user.email"))
    project = load_project(tmp_path, SHIPPED_CATALOG, {})
    system = project.entities["person"].systems["tool"]
    row = {"id": "1", "user": {"email": "ida@x.de"}, "profile": {"name": "Ida"}}
    assert {n: rule.extract(row) for n, rule in system.rules.items() if rule.read is None} == {
        "mail": "ida@x.de"
    }
    guesses = [w for w in project.warnings if "does not document" in w]
    named = [w.split("show ")[1].split(";")[0] for w in guesses]
    assert named == ["'user'", "'profile'", "'deactivated_at'"]
    assert all(w.startswith("person.yaml:") for w in guesses)


@pytest.mark.parametrize("path", ["user..email", "email.", "[0]"])
def test_a_path_of_an_open_row_still_has_to_be_one(tmp_path: Path, path: str) -> None:
    """Open is what is read, not how it is said."""
    (tmp_path / "connections.yaml").write_text(TOOL)
    (tmp_path / "person.yaml").write_text(NESTED.replace("MAIL", f'"{path}"'))
    with pytest.raises(ConfigInvalid):
        load_project(tmp_path, SHIPPED_CATALOG, {})


def test_what_an_open_row_may_hold_is_not_written(tmp_path: Path) -> None:
    """A guess is read; only what the connector declares is written."""
    (tmp_path / "connections.yaml").write_text(
        TOOL.replace("employees: {", "employee_trainings: {")
    )
    text = NESTED.replace("MAIL", "{field: user.email, flow: both}").replace(
        "resource: employees", "resource: employee_trainings"
    )
    (tmp_path / "person.yaml").write_text(text.replace("flow: in\n", "flow: both\n", 1))
    with pytest.raises(ConfigInvalid, match="haekka does not take user"):
        load_project(tmp_path, SHIPPED_CATALOG, {})
