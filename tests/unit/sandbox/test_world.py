from __future__ import annotations

import socket
import time
from collections import Counter
from datetime import date

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncengine.sandbox.people import SHARED_MAILBOX, Staff, mailbox, make_staff
from syncengine.sandbox.process import SandboxProcess
from syncengine.sandbox.table import Row, Table
from syncengine.sandbox.world import Options, World
from tests.unit.sandbox.conftest import Api

DAY = date(2026, 11, 22)


def everything(seed: int) -> dict[str, list[Row]]:
    world = World(Options(people=60, seed=seed))
    return {
        f"{vendor.name}/{resource}": vendor.state(resource)
        for vendor in world.vendors.values()
        for resource in vendor.tables
    }


def test_same_seed_same_state() -> None:
    """Two worlds of one seed are equal in every row; another seed gives another world."""
    first = everything(3)
    assert first == everything(3)
    assert first != everything(4)


@pytest.mark.parametrize("month", range(1, 13))
def test_closed_month_is_two_months_ago(month: int) -> None:
    """Whatever the day, the closed month is the one before last."""
    closed = Staff(1, date(2026, month, 28), ()).closed_month
    year, number = (2026, month - 2) if month > 2 else (2025, month + 10)
    assert closed == f"{year}-{number:02d}"


def test_addresses_are_plain_and_unique() -> None:
    """Umlauts and apostrophes do not get into addresses; only one pair shares a mailbox."""
    assert mailbox("Jürgen", "O'Neill") == "juergen.oneill"
    people = make_staff(2000, 1, DAY).people
    shared = Counter(person.work_email for person in people if person.work_email)
    assert [email for email, count in shared.items() if count > 1] == [
        people[SHARED_MAILBOX[0]].work_email
    ]
    assert len({person.private_email for person in people}) == len(people)
    assert all(person.address.isascii() for person in people)


def test_the_same_people_are_everywhere() -> None:
    """Each person has an account in each vendor, but for two that weekly10 does not know."""
    state = everything(5)
    for name in ("heavenhr/employees", "haekka/employees", "hakuna/users"):
        assert len(state[name]) == 60
    assert len(state["weekly10/users"]) == 58


def test_names_that_both_sides_share(sandbox: SandboxProcess) -> None:
    """Trainings, projects and tasks have equal names in both vendors that know them."""
    for one, other in (
        (("haekka", "trainings"), ("weekly10", "training_packages")),
        (("heavenhr", "categories"), ("hakuna", "tasks")),
        (("heavenhr", "projects"), ("hakuna", "projects")),
    ):
        names = [row["name"] for row in sandbox.state(*one)]
        assert names == [row["name"] for row in sandbox.state(*other)]


def test_completions_differ_both_ways(sandbox: SandboxProcess) -> None:
    """Of a training that both vendors assigned, each knows a completion that the other lacks."""
    done = {
        row["employee_id"].removeprefix("emp_"): row["completion_status"]
        for row in sandbox.state("haekka", "employee_trainings")
    }
    pairs = {
        (done[place], row["date_completed"] is not None)
        for row in sandbox.state("weekly10", "training_records")
        if (place := row["api_id"].removeprefix("rec-")) in done
        and row["package_api_id"] == "soc-2-basics"
    }
    assert pairs == {(True, False), (False, True)}


def test_special_people(sandbox: SandboxProcess) -> None:
    """There are a leaver, people without work email or number, and namesakes."""
    rows = sandbox.state("heavenhr", "employees")
    (leaver,) = [row for row in rows if row["jobStatus"] == "LEFT"]
    user = next(
        row
        for row in sandbox.state("weekly10", "users")
        if row["api_id"] == leaver["employeeNumber"]
    )
    assert user["is_active"] is True
    assert [row["active"] for row in sandbox.state("haekka", "employees")].count(False) == 1
    assert any(row["professionalEmail"] is None for row in rows)
    assert any(row["employeeNumber"] is None for row in rows)
    names = Counter((row["firstName"], row["lastName"]) for row in rows)
    assert names["Anna", "Müller"] >= 2


def test_a_hand_on_the_screen(sandbox: SandboxProcess, heavenhr: Api) -> None:
    """A row can be made, changed and deleted by hand, and the API shows it."""
    row = sandbox.mutate("heavenhr", "employees", "create", values={"firstName": "Ida"})
    path = f"/employees/{row['id']}"
    assert heavenhr.get(path)["firstName"] == "Ida"
    changed = {"customAttributes": [{"name": "Shirt size", "value": "M"}]}
    sandbox.mutate("heavenhr", "employees", "update", row["id"], changed)
    assert heavenhr.get(path)["customAttributes"][0]["value"] == "M"
    since = heavenhr.get("/employees", updatedAt="2000-01-01T00:00:00.000Z")
    assert since["totalItems"] == 21
    sandbox.mutate("heavenhr", "employees", "delete", row["id"])
    assert heavenhr("GET", path).status_code == 404
    for vendor, resource, key in (
        ("x", "users", "1"),
        ("hakuna", "x", "1"),
        ("hakuna", "users", 99),
    ):
        with pytest.raises(httpx.HTTPStatusError):
            sandbox.mutate(vendor, resource, "update", key, {})


def test_ledger_counts(sandbox: SandboxProcess, hakuna: Api) -> None:
    """Reads, writes, routes and creates of what stood there already are counted."""
    entry = {"date": "2016-10-10", "start_time": "08:00", "end_time": "09:00", "task_id": 1}
    hakuna("GET", "/time_entries/1")
    row = hakuna("POST", "/time_entries", entry).json()
    hakuna("POST", "/time_entries", entry)
    hakuna("POST", "/time_entries", entry | {"task_id": 99})
    counts = sandbox.counters()["hakuna"]
    assert (counts["reads"], counts["writes"], counts["applied"]) == (1, 3, 2)
    assert counts["duplicates"] == 1
    assert counts["routes"] == {"GET /time_entries/{id}": 1, "POST /time_entries": 3}
    entries = sandbox.requests()
    assert entries[1]["ids"] == {"id": str(row["id"])}
    assert [entry["status"] for entry in entries] == [200, 201, 201, 422]


@pytest.mark.usefixtures("weekly10", "heavenhr")
def test_tokens_count_as_reads(sandbox: SandboxProcess) -> None:
    """Taking a token is a read, although weekly10 wants a POST for it."""
    counts = sandbox.counters()
    for vendor in ("weekly10", "heavenhr"):
        assert (counts[vendor]["reads"], counts[vendor]["writes"]) == (1, 0)


def _is_free(port: int) -> bool:
    """Whether a port can be listened on; below those that systems hand out by themselves few are taken."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def test_fixed_ports_and_quick_stop() -> None:
    """With a port the vendors follow it, and the process ends within a second or two."""
    free = next(
        base for base in range(20_000, 30_000, 10) if all(map(_is_free, range(base, base + 6)))
    )
    with SandboxProcess(people=2, port=free) as second:
        assert second.env["SYNCENGINE_SANDBOX_URL"] == f"http://127.0.0.1:{free}"
        assert second.env["HEAVENHR_BASE_URL"] == f"http://127.0.0.1:{free + 1}/api/v2"
        assert second.env["SYNCENGINE_MODE"] == "write"
        begun = time.monotonic()
    assert time.monotonic() - begun < 2


@given(st.lists(st.tuples(st.sampled_from("acd"), st.integers(0, 9), st.integers(0, 3))))
def test_table_agrees_with_a_plain_list(steps: list[tuple[str, int, int]]) -> None:
    """After any adds, changes and deletes, pages and indexes equal a scan of a plain list."""
    table, plain = Table("id", "group"), dict[int, dict[str, int]]()
    for action, key, group in steps:
        if action == "a" and key not in plain:
            table.add({"id": key, "group": group})
            plain[key] = {"id": key, "group": group}
        elif action == "c" and key in plain:
            table.change(key, {"group": group})
            plain[key]["group"] = group
        elif action == "d" and key in plain:
            table.remove(key)
            del plain[key]
    assert list(table) == list(plain.values())
    assert table.page(1, 2) == list(plain.values())[1:3]
    for group in range(4):
        assert table.find("group", group) == [r for r in plain.values() if r["group"] == group]
