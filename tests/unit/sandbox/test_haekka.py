from __future__ import annotations

from typing import Any

import pytest

from syncengine.sandbox.process import SandboxProcess
from tests.unit.sandbox.conftest import Api


@pytest.mark.parametrize("resource", ["employees", "trainings", "employee_trainings"])
def test_lists_and_single_rows_agree(haekka: Api, resource: str) -> None:
    """Each list is bare, each row is found alone, with a last slash or without."""
    rows = haekka.get(f"/{resource}/")
    assert rows == haekka.get(f"/{resource}")
    assert haekka.get(f"/{resource}/{rows[0]['id']}") == rows[0]
    assert haekka("GET", f"/{resource}/unknown").status_code == 404


def test_wrong_key_is_401(haekka: Api) -> None:
    """A call without the key is refused."""
    headers = {"Authorization": "Bearer wrong"}
    assert haekka("GET", "/employees/", headers=headers).status_code == 401


def test_employees_are_the_active_ones(haekka: Api, sandbox: SandboxProcess) -> None:
    """A deactivated employee leaves the list; the trainings stay."""
    first = haekka.get("/employees")[0]
    before = haekka.get("/employee_trainings")
    sandbox.mutate("haekka", "employees", "update", first["id"], {"active": False})
    assert first["id"] not in {row["id"] for row in haekka.get("/employees")}
    assert haekka.get("/employee_trainings") == before


@pytest.mark.parametrize(
    ("body", "status", "rate"),
    [
        ({"completion_rate": 70}, False, 70),
        ({"completion_rate": 100}, False, 100),
        ({"completion_status": True}, True, 100),
        ({"completion_status": True, "completion_rate": 10}, True, 100),
        ({"completion_status": False, "completion_rate": 10}, False, 10),
        ({"completion_rate": 70, "employee_id": "emp_9"}, False, 70),
    ],
)
def test_patch(haekka: Api, body: dict[str, Any], status: bool, rate: int) -> None:
    """Status and rate can be set; a true status overrides the rate; other fields are passed over."""
    row = next(r for r in haekka.get("/employee_trainings") if not r["completion_status"])
    answer = haekka("PATCH", f"/employee_trainings/{row['id']}", body)
    expected = row | {"completion_status": status, "completion_rate": rate}
    assert (answer.status_code, answer.json()) == (200, expected)
    assert haekka.get(f"/employee_trainings/{row['id']}") == expected


@pytest.mark.parametrize(
    "body",
    [{}, [], {"completion_rate": 101}, {"completion_rate": "7"}, {"completion_status": 1}],
)
def test_invalid_patch_is_400(haekka: Api, body: Any) -> None:
    """A value out of range or of a wrong type is refused."""
    assert haekka("PATCH", "/employee_trainings/etr_1", body).status_code == 400
