"""A vendor that the package does not know: one module and some YAML in the project's folder are all it takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncengine.sandbox.process import SandboxProcess
from tests.support.cli import cli_in
from tests.support.places import DOCS, SPINDEL
from tests.support.spindel import Spindel, spindel

PAGE = (DOCS / "adding-a-vendor.md").read_text("utf-8")


@pytest.fixture
def lockers() -> Iterator[Spindel]:
    with spindel() as server:
        yield server


@pytest.fixture
def company() -> Iterator[SandboxProcess]:
    with SandboxProcess(people=12) as sandbox:
        yield sandbox


def test_a_vendor_of_one_s_own_agrees_with_the_others(
    lockers: Spindel, company: SandboxProcess, tmp_path: Path
) -> None:
    """Members are made from employees; then a change on either side reaches the other, and nothing is left to do."""
    cli = cli_in(tmp_path, company.env, lockers.env, project=SPINDEL)
    assert "spindel: writes, answers" in cli("check", "--online").stdout

    cli("sync")
    employees = company.state("heavenhr", "employees")
    members = {row["staff_no"]: row for row in lockers.members.values()}
    assert {n: (m["last_name"], m["phone"]) for n, m in members.items()} == {
        e["employeeNumber"]: (e["lastName"], e["mobileWork"]) for e in employees
    }

    first, second = employees[0], employees[1]
    lockers.change(members[first["employeeNumber"]]["id"], {"phone": "+49 30 1234"})
    company.mutate("heavenhr", "employees", "update", second["id"], {"lastName": "Neumann"})
    cli("sync")
    shown = {row["id"]: row for row in company.state("heavenhr", "employees")}
    assert shown[first["id"]]["mobileWork"] == "+49 30 1234"
    assert members[second["employeeNumber"]]["last_name"] == "Neumann"

    writes = lockers.writes, company.counters()["heavenhr"]["writes"]
    assert writes == (len(employees) + 1, 1)
    document = cli.json("sync")
    assert document["converged"]
    assert document["operations"] == dict.fromkeys(document["operations"], 0)
    assert (lockers.writes, company.counters()["heavenhr"]["writes"]) == writes


@pytest.mark.parametrize("name", ["spindel.py", "connections.yaml", "person.yaml"])
def test_the_page_shows_these_files(name: str) -> None:
    """docs/adding-a-vendor.md walks through exactly the files that are tested, and the module is short."""
    text = (SPINDEL / name).read_text("utf-8")
    kind = "python" if name.endswith(".py") else "yaml"
    assert f"```{kind}\n{text}```" in PAGE
    assert name != "spindel.py" or len(text.splitlines()) < 100
