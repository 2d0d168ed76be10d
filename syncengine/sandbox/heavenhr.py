"""HeavenHR public REST API v2: token, health, employees, company (docs/vendors.md, "HeavenHR").

Where the page is silent the sandbox chooses: a page has at most 1,000 rows; an employee shows every custom
attribute of the company, null where unset; a PATCH of ``customAttributes`` replaces the list; an unchanged
employee keeps its ``updatedAt``; calls are unlimited unless told otherwise; error bodies are
``{"message": ...}``.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from syncengine.sandbox import heavenhr_values
from syncengine.sandbox.heavenhr_company import Company
from syncengine.sandbox.heavenhr_time import TimeTracking
from syncengine.sandbox.people import DEPARTMENTS, PROJECTS, TASKS, Person, Staff
from syncengine.sandbox.table import Row, Table
from syncengine.sandbox.vendor import (
    Allowance,
    Call,
    Handler,
    Pager,
    Refused,
    Reply,
    Route,
    Vendor,
    listed,
    now,
    pager_of,
)

CLIENT = "sandbox-client"
SECRETS = {CLIENT: "sandbox-secret", "sandbox-reader": "sandbox-secret"}
READER = "sandbox-reader"
TOKEN_LIFE = 3600
LARGEST_PAGE = 1000
# The ids that the page's own examples use, so that the examples can be replayed.
LOCATION = "_bE1Zi2WRANH76y0vDbdEdA_"
DEPARTMENT = "_EaH3L12VPSVhuSDPqkKIdg_"
COST_CENTER = "_3q4nkYvIocIJDUhyZJh5dQ_"
COMPANY = "_XjAmqPKx5SdmM-KlbHQTQA_"
ATTRIBUTES = {
    "_9X8jV4qypU6As7SlyBtT8w_": "Shirt size",
    "_Aeqew@adq3dsfADRaqw": "Customer attribute Name",
}
SIMPLE = (
    "id", "firstName", "lastName", "employeeNumber", "jobStatus", "departmentName", "departmentId",
    "email",
)  # fmt: skip
FILTERS = ("employeeNumber", "departmentId", "jobStatus", "startDate")
SINCE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:?\d\d)")


class HeavenHR(Vendor):
    name = "heavenhr"
    prefix = "/api/v2"

    def __init__(self, staff: Staff, calls: int | None = None) -> None:
        self._allowance = Allowance(calls) if calls else None
        self._random = staff.random("heavenhr")
        self._tokens: dict[str, tuple[float, bool]] = {}
        self._last = now()
        self._recent: dict[str, None] = {}
        self.employees = Table("id", *FILTERS, "email")
        plain = ("organizations", "locations", "cost_centers", "categories", "projects")
        self.tables = {"employees": self.employees, **{name: Table("id") for name in plain}}
        self.company = Company(self)
        self.tables |= self.company.tables
        self._seed_company()
        for person in staff.people:
            self._seed_employee(person, staff)
        self.times = TimeTracking(self)
        self.tables["time_trackings"] = self.times.rows
        self.company.seed(staff)
        super().__init__()

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/health/check", lambda _: Reply(200, {"message": "OK"}), open=True),
            Route("GET", "/oauth2/token", self._token, open=True),
            Route("GET", "/employees", self._list_employees),
            Route("POST", "/employees", self._create_employee),
            Route("GET", "/employees/{id}", self._get_employee),
            Route("PATCH", "/employees/{id}", self._update_employee),
            Route("GET", "/company", self._company),
            Route("GET", "/company/organizations", self._organizations),
            Route("GET", "/company/locations", self._directory("locations")),
            Route("GET", "/company/cost-centers", self._directory("cost_centers")),
            Route("GET", "/company/timetracking/categories", self._directory("categories", False)),
            *self.times.routes(),
            *self.company.routes(),
        ]

    # Ids, tokens, refusals

    def new_id(self) -> str:
        """``_``, 22 base64url characters, ``_``."""
        return f"_{base64.urlsafe_b64encode(self._random.randbytes(16)).decode().rstrip('=')}_"

    def _token(self, call: Call) -> Reply:
        scheme, _, key = call.headers.get("authorization", "").partition(" ")
        try:
            client, _, secret = base64.b64decode(key, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            client, secret = "", ""
        if scheme != "Basic" or not secret or SECRETS.get(client) != secret:
            said = {"error": "invalid_client", "error_description": "Bad client credentials"}
            raise Refused(401, said)
        if call.query.get("grant_type") != "client_credentials" or call.query.get("scope") != "all":
            raise Refused(400, {"error": "invalid_request"})
        token = self._random.randbytes(24).hex()
        self._tokens[token] = (time.monotonic() + TOKEN_LIFE, client != READER)
        said = {"access_token": token, "token_type": "bearer", "scope": "all"}
        return Reply(200, {**said, "expires_in": TOKEN_LIFE})

    def authenticate(self, call: Call) -> None:
        accept = call.headers.get("accept", "*/*")
        if not any(kind in accept for kind in ("*/*", "application/*", "json")):
            raise Refused(406, {"message": "Not Acceptable"})
        if self._allowance and not self._allowance.take():
            raise Refused(429, {"message": "Slow down!"})
        if call.denied:
            self._tokens.clear()
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        until, writer = self._tokens.get(token, (0.0, False))
        if scheme != "Bearer" or until < time.monotonic():
            raise Refused(401, {"message": "Your API key is wrong."})
        if call.method != "GET" and not writer:
            raise Refused(403, {"message": "Only read access granted"})

    def missing(self, method: str, path_known: bool) -> Reply:
        if path_known:
            return Reply(405, {"message": f"Request method '{method}' not supported"})
        return Reply(404, {"message": "Not Found"})

    # Listings

    def page(self, call: Call, pager: Pager, total: int) -> tuple[list[Row], int, int, int]:
        """Rows of the page that a call asks for, the page, its size, and the total. Raises Refused."""
        try:
            page = int(call.query.get("page", "0"))
            size = int(call.query.get("pageSize", "200"))
        except ValueError as error:
            raise Refused(400, {"message": "page and pageSize must be integers"}) from error
        if page < 0 or size < 1:
            raise Refused(400, {"message": "page must not be negative, pageSize must be positive"})
        size = min(size, LARGEST_PAGE, call.most)
        rows, total = listed(call, pager, total, page * size, size)
        return rows, page, size, total

    def _envelope(self, call: Call, pager: Pager, total: int, empty_is_404: bool) -> dict[str, Any]:
        rows, page, size, total = self.page(call, pager, total)
        if not rows and empty_is_404:
            raise Refused(404, {"message": "Nothing found for this page"})
        return {
            "page": page,
            "pageSize": size,
            "totalItems": total,
            "totalPages": -(-total // size),
            "data": rows,
        }

    def _directory(self, resource: str, empty_is_404: bool = True) -> Handler:
        table = self.tables[resource]
        return lambda call: Reply(200, self._envelope(call, table.page, len(table), empty_is_404))

    def _company(self, _: Call) -> Reply:
        attributes = [
            {"id": key, "name": name, "type": "STRING", "category": "PERSON_BASIC_DATA"}
            for key, name in ATTRIBUTES.items()
        ]
        row = {"id": COMPANY, "name": "Alpenblick AG", "customAttributes": attributes}
        return Reply(200, {"links": [], "data": [row]})

    def _organizations(self, call: Call) -> Reply:
        table = self.tables["organizations"]
        rows, _ = listed(call, table.page, len(table))
        if not rows:
            return Reply(200, {"data": []})
        return Reply(200, {"data": [_tree(rows[0], rows[1:], rows[0]["id"])]})

    # Employees

    def _list_employees(self, call: Call) -> Reply:
        wanted = {name: call.query[name] for name in FILTERS if call.query.get(name)}
        if "startDate" in wanted:
            wanted["startDate"] = wanted["startDate"][:10]
        pager: Pager = self.employees.page
        total = len(self.employees)
        if wanted or "updatedAt" in call.query:
            rows = self._since(call.query.get("updatedAt"))
            for name, value in wanted.items():
                hits = self.employees.find(name, value) if rows is None else rows
                rows = [row for row in hits if row[name] == value]
            pager, total = pager_of(rows or []), len(rows or [])
        envelope = self._envelope(call, pager, total, True)
        envelope["data"] = [self._simple(row) for row in envelope["data"]]
        return Reply(200, envelope)

    def _since(self, text: str | None) -> list[Row] | None:
        if text is None:
            return None
        if not SINCE.fullmatch(text):
            raise Refused(400, {"message": "updatedAt: expected yyyy-MM-dd'T'HH:mm:ss.SSSZ"})
        since = datetime.fromisoformat(text)
        newer = []
        for key in reversed(self._recent):
            if self.employees[key]["updatedAt"] < since:
                break
            newer.append(key)
        return self.employees.in_order(newer)

    def _simple(self, row: Row) -> Row:
        department = self.tables["organizations"].get(row["departmentId"])
        return {
            **{name: row.get(name) for name in SIMPLE},
            "departmentName": department["name"] if department else None,
            "updatedAt": _stamp(row["updatedAt"]),
        }

    def employee(self, key: str) -> Row:
        """Raises Refused: 400 for what cannot be an id, 404 for an unknown one."""
        if not (key.startswith("_") and key.endswith("_") and len(key) > 2):
            raise Refused(400, {"message": "Invalid ID supplied"})
        row = self.employees.get(key)
        if row is None:
            raise Refused(404, {"message": "Employee not found"})
        return row

    def _get_employee(self, call: Call) -> Reply:
        row = self.employee(call.params["id"])
        call.ids["id"] = row["id"]
        return Reply(200, {name: value for name, value in row.items() if name != "updatedAt"})

    def _checked(self, body: Any, known: str | None) -> tuple[Row, list[Row]]:
        """The values of a body and what is wrong with it; ``known`` is the employee to be changed."""
        values, faults = heavenhr_values.read_employee(
            body,
            {
                "locationId": self.tables["locations"],
                "departmentId": self.tables["organizations"],
                "costCenterId": self.tables["cost_centers"],
            },
            ATTRIBUTES,
        )
        required = heavenhr_values.REQUIRED if known is None else [*values]
        for name in heavenhr_values.REQUIRED:
            if name in required and values.get(name) in (None, ""):
                faults.append({"field": name, "message": "must not be null"})
        number = values.get("employeeNumber")
        if number and any(
            row["id"] != known for row in self.employees.find("employeeNumber", number)
        ):
            faults.append({"field": "employeeNumber", "message": "must be unique"})
        return values, faults

    def _create_employee(self, call: Call) -> Reply:
        values, faults = self._checked(heavenhr_values.read_body(call), None)
        if faults:
            raise Refused(400, {"errors": faults, "employee": None})
        call.duplicate = any(
            (row["firstName"], row["lastName"]) == (values["firstName"], values["lastName"])
            for row in self.employees.find("email", values["email"])
        )
        row = self._keep_employee(values)
        call.ids["id"] = row["id"]
        return Reply(201, {"errors": [], "employee": {"id": row["id"], "email": row["email"]}})

    def _update_employee(self, call: Call) -> Reply:
        row = self.employee(call.params["id"])
        call.ids["id"] = row["id"]
        values, faults = self._checked(heavenhr_values.read_body(call), row["id"])
        if faults:
            text = "; ".join(f"{fault['field']} {fault['message']}" for fault in faults)
            raise Refused(400, {"message": text})
        self.change("employees", row, values)
        return Reply(204)

    def _keep_employee(self, values: Row, updated: datetime | None = None) -> Row:
        row = {
            "id": self.new_id(),
            **dict.fromkeys(heavenhr_values.FIELDS),
            "jobStatus": "CREATED_EXISTING",
            "sendOnboardingEmail": False,
            "customAttributes": heavenhr_values.attributes({}, ATTRIBUTES),
            **values,
            "updatedAt": updated or self._now(),
        }
        self.employees.add(row)
        self._recent[row["id"]] = None
        return row

    def _now(self) -> datetime:
        self._last = max(self._last, now())
        return self._last

    # The vendor's own screen

    def show(self, resource: str, row: Row) -> Row:
        return {**row, "updatedAt": _stamp(row["updatedAt"])} if resource == "employees" else row

    def keep(self, resource: str, values: Row) -> Row:
        if resource == "employees":
            return self._keep_employee(values)
        if resource == "time_trackings":
            return self.times.keep(values)
        if resource in self.company.tables:
            return self.company.keep(resource, values)
        state = {"status": "ACTIVE"} if resource in ("categories", "projects") else {}
        return self.tables[resource].add({"id": self.new_id(), **state, **values})

    def change(self, resource: str, row: Row, values: Row) -> None:
        table = self.tables[resource]
        if table.change(row[table.key], values) and resource == "employees":
            row["updatedAt"] = self._now()
            del self._recent[row["id"]]
            self._recent[row["id"]] = None

    def drop(self, resource: str, row: Row) -> None:
        super().drop(resource, row)
        if resource == "employees":
            del self._recent[row["id"]]
            for request in self.times.rows.find("employeeId", row["id"]):
                self.times.rows.remove(request["id"])

    def typed(self, resource: str, values: Row, row: Row | None) -> Row:
        if resource == "time_trackings":
            return self.times.typed(values, row)
        if "customAttributes" in values:
            named = {item["name"]: item.get("value") for item in values["customAttributes"]}
            values = {**values, "customAttributes": heavenhr_values.attributes(named, ATTRIBUTES)}
        return values

    # The beginning

    def _seed_company(self) -> None:
        root = {"name": "Alpenblick AG", "pathName": "Alpenblick AG", "headsOfUnit": None}
        self.keep("organizations", root)
        for name in DEPARTMENTS:
            known = {"id": DEPARTMENT} if name == "Sales" else {}
            path = f"Alpenblick AG/{name}"
            self.keep("organizations", {**root, "name": name, "pathName": path, **known})
        berlin = {"name": "Berlin Office", "city": "Berlin", "country": "Germany"}
        zurich = {"name": "Zürich Office", "city": "Zürich", "country": "Switzerland"}
        self.keep("locations", {"id": LOCATION, **berlin})
        self.keep("locations", zurich)
        sales = {"id": COST_CENTER, "number": "1359", "name": "Sales", "employeeCount": 0}
        self.keep("cost_centers", sales)
        for resource, names in (("categories", TASKS), ("projects", PROJECTS)):
            for name in names:
                self.keep(resource, {"name": name})

    def _seed_employee(self, person: Person, staff: Staff) -> None:
        places = [row["id"] for row in self.tables["locations"]]
        departments = {row["name"]: row["id"] for row in self.tables["organizations"]}
        size = None if person.place % 20 == 13 else person.size
        moment = datetime(staff.today.year, staff.today.month, staff.today.day, tzinfo=UTC)
        self._keep_employee(
            {
                "firstName": person.first,
                "lastName": person.last,
                "gender": ("FEMALE", "MALE")[person.salary // 1000 % 2],
                "email": person.private_email,
                "professionalEmail": person.work_email,
                "jobTitle": person.title,
                "employeeNumber": person.number,
                "jobStatus": "LEFT" if person.left else "HIRED",
                "employmentType": "EMPLOYEE",
                "fullTimeOrPartTime": "FULL_TIME",
                "permanentOrTemporary": "PERMANENT",
                "startDate": person.start.isoformat(),
                "endOfContract": str(staff.today - timedelta(days=10)) if person.left else None,
                "dateOfBirth": person.born.isoformat(),
                "nationality": "DE" if person.place % 3 else "CH",
                "locationId": places[person.place % len(places)],
                "departmentId": departments[person.department],
                "customAttributes": heavenhr_values.attributes({"Shirt size": size}, ATTRIBUTES),
                "contract": {**heavenhr_values.CONTRACT, "grossSalary": person.salary},
            },
            moment - timedelta(days=30) + timedelta(milliseconds=1500 * person.place),
        )


def _tree(row: Row, others: list[Row], top: str) -> Row:
    """A unit with those below it; ``above`` names the one that a unit is below, else it is below the top."""
    below = [other for other in others if other.get("above", top) == row["id"]]
    children = [_tree(child, [] if child["id"] == row["id"] else others, top) for child in below]
    shown = {name: value for name, value in row.items() if name != "above"}
    return {**shown, "children": children}


def _stamp(moment: datetime) -> str:
    """``2018-09-25T12:17:26.522``: UTC without saying so (docs/vendors.md, "HeavenHR: employees")."""
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds")
