"""hakuna API v1: users, tasks, projects, company, time entries (docs/vendors.md, "hakuna").

``user_id`` (query or body) acts for another user; the token belongs to an administrator, the first user.
Where the page is silent the sandbox chooses: validation and a closed month answer 422; an end before the
start is the next day and 24:00 is refused; entries may overlap.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from syncengine.sandbox.hakuna_absences import ORGANIZATION_TOKEN, Absences
from syncengine.sandbox.people import PROJECTS, TASKS, Staff
from syncengine.sandbox.table import Row, Table
from syncengine.sandbox.vendor import (
    Allowance,
    Call,
    Handler,
    Refused,
    Reply,
    Route,
    Vendor,
    is_date,
    listed,
    minutes_of,
    pager_of,
)

TOKEN = "sandbox-hakuna-token"
DAY = 24 * 60
NAMES = ("date", "start_time", "end_time", "task_id", "project_id", "note")
SAME = ("date", "start_time", "end_time", "task_id", "project_id")


class Hakuna(Vendor):
    name = "hakuna"
    prefix = "/api/v1"

    def __init__(self, staff: Staff, current: bool, calls: int) -> None:
        self._current = current
        self._allowance = Allowance(calls)
        self.closed_month = staff.closed_month
        self.users, self.tasks, self.projects = Table("id"), Table("id"), Table("id")
        self.entries = Table("id", "user_id")
        self.tables = {
            "users": self.users,
            "tasks": self.tasks,
            "projects": self.projects,
            "time_entries": self.entries,
        }
        self.absences = Absences(self)
        self.tables |= self.absences.tables
        self._made: dict[str, int] = {}
        self._seed(staff)
        super().__init__()

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/ping", self._ping),
            Route("GET", "/users", self._users),
            Route("GET", "/users/me", lambda _: Reply(200, self._user(self.users.page(0, 1)[0]))),
            Route("GET", "/tasks", self._list(self.tasks)),
            Route("GET", "/projects", self._list(self.projects)),
            Route("GET", "/company", self._company),
            Route("GET", "/time_entries", self._entries),
            Route("POST", "/time_entries", self._create),
            Route("GET", "/time_entries/{id}", self._get),
            Route("PATCH", "/time_entries/{id}", self._update),
            Route("DELETE", "/time_entries/{id}", self._delete),
            *self.absences.routes(),
        ]

    def decorate(self) -> Mapping[str, str]:
        if not self._current:
            return {}
        return {
            "X-RateLimit-Limit": str(self._allowance.calls),
            "X-RateLimit-Remaining": str(self._allowance.left),
            "X-RateLimit-Reset": str(self._allowance.wait),
        }

    def authenticate(self, call: Call) -> None:
        if not self._allowance.take():
            said = "You sent too many requests, please try again later."
            if self._current:
                said = "429 Rate limit exceeded (see `Retry-After` header)"
            raise Refused(429, {"error": said}, Retry_After=str(self._allowance.wait))
        if call.headers.get("x-auth-token") not in (TOKEN, ORGANIZATION_TOKEN) or call.denied:
            raise Refused(401, {"error": "Unauthorized"})

    def missing(self, method: str, path_known: bool) -> Reply:  # a Rails router knows no 405
        del method, path_known
        return Reply(404, {"error": "Not found"})

    # Reading

    def _ping(self, _: Call) -> Reply:
        moment = datetime.now(UTC).isoformat(timespec="milliseconds")
        return Reply(200, {"pong": moment})

    def _list(self, table: Table) -> Handler:
        return lambda call: Reply(200, listed(call, table.page, len(table))[0])

    def _users(self, call: Call) -> Reply:
        rows, _ = listed(call, self.users.page, len(self.users))
        return Reply(200, [self._user(row) for row in rows])

    def _user(self, row: Row) -> Row:
        if not self._current:
            return row
        return {**row, "groups": row["teams"], "teams": None, "status": "active"}

    def _company(self, _: Call) -> Reply:
        said = {
            "company_name": "Alpenblick AG",
            "duration_format": "decimal",
            "absence_requests_enabled": True,
            "projects_enabled": False,
            "teams_enabled": True,
        }
        return Reply(200, said | ({"groups_enabled": True} if self._current else {}))

    def _entries(self, call: Call) -> Reply:
        first, last = call.query.get("start_date"), call.query.get("end_date")
        if not is_date(first) or not is_date(last):
            raise _invalid("start_date and end_date must be dates")
        owner = self.owner(call, {})
        rows = [
            row
            for row in self.entries.find("user_id", owner)
            if str(first) <= row["date"] <= str(last)
        ]
        rows, _ = listed(call, pager_of(rows), len(rows))
        return Reply(200, [self.entry(row) for row in rows])

    def entry(self, row: Row) -> Row:
        """As the vendor shows it."""
        user, task = self._user(self.users[row["user_id"]]), self.tasks[row["task_id"]]
        start, end = _clock(row["start_time"]), _clock(row["end_time"])
        minutes = end - start + DAY * (end < start)
        shown = {name: row[name] for name in ("id", "date", "start_time", "end_time")}
        shown |= {
            "duration": f"{minutes // 60:02d}:{minutes % 60:02d}",
            "duration_in_seconds": minutes * 60,
            "note": row["note"],
            "user": {name: user[name] for name in user if name not in ("email", "status")},
            "task": {name: task[name] for name in ("id", "name", "archived")},
        }
        if row["project_id"] is not None:
            project = self.projects[row["project_id"]]
            shown["project"] = {name: project[name] for name in ("id", "name", "archived")}
        return shown

    def owner(self, call: Call, body: Row) -> int:
        """Who a call acts for. Raises Refused for a user whom the token cannot manage."""
        given = call.query.get("user_id", body.get("user_id"))
        if given in (None, ""):
            return int(self.users.page(0, 1)[0]["id"])
        if not str(given).isdigit() or int(given) not in self.users:
            raise Refused(403, {"error": "You cannot manage this user"})
        return int(given)

    def _find(self, call: Call, body: Row) -> Row:
        key = call.params["id"]
        row = self.entries.get(int(key)) if key.isdigit() else None
        names_owner = "user_id" in call.query or "user_id" in body
        if row is None or (names_owner and row["user_id"] != self.owner(call, body)):
            raise Refused(404, {"error": "Not found"})
        call.ids["id"] = key
        return row

    def _get(self, call: Call) -> Reply:
        return Reply(200, self.entry(self._find(call, {})))

    # Writing

    def body(self, call: Call) -> Row:
        """The body of a request, JSON or form. Raises Refused."""
        if "urlencoded" in call.headers.get("content-type", ""):
            return call.form()
        try:
            body = call.parse() if call.body else {}
        except ValueError as error:
            raise Refused(400, {"error": "The body is not JSON"}) from error
        if not isinstance(body, dict):
            raise Refused(400, {"error": "The body must be an object"})
        return body

    def _create(self, call: Call) -> Reply:
        body = self.body(call)
        owner = self.owner(call, body)
        values = self.values(body, {"note": "", "project_id": None})
        self._open(values["date"])
        call.duplicate = any(
            all(row[name] == values[name] for name in SAME)
            for row in self.entries.find("user_id", owner)
        )
        row = self.keep("time_entries", {**values, "user_id": owner})
        call.ids["id"] = str(row["id"])
        return Reply(201, self.entry(row))

    def _update(self, call: Call) -> Reply:
        body = self.body(call)
        row = self._find(call, body)
        values = self.values(body, row)
        self._open(row["date"])
        self._open(values["date"])
        self.entries.change(row["id"], values)
        return Reply(200, self.entry(row))

    def _delete(self, call: Call) -> Reply:
        row = self._find(call, {})
        self._open(row["date"])
        self.entries.remove(row["id"])
        return Reply(204)

    def _open(self, date: str) -> None:
        if date.startswith(self.closed_month):
            raise _invalid("The month is closed")

    def values(self, body: Row, before: Row) -> Row:
        """The checked values of an entry after ``body``. Raises Refused."""
        values: Row = {name: body.get(name, before.get(name)) for name in NAMES}
        for name in ("date", "start_time", "end_time", "task_id"):
            if values[name] in (None, ""):
                raise _invalid(f"{name} is missing")
        if not is_date(values["date"]):
            raise _invalid("date is invalid")
        for name in ("start_time", "end_time"):
            if minutes_of(values[name]) is None:
                raise _invalid(f"{name} is invalid")
            values[name] = values[name][:5]
        if values["start_time"] == values["end_time"]:
            raise _invalid("end_time must differ from start_time")
        values["task_id"] = _known(self.tasks, "task_id", values["task_id"])
        if values["project_id"] in (None, ""):
            values["project_id"] = None
        else:
            values["project_id"] = _known(self.projects, "project_id", values["project_id"])
        values["note"] = values["note"] or ""
        return values

    # The vendor's own screen

    def show(self, resource: str, row: Row) -> Row:
        shows = {"users": self._user, "time_entries": self.entry, "absences": self.absences.absence}
        return shows.get(resource, dict)(row)

    def drop(self, resource: str, row: Row) -> None:
        if resource == "users":
            for table in (self.entries, self.tables["absences"]):
                for owned in table.find("user_id", row["id"]):
                    table.remove(owned["id"])
        field = {"tasks": "task_id", "projects": "project_id"}.get(resource)
        if field and any(entry[field] == row["id"] for entry in self.entries):
            raise ValueError("time is booked here: archive it instead")
        super().drop(resource, row)

    def typed(self, resource: str, values: Row, row: Row | None) -> Row:
        if resource != "time_entries":
            return values
        owner = self.users[values.get("user_id", row["user_id"] if row else 1)]
        return {**self.values(values, row or {}), "user_id": owner["id"]}

    def mutate(self, resource: str, action: str, identifier: Any, values: Row) -> Row:
        return super().mutate(resource, action, int(identifier or 0), values)

    def keep(self, resource: str, values: Row) -> Row:
        if resource in self.absences.tables:
            return self.absences.keep(resource, values)
        self._made[resource] = self._made.get(resource, 0) + 1
        defaults: dict[str, Row] = {
            "users": {"name": "", "email": "", "teams": []},
            "tasks": {"name": "", "archived": False, "default": True},
            "projects": {
                "name": "", "archived": False, "teams": None, "client": "Alpenblick AG", "tasks": [],
                "budget": None, "budget_in_seconds": None, "budget_is_monthly": False,
            },
        }  # fmt: skip
        row = {"id": self._made[resource], **defaults.get(resource, {}), **values}
        return self.tables[resource].add(row)

    def _seed(self, staff: Staff) -> None:
        tasks = [self.keep("tasks", {"name": name}) for name in TASKS]
        for name in PROJECTS:
            self.keep("projects", {"name": name, "tasks": [dict(task) for task in tasks]})
        self.absences.seed(staff)
        random = staff.random("hakuna")
        for person in staff.people:
            address = person.address
            user = self.keep(
                "users",
                {
                    "name": f"{person.first} {person.last}",
                    "email": address.capitalize() if person.place % 2 else address,
                    "teams": [person.department],
                },
            )
            if person.place % 10 or person.work_email is None:
                continue
            for back in random.sample(range(2, 30), 3):
                day = (staff.today - timedelta(days=back)).isoformat()
                entry = {
                    "date": day,
                    "start_time": random.choice(("08:00", "08:30", "09:15")),
                    "end_time": random.choice(("16:45", "17:30", "18:00")),
                    "task_id": random.randint(1, len(TASKS)),
                    "project_id": random.choice((None, 1, 2, 3)),
                    "note": random.choice(("", "Vor Ort beim Kunden", "Jour fixe")),
                    "user_id": user["id"],
                }
                if not day.startswith(staff.closed_month):
                    self.keep("time_entries", entry)


def _invalid(message: str) -> Refused:
    return Refused(422, {"status": 422, "message": message})


def _known(table: Table, name: str, given: Any) -> int:
    """An id, also as a text ("3"), of a row that is not archived. Raises Refused."""
    row = table.get(int(given)) if str(given).isdigit() else None
    if row is None or row["archived"]:
        raise _invalid(f"{name} is invalid")
    return int(row["id"])


def _clock(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])
