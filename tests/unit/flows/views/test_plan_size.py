"""What a plan from the mirror costs, of few people and of many."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

from syncengine.flows.capture.refresh import refresh
from syncengine.flows.run.sync import observe
from syncengine.flows.views.plan import plan
from syncengine.simulation.bench import new_database
from tests.support.bench import Bench
from tests.support.company import company, employee, multiply

MANY = 10_000
FEW, HUNDRED = 20, 100
"""Who have moved."""


class Silent:
    """A vendor that must not be called."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a plan from the mirror asked a vendor for {name}")


def planned(made: Bench) -> tuple[set[tuple[str, str, str, int]], int, float]:
    """What is planned, without a vendor; the SQL statements and the CPU seconds that it takes."""
    made.engine.connectors = dict.fromkeys(made.engine.connectors, Silent())
    with made.statements() as seen:
        began = time.process_time()
        document = plan(made.engine)
        took = time.process_time() - began
    counts = {tuple(count.values()) for count in document["counts"]}
    return counts, len(seen), took


def at_rest(people: int) -> Bench:
    """Everything is written."""
    made = company()
    made.sync()
    multiply(made, people)
    return made


def moved(people: int, count: int) -> Bench:
    """Everything is written, and so many have another name at HeavenHR since, which was read."""
    made = at_rest(people)
    hr = made.vendors["heavenhr"]
    hr.tables["employees"].rows |= {
        row["id"]: row
        for row in (employee(f"-{number:05}-", firstName="Iris") for number in range(count))
    }
    made.poll("heavenhr", "employees")
    while refresh(made.engine):
        pass
    return made


def renamed(count: int) -> set[tuple[str, str, str, int]]:
    """What is planned then."""
    return {("person", "heavenhr", "learn", count), ("person", "weekly10", "update", count)}


def unwritten(people: int) -> Bench:
    """Everything is read, nothing is written yet."""
    made = company()
    observe(made.engine)
    multiply(made, people)
    return made


def essence(made: Bench) -> list[str]:
    """The changes of a plan, but for the ids that the engine makes."""
    changes = (json.dumps(change, sort_keys=True) for change in plan(made.engine)["changes"])
    return sorted(re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "id", change) for change in changes)


def known(made: Bench) -> list[Any]:
    """How much the ledger holds."""
    with made.database.begin() as connection:
        kinds = connection.exec_driver_sql("SELECT kind, count(*) FROM keys GROUP BY kind").all()
    return [made.read(lambda tx: tx.count_links()), len(made.records()), kinds]


def test_a_copied_employee_is_like_one_that_was_read() -> None:
    """What these tests stand on: three employees are known and planned the same, copied or read."""
    copied, read = company(database=new_database()), company(3)
    for made in (copied, read):
        observe(made.engine)
    multiply(copied, 3)
    assert known(copied) == known(read)
    assert essence(copied) == essence(read)


def test_a_mirror_at_rest_costs_the_same_statements_whatever_its_size() -> None:
    """Where nothing has moved nothing is looked at."""
    (few, some, _), (many, more, _) = planned(at_rest(10)), planned(at_rest(500))
    assert (few, many, some) == (set(), set(), more)


def test_what_has_moved_costs_the_same_statements_among_few_and_many() -> None:
    """A plan looks at those who have moved and what follows from it, however many have not."""
    (few, some, _), (many, more, _) = planned(moved(FEW, FEW)), planned(moved(10 * FEW, FEW))
    assert few == many == renamed(FEW)
    assert some == more


@pytest.mark.long
@pytest.mark.ci
def test_a_hundred_of_ten_thousand_are_planned_in_seconds() -> None:
    """Without a vendor call."""
    counts, _, took = planned(moved(MANY, HUNDRED))
    assert counts == renamed(HUNDRED)
    assert took < 3


@pytest.mark.parametrize(
    ("people", "seconds"), [(100, 2), pytest.param(MANY, 150, marks=pytest.mark.long)]
)
def test_the_first_plan_of_all_is_made_from_the_mirror(people: int, seconds: float) -> None:
    """Everybody gets an account and two records of trainings; without a vendor call."""
    counts, statements, took = planned(unwritten(people))
    assert counts == {
        ("department", "weekly10", "create", 1),
        ("person", "weekly10", "create", people),
        ("training_record", "weekly10", "create", 2 * people),
    }
    assert statements < 200 + people / 10
    assert took < seconds
