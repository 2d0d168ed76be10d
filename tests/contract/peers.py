"""Connectors to a sandbox over real HTTP, and what its vendors take in a create."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from syncengine.adapters.vendors import CATALOG, connect
from syncengine.mapping import Budget, Connection
from syncengine.model.ref import Position
from syncengine.ports import Connector, Item, Window
from syncengine.sandbox.process import SandboxProcess

PEOPLE, CROWD = 12, 450
"""How many a sandbox has in most tests, and in those that need several pages."""

VENDORS = ("heavenhr", "haekka", "hakuna", "heiaheia", "weekly10")
READ_ONLY = ("heiaheia",)
LONGEST = {
    "heavenhr": "employees", "haekka": "employee_trainings",
    "hakuna": "users", "heiaheia": "organisations", "weekly10": "users",
}  # fmt: skip
"""The resource of each vendor that has the most rows without a parent."""
KEY = "0f6c1d2e3b4a5968"
YESTERDAY = (datetime.now(UTC).date() - timedelta(days=1)).isoformat()
OTHER_DAY = (datetime.now(UTC).date() - timedelta(days=3)).isoformat()
WINDOW = Window((date.fromisoformat(YESTERDAY) - timedelta(days=60)).isoformat(), YESTERDAY)


class WallClock:
    """Real time, with short pauses."""

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / 20)


class CountingGate:
    """Lets all pass and counts reads and writes."""

    def __init__(self) -> None:
        self.counts = {False: 0, True: 0}
        self._lock = threading.Lock()

    def enter(self, write: bool) -> None:
        with self._lock:
            self.counts[write] += 1


class World:
    """The sandbox and the connectors to it."""

    def __init__(self, sandbox: SandboxProcess) -> None:
        self.sandbox = sandbox
        self.gate = CountingGate()
        self.opened: list[Connector] = []

    def connect(self, vendor: str, **changes: Any) -> Connector:
        env, upper = self.sandbox.env, vendor.upper()
        spec = CATALOG[vendor]
        about: dict[str, Any] = {
            "base_url": env[f"{upper}_BASE_URL"],
            "credentials": {n: env[f"{upper}_{n.upper()}"] for n in spec.credentials},
            "off": "",
            "options": {},
        } | changes
        connection = Connection(
            name=vendor,
            connector=vendor,
            spec=spec,
            mode="write",
            timezone="Europe/Berlin",
            budget=Budget(calls=None, per=60, concurrency=None),
            resources={},
            position=Position("connections.yaml", 1, 1),
            **about,
        )
        self.opened.append(connect(connection, self.gate, WallClock(), request_timeout=2))
        return self.opened[-1]

    def counted(self, vendor: str) -> tuple[int, int]:
        """Requests that the vendor saw: reads, writes."""
        counts = self.sandbox.counters()[vendor]
        return counts["reads"], counts["writes"]


@contextmanager
def anew(sandbox: SandboxProcess) -> Iterator[World]:
    sandbox.reset()
    world = World(sandbox)
    yield world
    for connector in world.opened:
        connector.close()


def listed(connector: Connector, resource: str, parent: str | None = None) -> list[Item]:
    dated = connector.spec.resources[resource].dated
    pages = connector.scan(resource, parent, WINDOW if dated else None)
    return [item for page in pages for item in page.items]


Body = Mapping[str, Any]


@dataclass(frozen=True)
class Writable:
    """A resource that can be written: what a body to create it is, and what changes then."""

    vendor: str
    resource: str
    create: Callable[[World], Body]
    change: Body

    def __str__(self) -> str:
        return f"{self.vendor}/{self.resource}"


def some_employee(world: World) -> str:
    rows = world.sandbox.state("heavenhr", "employees")
    return str(rows[0]["id"])


WRITABLE = [
    Writable(
        "heavenhr",
        "employees",
        lambda world: {
            "firstName": "Jürgen",
            "lastName": "Großmann",
            "email": "j.g@example.org",
            "professionalEmail": "juergen@alpenblick.example",
            "employeeNumber": "9999",
            "locationId": world.sandbox.state("heavenhr", "locations")[0]["id"],
        },
        {"jobTitle": "Köchin 🍲", "lastName": "Groß"},
    ),
    Writable(
        "heavenhr",
        "time_trackings",
        lambda world: {
            "_parent": some_employee(world),
            "requestDate": YESTERDAY,
            "startTime": "20:00",
            "endTime": "02:00",
            "breakTimeInMinutes": 30,
            "comment": "Nachtschicht",
            "status": "REQUESTED",
            "categories": [world.sandbox.state("heavenhr", "categories")[0]["id"]],
        },
        {"endTime": "24:00", "comment": "kürzer", "status": "APPROVED"},
    ),
    Writable(
        "hakuna",
        "time_entries",
        lambda _: {
            "_parent": "2",
            "date": YESTERDAY,
            "start_time": "20:00",
            "end_time": "02:00",
            "task_id": "1",
            "project_id": "2",
            "note": "Nachtschicht",
        },
        {"end_time": "23:00", "note": "kürzer", "project_id": None},
    ),
    Writable(
        "weekly10",
        "users",
        lambda _: {
            "api_id": "a b ü",
            "first_name": "Jürgen",
            "last_name": "Großmann",
            "email": "j@example.org",
            "properties['Shirt size']": "L",
        },
        {"properties['Shirt size']": "M", "is_active": False},
    ),
    Writable(
        "weekly10",
        "departments",
        lambda _: {"api_id": "dep-neu", "name": "Küche"},
        {"name": "Großküche"},
    ),
    Writable(
        "weekly10",
        "training_packages",
        lambda _: {"api_id": "first-aid", "name": "First aid"},
        {"name": "First aid 2027"},
    ),
    Writable(
        "weekly10",
        "training_records",
        lambda world: {
            "api_id": "rec-neu",
            "person_api_id": world.sandbox.state("weekly10", "users")[0]["api_id"],
            "package_api_id": "soc-2-basics",
            "date_started": "2026-11-03T09:00:00Z",
        },
        {"date_completed": "2026-11-05T09:00:00.250000Z"},
    ),
]
