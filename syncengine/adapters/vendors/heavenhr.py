"""HeavenHR public API v2 (docs/vendors.md, "HeavenHR")."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from syncengine.adapters.rest.auth import ClientCredentials
from syncengine.adapters.rest.paging import Numbered, Whole
from syncengine.adapters.vendors.declare import Resource, Step, reads, vendor, writes
from syncengine.adapters.vendors.heavenhr_company import BESIDE
from syncengine.errors import Rejected
from syncengine.model.resource import ResourceSpec
from syncengine.model.values import Json, Row

_SIZE: Final = 200
"""Rows of a page in the vendor's examples; a larger page is nowhere promised."""


_NUMERIC_TEXTS: Final = (
    "employeeNumber", "streetNumberPersonal", "phonePersonal", "mobileWork", "departmentId",
)  # fmt: skip


def employee(row: dict[str, Json]) -> None:
    """The examples show numbers where the tables say string, and two spellings of the custom attributes
    (docs/vendors.md, "HeavenHR: employees")."""
    for name in _NUMERIC_TEXTS:
        if type(row.get(name)) is int:
            row[name] = str(row[name])
    if "customerAttributes" in row:
        row.setdefault("customAttributes", row.pop("customerAttributes"))


def time_tracking(row: dict[str, Json]) -> None:
    """Categories are ids when written and objects when read; minutes are texts in one example and numbers
    in another (docs/vendors.md, "HeavenHR: time tracking")."""
    found = row.get("categories")
    if isinstance(found, list):
        row["categories"] = [c.get("id") if isinstance(c, dict) else c for c in found]
    for name in ("totalTimeInMinutes", "breakTimeInMinutes"):
        value = row.get(name)
        if isinstance(value, str) and (value.isdecimal() or not value):
            row[name] = int(value) if value else None


def time_tracking_steps(sent: dict[str, Json], current: Row) -> Sequence[Step]:
    """A create or PATCH takes start and end date where a row shows ``requestDate``. A status has a route of
    its own; APPROVED and REJECTED are reached from REQUESTED alone (docs/vendors.md, "HeavenHR: time
    tracking")."""
    own = ("status", "employeeId", "requestDate")
    body = {name: value for name, value in sent.items() if name not in own}
    when = {**current, **sent}
    day, start, end = (when.get(name) for name in ("requestDate", "startTime", "endTime"))
    if day and start and end and {"requestDate", "startTime", "endTime"} & sent.keys():
        later = timedelta(days=end <= start)
        last = (date.fromisoformat(day) + later).isoformat()
        body |= {"startDate": day, "endDate": last, "startTime": start, "endTime": end}
    if isinstance(body.get("breakTimeInMinutes"), int):
        body["breakTimeInMinutes"] = str(body["breakTimeInMinutes"])
    status, before = sent.get("status"), current.get("status")
    if not current and status:
        before = body["status"] = "EDITABLE" if status == "EDITABLE" else "REQUESTED"
    steps = [Step(body=body)] if body else []
    if not status or status == before:
        return steps
    if status == "EDITABLE":
        raise Rejected(
            "HeavenHR has no way back to EDITABLE; choose REQUESTED, APPROVED or REJECTED"
        )
    if status != "REQUESTED" and before != "REQUESTED":
        steps.append(Step("/REQUESTED"))
    return [*steps, Step(f"/{status}")]


EMPLOYEES: Final = Resource(
    ResourceSpec(
        name="employees",
        fields={
            **reads("string", "id", "departmentName"),
            **reads("datetime", "updatedAt"),
            **writes("string", "firstName", "lastName", required=True),
            **writes("email", "email", required=True),
            **writes("string", "employeeNumber", "jobStatus", "departmentId"),
            **writes("string", "locationId", required=True, listed=False),
            **writes("email", "professionalEmail", listed=False),
            **writes(
                "string", "gender", "phonePersonal", "mobileWork", "streetPersonal",
                "streetNumberPersonal", "nationality", "additionalContractInformation",
                "jobTitle", "occupation", "permanentOrTemporary", "employmentType",
                "fullTimeOrPartTime", "costCenterId", listed=False,
            ),
            **writes("date", "dateOfBirth", "startDate", "endOfContract", listed=False),
            **writes("boolean", "sendOnboardingEmail", listed=False),
            **writes("list", "customAttributes", listed=False),
            **writes("object", "contract", "workSchedule", listed=False),
        },
        poll=True,
        create=True,
        update=True,
        search=("employeeNumber", "email"),
    ),
    path="/employees",
    post="/employees/",
    paging=Numbered(_SIZE, counted=True),
    changed="updatedAt",
    narrow={"employeeNumber": "employeeNumber"},
    wrapped="employee",
    ids_by_name={"customAttributes": "/company"},
    empty_404=True,
    shape=employee,
)  # fmt: skip

TIME_TRACKINGS: Final = Resource(
    ResourceSpec(
        name="time_trackings",
        fields={
            **reads("string", "id"),
            **writes("string", "employeeId", required=True),
            **writes("date", "requestDate", required=True),
            **writes("time", "startTime", "endTime", required=True),
            **writes("integer", "breakTimeInMinutes"),
            **reads("integer", "totalTimeInMinutes"),
            **writes("string", "projectId", "status"),
            **writes("text", "comment"),
            **writes("list", "categories"),
        },
        parent="employees",
        dated=True,
        create=True,
        update=True,
        marker="comment",
    ),
    path="/employees/{parent}/timetracking",
    paging=Numbered(_SIZE, counted=False),
    holds_parent="employeeId",
    days=("requestDate", "requestDate"),
    narrow={"requestDate": "requestDate"},
    wrapped="timeTracking",
    empty_404=True,
    shape=time_tracking,
    steps=time_tracking_steps,
)

PROJECTS: Final = Resource(
    ResourceSpec(
        name="projects",
        fields=reads("string", "id", "name", "status"),
        parent="employees",
        single_get=False,
    ),
    path="/employees/{parent}/timetracking/projects",
    paging=Whole("data"),
    empty_404=True,
)
"""One project shows below each employee who may use it; its id is its own, and its row names no parent."""

CATEGORIES: Final = Resource(
    ResourceSpec(
        name="categories", fields=reads("string", "id", "name", "status"), single_get=False
    ),
    path="/company/timetracking/categories",
    paging=Numbered(_SIZE, counted=True),
    empty_404=True,
)

HEAVENHR: Final = vendor(
    "heavenhr",
    (EMPLOYEES, TIME_TRACKINGS, PROJECTS, CATEGORIES, *BESIDE),
    credentials=("client_id", "client_secret"),
    health="/health/check",
    login=ClientCredentials,
    options={
        "company_id": "the company whose vacancies are read",
        "subcompany_id": "the company whose payroll periods are read beside one's own",
        "shift_status": "PUBLISHED or DRAFT; PUBLISHED",
    },
    choices={"shift_status": ("PUBLISHED", "DRAFT")},
)
