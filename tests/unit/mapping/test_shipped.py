"""The shipped project with the vendors as they are declared."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from syncengine.adapters.vendors import CATALOG
from syncengine.mapping import Context, Project, load_project
from syncengine.mapping.checks import sample_faults
from syncengine.mapping.lenses import lens_report
from syncengine.model.record import Record, World
from syncengine.model.ref import Ref
from syncengine.model.values import Json
from tests.support.places import MAPPINGS

TODAY = "2026-11-22"
CREDENTIALS = dict.fromkeys(
    ["HEAVENHR_CLIENT_ID", "HEAVENHR_CLIENT_SECRET", "HAKUNA_TOKEN", "HAEKKA_API_KEY",
     "HEIAHEIA_EMAIL", "HEIAHEIA_MAGIC_TOKEN", "HEIAHEIA_CLIENT_ID", "HEIAHEIA_CLIENT_SECRET",
     "WEEKLY10_USERNAME", "WEEKLY10_PASSWORD"], "x",
) | {"WEEKLY10_BASE_URL": "http://weekly10"}  # fmt: skip


@cache
def shipped() -> Project:
    """With all credentials."""
    return load_project(MAPPINGS, CATALOG, CREDENTIALS)


def test_it_loads_without_warnings() -> None:
    """The shipped project is valid, has nothing to warn of, and no expression lacks a guard."""
    assert shipped().warnings == ()
    assert sample_faults(shipped()) == []


def test_it_observes_until_told_to_write() -> None:
    """Connections are on with credentials and off without, and write only with SYNCENGINE_MODE=write."""
    assert {(c.mode, c.off) for c in shipped().connections.values()} == {("observe", "")}
    without = load_project(MAPPINGS, CATALOG, {"SYNCENGINE_MODE": "write"})
    assert all(c.off and c.mode == "write" for c in without.connections.values())


@pytest.mark.parametrize("name", ["heavenhr", "hakuna", "haekka", "heiaheia", "weekly10"])
def test_a_copied_connection_observes(tmp_path: Path, name: str) -> None:
    """A block that is copied for a second account is not written to by SYNCENGINE_MODE=write; the five are."""
    text = (MAPPINGS / "connections.yaml").read_text("utf-8")
    lines = text[text.index("connections:\n") :].splitlines(keepends=True)
    start = next(n for n, line in enumerate(lines) if line.startswith(f"  {name}:"))
    block = [f"  {name}_two:\n"]
    for line in lines[start + 1 :]:
        if line.strip() and not line.startswith("    "):
            break
        block.append(line)
    (tmp_path / "connections.yaml").write_text(f"{text}\n{''.join(block)}", "utf-8")
    given = {**CREDENTIALS, "SYNCENGINE_MODE": "write"}
    found = load_project(tmp_path, CATALOG, given).connections
    assert found[name + "_two"].mode == "observe"
    assert {c.mode for n, c in found.items() if n != name + "_two"} == {"write"}


def test_every_two_way_rule_is_one() -> None:
    """Only a completion at Haekka loses something, its time, and nothing is one-way by accident."""
    verdicts = {(v.entity, v.connection, v.field): v.verdict for v in lens_report(shipped())}
    lossy = {name for name, verdict in verdicts.items() if verdict == "lossy"}
    two_way = {name for name, verdict in verdicts.items() if verdict == "two-way"}
    assert lossy == {("training_record", "haekka", "completed_at")}
    assert two_way == {
        *(("person", "heavenhr", f) for f in (
            "first_name", "last_name", "work_email", "employee_number", "shirt_size")),
        *(("person", "weekly10", f) for f in (
            "first_name", "last_name", "work_email", "department", "shirt_size")),
        ("department", "weekly10", "name"),
        *(("time_entry", c, f) for c in ("hakuna", "heavenhr") for f in (
            "person", "date", "start", "end", "category", "project", "note")),
        ("time_entry", "heavenhr", "status"),
        *(("training_record", "haekka", f) for f in ("person", "training")),
        *(("training_record", "weekly10", f) for f in (
            "person", "training", "started_at", "completed_at")),
    }  # fmt: skip


def test_who_is_known_where() -> None:
    """Each resource is mapped by the entity that names it, and full employees need a single read."""
    project = shipped()
    [(entity, system)] = project.systems_of("heavenhr", "employees")
    assert entity.name == "person"
    assert system.needs_get
    assert project.systems_of("heavenhr", "shifts") == ()
    order = list(project.entities)
    assert order.index("person") < order.index("time_entry")
    assert order.index("training") < order.index("training_record")


@pytest.mark.parametrize(
    ("values", "active"),
    [
        ({}, True),
        ({"job_status": "HIRED", "end_date": TODAY}, True),
        ({"job_status": "HIRED", "end_date": "2026-11-21"}, False),
        ({"job_status": "HIRED", "start_date": TODAY}, True),
        ({"job_status": "HIRED", "start_date": "2026-11-23"}, False),
        ({"job_status": "LEFT"}, False),
    ],
)
def test_who_is_active(values: dict[str, Json], active: bool) -> None:
    """People are active from their first day until they have left or their last day is over."""
    person = shipped().entities["person"]
    assert person.values(Record("p", "person", values), World(TODAY))["active"] is active
    assert person.uses_today


def test_the_key_of_an_account() -> None:
    """A weekly10 account gets the employee number as its id, else an id of ours."""
    key = shipped().entities["person"].systems["weekly10"].key
    assert key is not None
    assert key.on_record(Record("p", "person", {"employee_number": "716"}), World(TODAY)) == "716"
    assert key.on_record(Record("p", "person", {}), World(TODAY)) == "p"


def test_hours_go_to_heavenhr_when_the_day_is_over() -> None:
    """A day's entry is in scope of HeavenHR from the next day on, and HeavenHR owns it once approved."""
    entry = shipped().entities["time_entry"]
    scope = entry.systems["heavenhr"].scope
    assert scope is not None
    today = Record("t", "time_entry", {"date": TODAY, "status": "requested"})
    assert scope.on_record(today, World(TODAY)) is False
    assert scope.on_record(today, World("2026-11-23")) is True
    assert {f.owned_by(today, World(TODAY)) for f in entry.fields.values()} == {None}
    approved = Record("t", "time_entry", {"date": TODAY, "status": "approved"})
    assert entry.fields["end"].owned_by(approved, World(TODAY)) == "heavenhr"
    assert entry.merge_order[0] == "status"


SPRING, AUTUMN = "2026-03-29", "2026-10-25"
"""Nights in which an hour is not there, and there twice."""


@pytest.mark.parametrize(
    ("day", "start", "end", "ends"),
    [
        ("2026-11-20", "16:00", "00:00", "24:00"),
        (SPRING, "01:30", "03:15", "03:15"),
        (SPRING, "02:15", "02:45", "02:45"),
        ("2026-03-28", "22:00", "02:30", "02:30"),
        (AUTUMN, "02:15", "02:45", "02:45"),
        ("2026-10-24", "22:00", "02:30", "02:30"),
    ],
)
def test_an_entry_reads_the_same_in_both(day: str, start: str, end: str, ends: str) -> None:
    """One time entry of hakuna becomes the body of a HeavenHR request with the ids of HeavenHR and the same wall clock,
    also over midnight and when clocks change; read back, it is the same entry."""
    rules = shipped().entities["time_entry"].systems
    world = World(
        TODAY,
        tied={
            ("person", Ref("hakuna", "users", "5")): "p",
            ("work_category", Ref("hakuna", "tasks", "2")): "c",
        },
        externals={("p", "heavenhr"): "_e_", ("c", "heavenhr"): "_c_"},
    )
    row = {
        "user_id": 5, "task_id": 2, "project_id": None, "date": day,
        "start_time": start, "end_time": end, "note": "Late",
    }  # fmt: skip
    inward, outward = Context("hakuna", world), Context("heavenhr", world)
    body: dict[str, Json] = {}
    for name, rule in rules["hakuna"].rules.items():
        value = rule.decode(rule.extract(row), inward)
        there = rules["heavenhr"].rules[name]
        body |= there.body(there.encode(value, outward))
    assert body == {
        "employeeId": "_e_", "categories": ["_c_"], "projectId": None, "requestDate": day,
        "startTime": start, "endTime": ends, "comment": "Late",
    }  # fmt: skip
    clocks = {
        name: rules["hakuna"]
        .rules[name]
        .encode(rules["heavenhr"].rules[name].decode(body[path], outward), inward)
        for name, path in (("date", "requestDate"), ("start", "startTime"), ("end", "endTime"))
    }
    assert clocks == {"date": day, "start": start, "end": end}


def test_who_must_be_trained_and_who_gets_a_first_day() -> None:
    """The rules hold for the active and mandatory, and for first days from today on."""
    trainings, onboarding = shipped().derivations
    record = Record("p", "person", {"start_date": TODAY})
    course = Record("t", "training", {"name": "SOC 2 basics"})
    both = {"person": record, "training": course}
    assert trainings.sources["training"].on_records(both, World(TODAY)) is True
    holds = onboarding.sources["person"].on_records({"person": record}, World(TODAY))
    assert holds is True
    assert onboarding.sources["person"].on_records({"person": record}, World("2026-11-23")) is False
    work = {"person": record, "work_category": Record("w", "work_category", {"name": "Work"})}
    given = {name: e.on_records(work, World(TODAY)) for name, e in onboarding.values.items()}
    assert given == {
        "person": "p", "category": "w", "date": TODAY, "start": "09:00", "end": "17:00",
        "note": "Onboarding day",
    }  # fmt: skip
