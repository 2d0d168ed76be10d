"""A database of 100,000 people that runs for a year does not grow without bound, on both databases."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import count

import pytest
from sqlalchemy import Engine as Database
from sqlalchemy import func, select

from syncengine.flows.forget.retention import forget_slices
from syncengine.ledger import Ledger, Transaction
from syncengine.ledger.tables import metadata
from syncengine.model.case import Case, CaseKind
from syncengine.model.change import Change
from syncengine.model.changeset import Changeset
from syncengine.model.event import Event
from syncengine.model.key import Key, KeyKind
from syncengine.model.link import Link, LinkState
from syncengine.model.operation import Action, Operation, OperationState
from syncengine.model.record import Record
from syncengine.simulation.clock import ManualClock
from tests.support.people import duo

PEOPLE = 100_000
STEP = 10
"""Days that pass at once."""
CHANGES = 100 * STEP
"""People of whom something changes meanwhile."""
LEAVERS = 20 * STEP
"""People who leave meanwhile, and who come."""
CASES = 5 * STEP
"""Questions that are answered meanwhile."""
DAY = 86_400.0
SPANS = {"events": 30, "operations": 60, "cases": 90, "history": 90, "left": 60}


class Company:
    """People who come, change and leave, as the flows would write it."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock, self.numbers, self.there = clock, count(), list[str]()

    def come(self, tx: Transaction, how_many: int) -> None:
        """Each with a row in two systems, one of which we have made."""
        ids = [f"{next(self.numbers):09}" for _ in range(how_many)]
        tx.write(
            Changeset(new_records=[Record(f"r{i}", "person", {"email": f"{i}@x.de"}) for i in ids])
        )
        tx.write(
            Changeset(new_links=[self._link(system, i) for i in ids for system in ("hr", "lms")])
        )
        tx.take_keys([Key(KeyKind.RECORD, "person:0", (f"{i}@x.de",), f"r{i}") for i in ids])
        self._moved(tx, ids, "", Action.CREATE)
        self.there += ids

    def change(self, tx: Transaction, day: int) -> None:
        """A field of some of them."""
        ids = [self.there[(day * 7919 + n * 97) % len(self.there)] for n in range(CHANGES)]
        self._moved(tx, list(dict.fromkeys(ids)), "job", Action.UPDATE)
        at = self.clock.now()
        tx.write(Changeset(raised=[
                Case(f"c{day:04}{n:04}", CaseKind.CONFLICT, f"conflict:{day}/{n}", "Which?",
                     {"fields": {}}, opened_at=at)
                for n in range(CASES)
            ]))  # fmt: skip
        tx.write(
            Changeset(dissolved=dict.fromkeys([f"conflict:{day}/{n}" for n in range(CASES)], at))
        )

    def leave(self, tx: Transaction) -> None:
        """The first ones."""
        ids, self.there = self.there[:LEAVERS], self.there[LEAVERS:]
        records = tx.records([f"r{i}" for i in ids], lock=True).values()
        tx.write(Changeset(records=[replace(r, deleted=True, generation=2) for r in records]))
        links = tx.links([f"{s}{i}" for i in ids for s in ("hr", "lms")], lock=True).values()
        tx.write(Changeset(links=[replace(k, state=LinkState.GONE, row=None) for k in links]))
        tx.write(
            Changeset(dropped_keys={(KeyKind.RECORD, owner) for owner in [f"r{i}" for i in ids]})
        )
        tx.take_keys([Key(KeyKind.FORMER, "person:0", (f"{i}@x.de",), f"r{i}") for i in ids])
        self._moved(tx, ids, "", Action.DELETE)

    def _link(self, system: str, i: str) -> Link:
        row = {"email": f"{i}@x.de"}
        return Link(f"{system}{i}", "person", system, "people", i, None, f"r{i}",
                    LinkState.LINKED, row, read_at=self.clock.now())  # fmt: skip

    def _moved(self, tx: Transaction, ids: list[str], field: str, action: Action) -> None:
        at, day = self.clock.now(), int(self.clock.now() // DAY)
        tx.add_events(
            [Event("hr", "people", i, f"{i}/{day}/{action}", "scan", at) for i in ids]
            + [Event("lms", "people", i, f"{i}/{day}/{action}", "write", at) for i in ids]
        )
        tx.write(Changeset(history=[Change(f"r{i}", 1, field, "a", "b", at=at) for i in ids]))
        tx.write(Changeset(new_operations=[
                Operation(f"{day:06}{action[0]}{i}", f"lms{i}", f"r{i}", "person", "lms", "people",
                          action, created_at=at, state=OperationState.APPLIED, external_id=i)
                for i in ids
            ]))  # fmt: skip


def sizes(database: Database) -> Counter[str]:
    """How many rows each table holds."""
    with database.connect() as connection:
        return Counter(
            {
                name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for name, table in metadata.tables.items()
            }
        )


@pytest.mark.long
def test_a_year_of_100_000_people_is_bounded(database: Database) -> None:
    """20 leave and come and 100 change each day, and what is over is kept for 30 to 90 days: at the end of the year
    tables are as large as after half of it. Of operations and history also what proves each link and explains each
    record stays. Each table is within what its span allows."""
    made = duo()
    engine = made.engine
    engine.ledger = Ledger(database)
    kept = {kind: days * DAY for kind, days in SPANS.items()}
    engine.project = replace(engine.project, retention=replace(engine.project.retention, **kept))
    company, half, gone = Company(made.clock), Counter[str](), Counter[str]()
    for _ in range(PEOPLE // 2000):
        with engine.ledger.write() as tx:
            company.come(tx, 2000)
    for day in range(0, 365, STEP):
        with engine.ledger.write() as tx:
            company.come(tx, LEAVERS)
            company.change(tx, day)
            company.leave(tx)
        made.clock.sleep(STEP * DAY + 1)
        gone += forget_slices(engine, 5000)
        print(day, made.clock.now(), dict(sizes(database)))
        if day == 180:
            half = sizes(database)
    full, moved = sizes(database), (CHANGES + 2 * LEAVERS) / STEP
    assert all(
        full[name] <= half[name] * 1.05 + 10 for name in full.keys() - {"history", "operations"}
    )
    assert full["records"] <= PEOPLE + LEAVERS / STEP * (60 + STEP + 1)
    assert full["links"] == 2 * full["records"]
    assert full["keys"] == full["records"]
    assert full["events"] <= 2 * moved * (30 + STEP + 1)
    assert full["operations"] <= 2 * full["records"] + moved * (60 + STEP + 1)
    assert full["history"] <= 2 * full["records"] + moved * (90 + STEP + 1)
    assert full["cases"] <= CASES / STEP * (90 + STEP + 1)
    assert gone["left"] >= LEAVERS * 28
