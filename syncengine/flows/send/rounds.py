"""Rounds: a few due operations of one connection, claimed together and read before anything else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from syncengine.errors import Again, SyncengineError
from syncengine.flows.capture.rows import PreflightRead, Read, store
from syncengine.flows.core.engine import Engine, TimedJobs, failed
from syncengine.flows.core.slots import slot_session
from syncengine.ledger import Transaction
from syncengine.model.operation import Action, Operation
from syncengine.ports import Item

R = TypeVar("R", bound="Round")

NEWEST = 8
"""Of the operations of a round, where more are due, so many are the newest: what was just changed overtakes a
backlog, which is worked off none the less."""


@dataclass(slots=True)
class Round:
    """A few operations of one connection that are processed together. ``until``: when no further one is begun; those
    are ``left``."""

    engine: Engine
    connection: str
    operations: Sequence[Operation]
    width: int
    until: float
    left: Sequence[Operation] = ()

    def _preflight_all(
        self,
    ) -> tuple[dict[str, PreflightRead], list[tuple[Operation, SyncengineError]]]:
        """Read the row of each operation; for a create, search for its key. Returns what was read, and what failed."""
        preflights: dict[str, PreflightRead] = {}
        failures: list[tuple[Operation, SyncengineError]] = []
        jobs = [(o, partial(self._preflight, o)) for o in self.operations]
        begun = TimedJobs(self.engine.clock, jobs, self.until)
        for operation, result in self.engine.call_all(begun, self.width):
            error = failed(result)
            if error is None:
                preflights[operation.id] = result
            else:
                failures.append((operation, error))
        self.operations, self.left = self.operations[: begun.count], self.operations[begun.count :]
        return preflights, failures

    def _blames(
        self, failures: Sequence[tuple[Operation, SyncengineError]], went_well: bool
    ) -> bool:
        """Whether the connection is to blame for what failed."""
        errors = [error for _, error in failures if not isinstance(error, Again)]
        return self.engine.blames(self.connection, errors, went_well)

    def _preflight(self, operation: Operation) -> PreflightRead:
        """Read the row of one operation; for a create, search for it."""
        connector, now = self.engine.connectors[self.connection], self.engine.clock.now
        spec = connector.spec.resources[operation.resource]
        started = now()
        items: Sequence[Item] = ()
        if operation.action is Action.CREATE:
            if spec.proves(operation.body):
                self.engine.needs[self.connection] += 1
                items = connector.find(operation.resource, operation.body, operation.key)
        else:
            self.engine.needs[self.connection] += 1
            found = connector.get(operation.resource, operation.external_id or "")
            items = () if found is None else (found,)
        return PreflightRead(items, started, now())


def rounds(
    engine: Engine, kind: str, ids: Collection[str] | None,
    claim: Callable[[str, Transaction], Sequence[Operation]],
    made: type[R], work: Callable[[R], Counter[str]],
) -> Counter[str]:  # fmt: skip
    """Process rounds in each connection where something is due: ``claim`` takes the operations, ``made`` builds the
    round, ``work`` runs it."""
    outcomes, left = Counter[str](), set(engine.connectors)
    while True:
        with engine.ledger.read() as tx:
            open_now = left.intersection(engine.open_connections(tx, writing=kind == "dispatch"))
            place = tx.due_place(kind, engine.clock.now(), sorted(open_now), ids)
        if place is None:
            return outcomes
        left.remove(place)
        until = engine.clock.now() + engine.limits.slice
        with slot_session(engine, place, writing=True, ids=ids) as held:
            while operations := held.claim(partial(claim, place)):
                outcomes += work(made(engine, place, operations, held.width, until))
                if engine.clock.now() >= until:
                    break


def capture_preflights(
    engine: Engine,
    tx: Transaction,
    operations: Sequence[Operation],
    preflights: Mapping[str, PreflightRead],
) -> None:
    """Store the rows that were read before writes and by probes."""
    groups: dict[tuple[str, str], list[Read]] = {}
    for operation in operations:
        preflight = preflights[operation.id]
        if operation.action is Action.CREATE:
            continue
        external_id = operation.external_id or ""
        row = None if preflight.item is None else preflight.item.row
        parent = None if preflight.item is None else preflight.item.parent
        read = Read(external_id, row, parent, preflight.started, preflight.received)
        groups.setdefault((operation.entity, operation.connection), []).append(read)
    for (entity, connection), reads in groups.items():
        system = engine.system(entity, connection)
        if system is not None:
            store(engine, tx, engine.project.entities[entity], system, "get", reads)
