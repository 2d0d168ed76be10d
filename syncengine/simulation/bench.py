"""An engine on vendors in memory: what the composition root does, by hand."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Self, TypeVar

from sqlalchemy import Engine as Database

from syncengine.flows.capture.capture import Captured, capture
from syncengine.flows.capture.refresh import refresh
from syncengine.flows.core.engine import Engine
from syncengine.flows.core.gate import CallGate
from syncengine.flows.core.limits import Limits
from syncengine.flows.reconcile.derive import derive
from syncengine.flows.reconcile.reconcile import reconcile
from syncengine.flows.send.dispatch import dispatch
from syncengine.flows.send.probe import probe
from syncengine.ledger import Ledger, Transaction
from syncengine.ledger.copying import copied
from syncengine.ledger.engine import make_engine
from syncengine.ledger.migrations import upgrade
from syncengine.ledger.tables import metadata
from syncengine.mapping import Project, load_project
from syncengine.model.case import Case
from syncengine.model.change import Change
from syncengine.model.link import Link
from syncengine.model.operation import UNSETTLED, Operation
from syncengine.model.record import Record
from syncengine.simulation.clock import ManualClock
from syncengine.simulation.vendor import FakeVendor

T = TypeVar("T")
LOOPS = 30
"""Rounds after which reading, deciding and writing must have come to an end."""
LIMITS = Limits(lease=20.0, request_timeout=10.0, batch=100, backoff=1.0)


@dataclass
class Announced:
    """A queue that remembers."""

    sent: list[tuple[str, list[str]]] = field(default_factory=list)

    def announce(self, task: str, arguments: Iterable[str]) -> None:
        """Remember."""
        self.sent.append((task, list(arguments)))


class InTurn(ThreadPoolExecutor):
    """A pool whose calls run while nobody else does, so that the time which one takes is the same in each run: who
    submits a call goes on once that has ended, or asks for leave to go out."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """``fn`` is told a job and the queue in which it asks."""
        _, asked = args
        before, future = asked.qsize(), super().submit(fn, *args, **kwargs)
        while not future.done() and asked.qsize() == before:
            wait([future], timeout=0.001)
        return future


@dataclass
class Bench:
    """An engine, its vendors by name, its clock, and short ways to look at the ledger."""

    engine: Engine
    vendors: dict[str, FakeVendor]
    clock: ManualClock
    database: Database
    queue: Announced

    @classmethod
    def on(
        cls, vendors: Sequence[FakeVendor], made: Project, database: Database, clock: ManualClock,
        limits: Limits = LIMITS,
    ) -> Self:  # fmt: skip
        """Put an engine together; the vendors' calls go through its gates."""
        ledger, queue = Ledger(database, clock=clock.now), Announced()
        gates = {
            c.name: CallGate(c, ledger, clock, limits.request_timeout)
            for c in made.connections.values()
        }
        by_name = {vendor.spec.name: vendor for vendor in vendors}
        for name, vendor in by_name.items():
            vendor.gate = gates[name]
        engine = Engine(made, ledger, by_name, gates, queue, clock, limits, pool=InTurn(2, "call"))
        return cls(engine, by_name, clock, database, queue)

    # flows

    def scan(self, name: str, resource: str = "people") -> Captured:
        """A complete listing."""
        return capture(self.engine, name, resource, "scan")

    def scan_all(self) -> None:
        """All complete listings."""
        for name, vendor in self.vendors.items():
            for resource in vendor.spec.resources:
                self.scan(name, resource)

    def think(self) -> None:
        """Read and decide until nothing is due; nothing is written."""
        for _ in range(LOOPS):
            if not refresh(self.engine) + reconcile(self.engine) + derive(self.engine):
                return
        raise AssertionError("reading and deciding does not come to an end")

    def send(self) -> dict[str, int]:
        """Send what is due, once."""
        return dict(dispatch(self.engine))

    def prove(self) -> dict[str, int]:
        """Probe what is due, once."""
        return dict(probe(self.engine))

    def settle(self) -> None:
        """Think, send and prove until nothing is due now."""
        for _ in range(LOOPS):
            self.think()
            if not self.send() and not self.prove():
                return
        raise AssertionError("writing does not come to an end")

    # looking

    def read(self, look: Callable[[Transaction], T]) -> T:
        """In a snapshot."""
        with self.engine.ledger.read() as tx:
            return look(tx)

    def links(self, connection: str | None = None) -> list[Link]:
        """All links, in a connection."""
        return self.read(lambda tx: tx.select_links(connection=connection))

    def records(self, entity: str = "person") -> list[Record]:
        """All live records."""
        return self.read(lambda tx: tx.records_of(entity))

    def cases(self) -> list[Case]:
        """All open cases."""
        return self.read(lambda tx: tx.cases())

    def operations(self, connection: str | None = None) -> list[Operation]:
        """All operations, the newest first."""
        return self.read(lambda tx: tx.select_operations(connection=connection))

    def unsettled(self) -> list[Operation]:
        """Those without an outcome."""
        return self.read(lambda tx: tx.select_operations(UNSETTLED))

    def history(self, record_id: str) -> list[Change]:
        """Of a record, oldest first."""
        return self.read(lambda tx: tx.history(record_id))

    @contextmanager
    def between(self, at: int, happen: Callable[[], object]) -> Iterator[None]:
        """Inside the block, something happens right before the write transaction number ``at``."""
        kept = self.engine.ledger
        self.engine.ledger = Between(kept, at, happen)
        try:
            yield
        finally:
            self.engine.ledger = kept


class Between(Ledger):
    """A ledger that lets something happen right before the write transaction number ``at`` (counted from 1)."""

    def __init__(self, ledger: Ledger, at: int, happen: Callable[[], object]) -> None:
        self.ledger, self.at, self.happen, self.count = ledger, at, happen, 0

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A snapshot."""
        with self.ledger.read() as tx:
            yield tx

    def compact(self) -> bool:
        """As the ledger does."""
        return self.ledger.compact()

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A write, perhaps after something else."""
        self.count += 1
        if self.count == self.at:
            self.happen()
        with self.ledger.write() as tx:
            yield tx


def connections(
    vendors: Iterable[FakeVendor], modes: Mapping[str, str] | None = None, more: str = ""
) -> str:
    """A connections.yaml with one connection for each vendor, of its name."""
    lines = ["version: 1", "connections:"]
    for vendor in vendors:
        name, resources = vendor.spec.name, vendor.spec.resources.values()
        lines += [
            f"  {name}:",
            f"    connector: {name}",
            f"    mode: {(modes or {}).get(name, 'write')}",
            "    base_url: http://127.0.0.1:9",
            "    resources:",
        ]
        for resource in resources:
            window = ", window: {back: 30d, ahead: 30d}" if resource.dated else ""
            lines.append(f"      {resource.name}: {{scan: 1h{window}}}")
    return "\n".join(lines) + "\n" + more


def project(
    vendors: Sequence[FakeVendor], *files: str, modes: Mapping[str, str] | None = None
) -> Project:
    """A project of YAML texts. Raises ConfigInvalid."""
    catalog = {vendor.spec.name: vendor.spec for vendor in vendors}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "connections.yaml").write_text(connections(vendors, modes), "utf-8")
        for number, text in enumerate(files):
            (folder / f"part{number}.yaml").write_text(text, "utf-8")
        return load_project(folder, catalog, {})


def new_database() -> Database:
    """An empty store in memory."""
    return copied(_migrated())


@cache
def _migrated() -> Database:
    """The empty store that others are copied from, since migrating one takes a hundred times as long."""
    database = make_engine("sqlite://")
    upgrade(database)
    return database


def emptied(database: Database) -> Database:
    """The same store without a row."""
    with database.begin() as connection:
        for table in metadata.sorted_tables:
            connection.execute(table.delete())
    return database
