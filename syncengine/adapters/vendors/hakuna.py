"""hakuna API v1 (docs/vendors.md, "hakuna")."""

from __future__ import annotations

from functools import partial
from typing import Final

from syncengine.adapters.rest.auth import HeaderAuth
from syncengine.adapters.vendors.declare import Resource, reads, vendor, writes
from syncengine.model.resource import ResourceSpec
from syncengine.model.values import Json


def time_entry(row: dict[str, Json]) -> None:
    """User, task and project are objects when read and ids when written; an entry without a project has no
    such key; the PATCH example shows seconds (docs/vendors.md, "hakuna: time entries")."""
    for name in ("user", "task", "project"):
        thing = row.get(name)
        if isinstance(thing, dict):
            row[f"{name}_id"] = thing.get("id")
    if "task" in row:
        row.setdefault("project_id", None)
    for name in ("start_time", "end_time"):
        if isinstance(row.get(name), str):
            row[name] = row[name][:5]


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

HAKUNA: Final = vendor(
    "hakuna",
    (USERS, TASKS, PROJECTS, COMPANY, TIME_ENTRIES),
    credentials=("token",),
    health="/ping",
    login=partial(HeaderAuth, "X-Auth-Token", "{token}"),
)
