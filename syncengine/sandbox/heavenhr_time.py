"""HeavenHR time tracking requests and projects (docs/vendors.md, "HeavenHR: time tracking").

Where the page is silent the sandbox chooses: a request without a status is EDITABLE; an approved request
can no longer be changed; the answers of both PATCH routes have no body; ``meta.count`` is the number of
rows on the page.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from syncengine.sandbox.heavenhr_values import Employees, read_body
from syncengine.sandbox.table import Row, Table
from syncengine.sandbox.vendor import (
    Call,
    Refused,
    Reply,
    Route,
    is_date,
    listed,
    minutes_of,
    pager_of,
)

DAY = 24 * 60
MOVES = {
    "EDITABLE": {"REQUESTED"},
    "REQUESTED": {"APPROVED", "REJECTED"},
    "REJECTED": {"REQUESTED"},
    "APPROVED": set[str](),
}
SAME = ("requestDate", "startTime", "endTime", "projectId")


class TimeTracking:
    """The time tracking requests of all employees."""

    def __init__(self, vendor: Employees) -> None:
        self._vendor = vendor
        self.rows = Table("id", "employeeId")

    def routes(self) -> list[Route]:
        base = "/employees/{employee_id}/timetracking"
        return [
            Route("GET", base, self._list),
            Route("POST", base, self._create),
            Route("GET", f"{base}/projects", self._projects),
            Route("GET", f"{base}/{{id}}", self._get),
            Route("PATCH", f"{base}/{{id}}", self._update),
            Route("PATCH", f"{base}/{{id}}/{{status}}", self._move),
        ]

    def _list(self, call: Call) -> Reply:
        owner = self._vendor.employee(call.params["employee_id"])
        wanted = [
            (name, call.query[name]) for name in ("status", "requestDate") if call.query.get(name)
        ]
        rows = [
            row
            for row in self.rows.find("employeeId", owner["id"])
            if all(row[name] == value for name, value in wanted)
        ]
        rows, page, size, _ = self._vendor.page(call, pager_of(rows), len(rows))
        if not rows:
            raise Refused(404, {"message": "No time tracking requests found"})
        meta = {"page": page, "pageSize": size, "count": len(rows)}
        return Reply(200, {"links": [], "data": rows, "meta": meta})

    def _projects(self, call: Call) -> Reply:
        self._vendor.employee(call.params["employee_id"])
        projects = self._vendor.tables["projects"]
        rows, total = listed(call, projects.page, len(projects))
        meta = {"page": 0, "pageSize": total, "count": len(rows)}
        return Reply(200, {"links": [], "data": rows, "meta": meta})

    def _find(self, call: Call) -> Row:
        owner = self._vendor.employee(call.params["employee_id"])
        row = self.rows.get(call.params["id"])
        if row is None or row["employeeId"] != owner["id"]:
            raise Refused(404, {"message": "Time tracking request not found"})
        call.ids["id"] = row["id"]
        return row

    def _get(self, call: Call) -> Reply:
        return Reply(200, self._find(call))

    def _create(self, call: Call) -> Reply:
        owner = self._vendor.employee(call.params["employee_id"])
        body = read_body(call)
        for name in ("startDate", "endDate", "startTime", "endTime"):
            if not body.get(name):
                raise Refused(400, {"message": f"{name} must not be null"})
        status = body.get("status") or "EDITABLE"
        if status not in ("EDITABLE", "REQUESTED"):
            raise Refused(400, {"message": "status must be EDITABLE or REQUESTED"})
        values = self._values(body, {"breakTimeInMinutes": 0, "comment": "", "projectId": None})
        call.duplicate = any(
            row["status"] != "REJECTED" and all(row[name] == values[name] for name in SAME)
            for row in self.rows.find("employeeId", owner["id"])
        )
        row = self.keep({**values, "employeeId": owner["id"], "status": status})
        call.ids["id"] = row["id"]
        return Reply(201, {"timeTracking": row})

    def keep(self, values: Row) -> Row:
        names = (
            "id", "employeeId", "projectId", "requestDate", "startTime", "endTime",
            "totalTimeInMinutes", "breakTimeInMinutes", "comment", "status",
        )  # fmt: skip
        row: Row = {**dict.fromkeys(names), "categories": [], **values, "id": self._vendor.new_id()}
        return self.rows.add(row)

    def _update(self, call: Call) -> Reply:
        row = self._find(call)
        body = read_body(call)
        if row["status"] == "APPROVED":
            raise Refused(400, {"message": "An approved request cannot be changed"})
        values = self._values(body, row)
        if body.get("status"):
            values["status"] = _moved(row["status"], body["status"])
        self.rows.change(row["id"], values)
        return Reply(200)

    def _move(self, call: Call) -> Reply:
        row = self._find(call)
        target = call.params["status"]
        if target not in ("REQUESTED", "APPROVED", "REJECTED"):
            raise Refused(400, {"message": "status must be REQUESTED, APPROVED or REJECTED"})
        self.rows.change(row["id"], {"status": _moved(row["status"], target)})
        return Reply(200)

    def _values(self, body: Row, before: Row) -> Row:
        """The row's values after ``body`` (names of requests, of the schema and of the example)."""
        values: Row = {
            name: body.get(name, before.get(name))
            for name in ("startTime", "endTime", "comment", "projectId", "categories")
        }
        values["requestDate"] = body.get("startDate", before.get("requestDate"))
        pause = body.get("breakTimeInMinutes", body.get("breakTime"))
        values["breakTimeInMinutes"] = _minutes(pause, before["breakTimeInMinutes"])
        values["comment"] = values["comment"] or ""
        project = values["projectId"] = values["projectId"] or None
        if project is not None and project not in self._vendor.tables["projects"]:
            raise Refused(400, {"message": "projectId is unknown"})
        values["categories"] = self._categories(values["categories"] or [])
        start, end = minutes_of(values["startTime"]), minutes_of(values["endTime"], midnight=True)
        if start is None or end is None:
            raise Refused(400, {"message": "startTime and endTime must be HH:mm"})
        overnight = end <= start
        _check_dates(values["requestDate"], body.get("endDate"), overnight)
        length = end - start + DAY * overnight
        values["totalTimeInMinutes"] = length - values["breakTimeInMinutes"]
        if values["totalTimeInMinutes"] < 0:
            raise Refused(400, {"message": "The break is longer than the time"})
        return values

    def _categories(self, given: Any) -> list[Row]:
        """Ids in, objects out."""
        found = []
        for item in given if isinstance(given, list) else [given]:
            key = item["id"] if isinstance(item, dict) else item
            if key not in self._vendor.tables["categories"]:
                raise Refused(400, {"message": "categories: unknown id"})
            found.append(self._vendor.tables["categories"][key])
        return found

    def typed(self, values: Row, row: Row | None) -> Row:
        """A person's own change on the screen, where every status can be set."""
        body = {"status": "REQUESTED", **values} if row is None else dict(values)
        if row is None:
            body["employeeId"] = self._vendor.employees[values.get("employeeId")]["id"]
        if "requestDate" in values:
            body["startDate"] = values["requestDate"]
        checked = self._values(body, row or {"breakTimeInMinutes": 0})
        checked |= {name: body[name] for name in ("status", "employeeId") if name in body}
        return checked


def _moved(status: str, target: str) -> str:
    if target != status and target not in MOVES[status]:
        raise Refused(400, {"message": f"A request cannot go from {status} to {target}"})
    return target


def _minutes(given: Any, before: int) -> int:
    if given is None or given == "":
        return before
    try:
        minutes = int(given)
    except (TypeError, ValueError) as error:
        raise Refused(400, {"message": "breakTimeInMinutes must be a number of minutes"}) from error
    if minutes < 0:
        raise Refused(400, {"message": "breakTimeInMinutes must not be negative"})
    return minutes


def _check_dates(first: Any, last: Any, overnight: bool) -> None:
    if not is_date(first):
        raise Refused(400, {"message": "startDate must be yyyy-MM-dd"})
    if last is None:
        return
    expected = date.fromisoformat(first) + timedelta(days=overnight)
    if last != expected.isoformat():
        raise Refused(400, {"message": "endDate must be the day on which the time ends"})
