"""weekly10: Directory API (users, departments), training API (packages, records); docs/vendors.md, "weekly10".

The Training Record page gives routes and fields; its sibling pages give token, users, departments and the
list envelope. The rest follows Django REST framework, on which the answers' shape points. Chosen here: a
page has 100 rows unless ``limit`` says otherwise; a package has ``api_id``, ``name``, ``description``;
deleting a user or a package deletes its records; several users may have one email, or none.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from urllib.parse import urlencode

from syncengine.sandbox.people import DEPARTMENTS, TRAININGS, Staff
from syncengine.sandbox.table import Row, Table
from syncengine.sandbox.vendor import (
    Call,
    Pager,
    Refused,
    Reply,
    Route,
    Vendor,
    listed,
    now,
    pager_of,
)
from syncengine.sandbox.weekly10_fields import ZONE, Field, clean

USERNAME, PASSWORD = "sandbox-api", "sandbox-password"
LIMIT = 100
PROPERTIES = ("Shirt size",)
PATHS = {
    "users": "/users",
    "departments": "/departments",
    "training_packages": "/training/package",
    "training_records": "/training/record",
}
MODELS = {
    "users": "User",
    "departments": "Department",
    "training_packages": "TrainingPackage",
    "training_records": "TrainingRecord",
}
SEARCHED = {
    "users": ("first_name", "last_name"),
    "departments": ("name",),
    "training_packages": ("name",),
    "training_records": ("package_desc",),
}


class Weekly10(Vendor):
    name = "weekly10"
    prefix = "/api/v1"
    slash = True

    def __init__(self, staff: Staff) -> None:
        self._random = staff.random("weekly10")
        self._token: str | None = None
        departments = tuple(_department(place) for place in range(1, 5))
        self.tables = {
            "users": Table("api_id", "email", "manager_api_id", *departments),
            "departments": Table("api_id"),
            "training_packages": Table("api_id"),
            "training_records": Table("api_id", "person_api_id", "package_api_id"),
        }
        self._fields = _fields(self.tables, departments)
        self._seed(staff)
        super().__init__()

    def routes(self) -> list[Route]:
        made = [Route("POST", "/obtainauthtoken", self._login, open=True, reads=True)]
        for resource, path in PATHS.items():
            one = f"{path}/{{api_id}}"
            made += [
                Route("GET", path, self._bound(self._list, resource)),
                Route("POST", path, self._bound(self._create, resource)),
                Route("GET", one, self._bound(self._get, resource)),
                Route("PUT", one, self._bound(self._update, resource)),
                Route("PATCH", one, self._bound(self._update, resource)),
                Route("DELETE", one, self._bound(self._delete, resource)),
            ]
        return made

    def _bound(
        self, handler: Callable[[str, Call], Reply], resource: str
    ) -> Callable[[Call], Reply]:
        return lambda call: handler(resource, call)

    def _login(self, call: Call) -> Reply:
        body = _body(call)
        lacking = {
            name: ["This field is required."]
            for name in ("username", "password")
            if not body.get(name)
        }
        if lacking:
            raise Refused(400, lacking)
        if (body["username"], body["password"]) != (USERNAME, PASSWORD):
            message = "Unable to log in with provided credentials."
            raise Refused(400, {"non_field_errors": [message]})
        self._token = self._token or self._random.randbytes(20).hex()
        return Reply(200, {"token": self._token})

    def authenticate(self, call: Call) -> None:
        if call.denied:
            self._token = None
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        if scheme not in ("Token", "Bearer"):
            said = {"detail": "Authentication credentials were not provided."}
            raise Refused(401, said, WWW_Authenticate="Token")
        if self._token is None or token != self._token:
            raise Refused(401, {"detail": "Invalid token."}, WWW_Authenticate="Token")

    def missing(self, method: str, path_known: bool) -> Reply:
        if path_known:
            return Reply(405, {"detail": f'Method "{method}" not allowed.'})
        return Reply(404, "<html><body><h1>Not Found</h1></body></html>", media="text/html")

    # Reading

    def _list(self, resource: str, call: Call) -> Reply:
        table = self.tables[resource]
        pager: Pager = table.page
        total = len(table)
        term = call.query.get("search", "").strip().lower()
        if term:
            names = SEARCHED[resource]
            hits = [
                row
                for row in table
                if any(term in (self.show(resource, row)[name] or "").lower() for name in names)
            ]
            pager, total = pager_of(hits), len(hits)
        limit = min(_positive(call.query.get("limit"), LIMIT) or LIMIT, call.most)
        offset = _positive(call.query.get("offset"), 0)
        rows, total = listed(call, pager, total, offset, limit)
        return Reply(
            200,
            {
                "count": total,
                "next": _link(call, offset + limit, limit) if offset + limit < total else None,
                "previous": _link(call, offset - limit, limit) if offset > 0 else None,
                "results": [self.show(resource, row) for row in rows],
            },
        )

    def show(self, resource: str, row: Row) -> Row:
        if resource != "training_records":
            return row
        shown = {
            name: _stamp(value) if isinstance(value, datetime) else value
            for name, value in row.items()
        }
        shown["package_desc"] = self.tables["training_packages"][row["package_api_id"]]["name"]
        return shown

    def _find(self, resource: str, call: Call) -> Row:
        row = self.tables[resource].get(call.params["api_id"])
        if row is None:
            raise Refused(404, {"detail": f"No {MODELS[resource]} matches the given query."})
        call.ids["id"] = row["api_id"]
        return row

    def _get(self, resource: str, call: Call) -> Reply:
        return Reply(200, self.show(resource, self._find(resource, call)))

    # Writing

    def _create(self, resource: str, call: Call) -> Reply:
        values = self._cleaned(resource, _body(call), None, partial=False)
        call.duplicate = self._stands(resource, values)
        row = self.keep(resource, values)
        call.ids["id"] = row["api_id"]
        return Reply(201, self.show(resource, row))

    def _update(self, resource: str, call: Call) -> Reply:
        row = self._find(resource, call)
        values = self._cleaned(resource, _body(call), row, partial=call.method == "PATCH")
        self.tables[resource].change(row["api_id"], values)
        return Reply(200, self.show(resource, row))

    def _delete(self, resource: str, call: Call) -> Reply:
        self.drop(resource, self._find(resource, call))
        return Reply(204)

    def _cleaned(self, resource: str, body: Row, row: Row | None, partial: bool) -> Row:
        values, faults = clean(self._fields[resource], body, partial)
        chosen = values.get("api_id")
        if chosen in self.tables[resource] and (row is None or chosen != row["api_id"]):
            name = MODELS[resource].replace("Training", "training ").lower()
            faults["api_id"] = [f"{name} with this api id already exists."]
        if faults:
            raise Refused(400, faults)
        return values

    def _stands(self, resource: str, values: Row) -> bool:
        if resource == "training_records":
            records = self.tables[resource].find("person_api_id", values["person_api_id"])
            return any(row["package_api_id"] == values["package_api_id"] for row in records)
        if resource == "users" and values.get("email"):
            named = (values["first_name"], values["last_name"])
            users = self.tables[resource].find("email", values["email"])
            return any((row["first_name"], row["last_name"]) == named for row in users)
        return False

    def keep(self, resource: str, values: Row) -> Row:
        row = {name: field.default() for name, field in self._fields[resource].items()}
        row |= values
        row["api_id"] = row["api_id"] or self._random.randbytes(16).hex()
        if resource == "training_records":
            row.setdefault("date_assigned", now())
        return self.tables[resource].add(row)

    def drop(self, resource: str, row: Row) -> None:
        key = row["api_id"]
        records, users = self.tables["training_records"], self.tables["users"]
        if resource in ("users", "training_packages"):
            field = "person_api_id" if resource == "users" else "package_api_id"
            for record in records.find(field, key):
                records.remove(record["api_id"])
        for field in _pointing_at(resource):
            for user in users.find(field, key):
                users.change(user["api_id"], {field: None})
        self.tables[resource].remove(key)

    def typed(self, resource: str, values: Row, row: Row | None) -> Row:
        return self._cleaned(resource, values, row, partial=row is not None)

    def _seed(self, staff: Staff) -> None:
        departments = {name: f"dep-{name.lower()}" for name in DEPARTMENTS}
        for name, key in departments.items():
            self.keep("departments", {"api_id": key, "name": name})
        for name in TRAININGS:
            key = name.lower().replace(" ", "-")
            self.keep("training_packages", {"api_id": key, "name": name})
        noon = datetime.combine(staff.today, time(12), UTC)
        for person in staff.people:
            if not person.in_weekly10:
                continue
            email = person.work_email
            user = self.keep(
                "users",
                {
                    "api_id": person.number or self._random.randbytes(16).hex(),
                    "first_name": person.first,
                    "last_name": person.last,
                    "email": email.title() if email and person.place % 2 == 0 else email,
                    "department_api_id": departments[person.department],
                    "properties": {"Shirt size": person.size},
                },
            )
            if person.place % 5 == 0:
                begun = noon - timedelta(days=20 + person.place % 40)
                done = person.place % 10 == 5
                record = {
                    "api_id": f"rec-{person.place + 1}",
                    "person_api_id": user["api_id"],
                    "package_api_id": ("soc-2-basics", "gdpr-basics-2026")[person.place % 3 > 0],
                    "date_assigned": begun,
                    "date_started": begun + timedelta(days=2) if done else None,
                    "date_completed": begun + timedelta(days=3) if done else None,
                }
                self.keep("training_records", record)


def _department(place: int) -> str:
    return "department_api_id" if place == 1 else f"department_{place}_api_id"


def _pointing_at(resource: str) -> tuple[str, ...]:
    """The fields of users that point at rows of ``resource``."""
    if resource == "users":
        return ("manager_api_id",)
    return tuple(_department(place) for place in range(1, 5)) if resource == "departments" else ()


def _fields(tables: dict[str, Table], departments: tuple[str, ...]) -> dict[str, dict[str, Field]]:
    key = Field("text")
    name = Field("text", required=True)
    department = Field("ref", table=tables["departments"])
    return {
        "users": {
            "api_id": key,
            "is_active": Field("flag", given=True),
            **dict.fromkeys(departments, department),
            "manager_api_id": Field("ref", table=tables["users"]),
            "first_name": name,
            "last_name": name,
            "email": Field("email"),
            "language": Field("choice", given="en_gb", choices=("en_gb", "en_US", "fr_FR", "nl_NL")),
            "follower_api_ids": Field("refs", table=tables["users"], given=()),
            "properties": Field("properties", given=(), choices=PROPERTIES),
        },
        "departments": {"api_id": key, "name": name},
        "training_packages": {
            "api_id": key, "name": name, "description": Field("text"),
        },
        "training_records": {
            "api_id": key,
            "person_api_id": Field("ref", required=True, table=tables["users"]),
            "package_api_id": Field("ref", required=True, table=tables["training_packages"]),
            "date_started": Field("datetime"),
            "date_completed": Field("datetime"),
        },
    }  # fmt: skip


def _body(call: Call) -> Row:
    kind = call.headers.get("content-type", "")
    if "json" not in kind:
        raise Refused(415, {"detail": f'Unsupported media type "{kind}" in request.'})
    try:
        body = call.parse()
    except ValueError as error:
        raise Refused(400, {"detail": f"JSON parse error - {error}"}) from error
    if not isinstance(body, dict):
        message = f"Invalid data. Expected a dictionary, but got {type(body).__name__}."
        raise Refused(400, {"non_field_errors": [message]})
    return body


def _positive(text: str | None, default: int) -> int:
    return int(text) if text and text.isdigit() else default


def _link(call: Call, offset: int, limit: int) -> str:
    """The address of a page; the first one carries no offset."""
    query = {**dict(call.query), "limit": str(limit)}
    query.pop("offset", None)
    if offset > 0:
        query["offset"] = str(offset)
    path = call.template.split("{")[0].rstrip("/")
    return f"{call.origin}{Weekly10.prefix}{path}/?{urlencode(sorted(query.items()))}"


def _stamp(moment: datetime) -> str:
    """In the zone of the server, as Django does: not as it was sent."""
    text = moment.astimezone(ZONE).isoformat()
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text
