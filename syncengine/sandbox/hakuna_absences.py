"""hakuna beside its time entries: timers, overviews, absences, who is here (docs/vendors.md, "hakuna: timers and
absences")."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from syncengine.sandbox.people import Staff
from syncengine.sandbox.table import Row, Table
from syncengine.sandbox.vendor import Call, Refused, Reply, Route, listed, minutes_of, pager_of

ORGANIZATION_TOKEN = "sandbox-hakuna-organization"
ZONE = ZoneInfo("Europe/Zurich")
TYPES = (("Ferien", True, True), ("Krankheit", True, False), ("Kompensation", False, False))


class Entries(Protocol):
    """What timers need of time entries: a timer that is stopped becomes one."""

    users: Table

    def owner(self, call: Call, body: Row) -> int:
        """Who a call acts for. Raises Refused."""

    def body(self, call: Call) -> Row:
        """The body of a request. Raises Refused."""

    def entry(self, row: Row) -> Row:
        """As the vendor shows it."""

    def values(self, body: Row, before: Row) -> Row:
        """The checked values of an entry. Raises Refused."""

    def keep(self, resource: str, values: Row) -> Row:
        """A new row."""


class Absences:
    """Timers and absences of all users. ``timers`` is keyed by the user."""

    def __init__(self, vendor: Entries) -> None:
        self._vendor = vendor
        self.tables = {
            "timers": Table("user_id"),
            "absences": Table("id", "user_id"),
            "absence_types": Table("id"),
        }

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/overview", self._overview),
            Route("GET", "/timer", self._timer),
            Route("POST", "/timer", self._start),
            Route("PUT", "/timer", self._stop),
            Route("DELETE", "/timer", self._cancel),
            Route("GET", "/absences", self._absences),
            Route("GET", "/absence_types", self._types),
            Route("GET", "/organization/status", self._status),
        ]

    # Timer

    def _timer(self, call: Call) -> Reply:
        row = self.tables["timers"].get(self._vendor.owner(call, {}))
        return Reply(200, _NO_TIMER if row is None else self._shown(row))

    def _shown(self, row: Row) -> Row:
        started = datetime.fromisoformat(f"{row['date']}T{row['start_time']}").replace(tzinfo=ZONE)
        seconds = max(0, int((datetime.now(ZONE) - started).total_seconds()))
        entry = {**row, "id": 0, "end_time": row["start_time"]}
        named = {
            n: v for n, v in self._vendor.entry(entry).items() if n in ("user", "task", "project")
        }
        return {
            "date": row["date"],
            "start_time": row["start_time"],
            "duration": f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}",
            "duration_in_seconds": seconds,
            "note": row["note"],
            **named,
        }

    def _start(self, call: Call) -> Reply:
        body = self._vendor.body(call)
        owner, now = self._vendor.owner(call, body), datetime.now(ZONE)
        if owner in self.tables["timers"]:
            raise Refused(422, {"status": 422, "message": "Timer already running"})
        start = body.get("start_time") or f"{now:%H:%M}"
        end = "23:59" if start != "23:59" else "00:00"
        checked = {**body, "date": str(now.date()), "start_time": start, "end_time": end}
        values = self._vendor.values(checked, {"note": "", "project_id": None})
        values = {name: value for name, value in values.items() if name != "end_time"}
        call.ids["id"] = str(owner)
        return Reply(201, self._shown(self.tables["timers"].add({**values, "user_id": owner})))

    def _running(self, owner: int) -> Row:
        row = self.tables["timers"].get(owner)
        if row is None:
            raise Refused(422, {"error": "Timer not running"})
        return row

    def _stop(self, call: Call) -> Reply:
        body = self._vendor.body(call)
        row = self._running(self._vendor.owner(call, body))
        end = body.get("end_time") or f"{datetime.now(ZONE):%H:%M}"
        if minutes_of(end) is None:
            raise Refused(422, {"status": 422, "message": "end_time is invalid"})
        self.tables["timers"].remove(row["user_id"])
        entry = self._vendor.keep("time_entries", {**row, "end_time": end[:5]})
        call.ids["id"] = str(entry["id"])
        return Reply(200, self._vendor.entry(entry))

    def _cancel(self, call: Call) -> Reply:
        row = self._running(self._vendor.owner(call, {}))
        self.tables["timers"].remove(row["user_id"])
        return Reply(205)

    # Absences

    def _overview(self, call: Call) -> Reply:
        owner = self._vendor.owner(call, {})
        minutes = 37 * owner % 4000
        return Reply(
            200,
            {
                "overtime": f"{minutes // 60}:{minutes % 60:02d}",
                "overtime_in_seconds": minutes * 60,
                "vacation": {"redeemed_days": owner % 20 + 0.5, "remaining_days": 25 - owner % 20},
            },
        )

    def _absences(self, call: Call) -> Reply:
        year = call.query.get("year", "")
        if not (year.isdigit() and len(year) == 4):
            raise Refused(422, {"status": 422, "message": "year is missing"})
        rows = [
            row
            for row in self.tables["absences"].find("user_id", self._vendor.owner(call, {}))
            if row["start_date"][:4] <= year <= row["end_date"][:4]
        ]
        rows, _ = listed(call, pager_of(rows), len(rows))
        return Reply(200, [self.absence(row) for row in rows])

    def absence(self, row: Row) -> Row:
        """As the vendor shows it."""
        user = self._vendor.users[row["user_id"]]
        kind = self.tables["absence_types"][row["absence_type_id"]]
        shown = {n: v for n, v in row.items() if n not in ("user_id", "absence_type_id")}
        named = {name: user[name] for name in ("id", "name", "teams")}
        return {**shown, "user": named, "absence_type": kind}

    def _types(self, call: Call) -> Reply:
        table = self.tables["absence_types"]
        return Reply(200, listed(call, table.page, len(table))[0])

    def _status(self, call: Call) -> Reply:
        if call.headers.get("x-auth-token") != ORGANIZATION_TOKEN:
            raise Refused(403, {"error": "This needs a token of the organization"})
        today = str(datetime.now(ZONE).date())
        rows = []
        for user in self._vendor.users:
            away = [
                a
                for a in self.tables["absences"].find("user_id", user["id"])
                if a["start_date"] <= today <= a["end_date"] and not a["is_recurring"]
            ]
            rows.append(
                {
                    "user": {name: user[name] for name in ("id", "name", "teams")},
                    "absent_first_half_day": any(a["first_half_day"] for a in away),
                    "absent_second_half_day": any(a["second_half_day"] for a in away),
                    "has_timer_running": user["id"] in self.tables["timers"],
                }
            )
        return Reply(200, listed(call, pager_of(rows), len(rows))[0])

    def keep(self, resource: str, values: Row) -> Row:
        """A row with what the vendor adds."""
        if resource == "timers":
            return self.tables["timers"].add({"note": "", "project_id": None, **values})
        table = self.tables[resource]
        known = _ABSENCE if resource == "absences" else {"archived": False}
        return table.add({"id": len(table) + 1, **known, **values})

    def seed(self, staff: Staff) -> None:
        """Holidays as HeavenHR knows them for some, others that it does not, and a weekly half day."""
        for name, grants, vacation in TYPES:
            self.keep(
                "absence_types", {"name": name, "grants_work_time": grants, "is_vacation": vacation}
            )
        for person in staff.people:
            first = staff.today - timedelta(days=12 + person.place % 7)
            week = {"start_date": str(first), "end_date": str(first + timedelta(days=4))}
            if person.place % 5 == 0:
                kind = 3 if person.place % 100 == 60 else 1
                self.keep(
                    "absences", {**week, "user_id": person.place + 1, "absence_type_id": kind}
                )
            elif person.place % 5 == 2:
                half = {"is_recurring": True, "weekly_repeat_interval": 1, "second_half_day": False}
                weeks = {"start_date": str(first), "end_date": str(first + timedelta(days=21))}
                self.keep(
                    "absences", {**weeks, **half, "user_id": person.place + 1, "absence_type_id": 3}
                )


_NO_TIMER = {
    "date": None, "start_time": None, "duration": "00:00", "duration_in_seconds": 0, "note": None,
    "user": None, "task": None,
}  # fmt: skip
_ABSENCE = {
    "first_half_day": True, "second_half_day": True, "is_recurring": False,
    "weekly_repeat_interval": None,
}  # fmt: skip
