from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from syncengine.sandbox.process import SandboxProcess
from tests.unit.sandbox.conftest import Api

RECORDS = "/training/record/"
RECORD = {
    "api_id": "hv-1002-secure",
    "person_api_id": "1002",
    "package_api_id": "secure-passwords",
    "date_started": "2026-11-03T09:00:00Z",
    "date_completed": None,
}
USER = {"first_name": "Max", "last_name": "Musterman", "email": "max@example.org"}
PATHS = ["/users/", "/departments/", "/training/package/", "/training/record/"]


@pytest.mark.parametrize(
    ("login", "key"),
    [
        ({"username": "sandbox-api", "password": "x"}, "non_field_errors"),
        ({"username": "sandbox-api"}, "password"),
    ],
)
def test_wrong_login_is_400(weekly10: Api, login: dict[str, str], key: str) -> None:
    """A wrong login names what is wrong."""
    answer = weekly10("POST", "/obtainauthtoken/", login)
    assert (answer.status_code, list(answer.json())) == (400, [key])


@pytest.mark.parametrize(
    ("header", "detail"),
    [
        ("", "Authentication credentials were not provided."),
        ("Basic abc", "Authentication credentials were not provided."),
        ("Token abc", "Invalid token."),
    ],
)
def test_wrong_token_is_401(weekly10: Api, header: str, detail: str) -> None:
    """A call without a valid token is refused as Django REST framework refuses it."""
    answer = weekly10("GET", "/users/", headers={"Authorization": header})
    assert (answer.status_code, answer.json()) == (401, {"detail": detail})
    assert answer.headers["WWW-Authenticate"] == "Token"


@pytest.mark.parametrize("path", PATHS)
def test_list_envelope_and_pages(weekly10: Api, path: str) -> None:
    """Following next to its end yields every row once; previous leads back."""
    everything = weekly10.get(path)
    assert list(everything) == ["count", "next", "previous", "results"]
    page = weekly10.get(path, limit=3)
    assert page["previous"] is None
    seen = page["results"]
    while page["next"]:
        assert page["next"].startswith(weekly10.base + path)
        page = weekly10.get(page["next"].removeprefix(weekly10.base))
        seen += page["results"]
        assert page["previous"]
    assert seen == everything["results"]
    assert len(seen) == everything["count"]


def test_offset_past_the_end_is_empty(weekly10: Api) -> None:
    """An offset past the end is 200 without rows."""
    page = weekly10.get("/users/", offset=97, limit=5)
    assert (page["count"], page["next"], page["results"]) == (18, None, [])


@pytest.mark.parametrize("path", PATHS)
def test_path_without_slash_is_html_404(weekly10: Api, path: str) -> None:
    """A path without its last slash is no route, and the answer is not JSON."""
    answer = weekly10("GET", path[:-1])
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")


def test_record_example_goes_round(weekly10: Api) -> None:
    """A record is created under the client's id, read, changed and deleted."""
    answer = weekly10("POST", RECORDS, RECORD)
    assert answer.status_code == 201
    row = answer.json()
    assert (row["api_id"], row["package_desc"]) == ("hv-1002-secure", "Secure passwords")
    age = datetime.now(UTC) - datetime.fromisoformat(row["date_assigned"])
    assert timedelta(0) <= age < timedelta(minutes=1)
    path = f"{RECORDS}{row['api_id']}/"
    assert weekly10.get(path) == row
    changed = weekly10("PATCH", path, {"date_completed": "2026-11-04T10:00:00+00:00"})
    assert changed.status_code == 200
    assert weekly10.get(path) == row | {"date_completed": changed.json()["date_completed"]}
    assert weekly10("DELETE", path).status_code == 204
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        gone = weekly10(method, path, RECORD)
        said = {"detail": "No TrainingRecord matches the given query."}
        assert (gone.status_code, gone.json()) == (404, said)


def test_moments_come_back_in_the_servers_zone(weekly10: Api) -> None:
    """A moment comes back as the same instant in another spelling."""
    row = weekly10("POST", RECORDS, RECORD).json()
    assert row["date_started"] == "2026-11-03T10:00:00+01:00"


def test_read_only_fields_are_passed_over(weekly10: Api) -> None:
    """date_assigned and package_desc cannot be written."""
    sent = RECORD | {"date_assigned": "2001-01-01T00:00:00Z", "package_desc": "x"}
    row = weekly10("POST", RECORDS, sent).json()
    assert (row["date_assigned"][:4], row["package_desc"]) != ("2001", "x")


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"api_id": "rec-1"}, "api_id", "training record with this api id already exists."),
        ({"person_api_id": "0"}, "person_api_id", "Object with api_id=0 does not exist."),
        ({"package_api_id": None}, "package_api_id", "This field may not be null."),
        ({"date_started": "2026-11-03"}, "date_started", "Datetime has wrong format."),
        ({"date_started": "2026-13-03T09:00:00Z"}, "date_started", "Datetime has wrong format."),
    ],
)
def test_invalid_record_is_400(
    weekly10: Api, change: dict[str, Any], field: str, message: str
) -> None:
    """A wrong value is refused under its field's name with the framework's words."""
    answer = weekly10("POST", RECORDS, RECORD | change)
    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert answer.json()[field][0].startswith(message)
    assert weekly10.get(RECORDS)["count"] == 4


def test_put_wants_all_required_fields_and_patch_does_not(weekly10: Api) -> None:
    """PUT without a required field is 400; the same body is a good PATCH."""
    body = {"date_started": None}
    refused = weekly10("PUT", f"{RECORDS}rec-1/", body)
    required = ["This field is required."]
    assert refused.json() == {"person_api_id": required, "package_api_id": required}
    assert weekly10("PATCH", f"{RECORDS}rec-1/", body).status_code == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"content": b"[]", "headers": {"Content-Type": "application/json"}}, 400),
        ({"content": b"{}", "headers": {"Content-Type": "text/plain"}}, 415),
    ],
)
def test_body_must_be_a_json_object(weekly10: Api, sent: dict[str, Any], status: int) -> None:
    """Broken JSON and a list are 400, another media type is 415."""
    assert weekly10("POST", RECORDS, **sent).status_code == status


def test_wrong_method_is_405(weekly10: Api) -> None:
    """A collection has no DELETE."""
    answer = weekly10("DELETE", "/users/")
    assert (answer.status_code, answer.json()) == (405, {"detail": 'Method "DELETE" not allowed.'})


def test_server_gives_an_id_where_the_client_gives_none(weekly10: Api) -> None:
    """Without an api_id the row gets one, under which it is found."""
    key = weekly10("POST", "/users/", USER).json()["api_id"]
    row = weekly10.get(f"/users/{key}/")
    assert (row["email"], row["is_active"], row["language"]) == ("max@example.org", True, "en_gb")


@pytest.mark.parametrize(
    "change",
    [
        {"api_id": "1001"},
        {"email": "nobody"},
        {"language": "de_CH"},
        {"is_active": "maybe"},
        {"first_name": " "},
        {"department_2_api_id": "dep-unknown"},
        {"follower_api_ids": "1001"},
        {"properties": []},
    ],
)
def test_invalid_user_is_400(weekly10: Api, change: dict[str, Any]) -> None:
    """A user with a wrong value is refused under that field's name."""
    answer = weekly10("POST", "/users/", USER | change)
    assert (answer.status_code, list(answer.json())) == (400, list(change))


def test_deleting_takes_along_what_points_there(weekly10: Api) -> None:
    """Records go with their user; a department's users lose it."""
    assert weekly10("DELETE", "/users/1001/").status_code == 204
    assert weekly10("GET", f"{RECORDS}rec-1/").status_code == 404
    department = weekly10.get("/users/1002/")["department_api_id"]
    assert weekly10("DELETE", f"/departments/{department}/").status_code == 204
    assert weekly10.get("/users/1002/")["department_api_id"] is None


def test_an_api_id_can_be_changed(weekly10: Api) -> None:
    """A row answers under its new id only."""
    assert weekly10("PATCH", "/users/1003/", {"api_id": "x-1003"}).status_code == 200
    assert weekly10.get("/users/x-1003/")["api_id"] == "x-1003"
    assert weekly10("GET", "/users/1003/").status_code == 404


def test_search_is_by_name(weekly10: Api, sandbox: SandboxProcess) -> None:
    """The search term finds names, whatever their case."""
    names = {row["first_name"] for row in weekly10.get("/users/", search="aNNa")["results"]}
    expected = {
        row["first_name"]
        for row in sandbox.state("weekly10", "users")
        if "anna" in f"{row['first_name']} {row['last_name']}".lower()
    }
    assert names == expected != set()


def test_a_bearer_token_is_taken_too(weekly10: Api, client: httpx.Client) -> None:
    """Both schemes that clients are known to use are accepted."""
    token = weekly10.headers["Authorization"].replace("Token", "Bearer")
    answer = client.get(f"{weekly10.base}/users/", headers={"Authorization": token})
    assert answer.status_code == 200
