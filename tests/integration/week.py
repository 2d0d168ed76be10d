"""Five days of a company: what is done in its vendors, and what they hold each evening."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from typing import Any
from zoneinfo import ZoneInfo

from syncengine.flows.core.engine import Engine
from syncengine.flows.run.sync import sync
from syncengine.flows.views.explain import explain
from syncengine.sandbox.process import Row, SandboxProcess

ZONE = ZoneInfo("Europe/Berlin")


SHOWN = {
    "heavenhr": ("employees", "organizations", "time_trackings", "projects", "categories"),
    "hakuna": ("time_entries", "tasks", "projects"),
    "haekka": ("employees", "employee_trainings", "alerts", "trainings"),
    "weekly10": ("users", "departments", "training_records"),
}


ASSIGNING = (
    "    create: in                    # Haekka",
    "    create: both                  # Haekka",
)


FOR_FINANCE = """
  - name: finance-only
    for:
      person: "person.active && person.department.name == 'Finance'"
      training: "training.name == 'Phishing awareness'"
    ensure: training_record
    with: {person: person, training: training}
"""


MANDATORY = ["GDPR basics 2026", "SOC 2 basics"]


DOMAIN = "alpenblick.example"


LONG_AGO = "2026-01-05T09:00:00Z"


SAME, OTHER_KIND, ONLY_HEAVENHR, HALF, WITHDRAWN, ILL_INSTEAD, REACHING_IN = (
    20, 30, 40, 50, 60, 70, -70,
)  # fmt: skip
"""Absences, by the days from the first evening to their beginning."""


class Calendar:
    """Real time plus whatever was waited for or skipped."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        return time.time() + self.ahead

    def sleep(self, seconds: float) -> None:
        self.ahead += seconds

    def midnight(self) -> None:
        """A minute past the next one."""
        today = datetime.fromtimestamp(self.now(), ZONE).date()
        after = datetime.combine(today + timedelta(days=1), clock_time(0, 1), ZONE)
        self.ahead += after.timestamp() - self.now()


@dataclass
class Evening:
    """What the vendors hold after a pass, what it said, and how often they were written to. ``absences``: first
    day -> what ``explain`` shows of it."""

    shown: dict[tuple[str, str], list[Row]]
    document: dict[str, Any]
    writes: int
    absences: dict[str, dict[str, Any]]

    def rows(self, vendor: str, resource: str, **wanted: Any) -> list[Row]:
        found = self.shown[vendor, resource]
        return [r for r in found if all(r.get(name) == value for name, value in wanted.items())]

    def one(self, vendor: str, resource: str, **wanted: Any) -> Row:
        found = self.rows(vendor, resource, **wanted)
        assert len(found) == 1, (vendor, resource, wanted, len(found))
        return found[0]

    def user(self, number: int) -> Row:
        """The weekly10 account of an employee number."""
        return self.one("weekly10", "users", api_id=str(number))

    def employee(self, number: int) -> Row:
        return self.one("heavenhr", "employees", employeeNumber=str(number))

    def learner(self, number: int) -> str:
        """The Haekka id of somebody, who has one address everywhere."""
        address = str(self.employee(number)["professionalEmail"]).casefold()
        learners = self.shown["haekka", "employees"]
        (found,) = (row["id"] for row in learners if row["email"].casefold() == address)
        return str(found)

    def courses(self, number: int) -> list[str]:
        """What somebody is to learn in Haekka, by name."""
        names = {row["id"]: row["name"] for row in self.shown["haekka", "trainings"]}
        rows = self.rows("haekka", "employee_trainings", employee_id=self.learner(number))
        return sorted(names[row["training_id"]] for row in rows)

    def assignment(self, number: int, course: str) -> Row:
        keys = {"employee_id": self.learner(number), "training_id": course}
        return self.one("haekka", "employee_trainings", **keys)

    def record(self, number: int, package: str) -> Row:
        keys = {"person_api_id": str(number), "package_api_id": package}
        return self.one("weekly10", "training_records", **keys)


@dataclass
class Company:
    """The vendors, an engine on them, and its evenings in order."""

    sandbox: SandboxProcess
    engine: Engine
    calendar: Calendar
    evenings: list[Evening] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.born = date.fromisoformat(self.engine.today)
        self.staff = self.sandbox.state("heavenhr", "employees")

    def day(self, offset: int) -> str:
        """Days from the first evening."""
        return str(self.born + timedelta(days=offset))

    def change(self, vendor: str, resource: str, identifier: Any, **values: Any) -> Row:
        return self.sandbox.mutate(vendor, resource, "update", identifier, values)

    def make(self, vendor: str, resource: str, **values: Any) -> Row:
        return self.sandbox.mutate(vendor, resource, "create", values=values)

    def hire(self, name: str, number: int, **values: Any) -> None:
        """HR enters somebody, who joins hakuna and Haekka at once."""
        first, last = name.split()
        email = f"{first}.{last}@{DOMAIN}".lower()
        self.make("hakuna", "users", name=name, email=email)
        self.make("haekka", "employees", email=email.title(), first_name=first, last_name=last)
        about = {"firstName": first, "lastName": last, "email": f"{first}@post.example".lower()}
        about |= {"professionalEmail": email, "employeeNumber": str(number), "jobStatus": "HIRED"}
        self.make("heavenhr", "employees", **about, **values)

    def book(self, place: int, start: str, end: str, **values: Any) -> None:
        """Somebody books the hours of the day before in hakuna."""
        entry = {"user_id": place + 1, "date": self.day(-1), "start_time": start, "end_time": end}
        self.make("hakuna", "time_entries", **entry, **{"task_id": 1, **values})

    def away(self, place: int, first: int, days: int, kind: str, **values: Any) -> Row:
        """HeavenHR approves an absence."""
        who = self.staff[place]
        about = {name: who[name] for name in ("firstName", "lastName", "departmentId")}
        about |= {"startDate": self.day(first), "endDate": self.day(first + days - 1)}
        about |= {"employeeId": who["id"], "absenceType": kind, "status": "APPROVED"}
        return self.make("heavenhr", "absences", **about, **{"numberOfDays": days, **values})

    def absent(self, place: int, first: int, days: int, kind: int, **values: Any) -> Row:
        """hakuna has an absence. ``kind``: 1 Ferien, 2 Krankheit."""
        when = {"start_date": self.day(first), "end_date": self.day(first + days - 1)}
        who = {"user_id": place + 1, "absence_type_id": kind}
        return self.make("hakuna", "absences", **who, **when, **values)

    def sync(self, **how: Any) -> None:
        def writes() -> int:
            return sum(count["writes"] for count in self.sandbox.counters().values())

        before, document = writes(), sync(self.engine, **how)
        shown = {
            (vendor, resource): self.sandbox.state(vendor, resource)
            for vendor, resources in SHOWN.items()
            for resource in resources
        }
        self.evenings.append(Evening(shown, document, writes() - before, dict(self.absences())))

    def absences(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Those that are far from all others, first day by first day."""
        with self.engine.ledger.read() as tx:
            known = tx.records_of("absence")
        for far in (SAME, OTHER_KIND, ONLY_HEAVENHR, HALF, WITHDRAWN, ILL_INSTEAD, REACHING_IN):
            found = [record for record in known if record.values["first_day"] == self.day(far)]
            assert len(found) < 2, f"{len(found)} records of what begins in {far} days"
            for record in found:
                told = explain(self.engine, record.id)["fields"]
                yield self.day(far), {f["field"]: f["value"] for f in told}


def first_day(company: Company) -> None:
    """Everything is new; 1015 has the last day, and Stella starts tomorrow."""
    company.change("heavenhr", "employees", company.staff[14]["id"], endOfContract=company.day(0))
    company.hire("Stella Start", 7001, startDate=company.day(1))
    company.absent(13, REACHING_IN, 30, 1)
    company.sync()


def second_day(company: Company) -> None:
    """Most of what people do in a company, all at once; 1016 leaves when the first write is done."""
    known, staff = company.evenings[-1], company.staff
    unit = known.one("heavenhr", "organizations", name="Finance")["id"]
    company.change("heavenhr", "organizations", unit, headsOfUnit=[staff[2]["id"]])
    company.hire("Nora Neu", 7002, startDate=company.day(0), departmentId=unit)
    company.sandbox.fault("haekka", "drop_after", method="POST", route="/trainings/assign", count=1)
    moved = {"departmentId": unit, "lastName": "Ümzug"}
    company.change("heavenhr", "employees", staff[1]["id"], **moved)
    below = {
        "name": "Sales",
        "above": known.one("heavenhr", "organizations", name="Marketing")["id"],
    }
    second = company.make("heavenhr", "organizations", headsOfUnit=None, **below)
    company.change("heavenhr", "employees", staff[13]["id"], departmentId=second["id"])
    edits = {"email": "zoe@neu.example", "properties": {"Shirt size": "XXL"}}
    company.change("weekly10", "users", "1001", **edits)
    for number in (1017, 1018):
        done = {"completion_status": True, "completion_rate": 100}
        row = known.assignment(number, "trn_1")
        company.change("haekka", "employee_trainings", row["id"], **done)
    for number, package in ((1017, "gdpr-basics-2026"), (1018, "soc-2-basics")):
        row = known.record(number, package)
        company.change("weekly10", "training_records", row["api_id"], date_completed=LONG_AGO)
    company.book(10, "13:10", "16:00", task_id=2, project_id=2, note="Werkstatt")
    company.book(10, "17:00", "18:00", note="Abend")
    enter_absences(company)

    def leave(_what: str, done: int, _of: int) -> None:
        if done == 1:
            company.change("heavenhr", "employees", staff[15]["id"], jobStatus="LEFT")

    company.sync(progress=leave)


def enter_absences(company: Company) -> None:
    """What both systems know, and what they see differently."""
    for place, first, kind in (
        (2, SAME, 1), (3, OTHER_KIND, 2), (16, WITHDRAWN, 1), (17, ILL_INSTEAD, 1),
    ):  # fmt: skip
        company.away(place, first, 5, "HOLIDAY")
        company.absent(place, first, 5, kind)
    company.away(4, ONLY_HEAVENHR, 5, "HOLIDAY")
    company.away(1, HALF, 1, "HOLIDAY")
    company.absent(1, HALF, 1, 1, second_half_day=False)


def third_day(company: Company) -> None:
    """Midnight passes and nobody does anything for 1015 and Stella; HR corrects and approves hours; a holiday is
    withdrawn, and another turns into an illness."""
    company.calendar.midnight()
    unit = company.evenings[-1].one("heavenhr", "organizations", name="Finance")["id"]
    company.change("heavenhr", "employees", company.staff[14]["id"], departmentId=unit)
    request = company.evenings[-1].one("heavenhr", "time_trackings", startTime="13:10")
    company.change("heavenhr", "time_trackings", request["id"], endTime="16:45", status="APPROVED")
    for row in company.sandbox.state("heavenhr", "absences"):
        if row["startDate"] in (company.day(WITHDRAWN), company.day(ILL_INSTEAD)):
            company.change("heavenhr", "absences", row["key"], status="WITHDRAWN")
    company.away(17, ILL_INSTEAD, 5, "ILLNESS")
    company.sync()


def fourth_day(company: Company) -> None:
    """What is approved is edited in hakuna, and so is what is only requested; a holiday is asked for again."""
    known = company.evenings[-1]
    for start, end in (("13:10", "19:00"), ("17:00", "18:30")):
        entry = known.one("hakuna", "time_entries", date=company.day(-1), start_time=start)
        company.change("hakuna", "time_entries", entry["id"], end_time=end)
    company.away(16, WITHDRAWN, 5, "HOLIDAY")
    company.sync()


def quiet_day(company: Company) -> None:
    """Nothing happens."""
    company.sync()


DAYS = (first_day, second_day, third_day, fourth_day, quiet_day)
