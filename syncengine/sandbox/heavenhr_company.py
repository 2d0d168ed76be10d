"""HeavenHR beside employees and time tracking: shifts, payroll, vacancies, absences (docs/vendors.md,
"HeavenHR: company").

Where the page is silent the sandbox chooses: only published vacancies are public, a budget that is there is
refused, and an empty page of shifts or absences is empty.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from syncengine.sandbox.heavenhr_values import Employees, read_body
from syncengine.sandbox.people import Staff
from syncengine.sandbox.table import Row, Table
from syncengine.sandbox.vendor import Call, Handler, Pager, Refused, Reply, Route, is_date, pager_of

STATUSES = {"PLANNED", "REQUESTED", "APPROVED", "REJECTED", "WITHDRAWN"}
TYPES = {
    "1": ("Urlaub", "HOLIDAY", "#cddc39"),
    "2": ("Unbezahlter Urlaub", "UNPAIDLEAVE", "#fdd835"),
    "3": ("Krankheit", "ILLNESS", "#ef5350"),
}
SUBCOMPANY = "_Lg9ISEggCDLw9Lj6motG1Q_"


class Company:
    """What hangs under the company. Tables whose rows have no id of their own are keyed by ``key``."""

    def __init__(self, vendor: Employees) -> None:
        self._vendor = vendor
        self.tables = {
            "absence_types": Table("typeId"),
            "absences": Table("key", "employeeId"),
            "shifts": Table("key"),
            "payroll_periods": Table("id"),
            "salaries": Table("key", "period"),
            "vacancies": Table("id"),
            "absence_budgets": Table("key"),
        }

    def routes(self) -> list[Route]:
        periods = self._pages("payroll_periods", True)
        return [
            Route("GET", "/employees/{employee_id}/absences", self._absences),
            Route("GET", "/employees/{employee_id}/shifts", self._shifts),
            Route("POST", "/employees/{employee_id}/absencebudgets", self._create_budget),
            Route("GET", "/company/absences/types", self._types),
            Route("GET", "/company/absences", self._absences),
            Route("GET", "/company/shifts", self._shifts),
            Route("GET", "/company/shifts/{shift_id}", self._shift),
            Route("GET", "/payroll/payrollperiod", periods),
            Route("GET", "/payroll/{subcompany_id}/payrollperiod", self._of_subcompany),
            Route("GET", "/payroll/payrollperiod/{payrollperiod_id}/salary", self._salaries),
            Route("GET", "/positions/public/vacancies", self._vacancies),
            Route("GET", "/positions/public/vacancies/{vacancy_id}", self._vacancy),
        ]

    def keep(self, resource: str, values: Row) -> Row:
        row = {**_DEFAULTS.get(resource, {}), **values}
        if resource in ("payroll_periods", "vacancies"):
            row.setdefault("id", self._vendor.new_id())
        if resource == "shifts":
            row.setdefault("id", self._vendor.new_id())
            row["key"] = f"{row['id']},{row['startTime']}"
        if resource == "absences":
            names = ("employeeId", "startDate", "endDate", "absenceType")
            row["key"] = ",".join(str(row[name]) for name in names)
            if row["key"] in self.tables[resource]:
                row["key"] += f" ({len(self.tables[resource])})"
        return self.tables[resource].add(row)

    # Answers

    def _pages(self, resource: str, counted: bool, hidden: tuple[str, ...] = ()) -> Handler:
        table = self.tables[resource]
        return lambda call: self._page(call, table.page, len(table), counted, hidden)

    def _page(
        self,
        call: Call,
        pager: Pager,
        total: int,
        counted: bool,
        hidden: tuple[str, ...] = ("key",),
    ) -> Reply:
        rows, page, size, total = self._vendor.page(call, pager, total)
        data = [{k: v for k, v in row.items() if k not in hidden} for row in rows]
        if not counted:
            meta = {"page": page, "pageSize": size, "count": len(data)}
            return Reply(200, {"links": [], "data": data, "meta": meta})
        said = {
            "page": page,
            "pageSize": size,
            "totalItems": total,
            "totalPages": -(-total // size),
        }
        return Reply(200, {**said, "data": data})

    def _owner(self, call: Call) -> str | None:
        key = call.params.get("employee_id")
        return None if key is None else str(self._vendor.employee(key)["id"])

    def _absences(self, call: Call) -> Reply:
        first, last = _window(call)
        wanted = set(filter(None, call.query.get("status", "").split(",")))
        if not wanted or not wanted <= STATUSES:
            raise _bad(f"status: expected some of {', '.join(sorted(STATUSES))}")
        for name in ("page", "pageSize"):
            if name not in call.query:
                raise _bad(f"{name} is required")
        owner = self._owner(call)
        rows = [
            row
            for row in self.tables["absences"]
            if row["status"] in wanted and row["endDate"] >= first and row["startDate"] <= last
            and owner in (None, row["employeeId"])
        ]  # fmt: skip
        return self._page(call, pager_of(rows), len(rows), False)

    def _shifts(self, call: Call) -> Reply:
        first, last = _window(call)
        status, owner = call.query.get("status", "PUBLISHED"), self._owner(call)
        if status not in ("DRAFT", "PUBLISHED"):
            raise _bad("status: expected DRAFT or PUBLISHED")
        rows = [
            row
            for row in self.tables["shifts"]
            if row["status"] == status and first <= row["startTime"][:10] <= last
            and (owner is None or owner in row["assignedUsers"])
        ]  # fmt: skip
        return self._page(call, pager_of(rows), len(rows), True, _DETAIL)

    def _shift(self, call: Call) -> Reply:
        found = [r for r in self.tables["shifts"] if r["id"] == call.params["shift_id"]]
        if not found:
            raise Refused(404, {"message": "Shift not found"})
        return Reply(200, {k: v for k, v in found[0].items() if k != "key"})

    def _types(self, _: Call) -> Reply:
        return Reply(200, {"data": list(self.tables["absence_types"])})

    def _of_subcompany(self, call: Call) -> Reply:
        if call.params["subcompany_id"] != SUBCOMPANY:
            raise Refused(403, {"message": "Access to this company is not granted"})
        return self._pages("payroll_periods", True)(call)

    def _salaries(self, call: Call) -> Reply:
        period = call.params["payrollperiod_id"]
        rows = self.tables["salaries"].find("period", period)
        if not rows:
            raise Refused(404, {"message": "Payroll period not found"})
        return self._page(call, pager_of(rows), len(rows), True, ("key", "period"))

    def _vacancies(self, call: Call) -> Reply:
        if not call.query.get("companyId"):
            raise _bad("companyId is required")
        rows = [row for row in self.tables["vacancies"] if row["status"] == "PUBLISHED"]
        return self._page(call, pager_of(rows), len(rows), False, _VACANCY_DETAIL)

    def _vacancy(self, call: Call) -> Reply:
        row = self.tables["vacancies"].get(call.params["vacancy_id"])
        if row is None:
            raise Refused(404, {"message": "Vacancy not found"})
        return Reply(200, {"data": [row]})

    def _create_budget(self, call: Call) -> Reply:
        owner, body = self._owner(call), read_body(call)
        year = body.get("year")
        if not isinstance(year, int) or not 1900 < year < 2200:
            raise _bad("year must be a year")
        key = f"{owner}/{year}"
        call.duplicate = key in self.tables["absence_budgets"]
        if call.duplicate:
            raise _bad("There is a budget for this year already")
        self.tables["absence_budgets"].add({"key": key, "employeeId": owner, "year": year})
        return Reply(201)

    # The beginning

    def seed(self, staff: Staff) -> None:
        for key, (name, kind, colour) in TYPES.items():
            self.keep(
                "absence_types",
                {"typeId": key, "type": name, "vacationType": kind, "colorCode": colour},
            )
        employees, today = list(self._vendor.employees), staff.today
        first = today.replace(day=1)
        for month in range(2):
            begins = (first - timedelta(days=31 * month)).replace(day=1)
            ends = (begins + timedelta(days=31)).replace(day=1) - timedelta(days=1)
            period = self.keep(
                "payroll_periods",
                {
                    "dateStart": str(begins),
                    "dateEnd": str(ends),
                    "status": ("OPEN", "CLOSED")[month],
                },
            )
            for employee in employees:
                self._seed_salary(period["id"], employee)
        for place, employee in enumerate(employees):
            self._seed_absences(place, employee, today)
        for day in range(-1, 3):
            start = f"{today + timedelta(days=day)}T08:00:00"
            self.keep("shifts", {"id": _SHIFT, "startTime": start, "endTime": start.replace("T08", "T17"),
                                 "assignedUsers": [e["id"] for e in employees[:3]]})  # fmt: skip
        for title, status in (
            ("Head of Sales", "PUBLISHED"),
            ("Driver", "PUBLISHED"),
            ("Cook", "DRAFT"),
        ):
            published = str(today - timedelta(days=20))
            self.keep(
                "vacancies", {"jobTitle": title, "status": status, "publicationDate": published}
            )

    def _seed_salary(self, period: str, employee: Row) -> None:
        row = {
            "employeeId": employee["id"],
            "firstName": employee["firstName"],
            "lastName": employee["lastName"],
            "personelNumber": employee["employeeNumber"],
            "salary": {"fixedSalary": employee["contract"]["grossSalary"] * 100 // 12, "others": 0},
        }
        self.keep("salaries", {"key": f"{period}/{employee['id']}", "period": period, **row})

    def _seed_absences(self, place: int, employee: Row, today: date) -> None:
        if place % 5 > 1:
            return
        kind, status = (("HOLIDAY", "APPROVED"), ("ILLNESS", "REQUESTED"))[place % 5]
        first = today - timedelta(days=12 + place % 7)
        comment = {
            "companyId": "1", "ownerId": str(place), "ownerType": "ABSENCE_REQUEST", "userId": "1",
            "userFullName": "Admin", "text": "Gute Erholung\n", "creationDate": f"{first}T12:58:12.152",
        }  # fmt: skip
        self.keep(
            "absences",
            {
                "employeeId": employee["id"],
                "firstName": employee["firstName"],
                "lastName": employee["lastName"],
                "startDate": str(first),
                "endDate": str(first + timedelta(days=4)),
                "absenceType": kind,
                "status": status,
                "departmentId": employee["departmentId"],
                "comments": [comment] if place % 2 else [],
            },
        )


_SHIFT = "_XjAmqPKx5SdmM-KlbHQTQB_"
_DETAIL = (
    "key",
    "breakInMinutes",
    "totalInMinutes",
    "type",
    "orgaUnits",
    "occupations",
    "shortHanded",
)
_VACANCY_DETAIL = ("description", "numberOfOpenings", "numberOfApplicants", "companyId")
_DEFAULTS: dict[str, dict[str, Any]] = {
    "absences": {"budgetUsed": 5.0, "numberOfDays": 5, "exceedBudget": False, "comments": []},
    "shifts": {
        "status": "PUBLISHED", "assignedUsers": [], "breakInMinutes": 60, "totalInMinutes": 480,
        "type": {"id": "_5Q8jY0qypU3Fs7PlyUtJ3w_", "name": "Day Shift", "status": "ACTIVE"},
        "orgaUnits": [], "occupations": [{"name": "Hoster", "count": 3}], "shortHanded": False,
    },
    "vacancies": {
        "email": None, "employmentTypes": ["FULL_TIME"], "location": "Berlin", "department": "Sales",
        "industry": None, "fieldOfWork": "SERVICE", "positionType": None, "seniority": "MANAGER",
        "employmentStartDate": "2027-01-01", "hiringOrganization": "<p>Alpenblick AG</p>",
        "qualifications": "<p>Java 8</p>", "responsibilities": "<p>Code &amp; test</p>",
        "incentives": "<p>Kaffee</p>", "contact": "jobs@alpenblick.example",
        "description": "<p>Wir suchen</p>", "numberOfOpenings": 1, "numberOfApplicants": 4,
    },
}  # fmt: skip


def _window(call: Call) -> tuple[str, str]:
    first, last = call.query.get("startDate", ""), call.query.get("endDate", "")
    if not is_date(first) or not is_date(last):
        raise _bad("startDate and endDate are required as yyyy-MM-dd")
    return first, last


def _bad(message: str) -> Refused:
    return Refused(400, {"message": message})
