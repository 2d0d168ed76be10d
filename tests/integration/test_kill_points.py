"""Processes killed in the middle of 200 creations, and exactly 200 rows at the vendors afterwards.

Of the 200 creations 120 carry an id that the engine chose (weekly10 users and training records), and 80 do not
(HeavenHR time requests): whether one of those took effect is known from its marker alone. Writes are slowed down, so
that a kill finds some that the vendor commits and nobody hears of. Recovery takes the lease, then the vendor's time to
commit (5 s), since what was under way may have been sent; both are waited for in full.

Show the line that each point prints with ``make test-long ARGS="-k kill_points -rP"``.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from syncengine.model.operation import OperationState
from syncengine.sandbox.people import today
from tests.integration.support import Stack, new_person, stack

pytestmark = pytest.mark.timeout(300)

SPANS = {
    r"employees: \{poll: 5m": "employees: {poll: 1s",
    r"time_entries: \{scan: 15m": "time_entries: {scan: 1s",
}
PEOPLE, BOOKINGS, CREATIONS = 40, 80, 200
LIMIT = 60.0
"""Seconds within which everything is there after a kill."""
MANDATORY = Counter(["gdpr-basics-2026", "soc-2-basics"])
KINDS = ("worker", "child", "broker")
"""The worker's main process, one of its pool processes, or the embedded broker."""


@dataclass(frozen=True)
class Point:
    """Who is killed after how many of the creations; ``number`` keeps apart what the points create."""

    number: int
    kind: str
    after: int

    def __str__(self) -> str:
        return f"{self.number:02}-{self.kind}-after-{self.after:03}"


def _points(numbers: range, seed: int) -> list[Point]:
    rng = random.Random(seed)
    return [Point(n, KINDS[n % len(KINDS)], rng.randrange(CREATIONS)) for n in numbers]


POINTS = _points(range(50), 20261122)
FEW = _points(range(51, 54), 7)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A service in agreement with its vendors, on SQLite and the embedded broker; all points of a test process
    happen to the same one."""
    with stack(tmp_path_factory.mktemp("kills"), SPANS) as made:
        made.until(made.quiet, "the first sync is done", 150)
        made.sandbox.fault("heavenhr", "slow", method="POST", delay=0.03)
        made.sandbox.fault("weekly10", "slow", method="POST", delay=0.03)
        yield made


@dataclass(frozen=True)
class Wanted:
    """What is to be made: employee numbers of new weekly10 users, and HeavenHR requests (employee, day, start)."""

    numbers: tuple[str, ...]
    requests: tuple[tuple[str, str, str], ...]


def _begin(running: Stack, point: Point) -> Wanted:
    """Enter new people in HeavenHR and hours in hakuna, as people do on the vendors' screens."""
    owners = _bookable(running)
    requests = []
    for place in range(point.number * BOOKINGS, (point.number + 1) * BOOKINGS):
        rest, who = divmod(place, len(owners))
        slot, back = divmod(rest, 26)
        user, employee = owners[who]
        day = (today() - timedelta(days=2 + back)).isoformat()
        start = f"{4 + slot // 12:02}:{slot % 12 * 5:02}"
        booked = {"user_id": user, "date": day, "start_time": start, "end_time": "23:45"}
        running.sandbox.mutate("hakuna", "time_entries", "create", values={**booked, "task_id": 1})
        requests.append((employee, day, start))
    people = [new_person(point.number * PEOPLE + n) for n in range(PEOPLE)]
    for person in people:
        running.sandbox.mutate("heavenhr", "employees", "create", values=person)
    return Wanted(tuple(person["employeeNumber"] for person in people), tuple(requests))


def _bookable(running: Stack) -> list[tuple[int, str]]:
    """Who is one and the same in both systems for certain: hakuna's id and HeavenHR's."""
    employees = [e for e in running.rows("heavenhr", "employees") if e["jobStatus"] != "LEFT"]
    mailboxes = Counter(e["professionalEmail"] for e in employees if e["professionalEmail"])
    ids = {
        e["professionalEmail"]: e["id"] for e in employees if mailboxes[e["professionalEmail"]] == 1
    }
    users = [(u["id"], u["email"].lower()) for u in running.rows("hakuna", "users")]
    return [(user, ids[email]) for user, email in users if email in ids]


def _made(running: Stack, wanted: Wanted) -> Counter[str]:
    """How many rows the vendors hold of what is wanted, by kind; every one counts, repeated ones too."""
    numbers, requests = set(wanted.numbers), set(wanted.requests)
    names = {f"Wilma{int(number) - 50000}" for number in numbers}
    return Counter(
        users=sum(u["first_name"] in names for u in running.rows("weekly10", "users")),
        records=sum(
            r["person_api_id"] in numbers for r in running.rows("weekly10", "training_records")
        ),
        requests=sum(
            (r["employeeId"], r["requestDate"], r["startTime"]) in requests
            for r in running.rows("heavenhr", "time_trackings")
        ),
    )


def _victim(running: Stack, point: Point) -> int:
    """The process id to kill."""
    if point.kind != "child":
        return running.service.pids[point.kind]
    parent = running.service.pids["worker"]
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return int(random.Random(point.number).choice(children))


def _applied(running: Stack) -> int:
    counted = running.sandbox.counters()
    return int(counted["heavenhr"]["applied"] + counted["weekly10"]["applied"])


def _survives(running: Stack, point: Point) -> None:
    """Kill at the point, and look at what the vendors hold when everything is quiet."""
    running.until(running.quiet, "quiet before the point")
    with running.ledger.read() as tx:
        cases = tx.count_cases()
    before = {place: len(running.rows(*place)) for place in (
        ("weekly10", "users"), ("weekly10", "training_records"), ("heavenhr", "time_trackings"),
    )}  # fmt: skip
    applied = _applied(running)
    wanted = _begin(running, point)
    running.until(
        lambda: _applied(running) - applied >= point.after, "so many are made", pause=0.005
    )
    found = _applied(running) - applied
    os.kill(_victim(running, point), signal.SIGKILL)
    killed = time.monotonic()
    with running.ledger.read() as tx:
        under_way = len(tx.select_operations([OperationState.CLAIMED]))
    running.until(
        lambda: _made(running, wanted).total() >= CREATIONS, "all are there after a kill", LIMIT
    )
    took = time.monotonic() - killed
    running.until(running.quiet, "quiet after a kill", LIMIT)
    print(
        f"{point}: killed at {found}, {under_way} claimed; {CREATIONS} of {CREATIONS} after {took:.1f} s"
    )

    assert _made(running, wanted) == {"users": 40, "records": 80, "requests": 80}
    records = running.rows("weekly10", "training_records")
    for number in wanted.numbers:
        mine = Counter(r["package_api_id"] for r in records if r["person_api_id"] == number)
        assert mine == MANDATORY
    grown = {place: len(running.rows(*place)) - count for place, count in before.items()}
    assert list(grown.values()) == [40, 80, 80]
    assert all(c["duplicates"] == 0 for c in running.sandbox.counters().values())
    with running.ledger.read() as tx:
        assert tx.count_cases() == cases


@pytest.mark.long
@pytest.mark.ci
@pytest.mark.parametrize("point", FEW, ids=str)
def test_a_kill_neither_loses_nor_repeats(running: Stack, point: Point) -> None:
    """Killed in the middle of 200 creations, worker, pool process or broker, the service goes on by itself within
    60 s and there are exactly 200."""
    _survives(running, point)


@pytest.mark.long
@pytest.mark.parametrize("point", POINTS, ids=str)
def test_fifty_kills_neither_lose_nor_repeat(running: Stack, point: Point) -> None:
    """At each of 50 seeded points a kill -9 leaves exactly 200 creations of 200, within 60 s and without help."""
    _survives(running, point)
