"""The flows that people want between the vendors: five days of one company, judged by what the vendors hold."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from syncengine.flows.core.engine import Engine
from syncengine.flows.run.sync import sync
from syncengine.flows.views.explain import explain
from syncengine.sandbox.process import Row, SandboxProcess
from tests.integration.support import opened
from tests.support.places import MAPPINGS

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


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped project that also assigns courses in Haekka, one of them to a single department."""
    folder = tmp_path_factory.mktemp("mappings")
    for path in MAPPINGS.glob("*.yaml"):
        text = path.read_text("utf-8")
        if path.name == "training_record.yaml":
            assert ASSIGNING[0] in text
            text = text.replace(*ASSIGNING)
        if path.name == "rules.yaml":
            text += FOR_FINANCE
        (folder / path.name).write_text(text, "utf-8")
    return folder


@pytest.fixture(scope="module")
def company(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """Eighteen people at the end of the days that are told below; HeiaHeia is off."""
    calendar, folder = Calendar(), tmp_path_factory.mktemp("database")
    with SandboxProcess(people=18) as sandbox:
        off = {name: "" for name in sandbox.env if name.startswith("HEIAHEIA")}
        place = {**off, "SYNCENGINE_PROJECT": str(project)}
        with opened(sandbox, folder, calendar, **place) as engine:
            engine.shows_sensitive = True
            company = Company(sandbox, engine, calendar)
            for day in (first_day, second_day, third_day, fourth_day, quiet_day):
                day(company)
            yield company


# the days


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


# what has come of it


def test_a_new_employee_has_an_account_with_department_and_manager(company: Company) -> None:
    """Who is entered in HeavenHR gets one weekly10 account under the employee number, in the department, below the
    head of it; who was there before gets the manager that was lacking, and the head is nobody's."""
    evening = company.evenings[1]
    finance = evening.one("weekly10", "departments", name="Finance")["api_id"]
    nora = evening.one("weekly10", "users", email=f"nora.neu@{DOMAIN}")
    place = ("api_id", "is_active", "department_api_id", "manager_api_id")
    assert [nora[name] for name in place] == ["7002", True, finance, "1003"]
    assert evening.user(1002)["manager_api_id"] == "1003"
    assert evening.user(1003)["manager_api_id"] is None


def test_departments_of_one_name_are_two(company: Company) -> None:
    """A second department of a name is told apart by the one above it; the first keeps its name and its people."""
    evening = company.evenings[1]
    old, new = (
        evening.one("weekly10", "departments", name=name)["api_id"]
        for name in ("Sales", "Marketing / Sales")
    )
    assert [evening.user(n)["department_api_id"] for n in (1001, 1014)] == [old, new]


def test_changes_of_a_person_go_both_ways(company: Company) -> None:
    """Name and department follow HeavenHR; shirt size and address follow weekly10; the rest of the custom attributes
    stays."""
    before, evening = company.evenings[:2]
    thomas, finance = evening.user(1002), evening.one("weekly10", "departments", name="Finance")
    assert (thomas["last_name"], thomas["department_api_id"]) == ("Ümzug", finance["api_id"])
    zoe, was = evening.employee(1001), before.employee(1001)
    assert zoe["professionalEmail"] == "zoe@neu.example"
    sizes = [item["value"] for item in zoe["customAttributes"] if item["name"] == "Shirt size"]
    assert sizes == ["XXL"]
    others = [i for i in was["customAttributes"] if i["name"] != "Shirt size"]
    assert [i for i in zoe["customAttributes"] if i["name"] != "Shirt size"] == others


def test_who_leaves_during_a_pass_is_deactivated(company: Company) -> None:
    """Somebody who leaves while a pass writes is inactive after the next one at the latest."""
    assert company.evenings[2].user(1016)["is_active"] is False


def test_a_contract_ends_at_midnight_without_an_event(company: Company) -> None:
    """On the last day the account is active, after midnight it is not, and who left is assigned nothing more."""
    today, tomorrow = company.evenings[1:3]
    assert today.user(1015)["is_active"] is True
    assert tomorrow.user(1015)["is_active"] is False
    assert tomorrow.courses(1015) == MANDATORY


def test_a_starter_starts_on_the_day_without_an_event(company: Company) -> None:
    """Before the first day there is no account, no course and no entry; on it they are there, once."""
    today, tomorrow = company.evenings[1:3]
    assert not today.rows("weekly10", "users", api_id="7001")
    assert today.courses(7001) == []
    assert tomorrow.user(7001)["is_active"] is True
    assert tomorrow.courses(7001) == MANDATORY
    records = tomorrow.rows("weekly10", "training_records", person_api_id="7001")
    assert sorted(row["package_desc"] for row in records) == MANDATORY
    entries = tomorrow.rows("hakuna", "time_entries", date=company.day(1))
    assert [entry["user"]["name"] for entry in entries] == ["Stella Start"]


def test_a_completion_goes_both_ways(company: Company) -> None:
    """Completed in Haekka is completed in weekly10, with the time at which it was seen, and the other way round."""
    evening = company.evenings[1]
    done = evening.record(1017, "soc-2-basics")["date_completed"]
    assert done[:10] in (company.day(0), company.day(-1))
    assert evening.assignment(1017, "trn_2")["completion_status"] is True
    assert evening.assignment(1017, "trn_2")["completion_rate"] == 100


def test_a_course_completed_on_both_sides_is_completed_once(company: Company) -> None:
    """Both sides stay completed, and weekly10 keeps its own earlier date."""
    evening = company.evenings[1]
    assert evening.assignment(1018, "trn_1")["completion_status"] is True
    told = evening.record(1018, "soc-2-basics")["date_completed"]
    assert datetime.fromisoformat(told) == datetime.fromisoformat(LONG_AGO)


def test_courses_are_assigned_once_with_one_alert(company: Company) -> None:
    """A newcomer and somebody who changes department get the courses of it, and each alert stands for one
    assignment, though the answer to one was lost."""
    evening = company.evenings[1]
    assert evening.courses(7002) == sorted([*MANDATORY, "Phishing awareness"])
    assert evening.courses(1002) == sorted([*MANDATORY, "Phishing awareness"])
    last = company.evenings[-1]
    pairs = Counter(
        (row["employee_id"], row["training_id"])
        for row in last.shown["haekka", "employee_trainings"]
    )
    alerts = Counter((a["employee_id"], a["training_id"]) for a in last.shown["haekka", "alerts"])
    assert set(pairs.values()) == set(alerts.values()) == {1}
    assert alerts.keys() < pairs.keys()
    assert {
        vendor: c["duplicates"]
        for vendor, c in company.sandbox.counters().items()
        if c["duplicates"]
    } == {}


def test_hours_become_requests_with_project_and_category(company: Company) -> None:
    """What is booked in hakuna is one request in HeavenHR with the project and the category of the same names."""
    evening = company.evenings[1]
    task, project = (evening.one("hakuna", name, id=2)["name"] for name in ("tasks", "projects"))
    request = evening.one("heavenhr", "time_trackings", startTime="13:10")
    assert (request["endTime"], request["status"]) == ("16:00", "REQUESTED")
    assert [category["name"] for category in request["categories"]] == [task]
    assert request["projectId"] == evening.one("heavenhr", "projects", name=project)["id"]


def test_what_hr_approves_stands(company: Company) -> None:
    """A correction comes back to hakuna; a later edit there is reverted, while one of a mere request counts."""
    corrected, edited = company.evenings[2:4]
    day = company.day(-1)
    assert (
        corrected.one("hakuna", "time_entries", date=day, start_time="13:10")["end_time"] == "16:45"
    )
    assert edited.one("hakuna", "time_entries", date=day, start_time="13:10")["end_time"] == "16:45"
    assert edited.one("heavenhr", "time_trackings", startTime="13:10")["endTime"] == "16:45"
    assert edited.one("heavenhr", "time_trackings", startTime="17:00")["endTime"] == "18:30"


@pytest.mark.parametrize(
    ("evening", "first", "differences"),
    [
        (1, SAME, None),
        (1, OTHER_KIND, "vacation in one only"),
        (1, ONLY_HEAVENHR, "not in hakuna"),
        (1, HALF, "half days in one only"),
        (1, REACHING_IN, "not in HeavenHR"),
        (1, WITHDRAWN, None),
        (2, WITHDRAWN, "not in HeavenHR"),
        (3, WITHDRAWN, None),
        (1, ILL_INSTEAD, None),
        (2, ILL_INSTEAD, "vacation in one only"),
    ],
)
def test_absences_meet_in_one_record_that_says_where_they_differ(
    company: Company, evening: int, first: int, differences: str | None
) -> None:
    """Both systems' view of the same days is one record, which says in words what only one of them says. What is
    withdrawn counts no longer, what is asked for again does, and another kind takes the place of the first."""
    told = company.evenings[evening].absences[company.day(first)]
    assert told["differences"] == differences
    assert told["agreed"] is (differences is None)


def test_only_contradictions_are_asked(company: Company) -> None:
    """Somebody is asked about two absences of which both systems say different things, about the two people who share
    an address, and about four accounts of people without a work address; nothing else is a question."""
    assert company.evenings[1].document["cases"] == {"identity": 6, "conflict": 2}
    assert company.evenings[-1].document["cases"] == {"identity": 6, "conflict": 3}


def test_then_nothing_is_left_to_write(company: Company) -> None:
    """After each pass all agree, and when nothing happens nothing is written."""
    assert all(evening.document["converged"] for evening in company.evenings)
    assert not any(evening.document["faults"] for evening in company.evenings)
    assert company.evenings[-1].writes == 0
