"""Haekka public API (docs/vendors.md, "Haekka"). It documents routes and no response field."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from syncengine.adapters.rest.auth import HeaderAuth
from syncengine.adapters.rest.paging import Whole
from syncengine.adapters.vendors.declare import Resource, Step, reads, vendor, writes
from syncengine.errors import Rejected
from syncengine.model.resource import ResourceSpec
from syncengine.model.values import Json, Row

_ONLY_ARRAY: Final = Whole("*")


_OF: Final = ("training_id", "employee_id")


def assigned(sent: dict[str, Json], current: Row) -> Sequence[Step]:
    """A create assigns, which alerts the person (docs/vendors.md, "Haekka: assigning"); whose it is stays so. With
    both fields in one PATCH the status overrides the rate (docs/vendors.md, "Haekka: completion"). Completing says
    the rate as well; otherwise the status goes first and the rate has the last word."""
    progress = {n: v for n, v in sent.items() if n not in (*_OF, "alert_employees")}
    if progress.get("completion_status") is True:
        progress.pop("completion_rate", None)
    names = sorted(progress, key=lambda name: name != "completion_status")
    changes = [Step(body={name: progress[name]}) for name in names]
    if not current:
        whom = {"training_id": sent.get("training_id"), "employee_ids": [sent.get("employee_id")]}
        alert = {n: v for n, v in sent.items() if n == "alert_employees"}
        return [Step(body={**whom, **alert}), *changes]
    if sent.keys() & {*_OF}:
        raise Rejected("a Haekka training cannot be handed to somebody else: assign a new one")
    return changes


EMPLOYEES: Final = Resource(
    ResourceSpec(
        name="employees",
        open=True,
        fields={
            **reads("string", "id", "first_name", "last_name", "slack_user_id"),
            **reads("email", "email"),
            **reads("boolean", "active"),
        },
    ),
    path="/employees/",
    item="/employees/{id}",
    paging=_ONLY_ARRAY,
)

TRAININGS: Final = Resource(
    ResourceSpec(
        name="trainings",
        open=True,
        fields={**reads("string", "id", "name"), **reads("text", "description")},
    ),
    path="/trainings/",
    item="/trainings/{id}",
    paging=_ONLY_ARRAY,
)

EMPLOYEE_TRAININGS: Final = Resource(
    ResourceSpec(
        name="employee_trainings",
        open=True,
        fields={
            **reads("string", "id"),
            **writes("string", "employee_id", "training_id", required=True),
            **writes("boolean", "completion_status"),
            **writes("integer", "completion_rate"),
            **writes("boolean", "alert_employees"),
        },
        create=True,
        update=True,
        search=("employee_id training_id",),
        again={"alert_employees": False},
    ),
    path="/employee_trainings",
    post="/trainings/assign",
    paging=_ONLY_ARRAY,
    nameless=True,
    moves={"completion_rate": "completion_status", "completion_status": "completion_rate"},
    steps=assigned,
)

HAEKKA: Final = vendor(
    "haekka",
    (EMPLOYEES, TRAININGS, EMPLOYEE_TRAININGS),
    credentials=("api_key",),
    health="/trainings/",
    login=partial(HeaderAuth, "Authorization", "Bearer {api_key}"),
)
