"""The simulated company routes of HeavenHR answer as its page says."""

from __future__ import annotations

from typing import Any

import pytest

from syncengine.sandbox.heavenhr_company import SUBCOMPANY
from tests.unit.sandbox.conftest import Api

WHEN = {"startDate": "2019-01-01", "endDate": "2030-12-31"}
ABSENCES = {**WHEN, "status": "APPROVED,REQUESTED", "page": 0, "pageSize": 10}


def employee(api: Api) -> str:
    return str(api.get("/employees")["data"][0]["id"])


@pytest.mark.parametrize("route", ["/company/absences/", "/employees/{}/absences/"])
def test_absences_need_all_their_parameters(heavenhr: Api, route: str) -> None:
    """Without one of the five parameters, or with an unknown status, it is a 400; with them it is envelope B."""
    path = route.format(employee(heavenhr))
    for name in ABSENCES:
        some = {n: v for n, v in ABSENCES.items() if n != name}
        assert heavenhr("GET", path, params=some).status_code == 400
    assert heavenhr("GET", path, params={**ABSENCES, "status": "GONE"}).status_code == 400
    told = heavenhr.get(path, **ABSENCES)
    assert set(told) == {"links", "data", "meta"}
    assert told["data"]
    assert "id" not in told["data"][0]


def test_absences_are_those_of_the_window(heavenhr: Api) -> None:
    """An absence counts that overlaps the window; another status leaves it out."""
    row = heavenhr.get("/company/absences/", **ABSENCES)["data"][0]
    last = {**ABSENCES, "startDate": row["endDate"], "endDate": row["endDate"]}
    assert row in heavenhr.get("/company/absences/", **last)["data"]
    assert heavenhr.get("/company/absences/", **{**ABSENCES, "status": "PLANNED"})["data"] == []


@pytest.mark.parametrize("route", ["/company/shifts/", "/employees/{}/shifts/"])
def test_shifts_need_a_window(heavenhr: Api, route: str) -> None:
    """Two dates are needed; only published shifts come unless drafts are asked for; one id stands on several days."""
    path = route.format(employee(heavenhr))
    assert heavenhr("GET", path).status_code == 400
    assert heavenhr("GET", path, params={**WHEN, "status": "OLD"}).status_code == 400
    told = heavenhr.get(path, **WHEN)
    assert told["totalItems"] == len(told["data"]) == 4
    assert len({row["id"] for row in told["data"]}) == 1
    assert heavenhr.get(path, **WHEN, status="DRAFT")["data"] == []


def test_one_shift_tells_more(heavenhr: Api) -> None:
    """The detail has what the list leaves out; an unknown one is a 404."""
    row = heavenhr.get("/company/shifts/", **WHEN)["data"][0]
    detail = heavenhr.get(f"/company/shifts/{row['id']}")
    assert detail["breakInMinutes"] == 60
    assert "breakInMinutes" not in row
    assert heavenhr("GET", "/company/shifts/_x_").status_code == 404


def test_payroll_routes_do_not_clash(heavenhr: Api) -> None:
    """Own periods, another company's, and the salaries of a period are three routes; an unknown one is refused."""
    periods = heavenhr.get("/payroll/payrollperiod")["data"]
    assert [p["status"] for p in periods] == ["OPEN", "CLOSED"]
    assert heavenhr.get(f"/payroll/{SUBCOMPANY}/payrollperiod")["data"] == periods
    assert heavenhr("GET", "/payroll/_x_/payrollperiod").status_code == 403
    paid = heavenhr.get(f"/payroll/payrollperiod/{periods[0]['id']}/salary")
    assert paid["totalItems"] == 20
    assert set(paid["data"][0]) == {
        "employeeId",
        "firstName",
        "lastName",
        "personelNumber",
        "salary",
    }
    assert heavenhr("GET", "/payroll/payrollperiod/_x_/salary").status_code == 404


def test_vacancies_need_a_company(heavenhr: Api) -> None:
    """Published vacancies of a company, with HTML; the single one in a list of one."""
    assert heavenhr("GET", "/positions/public/vacancies/").status_code == 400
    told = heavenhr.get("/positions/public/vacancies/", companyId="_c_")
    assert {row["status"] for row in told["data"]} == {"PUBLISHED"}
    (one,) = heavenhr.get(f"/positions/public/vacancies/{told['data'][0]['id']}")["data"]
    assert one["description"].startswith("<p>")
    assert heavenhr("GET", "/positions/public/vacancies/_x_").status_code == 404


@pytest.mark.parametrize("body", [{}, {"year": "2027"}, {"year": 3}])
def test_a_budget_needs_a_year(heavenhr: Api, body: dict[str, Any]) -> None:
    """A year is a number of four digits; the second budget of a year is refused."""
    path = f"/employees/{employee(heavenhr)}/absencebudgets"
    assert heavenhr("POST", path, body).status_code == 400
    assert heavenhr("POST", path, {"year": 2027}).status_code == 201
    assert heavenhr("POST", path, {"year": 2027}).status_code == 400


def test_absence_types_are_listed(heavenhr: Api) -> None:
    """Each type has its vacation type, which absences name."""
    types = heavenhr.get("/company/absences/types/")["data"]
    assert {"HOLIDAY", "ILLNESS"} < {row["vacationType"] for row in types}
