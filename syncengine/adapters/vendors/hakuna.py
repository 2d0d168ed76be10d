"""hakuna API v1 (docs/vendors.md, "hakuna")."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from typing import Any, Final

from syncengine.adapters.rest.auth import HeaderAuth
from syncengine.adapters.vendors.declare import Resource, Step, reads, usable, vendor, writes
from syncengine.errors import Rejected
from syncengine.model.resource import ResourceSpec
from syncengine.model.values import Json, Row

LONGEST: Final = timedelta(days=10 * 366)
"""Over which an absence may recur: what lasts longer is taken for a slip."""


def time_entry(row: dict[str, Json]) -> None:
    """User, task and project are objects when read and ids when written; an entry without a project has no
    such key; the PATCH example shows seconds (docs/vendors.md, "hakuna: time entries")."""
    _ids(row, "user", "task", "project")
    if "task" in row:
        row.setdefault("project_id", None)
    for name in ("start_time", "end_time"):
        if isinstance(row.get(name), str):
            row[name] = row[name][:5]


def _ids(row: dict[str, Json], *names: str) -> None:
    for name in names:
        if row.get(name) is not None:
            row[f"{name}_id"] = row[name]["id"]


def running(row: Any) -> Iterable[Any]:
    """Where no timer runs the answer is a timer without a date (docs/vendors.md, "hakuna: timers and absences")."""
    return () if isinstance(row, dict) and row.get("date") is None else (row,)


def timer_steps(sent: dict[str, Json], current: Row) -> Sequence[Step]:
    """A create starts a timer. One that runs can only be stopped, which makes a time entry of it."""
    if not current:
        return (Step(body=sent),)
    if sent.keys() - {"end_time"}:
        raise Rejected("a hakuna timer that runs can only be stopped: write its end_time")
    return (Step(body=sent),)


def single_days(row: Any) -> Iterable[Any]:
    """A recurring absence is one row; it becomes one for each time, with the date in its id (docs/vendors.md, "hakuna:
    timers and absences")."""
    if not isinstance(row, dict) or not row.get("is_recurring"):
        return (row,)
    day, last = (date.fromisoformat(row[name]) for name in ("start_date", "end_date"))
    weeks = row.get("weekly_repeat_interval") or 1
    if weeks < 1 or last - day > LONGEST or not usable(row["id"]):
        raise ValueError(f"it recurs every {weeks} weeks from {day} to {last}")
    days = (day + timedelta(n) for n in range(0, (last - day).days + 1, 7 * weeks))
    return [
        {**row, "id": f"{row['id']}@{one}", "start_date": str(one), "end_date": str(one)}
        for one in days
    ]


def absence(row: dict[str, Json]) -> None:
    """User and kind as ids, beside the objects."""
    _ids(row, "user", "absence_type")


def by_user(row: Any) -> Iterable[Any]:
    """Rows that have no id but their user's."""
    return ({**row, "user_id": row["user"]["id"]},)


USERS: Final = Resource(
    ResourceSpec(
        name="users",
        fields={
            **reads("integer", "id"),
            **reads("string", "name", "status"),
            **reads("email", "email"),
            **reads("list", "teams", "groups"),
        },
        single_get=False,
    ),
    path="/users",
)

TASKS: Final = Resource(
    ResourceSpec(
        name="tasks",
        fields={
            **reads("integer", "id"),
            **reads("string", "name"),
            **reads("boolean", "archived", "default"),
        },
        single_get=False,
    ),
    path="/tasks",
)

PROJECTS: Final = Resource(
    ResourceSpec(
        name="projects",
        fields={
            **reads("integer", "id", "budget_in_seconds"),
            **reads("string", "name", "client", "budget", "code"),
            **reads("boolean", "archived", "budget_is_monthly"),
            **reads("list", "teams", "tasks", "groups"),
        },
        single_get=False,
    ),
    path="/projects",
)

COMPANY: Final = Resource(
    ResourceSpec(
        name="company",
        fields={
            **reads("string", "company_name", "duration_format"),
            **reads(
                "boolean", "absence_requests_enabled", "projects_enabled", "teams_enabled",
                "groups_enabled",
            ),
        },
    ),
    path="/company",
    item="/company",
    only="company",
)  # fmt: skip

TIME_ENTRIES: Final = Resource(
    ResourceSpec(
        name="time_entries",
        fields={
            **reads("integer", "id", "duration_in_seconds"),
            **reads("string", "duration"),
            **reads("object", "user", "task", "project"),
            **writes("date", "date", required=True),
            **writes("time", "start_time", "end_time", required=True),
            **writes("integer", "task_id", "user_id", required=True),
            **writes("integer", "project_id"),
            **writes("text", "note"),
        },
        parent="users",
        dated=True,
        create=True,
        update=True,
        delete=True,
        marker="note",
    ),
    path="/time_entries",
    holds_parent="user_id",
    acts_for="user_id",
    window=("start_date", "end_date"),
    narrow={"start_date": "date", "end_date": "date"},
    shape=time_entry,
)
"""A request is made for a user by ``user_id``, single entries included, so an external id names both."""

ME: Final = Resource(
    replace(USERS.spec, name="me", single_get=True), path="/users/me", item="/users/me", only="me"
)
"""The user to whom the token belongs."""

TIMERS: Final = Resource(
    ResourceSpec(
        name="timers",
        fields={
            **reads("date", "date"),
            **reads("integer", "duration_in_seconds"),
            **reads("string", "duration"),
            **reads("object", "user", "task", "project"),
            **writes("time", "start_time", "end_time"),
            **writes("integer", "task_id", required=True),
            **writes("integer", "project_id", "user_id"),
            **writes("text", "note"),
        },
        parent="users",
        single_get=False,
        create=True,
        update=True,
        delete=True,
        marker="note",
    ),
    path="/timer",
    item="/timer",
    verb="PUT",
    only="timer",
    holds_parent="user_id",
    acts_for="user_id",
    shape=time_entry,
    steps=timer_steps,
    unfold=running,
)
"""One for each user. Writing ``end_time`` stops it; deleting it throws its time away."""

OVERVIEWS: Final = Resource(
    ResourceSpec(
        name="overviews",
        fields={
            **reads("string", "overtime"),
            **reads("integer", "overtime_in_seconds"),
            **reads("object", "vacation"),
        },
        parent="users",
        single_get=False,
    ),
    path="/overview",
    only="overview",
    holds_parent="user_id",
    acts_for="user_id",
)

ABSENCES: Final = Resource(
    ResourceSpec(
        name="absences",
        fields={
            **reads("string", "id"),
            **reads("date", "start_date", "end_date"),
            **reads("boolean", "first_half_day", "second_half_day", "is_recurring"),
            **reads("integer", "weekly_repeat_interval", "user_id", "absence_type_id"),
            **reads("object", "user", "absence_type"),
        },
        parent="users",
        dated=True,
        single_get=False,
        id_tail=("start_date", "end_date"),
    ),
    path="/absences",
    holds_parent="user_id",
    acts_for="user_id",
    year="year",
    days=("start_date", "end_date"),
    shape=absence,
    unfold=single_days,
)

ABSENCE_TYPES: Final = Resource(
    ResourceSpec(
        name="absence_types",
        fields={
            **reads("integer", "id"),
            **reads("string", "name"),
            **reads("boolean", "grants_work_time", "is_vacation", "archived"),
        },
        single_get=False,
    ),
    path="/absence_types",
)

ORGANIZATION_STATUS: Final = Resource(
    ResourceSpec(
        name="organization_status",
        fields={
            **reads("integer", "user_id"),
            **reads("object", "user"),
            **reads(
                "boolean", "absent_first_half_day", "absent_second_half_day", "has_timer_running"
            ),
        },
        single_get=False,
    ),
    path="/organization/status",
    id="user_id",
    unfold=by_user,
)
"""Of today only; the token must be the organization's, which is a connection of its own."""

HAKUNA: Final = vendor(
    "hakuna",
    (
        USERS,
        ME,
        TASKS,
        PROJECTS,
        COMPANY,
        TIME_ENTRIES,
        TIMERS,
        OVERVIEWS,
        ABSENCES,
        ABSENCE_TYPES,
        ORGANIZATION_STATUS,
    ),
    credentials=("token",),
    health="/ping",
    login=partial(HeaderAuth, "X-Auth-Token", "{token}"),
)
