"""What may stand in a HeavenHR employee (docs/vendors.md, "HeavenHR: employees")."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any, Protocol

from syncengine.sandbox.table import Row, Table
from syncengine.sandbox.vendor import Call, Pager, Refused, is_date

REQUIRED = ("email", "firstName", "lastName", "locationId")
TEXTS = (
    "firstName", "lastName", "gender", "email", "professionalEmail", "jobTitle", "occupation",
    "employeeNumber", "jobStatus", "employmentType", "fullTimeOrPartTime", "permanentOrTemporary",
    "nationality", "streetPersonal", "streetNumberPersonal", "phonePersonal", "mobileWork",
    "locationId", "departmentId", "costCenterId", "additionalContractInformation",
)  # fmt: skip
DATES = ("startDate", "endOfContract", "dateOfBirth")
NESTED = {
    "contract": (
        "grossSalary", "settlementPeriodSalary", "holidaysPerYear", "workingHoursPerWeek",
        "probationPeriod", "noticePeriodDuringProbation", "noticePeriodDuringProbationStart",
    ),
    "workSchedule": ("scheduledDate", "days"),
}  # fmt: skip
FIELDS = (*TEXTS, *DATES, "sendOnboardingEmail", "customAttributes", *NESTED)
CONTRACT = {
    "grossSalary": 0,
    "settlementPeriodSalary": "perYear",
    "holidaysPerYear": 25,
    "workingHoursPerWeek": 40,
    "probationPeriod": "6Months",
    "noticePeriodDuringProbation": "4Weeks",
    "noticePeriodDuringProbationStart": "endOfWeek",
}


class Employees(Protocol):
    """What hangs under employees needs of them, and of what all listings of HeavenHR share."""

    employees: Table
    tables: dict[str, Table]

    def employee(self, key: str) -> Row:
        """By id. Raises Refused."""

    def new_id(self) -> str:
        """Of a new row."""

    def page(self, call: Call, pager: Pager, total: int) -> tuple[list[Row], int, int, int]:
        """Rows of the page that a call asks for, the page, its size, and the total. Raises Refused."""


def attributes(named: Mapping[str, Any], known: Mapping[str, str]) -> list[Row]:
    """The custom attributes of an employee: all that the company has, with the values ``named``."""
    return [{"id": key, "name": name, "value": named.get(name)} for key, name in known.items()]


def read_employee(
    body: Row, references: Mapping[str, Container[str]], known: Mapping[str, str]
) -> tuple[Row, list[Row]]:
    """The known values of a request and a list of ``{field, message}``; unknown names are passed over."""
    values: Row = {}
    faults: list[Row] = []

    def blame(name: str, message: str) -> None:
        faults.append({"field": name, "message": message})

    body = dict(body)
    if "customerAttributes" in body:
        body.setdefault("customAttributes", body.pop("customerAttributes"))
    for name, value in body.items():
        if name not in FIELDS:
            continue
        if name in TEXTS and isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        values[name] = value
        if name == "customAttributes":
            values[name] = _read_attributes(value, known, blame)
        elif name == "sendOnboardingEmail":
            values[name] = str(value).lower() == "true"
        elif value is not None:
            message = _fault_in(name, value, references)
            if message:
                blame(name, message)
    return values, faults


def _fault_in(name: str, value: Any, references: Mapping[str, Container[str]]) -> str | None:
    if name in NESTED:
        known = value if isinstance(value, dict) else {}
        lacking = [key for key in NESTED[name] if key not in known]
        return f"lacks {', '.join(lacking)}" if lacking else None
    if name in DATES:
        return None if is_date(value) else "must be a date yyyy-MM-dd"
    if not isinstance(value, str):
        return "must be a string"
    if name in references and value not in references[name]:
        return "is unknown"
    if name in ("email", "professionalEmail") and "@" not in value:
        return "must be a well-formed email address"
    return None


def _read_attributes(
    value: Any, known: Mapping[str, str], blame: Callable[[str, str], None]
) -> list[Row]:
    items = value if isinstance(value, list) else [value]
    named: Row = {}
    for item in items:
        if not isinstance(item, dict) or item.get("id") not in known:
            blame("customAttributes", "must be a list of {id, name, value} with known ids")
            continue
        named[known[item["id"]]] = item.get("value")
    return attributes(named, known)


def read_body(call: Call) -> Row:
    """The JSON object of a request. Raises Refused."""
    try:
        body = call.parse()
    except ValueError as error:
        raise Refused(400, {"message": "Malformed JSON request"}) from error
    if "json" not in call.headers.get("content-type", "") or not isinstance(body, dict):
        raise Refused(400, {"message": "The body must be a JSON object"})
    return body
