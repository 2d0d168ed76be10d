"""What the connector keeps of hakuna's timers and absences, and of Haekka's assignments, over real HTTP."""

from __future__ import annotations

import time
from datetime import date, timedelta
from itertools import pairwise

import pytest

from syncengine.adapters.vendors.hakuna import single_days
from syncengine.errors import Rejected, Unknown, VendorDown
from syncengine.ports import Window
from syncengine.sandbox.hakuna_absences import ORGANIZATION_TOKEN
from syncengine.sandbox.process import SandboxProcess
from tests.contract.peers import AROUND, DAY, KEY, WallClock, World, listed, some_employee

VENDOR = "hakuna"
START = {"_parent": "2", "task_id": 1, "start_time": "00:01", "note": "early"}


def test_a_timer_runs_and_becomes_an_entry(world: World) -> None:
    """Started, it is the user's only row; with an end it is an entry, and no timer any more."""
    connector = world.connect("hakuna")
    assert listed(connector, "timers", "2") == []
    made = connector.create("timers", START, KEY)
    assert made.external_id == "2/timer"
    (item,) = listed(connector, "timers", "2")
    assert (item.row["task_id"], item.row["user_id"], item.row["note"]) == (1, 2, "early")
    with pytest.raises(Rejected, match="only be stopped"):
        connector.update("timers", "2/timer", {"note": "late"}, item.row, KEY)
    connector.update("timers", "2/timer", {"end_time": "00:31"}, item.row, KEY)
    assert listed(connector, "timers", "2") == []
    entry = world.sandbox.state("hakuna", "time_entries")[-1]
    assert (entry["user"]["id"], entry["start_time"], entry["end_time"]) == (2, "00:01", "00:31")
    with pytest.raises(Rejected):
        connector.update("timers", "2/timer", {"end_time": "00:31"}, item.row, KEY)


def test_a_timer_may_be_thrown_away(world: World) -> None:
    """Deleting a timer leaves no entry; a second start is refused while one runs."""
    connector = world.connect("hakuna")
    entries = len(world.sandbox.state("hakuna", "time_entries"))
    connector.create("timers", START, KEY)
    with pytest.raises(Rejected):
        connector.create("timers", START, "another-key")
    connector.delete("timers", "2/timer", KEY)
    assert listed(connector, "timers", "2") == []
    assert len(world.sandbox.state("hakuna", "time_entries")) == entries


def test_a_lost_start_is_proved_by_the_timer(world: World) -> None:
    """Whether a start took effect is told by the mark in the timer's note."""
    connector = world.connect("hakuna")
    world.sandbox.fault("hakuna", "drop_after", method="POST", count=1)
    with pytest.raises(Unknown):
        connector.create("timers", START, KEY)
    assert [i.external_id for i in connector.find("timers", START, KEY)] == ["2/timer"]
    assert connector.find("timers", START, "ffffffff-other") == []


def _sunday(month: int) -> date:
    """The last one of a month of next year: clocks change in March and October."""
    last = date(DAY.year + 1, month, 31)
    return last - timedelta(days=(last.weekday() + 1) % 7)


@pytest.mark.parametrize("month", [3, 10])
@pytest.mark.parametrize(
    ("start", "end", "later"),
    [("22:00", "02:30", True), ("02:15", "02:45", False), ("01:30", "03:15", False)],
)
def test_hours_are_the_wall_clock_s_when_clocks_change(
    world: World, month: int, start: str, end: str, later: bool
) -> None:
    """An hour that is not there, or there twice, is written and read as it stands, by hakuna and by HeavenHR; one over
    midnight ends on the next day."""
    day = str(_sunday(month) - timedelta(days=later))
    hakuna, heavenhr = world.connect("hakuna"), world.connect("heavenhr")
    entry = {"_parent": "2", "date": day, "start_time": start, "end_time": end, "task_id": "1"}
    made = hakuna.get("time_entries", hakuna.create("time_entries", entry, KEY).external_id)
    assert made is not None
    assert [made.row[name] for name in ("date", "start_time", "end_time")] == [day, start, end]
    times = {"requestDate": day, "startTime": start, "endTime": end, "status": "REQUESTED"}
    body = {"_parent": some_employee(world), **times}
    asked = heavenhr.get("time_trackings", heavenhr.create("time_trackings", body, KEY).external_id)
    assert asked is not None
    assert [asked.row[name] for name in times] == list(times.values())


def test_the_vendor_never_has_to_refuse_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the headers of today's API the last call of a minute is known to be the last, and the next one waits."""
    monkeypatch.setattr(WallClock, "sleep", lambda _, seconds: time.sleep(seconds))
    with SandboxProcess(people=1, profile="current", hakuna_calls=60) as sandbox:
        connector = World(sandbox).connect("hakuna")
        for _ in range(61):
            listed(connector, "users")
        assert {row["status"] for row in sandbox.requests()} == {200}


def test_absences_of_all_years_that_the_window_touches(world: World) -> None:
    """A window over New Year asks for both years, and shows what is within it, once."""
    connector = world.connect("hakuna")
    year = DAY.year
    for day in (f"{year}-12-30", f"{year + 1}-01-04", f"{year + 1}-03-04"):
        values = {"user_id": 4, "absence_type_id": 1, "start_date": day, "end_date": day}
        world.sandbox.mutate("hakuna", "absences", "create", None, values)
    window = Window(f"{year}-12-20", f"{year + 1}-01-31")
    before = world.counted("hakuna")[0]
    items = [i for page in connector.scan("absences", "4", window) for i in page.items]
    assert [i.row["start_date"] for i in items] == [f"{year}-12-30", f"{year + 1}-01-04"]
    assert world.counted("hakuna")[0] - before == connector.pages("absences", 2, window) == 2


def test_an_absence_that_reaches_into_the_window_is_shown(world: World) -> None:
    """What began before the window or ends after it is there, and what only touches its outside is not."""
    connector = world.connect("hakuna")
    for first, last in ((-70, -60), (60, 70), (-90, 90), (-70, -61), (61, 70)):
        days = {"start_date": str(DAY + timedelta(first)), "end_date": str(DAY + timedelta(last))}
        values = {"user_id": 4, "absence_type_id": 1, **days}
        world.sandbox.mutate("hakuna", "absences", "create", None, values)
    made = [str(row["id"]) for row in world.sandbox.state("hakuna", "absences")[-5:]]
    shown = {i.external_id for page in connector.scan("absences", "4", AROUND) for i in page.items}
    assert shown == {f"4/{name}" for name in made[:3]}


def test_a_recurring_absence_is_one_row_each_time(world: World) -> None:
    """A weekly half day over three weeks is four rows with a day each, in one shape."""
    connector = world.connect("hakuna")
    items = [i for page in connector.scan("absences", "3", AROUND) for i in page.items]
    assert len({i.external_id for i in items}) == len(items) == 4
    days = [date.fromisoformat(str(i.row["start_date"])) for i in items]
    assert {b - a for a, b in pairwise(days)} == {timedelta(weeks=1)}
    assert {(i.row["first_half_day"], i.row["second_half_day"]) for i in items} == {(True, False)}
    assert {i.row["absence_type_id"] for i in items} == {3}


def test_an_absence_that_does_not_recur_stays_as_it_is() -> None:
    """Only what recurs is taken apart; every second week leaves one out."""
    once = {"id": 1, "start_date": "2026-01-05", "end_date": "2026-01-09", "is_recurring": False}
    again = {
        **once,
        "id": 2,
        "end_date": "2026-02-02",
        "is_recurring": True,
        "weekly_repeat_interval": 2,
    }
    assert [r["id"] for row in (once, again) for r in single_days(row)] == [
        1, "2@2026-01-05", "2@2026-01-19", "2@2026-02-02",
    ]  # fmt: skip


def test_overview_types_and_me(world: World) -> None:
    """The overview of each user, the kinds of absences, and whose token it is."""
    connector = world.connect("hakuna")
    (overview,) = listed(connector, "overviews", "3")
    assert overview.external_id == "3/overview"
    assert overview.row["overtime_in_seconds"] == 37 * 3 * 60
    assert next(iter(listed(connector, "absence_types"))).row["name"] == "Ferien"
    (me,) = listed(connector, "me")
    assert (me.external_id, me.row["id"]) == ("me", 1)
    assert connector.get("me", "me") is not None


def test_who_is_here_needs_the_organization_s_token(world: World) -> None:
    """With the organization's token each user is a row; with a personal one only this listing is refused."""
    connector = world.connect("hakuna")
    with pytest.raises(VendorDown, match="403"):
        listed(connector, "organization_status")
    listed(connector, "users")
    whole = world.connect("hakuna", credentials={"token": ORGANIZATION_TOKEN})
    users = [str(row["id"]) for row in world.sandbox.state("hakuna", "users")]
    assert [i.external_id for i in listed(whole, "organization_status")] == users


def test_a_training_is_assigned_once_with_one_alert(world: World) -> None:
    """A lost answer to an assignment is proved by person and training; nobody is alerted twice."""
    connector = world.connect("haekka")
    body = {"employee_id": "emp_2", "training_id": "trn_3"}
    assert connector.find("employee_trainings", body, KEY) == []
    world.sandbox.fault("haekka", "drop_after", method="POST", count=1)
    with pytest.raises(Unknown):
        connector.create("employee_trainings", body, KEY)
    (found,) = connector.find("employee_trainings", body, KEY)
    assert len(world.sandbox.state("haekka", "alerts")) == 1
    made = connector.create("employee_trainings", {**body, "training_id": "trn_4"}, KEY)
    assert made.external_id != found.external_id
    assert made.row is not None
    assert made.row["employee_id"] == "emp_2"
    assert len(world.sandbox.state("haekka", "alerts")) == 2


def test_an_assignment_stays_with_its_person(world: World) -> None:
    """A training that is assigned is handed to nobody else."""
    connector = world.connect("haekka")
    row = world.sandbox.state("haekka", "employee_trainings")[0]
    with pytest.raises(Rejected, match="assign a new one"):
        connector.update("employee_trainings", row["id"], {"employee_id": "emp_2"}, row, KEY)
