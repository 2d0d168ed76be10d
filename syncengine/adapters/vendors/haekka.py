"""Haekka public API (docs/vendors.md, "Haekka"). It documents routes and no response field."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from syncengine.adapters.rest.auth import HeaderAuth
from syncengine.adapters.rest.paging import Whole
from syncengine.adapters.vendors.declare import Resource, Step, reads, vendor, writes
from syncengine.model.resource import ResourceSpec
from syncengine.model.values import Json, Row

_ONLY_ARRAY: Final = Whole("*")


def one_field_a_call(sent: dict[str, Json], _current: Row) -> Sequence[Step]:
    """With both fields in one PATCH the status overrides the rate (docs/vendors.md, "Haekka: completion").
    Completing says the rate as well; otherwise the status goes first and the rate has the last word."""
    if sent.get("completion_status") is True:
        sent = {name: value for name, value in sent.items() if name != "completion_rate"}
    names = sorted(sent, key=lambda name: name != "completion_status")
    return [Step(body={name: sent[name]}) for name in names]


EMPLOYEES: Final = Resource(
    ResourceSpec(
        name="employees",
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
        fields={**reads("string", "id", "name"), **reads("text", "description")},
    ),
    path="/trainings/",
    item="/trainings/{id}",
    paging=_ONLY_ARRAY,
)

EMPLOYEE_TRAININGS: Final = Resource(
    ResourceSpec(
        name="employee_trainings",
        fields={
            **reads("string", "id", "employee_id", "training_id"),
            **writes("boolean", "completion_status"),
            **writes("integer", "completion_rate"),
        },
        update=True,
    ),
    path="/employee_trainings",
    paging=_ONLY_ARRAY,
    steps=one_field_a_call,
)

HAEKKA: Final = vendor(
    "haekka",
    (EMPLOYEES, TRAININGS, EMPLOYEE_TRAININGS),
    credentials=("api_key",),
    health="/trainings/",
    login=partial(HeaderAuth, "Authorization", "Bearer {api_key}"),
)
