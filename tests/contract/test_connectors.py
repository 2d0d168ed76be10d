"""What every connector keeps, proved against the sandbox over real HTTP."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from syncengine.adapters.vendors import CATALOG, SHIPPED
from syncengine.errors import (
    Astray,
    Exists,
    Rejected,
    Unknown,
    VendorDown,
)
from syncengine.mapping import paths
from syncengine.model.resource import ResourceSpec
from syncengine.ports import Item
from tests.contract.peers import (
    EVERY,
    KEY,
    LONGEST,
    OPTIONS,
    OTHER_DAY,
    STORED_IN,
    WRITABLE,
    Body,
    World,
    Writable,
    add_some,
    every,
    listed,
    pages,
    some_parent,
    window,
    with_each,
)

written = with_each(WRITABLE)
deletable = with_each([k for k in WRITABLE if CATALOG[k.vendor].resources[k.resource].delete])
OWN = {
    "company", "stats", "energy_levels", "reports", "shifts", "employee_shifts",
    "subcompany_payroll_periods", "salaries", "vacancies", "absences", "employee_absences",
    "absence_budgets", "organizations", "me", "timers", "overviews", "organization_status",
    "organisation_details", "report_details", "businesses", "business_stats",
    "business_energy_levels",
}  # fmt: skip
LISTINGS = [(v, s, r) for v, s in EVERY for r in CATALOG[v].resources if r not in OWN]
"""All but what is listed in a way that the vendor's own module tests."""
SINGLES = [
    (v, s, r)
    for v, s in EVERY
    for r, spec in CATALOG[v].resources.items()
    if spec.single_get and spec.scan
]
ONLY_LISTED = ("departmentName", "updatedAt")
"""What HeavenHR shows of an employee in its listing alone."""
MOVES = [
    (v, s, r, move)
    for v, s in EVERY
    for r in pages(SHIPPED[v])
    if r != "businesses"  # the listing of organisations once more
    for move in ("delete", "shrink", "repeat_row")
    if s == "documented" or (s == "django" and move == "delete")
]
"""Whatever comes in pages, and what may happen between two of them."""


def external(spec: ResourceSpec, row: Mapping[str, Any]) -> str:
    """The external id of a row as the sandbox keeps it."""
    own = str(row.get(spec.chosen_id or "id") or row.get("typeId"))
    if spec.name == "memberships":
        return f"{row['organisation_id']}/{own}"
    if spec.name == "time_trackings":
        return f"{row['employeeId']}/{own}"
    return f"{row['user']['id']}/{own}" if spec.name == "time_entries" else own


@pytest.mark.parametrize(("vendor", "server", "resource"), LISTINGS)
def test_a_scan_is_complete_and_takes_the_calls_foretold(
    world: World, vendor: str, resource: str
) -> None:
    """Every row comes, once, over several pages, in as many requests as ``pages`` says."""
    connector, spec = world.connect(vendor, size=3), CATALOG[vendor].resources[resource]
    connector.health()
    before = world.counted(vendor)[0]
    rows = world.sandbox.state(vendor, resource)
    if resource == "employees" and vendor == "haekka":
        rows = [row for row in rows if row["active"]]
    rows = [row for row in rows if row.get("access", True)]
    parent = some_parent(world, vendor, resource)
    if parent:
        rows = [r for r in rows if vendor == "heiaheia" or r.get("user", {"id": 1})["id"] == 1]
        rows = [r for r in rows if str(r.get("organisation_id", parent)) == parent]
        rows = [r for r in rows if r.get("employeeId", parent) == parent]
    items = listed(connector, resource, parent)
    assert sorted(i.external_id for i in items) == sorted(external(spec, r) for r in rows)
    assert not any(i.fault for i in items)
    assert world.counted(vendor)[0] - before == connector.pages(resource, len(rows))
    declared = spec.fields.keys() | {"_parent"}
    assert {name for i in items for name in i.row} <= declared


@pytest.mark.parametrize(("vendor", "server", "resource"), SINGLES)
def test_a_row_read_singly_says_what_its_listing_says(
    world: World, vendor: str, resource: str
) -> None:
    """The single read shows what the listing shows, with the same values, in one call."""
    connector = world.connect(vendor, options=OPTIONS.get(vendor, {}))
    parent = some_parent(world, vendor, resource)
    add_some(world, vendor, resource, parent)
    row = listed(connector, resource, parent, days=9)[0]
    before = world.counted(vendor)[0]
    item = connector.get(resource, row.external_id)
    assert item is not None
    assert (item.external_id, item.parent) == (row.external_id, row.parent)
    shown = {name: value for name, value in row.row.items() if name not in ONLY_LISTED}
    assert {name: item.row.get(name) for name in shown} == shown
    assert world.counted(vendor)[0] - before == 1


@written
def test_what_is_written_is_read(world: World, kind: Writable) -> None:
    """A created, then changed row reads back as it was sent, and its listing says the same."""
    connector, body = world.connect(kind.vendor), kind.create(world)
    made = connector.create(kind.resource, body, KEY)
    item = connector.get(kind.resource, made.external_id)
    assert item is not None
    assert _differing(item, body) == []
    before = world.counted(kind.vendor)[1]
    answer = connector.update(kind.resource, made.external_id, kind.change, item.row, KEY)
    calls = connector.calls_of(kind.resource, kind.change)
    assert world.counted(kind.vendor)[1] - before == calls
    assert answer.external_id == made.external_id
    item = connector.get(kind.resource, made.external_id)
    assert item is not None
    assert _differing(item, {**body, **kind.change}) == []
    spec = CATALOG[kind.vendor].resources[kind.resource]
    shown = {i.external_id: i for i in listed(connector, kind.resource, item.parent)}
    seen = shown[made.external_id].row
    assert {n: seen[n] for n in seen if n in spec.fields} == {
        n: item.row.get(n, seen[n]) for n in seen if n in spec.fields
    }


def _differing(item: Item, body: Body) -> list[str]:
    return [p for p, v in body.items() if str(paths.get(item.row, p)) != str(v)]


@written
@pytest.mark.parametrize("fault", ["drop_after", "truncate", "drop_before", "status_503", "html"])
def test_a_lost_create_is_unknown_and_proved_by_a_read(
    world: World, kind: Writable, fault: str
) -> None:
    """Whether a create without an answer took effect is told by ``find``, and it is never sent again."""
    connector, body = world.connect(kind.vendor), kind.create(world)
    assert connector.find(kind.resource, body, KEY) == []
    world.sandbox.fault(kind.vendor, fault, method="POST", count=1)
    took = fault in ("drop_after", "truncate")
    with pytest.raises(Unknown):
        connector.create(kind.resource, body, KEY)
    found = connector.find(kind.resource, body, KEY)
    assert len(found) == took
    if found and kind.resource != "employees":
        assert _differing(found[0], body) == []
    assert world.counted(kind.vendor)[1] == 1
    assert world.sandbox.counters()[kind.vendor]["applied"] == took


@written
def test_a_lost_update_is_unknown_and_a_refused_one_rejected(world: World, kind: Writable) -> None:
    """An answer lost on the way leaves the row to be read; a 4xx says that nothing happened."""
    connector, body = world.connect(kind.vendor), kind.create(world)
    made = connector.create(kind.resource, body, KEY)
    item = connector.get(kind.resource, made.external_id)
    assert item is not None
    world.sandbox.fault(kind.vendor, "drop_after", method="PATCH", count=1)
    with pytest.raises(Unknown):
        connector.update(kind.resource, made.external_id, kind.change, item.row, KEY)
    gone = f"{made.external_id}0"
    with pytest.raises(Rejected) as refused:
        connector.update(kind.resource, gone, kind.change, item.row, KEY)
    assert refused.value.status in (400, 404)


@with_each([k for k in WRITABLE if k.vendor == "weekly10"])
def test_a_taken_id_exists(world: World, kind: Writable) -> None:
    """A second create with the same chosen id makes no second row and says why."""
    connector, body = world.connect(kind.vendor), kind.create(world)
    connector.create(kind.resource, body, KEY)
    with pytest.raises(Exists):
        connector.create(kind.resource, body, "another-key")


def test_a_taken_employee_number_exists(world: World) -> None:
    """The natural key of HeavenHR employees is recognised in its refusal."""
    connector, body = world.connect("heavenhr"), WRITABLE[0].create(world)
    connector.create("employees", body, KEY)
    with pytest.raises(Exists):
        connector.create("employees", {**body, "email": "x@example.org"}, "another-key")
    with pytest.raises(Rejected):
        connector.create("employees", {**body, "employeeNumber": "9", "locationId": "_x_"}, KEY)


@deletable
def test_deleting_twice_is_deleting(world: World, kind: Writable) -> None:
    """A row that is gone already counts as deleted, and reads as not there."""
    connector = world.connect(kind.vendor)
    made = connector.create(kind.resource, kind.create(world), KEY)
    connector.delete(kind.resource, made.external_id, KEY)
    connector.delete(kind.resource, made.external_id, KEY)
    assert connector.get(kind.resource, made.external_id) is None


def test_two_alike_rows_are_told_apart_by_their_markers(world: World) -> None:
    """Two creates with equal bodies and different keys are two rows, each found by its own key."""
    for kind in (WRITABLE[1], WRITABLE[2]):
        connector, body = world.connect(kind.vendor), kind.create(world)
        first = connector.create(kind.resource, body, "11111111-aaaa")
        second = connector.create(kind.resource, body, "22222222-bbbb")
        assert [i.external_id for i in connector.find(kind.resource, body, "11111111-aaaa")] == [
            first.external_id
        ]
        assert [i.external_id for i in connector.find(kind.resource, body, "22222222-bbbb")] == [
            second.external_id
        ]
        elsewhere = {**body, "requestDate": OTHER_DAY, "date": OTHER_DAY}
        assert connector.find(kind.resource, elsewhere, "11111111-aaaa") == []


@every
@pytest.mark.parametrize("fault", ["html", "truncate", "status_500", "refuse", "drop_after"])
def test_a_broken_listing_raises_and_yields_no_less(world: World, vendor: str, fault: str) -> None:
    """A listing that breaks for good raises after quick repeats; one that hiccups is read."""
    connector = world.connect(vendor)
    connector.health()
    world.sandbox.fault(vendor, fault, count=1)
    whole = listed(connector, LONGEST[vendor])
    assert connector.tally.retries == 1
    world.sandbox.clear_faults()
    assert [i.external_id for i in listed(connector, LONGEST[vendor])] == [
        i.external_id for i in whole
    ]
    world.sandbox.fault(vendor, fault)
    with pytest.raises(VendorDown):
        listed(connector, LONGEST[vendor])


@pytest.mark.parametrize(("vendor", "server", "resource", "move"), MOVES)
def test_a_listing_that_moves_between_its_pages_is_complete(
    world: World, vendor: str, resource: str, move: str
) -> None:
    """A row that stands all the while is shown, though others before it are deleted, hidden or shown twice."""
    connector = world.connect(vendor, size=1, options=OPTIONS.get(vendor, {}))
    parent = some_parent(world, vendor, resource)
    add_some(world, vendor, resource, parent)
    rows = {i.external_id for i in listed(connector, resource, parent, days=9)}
    assert len(rows) > 2
    listing = connector.scan(resource, parent, window(connector, resource, days=9))
    first = next(item.external_id for page in listing for item in page.items)
    if move == "delete":
        own = first.partition("/")[2] if parent and resource != "salaries" else first
        world.sandbox.mutate(vendor, STORED_IN.get(resource, resource), "delete", own)
    else:
        world.sandbox.fault(vendor, move, method="GET", count=1)
    shown = [first, *(item.external_id for page in listing for item in page.items)]
    assert set(shown) == rows


@every
def test_unkind_ways_to_list_are_read_all_the_same(world: World, vendor: str, server: str) -> None:
    """Fewer rows a page than asked for lose none; half an emoji costs one row; a head that drips ends in time, and a
    redirect concludes nothing."""
    connector, longest = world.connect(vendor), LONGEST[vendor]
    whole = {i.external_id for i in listed(connector, longest)}
    ours = server != "django"
    if ours:
        world.sandbox.fault(vendor, "small_pages")
        assert {i.external_id for i in listed(connector, longest)} == whole
        world.sandbox.clear_faults()
    world.sandbox.fault(vendor, "half_text", method="GET", count=1)
    items = listed(connector, longest)
    assert {i.external_id for i in items} == whole
    assert sum(bool(i.fault) for i in items) <= 1
    for fault in ("redirect", *["slow_head"] * ours):
        world.sandbox.clear_faults()
        world.sandbox.fault(vendor, fault, method="GET", delay=6)
        began = time.monotonic()
        with pytest.raises(VendorDown):
            listed(connector, longest)
        assert time.monotonic() - began < 5


@written
def test_what_stands_before_a_vendor_refuses_no_write(
    world: World, kind: Writable, server: str
) -> None:
    """A page or a redirect in answer to a write: it was not sent, or nobody knows, and no person is to be asked."""
    connector, body = world.connect(kind.vendor), kind.create(world)
    connector.health()
    refusals: list[tuple[str, dict[str, Any], type[Exception]]] = [
        ("html", {"status": 403}, Astray),
        ("html", {"status": 404}, Astray),
        ("html", {"status": 405}, Astray),
        ("html", {"status": 503, "retry_after": "1"}, Unknown),
        ("redirect", {"status": 307}, Astray),
        ("redirect", {"status": 302}, Unknown),
        *[("slow_head", {"delay": 4}, Unknown)] * (server != "django"),
    ]
    for fault, more, error in refusals:
        world.sandbox.fault(kind.vendor, fault, method="POST", count=1, **more)
        with pytest.raises(error):
            connector.create(kind.resource, body, KEY)
        world.sandbox.clear_faults()
        time.sleep(1.1 * ("retry_after" in more))


def test_a_poll_loses_no_row(world: World) -> None:
    """Whatever changes between polls, and wherever one breaks off, the next one shows it."""
    connector, sandbox = world.connect("heavenhr", size=2), world.sandbox
    ids = [row["id"] for row in sandbox.state("heavenhr", "employees")]
    cursor: str | None = None

    def poll() -> set[str]:
        nonlocal cursor
        shown: set[str] = set()
        for page in connector.poll("employees", cursor):
            cursor = page.cursor
            shown |= {i.external_id for i in page.items}
        return shown

    assert poll() == set(ids)
    for start in (0, 2, 4):
        moved = ids[start : start + 5]
        for one in moved:
            sandbox.mutate("heavenhr", "employees", "update", one, {"jobTitle": str(start)})
        if start == 2:
            sandbox.fault("heavenhr", "html", method="GET", skip=1)
            with pytest.raises(VendorDown):
                poll()
            sandbox.clear_faults()
        assert poll() >= set(moved)


def test_half_of_a_haekka_update_is_not_lost(world: World) -> None:
    """Status and rate arrive both, in an order in which neither undoes the other."""
    connector = world.connect("haekka")
    row = next(
        r for r in world.sandbox.state("haekka", "employee_trainings") if r["completion_status"]
    )
    body = {"completion_rate": 30, "completion_status": False}
    answer = connector.update("employee_trainings", row["id"], body, row, KEY)
    assert answer.row is not None
    assert {name: answer.row[name] for name in body} == body
    assert connector.tally.writes == connector.calls_of("employee_trainings", body, row) == 2
