"""The shipped project on vendors in memory, and a ledger that knows as many employees as wanted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from sqlalchemy import Engine as Database
from sqlalchemy import select, text

from syncengine.adapters.vendors import CATALOG
from syncengine.flows.core.world import load_world
from syncengine.flows.reconcile.derive import derived_key
from syncengine.ledger import tables
from syncengine.ledger.stored import hashed
from syncengine.mapping import Project, load_project
from syncengine.model.key import Key
from syncengine.model.record import Record, World
from syncengine.model.values import Json
from syncengine.planning.identity import record_keys, uses
from syncengine.planning.likeness import record_likes
from syncengine.simulation.bench import LIMITS, emptied, new_database
from syncengine.simulation.clock import ManualClock
from syncengine.simulation.vendor import FakeVendor
from tests.support.bench import Bench
from tests.support.places import MAPPINGS

TRAININGS = ("SOC 2 basics", "GDPR basics 2026")
FIRST = "-00000-"
"""What the ids and words of the first employee have in them; with another one it is another number."""


@cache
def _database() -> Database:
    return new_database()


def company(people: int = 1, mode: str = "write", database: Database | None = None) -> Bench:
    """Employees of HeavenHR, whom hakuna and Haekka know; two trainings that are mandatory. ``database``: an empty one,
    where another company is looked at as well or it is not to be in memory."""
    clock = ManualClock()
    vendors = [FakeVendor(spec, clock) for spec in CATALOG.values()]
    made = Bench.on(vendors, shipped(mode), database or emptied(_database()), clock, LIMITS)
    hr, hakuna, haekka = (made.vendors[name] for name in ("heavenhr", "hakuna", "haekka"))
    hr.add("locations", id="L1", name="Berlin", city="Berlin", country="DE")
    hr.add("cost_centers", id="C1", name="Everybody", number="1")
    hr.add("organizations", id="D1", distinctName="Crew", parentId="D0", headsOfUnit=None)
    for number, name in enumerate(TRAININGS):
        haekka.add("trainings", id=f"T{number}", name=name)
        made.vendors["weekly10"].add("training_packages", id=f"T{number}", name=name)
    for who in (f"-{number:05}-" for number in range(people)):
        hr.add("employees", **employee(who))
        hakuna.add("users", id=f"h{who}", email=f"p{who}@x.de")
        haekka.add("employees", id=f"k{who}", email=f"p{who}@x.de")
        for number in range(len(TRAININGS)):
            haekka.add(
                "employee_trainings", id=f"r{number}{who}", employee_id=f"k{who}",
                training_id=f"T{number}", completion_rate=0, completion_status=False,
            )  # fmt: skip
    return made


def employee(who: str, **values: Json) -> dict[str, Json]:
    """A row of HeavenHR."""
    return {
        "id": f"e{who}", "firstName": "Ida", "lastName": f"Berg{who}", "jobTitle": "dev",
        "professionalEmail": f"p{who}@x.de", "email": f"home{who}@x.de",
        "employeeNumber": f"n{who}", "jobStatus": "ACTIVE", "startDate": "2020-01-01",
        "endOfContract": None, "departmentId": "D1", "locationId": "L1", "costCenterId": "C1",
        "customAttributes": [{"name": "Shirt size", "value": "M"}], **values,
    }  # fmt: skip


def shipped(mode: str) -> Project:
    """The shipped project with credentials."""
    given = {f"{s.name}_{name}".upper(): "x" for s in CATALOG.values() for name in s.credentials}
    given |= {"WEEKLY10_BASE_URL": "http://127.0.0.1:9", "SYNCENGINE_MODE": mode}
    return load_project(MAPPINGS, CATALOG, given)


def multiply(made: Bench, people: int) -> None:
    """Copy what is known of the one employee until there are ``people``: records, links and keys, with other ids and
    words. SQL does it, since the engine would take minutes."""
    entities = made.engine.project.entities
    with made.engine.ledger.read() as tx:
        records = {r.id: r for name in entities for r in tx.records_of(name)}
        mine = [r for r in records.values() if r.entity in ("person", "training_record")]
        world = load_world(made.engine, tx, (), records)
        ids = [x.id for x in (*mine, *tx.links_of([r.id for r in mine]))]
    keys = [key for r in mine for key in _keys(made, r, world)]
    vault = made.engine.ledger._vault  # type: ignore[attr-defined]
    with made.database.begin() as connection:
        driver: Any = connection.connection.driver_connection
        driver.create_function("hashed", 1, lambda text: text and hashed(vault, json.loads(text)))
        for table in (tables.records, tables.links):
            for row in connection.execute(select(table).where(table.c.id.in_(ids))).mappings():
                connection.execute(text(_copies(table.name, row, (FIRST, *ids), people)), dict(row))
        stored = connection.execute(select(tables.keys).where(tables.keys.c.owner.in_(ids))).all()
        assert len(stored) == len(keys)

    def of(value: Any, number: int) -> str:
        other = f"{value[:-6]}{number:06x}" if value in ids else str(value)
        return other.replace(FIRST, f"-{number:05}-")

    with made.engine.ledger.write() as tx:
        tx.take_keys(
            [
                replace(k, parts=tuple(of(p, n) for p in k.parts), owner=of(k.owner, n))
                for n in range(1, people)
                for k in keys
            ]
        )


def _keys(made: Bench, record: Record, world: World) -> Iterator[Key]:
    entity = made.engine.project.entities[record.entity]
    yield from record_keys(entity, record, world)
    yield from uses(entity, record)
    yield from record_likes(entity, record)
    for rule in made.engine.project.derivations:
        if rule.ensure == record.entity:
            yield derived_key(rule.name, tuple(record.values[s] for s in rule.sources), record.id)


def _copies(table: str, row: Mapping[str, Any], marks: Sequence[str], people: int) -> str:
    """INSERT of all copies of a row: what it shows of ``marks`` is another one's in each."""
    told: dict[str, str] = {}
    for name, value in row.items():
        if name.endswith("_hash") and name.removesuffix("_hash") in told:
            told[name] = f"hashed({told[name.removesuffix('_hash')]})"
            continue
        cell = f":{name}"
        for mark in (m for m in marks if isinstance(value, str) and m in value):
            other = (
                "printf('-%05d-', i)" if mark == FIRST else f"'{mark[:-6]}' || printf('%06x', i)"
            )
            cell = f"replace({cell}, '{mark}', {other})"
        told[name] = cell
    numbers = f"SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {people - 1}"
    names = ", ".join(f'"{name}"' for name in row)
    return (
        f"INSERT INTO {table} ({names}) WITH RECURSIVE n(i) AS ({numbers})"
        f" SELECT {', '.join(told.values())} FROM n"
    )
