"""Connectors to a sandbox over real HTTP, and what its vendors take in a create."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Protocol

import pytest

from syncengine.adapters.vendors import SHIPPED, connect
from syncengine.adapters.vendors.declare import Vendor
from syncengine.mapping import Budget, Connection
from syncengine.model.ref import Position
from syncengine.ports import Connector, Item, Window
from syncengine.sandbox.heavenhr_company import SUBCOMPANY

PEOPLE = 12
SERVERS = {
    "heavenhr": ("documented",),
    "haekka": ("documented",),
    "hakuna": ("documented", "current"),
    "heiaheia": ("documented", "current"),
    "weekly10": ("documented", "django"),
}
"""Who stands in for a vendor: the profiles of the sandbox in which it differs, and what else there is."""
VENDORS = tuple(SERVERS)
EVERY = [(vendor, server) for vendor in VENDORS for server in SERVERS[vendor]]
READ_ONLY = ("heiaheia",)
LONGEST = {
    "heavenhr": "employees", "haekka": "employee_trainings",
    "hakuna": "users", "heiaheia": "organisations", "weekly10": "users",
}  # fmt: skip
"""The resource of each vendor that has the most rows without a parent."""
KEY = "0f6c1d2e3b4a5968"
YESTERDAY = (datetime.now(UTC).date() - timedelta(days=1)).isoformat()
OTHER_DAY = (datetime.now(UTC).date() - timedelta(days=3)).isoformat()
DAY = date.fromisoformat(YESTERDAY)
AROUND = Window(str(DAY - timedelta(days=60)), str(DAY + timedelta(days=60)))
WINDOW = Window(AROUND.start, YESTERDAY)


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


class Server(Protocol):
    """What the tests ask of whoever stands in for the vendors; see ``SandboxProcess``."""

    env: dict[str, str]

    def state(self, vendor: str, resource: str) -> list[dict[str, Any]]: ...
    def mutate(
        self, vendor: str, resource: str, action: str, id: Any = None, values: Any = None
    ) -> dict[str, Any]: ...
    def requests(self) -> list[dict[str, Any]]: ...
    def counters(self) -> dict[str, dict[str, Any]]: ...
    def fault(self, vendor: str, kind: str, **more: Any) -> None: ...
    def clear_faults(self) -> None: ...
    def reset(self) -> None: ...


def in_small_pages(vendor: Vendor, size: int) -> Vendor:
    """The same connector, asking for pages of ``size`` rows."""
    return replace(
        vendor,
        resources={
            name: replace(declared, paging=replace(declared.paging, size=size))
            if name in pages(vendor)
            else declared
            for name, declared in vendor.resources.items()
        },
    )


def pages(vendor: Vendor) -> list[str]:
    """The resources whose listings come in pages."""
    return [n for n, r in vendor.resources.items() if r.spec.scan and hasattr(r.paging, "size")]


class World:
    """The vendors and the connectors to them."""

    def __init__(self, sandbox: Server) -> None:
        self.sandbox = sandbox
        self.gate = CountingGate()
        self.opened: list[Connector] = []

    def connect(self, vendor: str, size: int = 0, **changes: Any) -> Connector:
        """A new connector. ``size``: rows of a page, where not those that the vendor's module says."""
        env, upper = self.sandbox.env, vendor.upper()
        declared = in_small_pages(SHIPPED[vendor], size) if size else SHIPPED[vendor]
        spec = declared.spec
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
            largest_listing=512 << 20,
            longest_listing=20_000,
            resources={},
            position=Position("connections.yaml", 1, 1),
            **about,
        )
        self.opened.append(connect(declared, connection, self.gate, WallClock(), request_timeout=2))
        return self.opened[-1]

    def counted(self, vendor: str) -> tuple[int, int]:
        """Requests that the vendor saw: reads, writes."""
        counts = self.sandbox.counters()[vendor]
        return counts["reads"], counts["writes"]


@contextmanager
def anew(sandbox: Server) -> Iterator[World]:
    sandbox.reset()
    world = World(sandbox)
    yield world
    for connector in world.opened:
        connector.close()


def window(connector: Connector, resource: str, days: int = 0) -> Window | None:
    """What to ask for of a resource that takes dates: up to yesterday, or some days more."""
    ahead = (date.fromisoformat(YESTERDAY) + timedelta(days=days)).isoformat()
    dated = connector.spec.resources[resource].dated
    return Window(WINDOW.start, ahead) if dated else None


def listed(
    connector: Connector, resource: str, parent: str | None = None, days: int = 0
) -> list[Item]:
    pages = connector.scan(resource, parent, window(connector, resource, days))
    return [item for page in pages for item in page.items]


OPTIONS = {"heavenhr": {"company_id": "_ours_", "subcompany_id": SUBCOMPANY}}
"""What some listings need to know."""


def some_parent(world: World, vendor: str, resource: str) -> str | None:
    """A row below which the resource has rows."""
    parent = SHIPPED[vendor].spec.resources[resource].parent
    if parent is None or vendor == "hakuna":
        return parent and "1"
    if parent == "businesses":
        for member in world.sandbox.state(vendor, "memberships"):
            if member["business_id"] == "123123-1":
                joined = {"hh_core_accepted_at": "2019-05-07T11:08:37Z"}
                world.sandbox.mutate(vendor, "memberships", "update", member["id"], joined)
        return "123,123123-1"
    return str(world.sandbox.state(vendor, parent)[0]["id"])


def _survey(day: str) -> dict[str, Any]:
    names = ("id", "started_at", "closed", "title", "survey", "enabled_questions", "copy_questions")
    return {**dict.fromkeys(names), "ends_on": day}


More = Callable[[int, str], Mapping[str, Any]]
MORE: dict[str, tuple[str, More]] = {
    "heavenhr/time_trackings": (
        "time_trackings",
        lambda n, parent: {
            "employeeId": parent, "requestDate": _day(n), "endDate": _day(n),
            "startTime": "08:00", "endTime": "09:00",
        },
    ),
    "heavenhr/locations": ("locations", lambda n, _: {"name": f"Office {n}"}),
    "heavenhr/cost_centers": ("cost_centers", lambda n, _: {"name": f"{n}", "number": f"{n}"}),
    "heavenhr/payroll_periods": ("payroll_periods", lambda n, _: {"dateStart": _day(n)}),
    "heavenhr/subcompany_payroll_periods": (
        "payroll_periods", lambda n, _: {"dateStart": _day(n)},
    ),
    "heavenhr/vacancies": (
        "vacancies", lambda n, _: {"jobTitle": f"Cook {n}", "status": "PUBLISHED"},
    ),
    "heavenhr/employee_absences": (
        "absences",
        lambda n, parent: {
            "employeeId": parent, "startDate": _day(n), "endDate": _day(n),
            "absenceType": "HOLIDAY", "status": "APPROVED",
        },
    ),
    **dict.fromkeys(
        ("heiaheia/reports", "heiaheia/report_details"),
        (
            "reports",
            lambda n, parent: {
                "organisation_id": int(parent), "generated_at": _day(n), "survey": _survey(_day(n)),
            },
        ),
    ),
}  # fmt: skip
"""Of what the sandbox has too few rows for several pages: the table, and a row more."""
STORED_IN = {"employee_shifts": "shifts", **{k.partition("/")[2]: t for k, (t, _) in MORE.items()}}
"""The table of the sandbox that has the rows of a resource, where it has another name."""


def add_some(world: World, vendor: str, resource: str, parent: str | None) -> None:
    """Three rows more, where the sandbox has too few."""
    table, more = MORE.get(f"{vendor}/{resource}", ("", None))
    for number in range(3 if more else 0):
        world.sandbox.mutate(vendor, table, "create", values=more(number, parent or ""))


def _day(back: int) -> str:
    return (date.fromisoformat(YESTERDAY) - timedelta(days=back)).isoformat()


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


def at(*vendors: str) -> pytest.MarkDecorator:
    """With each of these vendors, at each of its servers."""
    return pytest.mark.parametrize(("vendor", "server"), [(v, s) for v, s in EVERY if v in vendors])


def with_each(kinds: list[Writable]) -> pytest.MarkDecorator:
    """With each of these resources, at each server of its vendor."""
    pairs = [(kind, s) for kind in kinds for s in SERVERS[kind.vendor]]
    return pytest.mark.parametrize(
        ("kind", "server"), pairs, ids=[f"{kind}-{server}" for kind, server in pairs]
    )


every = at(*VENDORS)
