"""Whatever docs/vendors.md says that a connector calls is called: by doing all that its resources can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from syncengine.adapters.vendors import CATALOG
from syncengine.ports import Connector
from syncengine.sandbox.hakuna_absences import ORGANIZATION_TOKEN
from tests.contract.peers import (
    KEY,
    OPTIONS,
    VENDORS,
    WRITABLE,
    Body,
    World,
    add_some,
    listed,
    some_parent,
)
from tests.unit.test_vendor_docs import spot, told

Bodies = tuple[Callable[[World], Body], Body]
"""What a create takes, and what changes then."""


def unassigned(world: World) -> Body:
    """A training that a person of Haekka does not have yet."""
    rows = world.sandbox.state("haekka", "employee_trainings")
    had = {(row["employee_id"], row["training_id"]) for row in rows}
    return next(
        {"employee_id": person["id"], "training_id": training["id"]}
        for person in world.sandbox.state("haekka", "employees")
        for training in world.sandbox.state("haekka", "trainings")
        if person["active"] and (person["id"], training["id"]) not in had
    )


BODIES: Mapping[str, Bodies] = {
    **{str(kind): (kind.create, kind.change) for kind in WRITABLE},
    "heavenhr/absence_budgets": (
        lambda world: {"_parent": some_parent(world, "heavenhr", "absence_budgets"), "year": 2020},
        {},
    ),
    "haekka/employee_trainings": (unassigned, {"completion_rate": 30}),
    "hakuna/timers": (lambda _: {"_parent": "2", "task_id": 1}, {"end_time": "23:59"}),
}
ATTRIBUTE = {"customAttributes[name='Shirt size'].value": "L"}
"""Written by its name, which the connector has to look up."""


def use(world: World, connector: Connector, resource: str) -> None:
    """Do once whatever the resource can do."""
    vendor, spec = connector.spec.name, connector.spec.resources[resource]
    parent = some_parent(world, vendor, resource)
    add_some(world, vendor, resource, parent)
    if spec.poll:
        list(connector.poll(resource, None))
    if spec.scan:
        rows = listed(connector, resource, parent, days=9)
        if spec.single_get and rows:
            connector.get(resource, rows[0].external_id)
    if not spec.create:
        return
    make, change = BODIES[f"{vendor}/{resource}"]
    made = connector.create(resource, make(world), KEY)
    if spec.single_get:
        connector.get(resource, made.external_id)
    if spec.update:
        more: dict[str, Any] = ATTRIBUTE if "customAttributes" in spec.fields else {}
        connector.update(resource, made.external_id, {**change, **more}, made.row or {}, KEY)
    if spec.delete:
        if resource == "timers":
            made = connector.create(resource, make(world), KEY)
        connector.delete(resource, made.external_id, KEY)


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_route_that_the_page_names_is_called(world: World, vendor: str) -> None:
    """Doing all that the resources of a connector can do sends each request that stands in its table of routes, and
    no other, and the vendor accepts it."""
    connector = world.connect(vendor, options=OPTIONS.get(vendor, {}))
    connector.health()
    for resource in CATALOG[vendor].resources:
        if resource == "organization_status":
            key = {"token": ORGANIZATION_TOKEN}
            listed(world.connect(vendor, credentials=key), resource)
        else:
            use(world, connector, resource)
    asked = {
        spot(entry["method"], entry["route"])
        for entry in world.sandbox.requests()
        if entry["vendor"] == vendor and entry["status"] < 300
    }
    assert asked == {row.spot for row in told(vendor) if row.uses}
