"""The flows that people want between the vendors: five days of one company, judged by what the vendors hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from syncengine.sandbox.process import SandboxProcess
from tests.integration.support import opened
from tests.integration.week import (
    ASSIGNING,
    DAYS,
    DOMAIN,
    FOR_FINANCE,
    HALF,
    ILL_INSTEAD,
    LONG_AGO,
    MANDATORY,
    ONLY_HEAVENHR,
    OTHER_KIND,
    REACHING_IN,
    SAME,
    WITHDRAWN,
    Calendar,
    Company,
)
from tests.support.places import MAPPINGS


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
    """Eighteen people at the end of those days; HeiaHeia is off."""
    calendar, folder = Calendar(), tmp_path_factory.mktemp("database")
    with SandboxProcess(people=18) as sandbox:
        off = {name: "" for name in sandbox.env if name.startswith("HEIAHEIA")}
        place = {**off, "SYNCENGINE_PROJECT": str(project)}
        with opened(sandbox, folder, calendar, **place) as engine:
            engine.shows_sensitive = True
            company = Company(sandbox, engine, calendar)
            for day in DAYS:
                day(company)
            yield company


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
