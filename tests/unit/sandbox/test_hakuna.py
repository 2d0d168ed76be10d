from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from syncengine.sandbox.people import today
from syncengine.sandbox.process import SandboxProcess
from tests.unit.sandbox.conftest import Api

# The example of section "Create a time entry".
EXAMPLE: dict[str, Any] = {
    "date": "2016-10-10",
    "start_time": "22:00",
    "end_time": "23:00",
    "note": "This is a long text explaining what I did.",
    "project_id": 1,
    "task_id": 1,
}
DAY = {"start_date": "2016-10-10", "end_date": "2016-10-10"}


def closed_day() -> str:
    """A day in the month before last."""
    last_month = today().replace(day=1) - timedelta(days=1)
    return (last_month.replace(day=1) - timedelta(days=1)).isoformat()


def test_global_and_personal_routes(hakuna: Api) -> None:
    """Ping, users, me, tasks, projects and company answer in the documented shapes."""
    assert "pong" in hakuna.get("/ping")
    users = hakuna.get("/users")
    assert set(users[0]) == {"id", "name", "email", "teams"}
    assert hakuna.get("/users/me") == users[0]
    assert set(hakuna.get("/tasks")[0]) == {"id", "name", "archived", "default"}
    assert hakuna.get("/projects")[0]["tasks"][0] in hakuna.get("/tasks")
    assert hakuna.get("/company")["projects_enabled"] is False


def test_wrong_token_is_401(hakuna: Api) -> None:
    """Even a ping needs the token."""
    assert hakuna("GET", "/ping", headers={"X-Auth-Token": "x"}).status_code == 401


def test_entry_example_goes_round(hakuna: Api) -> None:
    """The page's entry is created, listed, read, changed by the page's own PATCH and deleted."""
    answer = hakuna("POST", "/time_entries", EXAMPLE)
    assert answer.status_code == 201
    row = answer.json()
    assert (row["duration"], row["duration_in_seconds"]) == ("01:00", 3600)
    assert set(row["user"]) == {"id", "name", "teams"}
    assert hakuna.get("/time_entries", **DAY) == [row]
    path = f"/time_entries/{row['id']}"
    changed = hakuna("PATCH", path, {"end_time": "23:30:00"})
    assert (changed.status_code, changed.json()["end_time"]) == (200, "23:30")
    assert hakuna.get(path) == changed.json()
    assert hakuna("DELETE", path).status_code == 204
    assert hakuna("DELETE", path).status_code == 404
    assert hakuna.get("/time_entries", **DAY) == []


def test_user_id_acts_for_another_user(hakuna: Api) -> None:
    """With user_id an entry belongs to that user and is listed for him alone."""
    row = hakuna("POST", "/time_entries", EXAMPLE | {"user_id": 3}).json()
    assert row["user"]["id"] == 3
    assert hakuna.get("/time_entries", **DAY) == []
    assert hakuna.get("/time_entries", **DAY, user_id=3) == [row]
    refused = hakuna("GET", "/time_entries", params={**DAY, "user_id": 999})
    assert refused.status_code == 403


def test_form_bodies_are_taken(hakuna: Api, client: httpx.Client) -> None:
    """A form with ids as texts is as good as JSON."""
    form = {key: str(value) for key, value in EXAMPLE.items()}
    answer = client.post(f"{hakuna.base}/time_entries", data=form, headers=hakuna.headers)
    assert (answer.status_code, answer.json()["task"]["id"]) == (201, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"date": None},
        {"date": "10.10.2016"},
        {"start_time": "22"},
        {"end_time": "24:00"},
        {"end_time": "22:00"},
        {"task_id": 99},
        {"task_id": None},
        {"project_id": 99},
        {"date": closed_day()},
    ],
)
def test_invalid_entry_is_422(hakuna: Api, change: dict[str, Any]) -> None:
    """What lacks, is malformed, unknown or in the closed month is refused and not kept."""
    answer = hakuna("POST", "/time_entries", EXAMPLE | change)
    assert (answer.status_code, answer.json()["status"]) == (422, 422)
    assert hakuna.get("/time_entries", **DAY) == []


def test_night_shift_ends_the_next_day(hakuna: Api) -> None:
    """An end before the start is the next day."""
    row = hakuna("POST", "/time_entries", EXAMPLE | {"end_time": "06:00"}).json()
    assert row["duration"] == "08:00"


def test_closed_month_protects_its_entries(hakuna: Api, sandbox: SandboxProcess) -> None:
    """An entry of the closed month is neither changed, deleted, nor moved into it."""
    values = EXAMPLE | {"date": closed_day(), "user_id": 1}
    row = sandbox.mutate("hakuna", "time_entries", "create", values=values)
    path = f"/time_entries/{row['id']}"
    assert hakuna("PATCH", path, {"note": "x"}).status_code == 422
    assert hakuna("DELETE", path).status_code == 422
    other = hakuna("POST", "/time_entries", EXAMPLE).json()
    moved = hakuna("PATCH", f"/time_entries/{other['id']}", {"date": closed_day()})
    assert moved.status_code == 422


@pytest.mark.parametrize("query", [{}, {"start_date": "2016-01-05"}, {"2016-01-05": "2016-01-05"}])
def test_list_needs_both_dates(hakuna: Api, query: dict[str, str]) -> None:
    """A listing without both dates is refused."""
    assert hakuna("GET", "/time_entries", params=query).status_code == 422


def test_range_is_inclusive(hakuna: Api) -> None:
    """Both ends of the range are part of it."""
    for day in range(9, 13):
        hakuna("POST", "/time_entries", EXAMPLE | {"date": f"2016-10-{day:02d}"})
    rows = hakuna.get("/time_entries", start_date="2016-10-10", end_date="2016-10-11")
    assert [row["date"] for row in rows] == ["2016-10-10", "2016-10-11"]


def test_archived_tasks_take_no_entries(hakuna: Api, sandbox: SandboxProcess) -> None:
    """An archived task stays listed and is refused in a new entry."""
    sandbox.mutate("hakuna", "tasks", "update", 1, {"archived": True})
    assert hakuna.get("/tasks")[0]["archived"] is True
    assert hakuna("POST", "/time_entries", EXAMPLE).status_code == 422


def test_deleting_on_the_screen(hakuna: Api, sandbox: SandboxProcess) -> None:
    """A user goes with his entries; a task with booked time cannot go."""
    row = hakuna("POST", "/time_entries", EXAMPLE | {"user_id": 3}).json()
    with pytest.raises(httpx.HTTPStatusError):
        sandbox.mutate("hakuna", "tasks", "delete", 1)
    sandbox.mutate("hakuna", "users", "delete", 3)
    assert hakuna("GET", f"/time_entries/{row['id']}").status_code == 404


@pytest.mark.parametrize("profile", ["documented", "current"])
def test_rate_limit(client: httpx.Client, profile: str) -> None:
    """More calls than allowed are 429 with Retry-After; the current profile counts in headers."""
    with SandboxProcess(people=3, profile=profile, hakuna_calls=4) as sandbox:
        assert sandbox.env["HAKUNA_CALLS"] == "4"
        url = sandbox.env["HAKUNA_BASE_URL"] + "/users/me"
        headers = {"X-Auth-Token": sandbox.env["HAKUNA_TOKEN"]}
        answers = [client.get(url, headers=headers) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 15
    assert "error" in answers[-1].json()
    remaining = [answer.headers.get("X-RateLimit-Remaining") for answer in answers]
    assert remaining == (["3", "2", "1", "0", "0"] if profile == "current" else [None] * 5)
    assert ("groups" in answers[0].json()) == (profile == "current")


def test_seeded_entries_are_recent(hakuna: Api) -> None:
    """About a tenth of the users have entries, all within the last 30 days."""
    span = {"start_date": "2000-01-01", "end_date": "2100-01-01"}
    rows = [row for user in (1, 11) for row in hakuna.get("/time_entries", **span, user_id=user)]
    assert rows
    oldest = (today() - timedelta(days=30)).isoformat()
    assert all(oldest <= row["date"] < today().isoformat() for row in rows)
