"""Haekka public API: employees, trainings, employee trainings (docs/vendors.md, "Haekka").

The page names routes and the two fields of the PATCH only. Chosen here: bare lists, the rows' other
fields, ``completion_rate`` 100 alone does not complete a training, errors are ``{"error": ...}``.
"""

from __future__ import annotations

from syncengine.sandbox.people import TRAININGS, Staff
from syncengine.sandbox.table import Row, Table
from syncengine.sandbox.vendor import Call, Handler, Refused, Reply, Route, Vendor, listed, pager_of

KEY = "sandbox-haekka-key"
DEFAULTS: dict[str, Row] = {
    "employees": {
        "email": None, "first_name": "", "last_name": "", "slack_user_id": None, "active": True,
    },
    "trainings": {"name": "", "description": ""},
    "employee_trainings": {
        "employee_id": None, "training_id": None, "completion_status": False, "completion_rate": 0,
    },
}  # fmt: skip


class Haekka(Vendor):
    name = "haekka"
    prefix = "/api/public"

    def __init__(self, staff: Staff) -> None:
        self.tables = {
            "employees": Table("id", "active"),
            "trainings": Table("id"),
            "employee_trainings": Table("id", "employee_id"),
            "alerts": Table("id"),
        }
        self._made = dict.fromkeys(self.tables, 0)
        self._seed(staff)
        super().__init__()

    def routes(self) -> list[Route]:
        one = "employee_trainings/{employee_training_id}"
        return [
            Route("GET", "/employees", self._list_employees),
            Route("GET", "/employees/{employee_id}", self._get("employees")),
            Route("GET", "/trainings", self._list("trainings")),
            Route("GET", "/trainings/{training_id}", self._get("trainings")),
            Route("POST", "/trainings/assign", self._assign),
            Route("GET", "/employee_trainings", self._list("employee_trainings")),
            Route("GET", f"/{one}", self._get("employee_trainings")),
            Route("PATCH", f"/{one}", self._update),
        ]

    def authenticate(self, call: Call) -> None:
        if call.headers.get("authorization") != f"Bearer {KEY}" or call.denied:
            raise Refused(401, {"error": "Unauthorized"})

    def missing(self, method: str, path_known: bool) -> Reply:
        if path_known:
            return Reply(405, {"error": f"{method} is not allowed"})
        return Reply(404, {"error": "Not found"})

    def _list_employees(self, call: Call) -> Reply:
        active = self.tables["employees"].find("active", True)
        return Reply(200, listed(call, pager_of(active), len(active))[0])

    def _list(self, resource: str) -> Handler:
        table = self.tables[resource]
        return lambda call: Reply(200, listed(call, table.page, len(table))[0])

    def _get(self, resource: str) -> Handler:
        return lambda call: Reply(200, self._find(resource, call))

    def _find(self, resource: str, call: Call) -> Row:
        (key,) = call.params.values()
        row = self.tables[resource].get(key)
        if row is None:
            raise Refused(404, {"error": "Not found"})
        call.ids["id"] = key
        return row

    def _update(self, call: Call) -> Reply:
        row = self._find("employee_trainings", call)
        try:
            body = call.parse()
        except ValueError as error:
            raise Refused(400, {"error": "The body is not JSON"}) from error
        names = ("completion_status", "completion_rate")
        if not isinstance(body, dict) or not any(name in body for name in names):
            raise Refused(400, {"error": "Expected completion_status or completion_rate"})
        values = {name: body[name] for name in names if name in body}
        if not isinstance(values.get("completion_status", False), bool):
            raise Refused(400, {"error": "completion_status must be true or false"})
        rate = values.get("completion_rate", 0)
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 100:
            raise Refused(400, {"error": "completion_rate must be a number from 0 to 100"})
        if values.get("completion_status"):
            values["completion_rate"] = 100
        self.tables["employee_trainings"].change(row["id"], values)
        return Reply(200, row)

    def _assign(self, call: Call) -> Reply:
        """Everybody who is named gets the training and, unless told otherwise, an alert; who has it, too."""
        try:
            body = call.parse()
            training, employees = body["training_id"], list(body["employee_ids"])
        except (ValueError, KeyError, TypeError) as error:
            raise Refused(400, {"error": "Expected training_id and employee_ids"}) from error
        known = self.tables["employees"]
        if training not in self.tables["trainings"] or not all(e in known for e in employees):
            raise Refused(404, {"error": "Not found"})
        records = self.tables["employee_trainings"]
        for employee in employees:
            if body.get("alert_employees", True):
                alert = {"training_id": training, "employee_id": employee}
                self.tables["alerts"].add({"id": len(self.tables["alerts"]) + 1, **alert})
            held = records.find("employee_id", employee)
            if any(row["training_id"] == training for row in held):
                call.duplicate = True
            else:
                self.keep("employee_trainings", {"employee_id": employee, "training_id": training})
        return Reply(200, {"assigned": len(employees)})

    def keep(self, resource: str, values: Row) -> Row:
        short = {"employees": "emp", "trainings": "trn", "employee_trainings": "etr"}[resource]
        self._made[resource] += 1
        row = {"id": f"{short}_{self._made[resource]}", **DEFAULTS[resource], **values}
        return self.tables[resource].add(row)

    def _seed(self, staff: Staff) -> None:
        for name in TRAININGS:
            self.keep("trainings", {"name": name, "description": f"{name}, in Slack"})
        for person in staff.people:
            address = person.address
            employee = self.keep(
                "employees",
                {
                    "email": address.title() if person.place % 3 == 1 else address,
                    "first_name": person.first,
                    "last_name": person.last,
                    "slack_user_id": f"U{person.place + 1:06d}",
                    "active": not person.left,
                },
            )
            if person.place % 3 == 0 and person.work_email:
                done = person.place % 2 == 0
                assigned = {"employee_id": employee["id"], "training_id": "trn_1"}
                progress = {"completion_status": done, "completion_rate": 100 if done else 40}
                self.keep("employee_trainings", assigned | progress)
