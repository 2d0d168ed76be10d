"""What the connector keeps of HeavenHR's company routes, against the sandbox over real HTTP."""

from __future__ import annotations

import pytest

from syncengine.adapters.vendors.heavenhr_company import flat, salary
from syncengine.errors import Bug, Rejected, Unknown, VendorDown
from syncengine.sandbox.heavenhr_company import SUBCOMPANY
from tests.contract.peers import AROUND, KEY, World, listed, some_employee


def rows(world: World, resource: str, parent: str | None = None, **options: str) -> list[str]:
    """The external ids of a listing around today."""
    connector = world.connect("heavenhr", options=options)
    dated = connector.spec.resources[resource].dated
    pages = connector.scan(resource, parent, AROUND if dated else None)
    return [item.external_id for page in pages for item in page.items if not item.fault]


def test_the_tree_of_organizations_is_flat(world: World) -> None:
    """Each unit is a row with the one above it; none is left out."""
    items = {i.external_id: i.row for i in listed(world.connect("heavenhr"), "organizations")}
    known = world.sandbox.state("heavenhr", "organizations")
    assert set(items) == {row["id"] for row in known}
    tops = [i for i, row in items.items() if row["parentId"] is None]
    assert tops == [known[0]["id"]]
    assert {row["parentId"] for i, row in items.items() if i not in tops} == set(tops)


def test_a_deep_tree_is_flat() -> None:
    """Children of children come too, each once, and units of one name are told apart by what is above them."""
    team, sales = {"id": "c", "name": "Team A"}, {"id": "b", "name": "Sales"}
    below = [{**sales, "children": [team]}, {**team, "id": "d"}, {"id": "e", "name": "Team B"}]
    shown = list(flat({"id": "a", "name": "Alpenblick AG", "children": below}))
    assert [(r["id"], r["parentId"], r["distinctName"]) for r in shown] == [
        ("a", None, "Alpenblick AG"), ("b", "a", "Sales"), ("d", "a", "Team A"),
        ("e", "a", "Team B"), ("c", "b", "Sales / Team A"),
    ]  # fmt: skip
    assert [r["name"] for r in shown].count("Team A") == 2


def test_a_shift_of_several_days_is_several_rows(world: World) -> None:
    """One shift id on four days makes four rows; each is read with its own day and the detail of the shift."""
    connector = world.connect("heavenhr")
    found = rows(world, "shifts")
    assert len({i.partition(",")[0] for i in found}) == 1
    assert len(found) == 4
    for external_id in found:
        item = connector.get("shifts", external_id)
        assert item is not None
        assert item.external_id == external_id
        assert item.row["breakInMinutes"] == 60
    assert connector.get("shifts", "_none_,2026-01-01T08:00:00") is None


def test_shifts_of_one_employee(world: World) -> None:
    """Below an employee there are his own shifts; who has none has an empty listing."""
    first = some_employee(world)
    last = world.sandbox.state("heavenhr", "employees")[-1]["id"]
    assert len(rows(world, "employee_shifts", first)) == 4
    assert rows(world, "employee_shifts", last) == []
    assert rows(world, "shifts", shift_status="DRAFT") == []


def test_absences_are_known_by_whom_when_and_why(world: World) -> None:
    """All five statuses are asked for, and an id is made of what tells absences apart."""
    known = world.sandbox.state("heavenhr", "absences")
    assert {row["status"] for row in known} == {"APPROVED", "REQUESTED"}
    world.sandbox.mutate("heavenhr", "absences", "update", known[0]["key"], {"status": "WITHDRAWN"})
    found = rows(world, "absences")
    assert sorted(found) == sorted(row["key"] for row in known)
    one = known[0]["employeeId"]
    below = rows(world, "employee_absences", one)
    assert below == [f"{one}/{row['key']}" for row in known if row["employeeId"] == one]


@pytest.mark.parametrize("order", [["WITHDRAWN", "APPROVED"], ["APPROVED", "WITHDRAWN"]])
def test_an_absence_that_was_asked_for_again_stands(world: World, order: list[str]) -> None:
    """Of two absences with one id the one that was not withdrawn is shown, whichever comes first; alone, the one that
    was withdrawn is."""
    known = world.sandbox.state("heavenhr", "absences")
    for row in known:
        world.sandbox.mutate("heavenhr", "absences", "delete", row["key"])
    for status in order:
        again = {k: v for k, v in known[0].items() if k != "key"} | {"status": status}
        world.sandbox.mutate("heavenhr", "absences", "create", values=again)
    other = {k: v for k, v in known[1].items() if k != "key"} | {"status": "WITHDRAWN"}
    world.sandbox.mutate("heavenhr", "absences", "create", values=other)
    pages = world.connect("heavenhr").scan("absences", None, AROUND)
    shown = [(i.external_id, i.row["status"]) for page in pages for i in page.items]
    assert shown == [(known[0]["key"], "APPROVED"), (known[1]["key"], "WITHDRAWN")]


def test_periods_and_salaries(world: World) -> None:
    """A period has a salary for each employee, known by both; another company's periods need the option."""
    periods = rows(world, "payroll_periods")
    assert len(periods) == 2
    paid = rows(world, "salaries", periods[0])
    assert paid == [f"{periods[0]}/{e['id']}" for e in world.sandbox.state("heavenhr", "employees")]
    assert rows(world, "subcompany_payroll_periods", subcompany_id=SUBCOMPANY) == periods
    with pytest.raises(VendorDown, match="subcompany_id"):
        rows(world, "subcompany_payroll_periods")


def test_a_salary_may_come_as_a_list() -> None:
    """The table's list of one and the example's object are the same row."""
    row = {"salary": [{"fixedSalary": 1, "others": 2}]}
    salary(row)
    assert row == {"salary": {"fixedSalary": 1, "others": 2}}


def test_vacancies_are_read_with_their_text(world: World) -> None:
    """Published ones are listed for the company of the option; the single read shows what the list does not."""
    connector = world.connect("heavenhr", options={"company_id": "_c_"})
    found = listed(connector, "vacancies")
    assert {i.row["status"] for i in found} == {"PUBLISHED"}
    full = connector.get("vacancies", found[0].external_id)
    assert full is not None
    assert full.row["description"] == "<p>Wir suchen</p>"
    assert "description" not in found[0].row
    assert connector.get("vacancies", "_none_") is None


def test_company_and_types(world: World) -> None:
    """The company is one row with its attributes, absence types are known by their own id."""
    (company,) = listed(world.connect("heavenhr"), "company")
    assert company.row["customAttributes"]
    types = rows(world, "absence_types")
    assert types == [row["typeId"] for row in world.sandbox.state("heavenhr", "absence_types")]


def test_a_budget_is_made_once_and_never_twice(world: World) -> None:
    """A budget is created by its year; a repeated one is refused, and a lost one cannot be looked for."""
    connector, employee = world.connect("heavenhr"), some_employee(world)
    body = {"_parent": employee, "year": 2027}
    assert connector.create("absence_budgets", body, KEY).external_id == "2027"
    with pytest.raises(Rejected):
        connector.create("absence_budgets", body, KEY)
    world.sandbox.fault("heavenhr", "drop_after", method="POST", count=1)
    with pytest.raises(Unknown):
        connector.create("absence_budgets", {**body, "year": 2028}, KEY)
    with pytest.raises(Bug):
        connector.find("absence_budgets", body, KEY)
    assert not connector.spec.resources["absence_budgets"].provable
    assert len(world.sandbox.state("heavenhr", "absence_budgets")) == 2
