from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from syncengine.sandbox.process import SandboxProcess
from tests.unit.sandbox.conftest import Api

# The example of section "Create a new employee", with the emails that the page has lost.
EXAMPLE: dict[str, Any] = {
    "startDate": "2017-04-13",
    "endOfContract": "2022-04-13",
    "professionalEmail": "professionalEmail@heavenhr.de",
    "jobTitle": "Head of Sales",
    "permanentOrTemporary": "PERMANENT",
    "streetPersonal": "Griefwalderstrasse",
    "streetNumberPersonal": 219,
    "additionalContractInformation": "The employee has the right to take leave 24 days a year.",
    "locationId": "_bE1Zi2WRANH76y0vDbdEdA_",
    "employeeNumber": 716,
    "gender": "MALE",
    "nationality": "DE",
    "occupation": "Manager",
    "firstName": "Max",
    "fullTimeOrPartTime": "FULL_TIME",
    "employmentType": "FREELANCER",
    "lastName": "Musterman",
    "jobStatus": "CREATED_EXISTING",
    "mobileWork": 63121,
    "dateOfBirth": "1984-07-17",
    "departmentId": "_EaH3L12VPSVhuSDPqkKIdg_",
    "phonePersonal": 4921348182,
    "costCenterId": "_3q4nkYvIocIJDUhyZJh5dQ_",
    "email": "max@example.org",
    "sendOnboardingEmail": True,
    "customAttributes": [
        {
            "id": "_Aeqew@adq3dsfADRaqw",
            "name": "Customer attribute Name",
            "value": "I am superman",
        }
    ],
    "contract": {
        "grossSalary": 80000,
        "settlementPeriodSalary": "perYear",
        "holidaysPerYear": 24,
        "workingHoursPerWeek": 40,
        "probationPeriod": "6Months",
        "noticePeriodDuringProbation": "4Weeks",
        "noticePeriodDuringProbationStart": "endOfWeek",
    },
    "workSchedule": {
        "scheduledDate": "2017-04-15",
        "days": [
            {"dayOfWeek": "MONDAY", "worktimeInMinutes": 380},
            {"dayOfWeek": "FRIDAY", "worktimeInMinutes": 360},
        ],
        "defaultSchedule": "TRUE",
    },
}
# The example of section "Create time tracking Request"; its project is not of this company.
TIME: dict[str, Any] = {
    "startDate": "2019-10-24",
    "endDate": "2019-10-24",
    "startTime": "09:50",
    "endTime": "18:55",
    "total": "",
    "breakTime": "30",
    "comment": "",
    "status": "REQUESTED",
    "categories": [],
}


@pytest.fixture
def anna(heavenhr: Api) -> str:
    """The path of an employee."""
    return f"/employees/{heavenhr.get('/employees')['data'][0]['id']}"


def test_health_needs_no_token(client: httpx.Client, sandbox: SandboxProcess) -> None:
    """The health check answers OK to anyone."""
    answer = client.get(sandbox.env["HEAVENHR_BASE_URL"] + "/health/check")
    assert answer.json() == {"message": "OK"}


@pytest.mark.parametrize(
    ("key", "grant", "status"),
    [
        (("sandbox-client", "wrong"), "client_credentials", 401),
        (("nobody", "sandbox-secret"), "client_credentials", 401),
        (("sandbox-client", "sandbox-secret"), "password", 400),
    ],
)
def test_token_is_refused(
    client: httpx.Client, sandbox: SandboxProcess, key: tuple[str, str], grant: str, status: int
) -> None:
    """A token needs the right id, secret and grant type."""
    url = sandbox.env["HEAVENHR_BASE_URL"] + "/oauth2/token"
    answer = client.get(url, params={"grant_type": grant, "scope": "all"}, auth=key)
    assert answer.status_code == status


@pytest.mark.parametrize("header", ["Bearer wrong", "Basic c2FuZGJveA==", ""])
def test_wrong_token_is_401(heavenhr: Api, header: str) -> None:
    """A call without a valid bearer token is refused."""
    assert heavenhr("GET", "/employees", headers={"Authorization": header}).status_code == 401


def test_read_only_key_cannot_write(
    client: httpx.Client, heavenhr: Api, anna: str, sandbox: SandboxProcess
) -> None:
    """A key with read access reads, and gets 403 for a write."""
    asked = {"grant_type": "client_credentials", "scope": "all"}
    url = sandbox.env["HEAVENHR_BASE_URL"] + "/oauth2/token"
    token = client.get(url, params=asked, auth=("sandbox-reader", "sandbox-secret")).json()
    header = {"Authorization": f"Bearer {token['access_token']}"}
    assert heavenhr("GET", anna, headers=header).status_code == 200
    assert heavenhr("PATCH", anna, {"jobTitle": "X"}, headers=header).status_code == 403


def test_only_json_is_acceptable(heavenhr: Api) -> None:
    """Another format than JSON is 406."""
    assert heavenhr("GET", "/employees", headers={"Accept": "text/csv"}).status_code == 406


def test_the_documents_employee_can_be_created_and_read(heavenhr: Api) -> None:
    """The page's own example is accepted as it stands and comes back, numbers as texts."""
    answer = heavenhr("POST", "/employees/", EXAMPLE)
    assert answer.status_code == 201
    made = answer.json()
    assert made["errors"] == []
    assert re.fullmatch(r"_[A-Za-z0-9_-]{22}_", made["employee"]["id"])
    row = heavenhr.get(f"/employees/{made['employee']['id']}")
    assert (row["employeeNumber"], row["mobileWork"]) == ("716", "63121")
    assert row["contract"] == EXAMPLE["contract"]
    assert EXAMPLE["customAttributes"][0] in row["customAttributes"]
    assert "updatedAt" not in row


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"locationId": None}, "locationId"),
        ({"locationId": "_unknown_"}, "locationId"),
        ({"employeeNumber": "1001"}, "employeeNumber"),
        ({"dateOfBirth": "17.07.1984"}, "dateOfBirth"),
        ({"email": "none"}, "email"),
        ({"jobTitle": ["x"]}, "jobTitle"),
        ({"contract": {"grossSalary": 1}}, "contract"),
        ({"customAttributes": [{"id": "_x_", "value": 1}]}, "customAttributes"),
    ],
)
def test_invalid_employee_is_400_in_the_create_schema(
    heavenhr: Api, change: dict[str, Any], field: str
) -> None:
    """An invalid employee is answered with the create schema, its errors filled, and not kept."""
    answer = heavenhr("POST", "/employees/", EXAMPLE | change)
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert heavenhr.get("/employees")["totalItems"] == 20


def test_list_shows_limited_fields_in_envelope_a(heavenhr: Api) -> None:
    """The listing has the simple fields only, the work email not among them."""
    page = heavenhr.get("/employees", page=1, pageSize=8)
    assert {key: page[key] for key in page if key != "data"} == {
        "page": 1,
        "pageSize": 8,
        "totalItems": 20,
        "totalPages": 3,
    }
    names = "id firstName lastName employeeNumber jobStatus updatedAt departmentName departmentId"
    assert all(set(row) == {*names.split(), "email"} for row in page["data"])


def test_pages_cover_everyone_once_and_end_in_404(heavenhr: Api) -> None:
    """The pages hold every employee once; the page after the last is 404."""
    pages = [heavenhr.get("/employees", page=page, pageSize=8)["data"] for page in range(3)]
    assert len({row["id"] for rows in pages for row in rows}) == 20
    assert heavenhr("GET", "/employees", params={"page": 3, "pageSize": 8}).status_code == 404


def test_filters(heavenhr: Api, sandbox: SandboxProcess) -> None:
    """Each filter gives what equals it; one that nothing equals is 404."""
    rows = sandbox.state("heavenhr", "employees")
    for name in ("employeeNumber", "departmentId", "jobStatus", "startDate"):
        expected = {row["id"] for row in rows if row[name] == rows[0][name]}
        found = heavenhr.get("/employees", **{name: rows[0][name]})["data"]
        assert {row["id"] for row in found} == expected
    assert heavenhr("GET", "/employees", params={"employeeNumber": "0"}).status_code == 404


def test_updated_at_gives_what_changed_since(heavenhr: Api, anna: str) -> None:
    """A change moves updatedAt; the filter takes the documented format and is inclusive."""
    assert heavenhr("PATCH", anna, {"jobTitle": "Chef de cuisine"}).status_code == 204
    stamp = next(r for r in heavenhr.get("/employees")["data"] if anna.endswith(r["id"]))
    since = stamp["updatedAt"] + "+00:00"
    rows = heavenhr.get("/employees", updatedAt=since)["data"]
    assert [row["id"] for row in rows] == [stamp["id"]]
    for wrong in ("2018-09-25", "2018-09-25T12:17:26.522", "2018-09-25T12:17:26+00:00"):
        assert heavenhr("GET", "/employees", params={"updatedAt": wrong}).status_code == 400


def test_patch_changes_the_fields_sent_only(heavenhr: Api, anna: str) -> None:
    """A PATCH answers 204 without a body and leaves other fields alone."""
    before = heavenhr.get(anna)
    answer = heavenhr("PATCH", anna, {"professionalEmail": "new@alpenblick.example"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert heavenhr.get(anna) == before | {"professionalEmail": "new@alpenblick.example"}


@pytest.mark.parametrize(("key", "status"), [("nonsense", 400), ("_unknownunknownunknown__", 404)])
def test_unknown_employee(heavenhr: Api, key: str, status: int) -> None:
    """What cannot be an id is 400, an unknown id 404."""
    assert heavenhr("GET", f"/employees/{key}").status_code == status
    assert heavenhr("PATCH", f"/employees/{key}", {}).status_code == status


def test_wrong_method_is_405(heavenhr: Api, anna: str) -> None:
    """There is no DELETE."""
    assert heavenhr("DELETE", anna).status_code == 405


def test_company_routes_have_their_envelopes(heavenhr: Api) -> None:
    """Company is envelope B without meta, organizations a tree, the others envelope A."""
    assert list(heavenhr.get("/company")) == ["links", "data"]
    (root,) = heavenhr.get("/company/organizations")["data"]
    assert "Sales" in {child["name"] for child in root["children"]}
    for path in ("locations", "cost-centers", "timetracking/categories"):
        assert heavenhr.get(f"/company/{path}")["totalPages"] == 1
    assert heavenhr("GET", "/company/locations", params={"page": 9}).status_code == 404
    assert heavenhr.get("/company/timetracking/categories", page=9)["data"] == []


def test_time_tracking_example(heavenhr: Api, anna: str) -> None:
    """The page's example is accepted; ids of categories go in, objects come out."""
    category = heavenhr.get("/company/timetracking/categories")["data"][0]
    project = heavenhr.get(f"{anna}/timetracking/projects")["data"][0]
    body = TIME | {"categories": [category["id"]], "projectId": project["id"]}
    answer = heavenhr("POST", f"{anna}/timetracking", body)
    assert answer.status_code == 201
    row = answer.json()["timeTracking"]
    assert row["categories"] == [category]
    assert (row["requestDate"], row["totalTimeInMinutes"], row["breakTimeInMinutes"]) == (
        "2019-10-24",
        515,
        30,
    )
    assert heavenhr.get(f"{anna}/timetracking/{row['id']}") == row


def test_time_until_midnight_adds_up(heavenhr: Api, anna: str) -> None:
    """09:50 to 24:00 with a break of 60 is 790 minutes, as the listing's example says."""
    times = {"startTime": "09:50", "endTime": "24:00", "breakTimeInMinutes": 60}
    row = heavenhr("POST", f"{anna}/timetracking", TIME | times).json()["timeTracking"]
    assert (row["totalTimeInMinutes"], row["endTime"]) == (790, "24:00")


def test_time_list_is_envelope_b_and_404_when_empty(heavenhr: Api, anna: str) -> None:
    """The listing has links, data and meta; nothing found is 404."""
    path = f"{anna}/timetracking"
    assert heavenhr("GET", path).status_code == 404
    heavenhr("POST", path, TIME)
    page = heavenhr.get(path, requestDate="2019-10-24", status="REQUESTED")
    assert page["meta"] == {"page": 0, "pageSize": 200, "count": 1}
    assert heavenhr("GET", path, params={"page": 1}).status_code == 404
    assert heavenhr("GET", path, params={"status": "APPROVED"}).status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"status": "APPROVED"},
        {"endDate": None},
        {"startTime": "9:50"},
        {"endTime": "25:00"},
        {"endDate": "2019-10-26"},
        {"endTime": "08:00"},
        {"breakTime": "600"},
        {"categories": ["_unknown_"]},
        {"projectId": "_unknown_"},
    ],
)
def test_invalid_time_is_400(heavenhr: Api, anna: str, change: dict[str, Any]) -> None:
    """A request that breaks a rule of the page is refused and not kept."""
    assert heavenhr("POST", f"{anna}/timetracking", TIME | change).status_code == 400
    assert heavenhr("GET", f"{anna}/timetracking").status_code == 404


MOVES = [
    ("EDITABLE", "REQUESTED", 200),
    ("EDITABLE", "APPROVED", 400),
    ("REQUESTED", "APPROVED", 200),
    ("REQUESTED", "REJECTED", 200),
    ("REQUESTED", "REQUESTED", 200),
    ("REQUESTED", "EDITABLE", 400),
    ("REJECTED", "REQUESTED", 200),
    ("REJECTED", "APPROVED", 400),
    ("APPROVED", "REJECTED", 400),
]


@pytest.mark.parametrize(("before", "after", "status"), MOVES)
def test_status_machine(
    heavenhr: Api, sandbox: SandboxProcess, anna: str, before: str, after: str, status: int
) -> None:
    """A status moves only along the machine, and a refused move changes nothing."""
    row = heavenhr("POST", f"{anna}/timetracking", TIME).json()["timeTracking"]
    sandbox.mutate("heavenhr", "time_trackings", "update", row["id"], {"status": before})
    path = f"{anna}/timetracking/{row['id']}"
    assert heavenhr("PATCH", f"{path}/{after}").status_code == status
    assert heavenhr.get(path)["status"] == (after if status == 200 else before)


def test_time_patch_changes_what_is_sent_until_approved(heavenhr: Api, anna: str) -> None:
    """The page's PATCH example is accepted; an approved request no longer changes."""
    row = heavenhr("POST", f"{anna}/timetracking", TIME).json()["timeTracking"]
    path = f"{anna}/timetracking/{row['id']}"
    change = {"startTime": "08:00", "endTime": "17:30", "total": 510, "breakTime": 30}
    assert heavenhr("PATCH", path, change | {"comment": "Time tracking request #1"}).is_success
    after = heavenhr.get(path)
    assert (after["totalTimeInMinutes"], after["comment"]) == (540, "Time tracking request #1")
    assert after["requestDate"] == row["requestDate"]
    heavenhr("PATCH", f"{path}/APPROVED")
    assert heavenhr("PATCH", path, {"comment": "later"}).status_code == 400


def test_time_belongs_to_its_employee(heavenhr: Api, anna: str) -> None:
    """A request is not found below another employee."""
    row = heavenhr("POST", f"{anna}/timetracking", TIME).json()["timeTracking"]
    other = heavenhr.get("/employees")["data"][1]["id"]
    assert heavenhr("GET", f"/employees/{other}/timetracking/{row['id']}").status_code == 404


def test_calls_may_be_limited(client: httpx.Client) -> None:
    """With a limit, more calls a minute are 429 and nothing says how long to wait; tokens and health cost none."""
    with SandboxProcess(people=1, heavenhr_calls=3) as sandbox:
        base = sandbox.env["HEAVENHR_BASE_URL"]
        key = (sandbox.env["HEAVENHR_CLIENT_ID"], sandbox.env["HEAVENHR_CLIENT_SECRET"])
        asked = {"grant_type": "client_credentials", "scope": "all"}
        token = client.get(f"{base}/oauth2/token", params=asked, auth=key).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        answers = [client.get(f"{base}/company", headers=headers) for _ in range(4)]
        assert client.get(f"{base}/health/check").status_code == 200
    assert [answer.status_code for answer in answers] == [200] * 3 + [429]
    assert answers[-1].json() == {"message": "Slow down!"}
    assert "Retry-After" not in answers[-1].headers
