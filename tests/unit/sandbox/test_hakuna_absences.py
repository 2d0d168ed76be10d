"""The simulated timers and absences of hakuna answer as its page says."""

from __future__ import annotations

from datetime import UTC, datetime

from syncengine.sandbox.hakuna_absences import ORGANIZATION_TOKEN
from syncengine.sandbox.process import SandboxProcess
from tests.unit.sandbox.conftest import Api

YEAR = datetime.now(UTC).year


def test_no_timer_is_a_timer_of_nulls(hakuna: Api) -> None:
    """Where none runs the answer is a 200 without a date; stopping or cancelling it is refused."""
    told = hakuna.get("/timer")
    assert (told["date"], told["duration_in_seconds"]) == (None, 0)
    for method in ("PUT", "DELETE"):
        refused = hakuna(method, "/timer")
        assert (refused.status_code, refused.json()) == (422, {"error": "Timer not running"})


def test_a_timer_is_started_stopped_and_cancelled(hakuna: Api) -> None:
    """201 for the timer, 422 for a second one, 200 and an entry for the stop, 205 for a cancelled one."""
    started = hakuna("POST", "/timer", {"task_id": "1", "start_time": "00:01", "user_id": 2})
    assert started.status_code == 201
    assert started.json()["user"]["id"] == 2
    assert hakuna("POST", "/timer", {"task_id": 1, "user_id": 2}).status_code == 422
    stopped = hakuna("PUT", "/timer", {"end_time": "00:30", "user_id": 2})
    assert (stopped.status_code, stopped.json()["duration"]) == (200, "00:29")
    assert hakuna.get(f"/time_entries/{stopped.json()['id']}") == stopped.json()
    assert hakuna("POST", "/timer", {"task_id": 1}).status_code == 201
    assert hakuna("DELETE", "/timer").status_code == 205
    assert hakuna("POST", "/timer", {}).status_code == 422


def test_absences_need_a_year(hakuna: Api) -> None:
    """Absences are told for one year and user, a recurring one as one row."""
    assert hakuna("GET", "/absences").status_code == 422
    rows = [r for y in (YEAR, YEAR - 1) for r in hakuna.get("/absences", year=y, user_id=3)]
    (row,) = {r["id"]: r for r in rows}.values()
    assert (row["is_recurring"], row["weekly_repeat_interval"]) == (True, 1)
    assert row["user"]["id"] == 3
    assert hakuna("GET", "/absences", params={"year": YEAR, "user_id": 999}).status_code == 403


def test_types_overview_and_who_is_here(hakuna: Api, sandbox: SandboxProcess) -> None:
    """Absence types, the overview of a user, and who is here today, for the organization's token only; the
    latter may fail as any list."""
    assert [row["is_vacation"] for row in hakuna.get("/absence_types")] == [True, False, False]
    assert set(hakuna.get("/overview", user_id=3)) == {
        "overtime",
        "overtime_in_seconds",
        "vacation",
    }
    assert hakuna("GET", "/organization/status").status_code == 403
    headers = {"X-Auth-Token": ORGANIZATION_TOKEN}
    rows = hakuna("GET", "/organization/status", headers=headers).json()
    assert len(rows) == 20
    assert not any(row["has_timer_running"] for row in rows)
    sandbox.fault("hakuna", "shrink", route="/organization/status", count=1)
    assert len(hakuna("GET", "/organization/status", headers=headers).json()) == 19


def test_an_assignment_alerts(haekka: Api) -> None:
    """Everybody named gets the training and an alert, who has it already an alert only; unknown ones are a 404."""
    body = {"training_id": "trn_2", "employee_ids": ["emp_1", "emp_2"]}
    before = len(haekka.get("/employee_trainings"))
    assert haekka("POST", "/trainings/assign", body).status_code == 200
    assert (
        haekka("POST", "/trainings/assign", {**body, "alert_employees": False}).status_code == 200
    )
    assert len(haekka.get("/employee_trainings")) == before + 2
    assert haekka("POST", "/trainings/assign", {**body, "training_id": "no"}).status_code == 404
    assert haekka("POST", "/trainings/assign", {"training_id": "trn_2"}).status_code == 400
