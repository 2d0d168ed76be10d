"""HeavenHR public API v2, beside employees: company, shifts, payroll, vacancies, absences (docs/vendors.md,
"HeavenHR: company")."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from syncengine.adapters.rest.paging import Numbered, Whole
from syncengine.adapters.vendors.declare import Look, Resource, Step, reads, segment, writes
from syncengine.model.resource import ResourceSpec
from syncengine.model.values import Json, Row

_COUNTED: Final = Numbered(200, counted=True)
_SHORT: Final = Numbered(200, counted=False)
_DAYS: Final = ("startDate", "endDate")
_STATUSES: Final = "PLANNED,REQUESTED,APPROVED,REJECTED,WITHDRAWN"
"""All of them, so that a withdrawn absence shows as a change (docs/vendors.md, "HeavenHR: company")."""


def flat(root: Any) -> Iterator[Any]:
    """A tree of organizations as rows, each with the id of the one above it, and with a name that tells units of one
    name apart: the names on the way from the top, which is the company, go before it. What hangs there and is no list
    of organizations is a row that does not fit."""
    waiting: list[tuple[Any, Json, tuple[str, ...]]] = [(root, None, ())]
    named: list[tuple[dict[str, Any], tuple[str, ...]]] = []
    for node, above, way in waiting:
        if not isinstance(node, dict):
            yield node
            continue
        own = (*way, str(node.get("name")))
        below = node.get("children") or []
        below = below if isinstance(below, list) else [below]
        waiting += [(child, node.get("id"), () if node is root else own) for child in below]
        named.append(
            ({**{k: v for k, v in node.items() if k != "children"}, "parentId": above}, own)
        )
    bearers = Counter(way[-1] for _, way in named)
    for row, way in named:
        yield {**row, "distinctName": way[-1] if bearers[way[-1]] < 2 else " / ".join(way)}


def shift(look: Look, _parent: str, own: str, listed: Row | None) -> dict[str, Any] | None:
    """The detail of a shift is asked for by its id alone, which may stand for several days."""
    shift_id, _, start = own.partition(",")
    detail = look(f"/company/shifts/{segment(shift_id)}", {})
    if detail is None:
        return None
    return {**detail, "id": shift_id, "startTime": start, **(listed or {})}


def salary(row: dict[str, Json]) -> None:
    """An object in the example, a list of one in the table."""
    if isinstance(row.get("salary"), list):
        row["salary"] = next(iter(row["salary"]), None)


def over(row: Row) -> bool:
    """An absence that was requested again stands for the one that was withdrawn or rejected before: both have the
    same employee, days and type, and so the same id."""
    return row.get("status") in ("WITHDRAWN", "REJECTED")


def budget(sent: dict[str, Json], _current: Row) -> Sequence[Step]:
    """The employee stands in the address only."""
    return (Step(body={"year": sent.get("year")}),)


def _read_only(name: str, fields: dict[str, Any], **more: Any) -> ResourceSpec:
    return ResourceSpec(name=name, fields=fields, **{"single_get": False, **more})


COMPANY: Final = Resource(
    _read_only("company", {**reads("string", "id", "name"), **reads("list", "customAttributes")}),
    path="/company",
    paging=Whole("data"),
)

ORGANIZATIONS: Final = Resource(
    _read_only(
        "organizations",
        {
            **reads("string", "id", "name", "pathName", "parentId", "distinctName"),
            **reads("list", "headsOfUnit"),
        },
    ),
    path="/company/organizations",
    paging=Whole("data"),
    empty_404=True,
    unfold=flat,
)

LOCATIONS: Final = Resource(
    _read_only("locations", reads("string", "id", "name", "city", "country")),
    path="/company/locations",
    paging=_COUNTED,
    empty_404=True,
)

COST_CENTERS: Final = Resource(
    _read_only(
        "cost_centers",
        {**reads("string", "id", "number", "name"), **reads("integer", "employeeCount")},
    ),
    path="/company/cost-centers",
    paging=_COUNTED,
    empty_404=True,
)

_SHIFT: Final = {
    **reads("string", "id", "status"),
    **reads("datetime", "startTime", "endTime"),
    **reads("list", "assignedUsers"),
}

SHIFTS: Final = Resource(
    _read_only(
        "shifts",
        {
            **_SHIFT,
            **reads("integer", "breakInMinutes", "totalInMinutes", listed=False),
            **reads("object", "type", listed=False),
            **reads("list", "orgaUnits", "occupations", listed=False),
            **reads("boolean", "shortHanded", listed=False),
        },
        dated=True,
        single_get=True,
    ),
    path="/company/shifts/",
    item="/company/shifts/{id}",
    id="id startTime",
    paging=_COUNTED,
    window=_DAYS,
    given={"status": "shift_status"},
    empty_404=True,
    single=shift,
)

EMPLOYEE_SHIFTS: Final = Resource(
    _read_only("employee_shifts", _SHIFT, parent="employees", dated=True),
    path="/employees/{parent}/shifts/",
    id="id startTime",
    holds_parent="employeeId",
    paging=_COUNTED,
    window=_DAYS,
    empty_404=True,
)

_PERIOD: Final = {**reads("string", "id", "status"), **reads("date", "dateStart", "dateEnd")}

PAYROLL_PERIODS: Final = Resource(
    _read_only("payroll_periods", _PERIOD), path="/payroll/payrollperiod", paging=_COUNTED
)

SUBCOMPANY_PERIODS: Final = Resource(
    _read_only("subcompany_payroll_periods", _PERIOD),
    path="/payroll/{subcompany_id}/payrollperiod",
    paging=_COUNTED,
)

SALARIES: Final = Resource(
    _read_only(
        "salaries",
        {
            **reads("string", "employeeId", "firstName", "lastName", "personelNumber"),
            **reads("object", "salary"),
        },
        parent="payroll_periods",
    ),
    path="/payroll/payrollperiod/{parent}/salary",
    id="employeeId",
    holds_parent="payrollPeriodId",
    paging=_COUNTED,
    empty_404=True,
    shape=salary,
)

VACANCIES: Final = Resource(
    _read_only(
        "vacancies",
        {
            **reads(
                "string", "id", "jobTitle", "location", "department", "status", "industry",
                "fieldOfWork", "positionType", "seniority",
            ),
            **reads("email", "email"),
            **reads("date", "publicationDate", "employmentStartDate"),
            **reads("list", "employmentTypes"),
            **reads(
                "text", "hiringOrganization", "qualifications", "responsibilities", "incentives",
                "contact",
            ),
            **reads("text", "description", listed=False),
            **reads("integer", "numberOfOpenings", "numberOfApplicants", listed=False),
        },
        single_get=True,
    ),
    path="/positions/public/vacancies/",
    item="/positions/public/vacancies/{id}",
    paging=_SHORT,
    given={"companyId": "company_id"},
    boxed="data",
)  # fmt: skip

ABSENCE_TYPES: Final = Resource(
    _read_only("absence_types", reads("string", "typeId", "type", "vacationType", "colorCode")),
    path="/company/absences/types/",
    id="typeId",
    paging=Whole("data"),
)

_ABSENCE: Final = {
    **reads(
        "string", "employeeId", "firstName", "lastName", "absenceType", "status", "departmentId"
    ),
    **reads("date", "startDate", "endDate"),
    **reads("number", "budgetUsed", "numberOfDays"),
    **reads("boolean", "exceedBudget"),
    **reads("list", "comments"),
}
_ABSENCE_ID: Final = "employeeId startDate endDate absenceType"
"""A row has no id of its own (docs/vendors.md, "HeavenHR: company")."""

ABSENCES: Final = Resource(
    _read_only("absences", _ABSENCE, dated=True),
    path="/company/absences/",
    id=_ABSENCE_ID,
    paging=_SHORT,
    window=_DAYS,
    fixed={"status": _STATUSES},
    empty_404=True,
    gives_way=over,
)

EMPLOYEE_ABSENCES: Final = Resource(
    _read_only("employee_absences", _ABSENCE, dated=True, parent="employees"),
    path="/employees/{parent}/absences/",
    id=_ABSENCE_ID,
    holds_parent="employeeId",
    paging=_SHORT,
    window=_DAYS,
    fixed={"status": _STATUSES},
    empty_404=True,
    gives_way=over,
)

ABSENCE_BUDGETS: Final = Resource(
    _read_only(
        "absence_budgets",
        writes("integer", "year", required=True),
        parent="employees",
        scan=False,
        create=True,
    ),
    path="/employees/{parent}/absencebudgets",
    id="year",
    holds_parent="employeeId",
    steps=budget,
)
"""Nothing reads a budget back, so a lost answer asks a person."""

BESIDE: Final = (
    COMPANY, ORGANIZATIONS, LOCATIONS, COST_CENTERS, SHIFTS, EMPLOYEE_SHIFTS, PAYROLL_PERIODS,
    SUBCOMPANY_PERIODS, SALARIES, VACANCIES, ABSENCE_TYPES, ABSENCES, EMPLOYEE_ABSENCES,
    ABSENCE_BUDGETS,
)  # fmt: skip
