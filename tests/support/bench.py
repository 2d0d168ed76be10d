"""The simulation's bench with what only tests ask of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from sqlalchemy import Engine as Database
from sqlalchemy import event, select

from syncengine.flows.capture.capture import Captured, capture
from syncengine.flows.capture.rows import Read, store
from syncengine.flows.people.cases import answer
from syncengine.flows.run.sync import sync
from syncengine.ledger import Ledger, Transaction
from syncengine.ledger.tables import metadata
from syncengine.mapping import Budget
from syncengine.model.case import Case
from syncengine.model.link import Link
from syncengine.model.record import Record
from syncengine.planning.observation import Source
from syncengine.simulation.bench import Bench as Simulated

COMMIT = 2
"""The write transaction of a reconcile in which plans are committed (1: claiming)."""
CHECK = 2
"""The write transaction of a dispatch in which what was read is compared (1: slots and claims)."""
MINUTE = 60.0


def stored(database: Database, *marks: str) -> list[str]:
    """The rows of all tables, as text, that hold one of these."""
    with database.connect() as connection:
        rows = [
            f"{table.name}: {dict(row)!r}"
            for table in metadata.sorted_tables
            for row in connection.execute(select(table)).mappings()
        ]
    return [row for row in rows if any(mark in row for mark in marks)]


@dataclass
class Bench(Simulated):
    """An engine, its vendors by name, its clock, and short ways to act and to look."""

    def poll(self, name: str, resource: str = "people") -> Captured:
        """What moved."""
        return capture(self.engine, name, resource, "poll")

    def sync(self, **asked: Any) -> dict[str, Any]:
        """One full pass, and another scan's worth of time."""
        self.clock.sleep(1.0)
        return sync(self.engine, **asked)

    def answer(self, given: str, case: Case | None = None) -> str:
        """Answer the one open case, or the one given."""
        asked = case or self.case()
        return answer(self.engine, asked.id, given).done

    def link(self, connection: str, row: str | None = None) -> Link:
        """The one link in a connection, or that of a row of people."""
        links = self.links(connection)
        if row is not None:
            links = [k for k in links if (k.resource, k.external_id) == ("people", row)]
        (link,) = links
        return link

    def record(self, entity: str = "person", **values: Any) -> Record:
        """The one live record, of those with these values."""
        (record,) = (r for r in self.records(entity) if values.items() <= r.values.items())
        return record

    def case(self) -> Case:
        """The one open case."""
        (case,) = self.cases()
        return case

    def written(self) -> dict[str, list[tuple[str, str]]]:
        """Connection -> the writes that arrived there."""
        return {name: vendor.wrote() for name, vendor in self.vendors.items() if vendor.wrote()}

    def put(self, name: str, source: Source, started: float, **rows: dict[str, Any] | None) -> None:
        """Store rows of people as if read from ``started`` until now."""
        person = self.engine.project.entities["person"]
        reads = [Read(i, row, None, started, self.clock.now()) for i, row in rows.items()]
        with self.engine.ledger.write() as tx:
            store(self.engine, tx, person, person.systems[name], source, reads)

    def stored(self, *marks: str) -> list[str]:
        """``stored``, in the bench's database."""
        return stored(self.database, *marks)

    @contextmanager
    def writes(self) -> Iterator[list[None]]:
        """The write transactions that end inside the block; one for each."""
        seen: list[None] = []
        ledger = self.engine.ledger

        @contextmanager
        def write() -> Iterator[Transaction]:
            with Ledger.write(ledger) as tx:
                yield tx
            seen.append(None)

        with patch.object(ledger, "write", write):
            yield seen

    @contextmanager
    def statements(self) -> Iterator[list[str]]:
        """The SQL that runs inside the block."""
        seen: list[str] = []

        def note(*given: Any) -> None:
            seen.append(str(given[2]))

        event.listen(self.database, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(self.database, "before_cursor_execute", note)


def within(made: Bench, name: str, calls: int, per: float = MINUTE) -> Bench:
    """From now on a connection has a budget."""
    engine = made.engine
    declared = replace(engine.project.connections[name], budget=Budget(calls, per, None))
    engine.project = replace(
        engine.project, connections={**engine.project.connections, name: declared}
    )
    engine.gates[name].connection = declared
    return made
