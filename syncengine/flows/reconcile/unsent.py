"""Unsent writes: wanted but not sent. Where a connection is only observed, the link that wants a write stores that as
its wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from syncengine.flows.core.engine import Engine
from syncengine.ledger import Transaction
from syncengine.model.condition import InScope, RecordAt, RowTied, WrittenTo
from syncengine.model.link import Link, Wait, Waiting
from syncengine.model.operation import UNSETTLED, OperationState


def only_observed(link: Link) -> Wait:
    """The wait of a link whose write was dropped because its connection is only observed. Links that it could not name
    yet are left out of it; for a row that the link shows and that is not linked yet it still waits."""
    if link.wait is not None and isinstance(link.wait.on, RowTied):
        return link.wait
    return Wait(WrittenTo(link.connection), f"mode: write in {link.connection}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Writes that were not sent. ``writes``: connection -> number. ``waits``: links that wait for something other than
    such a write. ``outside``: those whose record is out of scope."""

    writes: Counter[str]
    waits: Sequence[Waiting]
    outside: Sequence[Waiting]

    def observed(self, engine: Engine) -> dict[str, int]:
        """The connections that are only observed, and how many writes each would get."""
        return {n: count for n, count in sorted(self.writes.items()) if is_observed(engine, n)}

    def among(self, names: Collection[str]) -> dict[str, int]:
        """Those of these connections that get some, and how many writes each would get."""
        return {n: count for n, count in sorted(self.writes.items()) if n in names}


def wanted(tx: Transaction) -> Wanted:
    """The writes in the outbox, those dropped because their connection is only observed, and the waits for rows that
    these would create."""
    pending, every = tx.pending_places(), tx.waits()
    waits = [w for w in every if w.on != InScope()]
    writes = Counter(connection for connection, _ in pending)
    made = {RecordAt(record, connection) for connection, record in pending}
    while follow := [w for w in waits if isinstance(w.on, WrittenTo) or w.on in made]:
        seen = {w.link_id for w in follow}
        waits = [w for w in waits if w.link_id not in seen]
        writes.update(w.connection for w in follow)
        made |= {RecordAt(str(w.record_id), w.connection) for w in follow}
    return Wanted(writes, waits, [w for w in every if w.on == InScope()])


def is_observed(engine: Engine, connection: str) -> bool:
    """Whether the project has a connection and writes nothing there."""
    declared = engine.project.connections.get(connection)
    return declared is not None and declared.mode == "observe"


_NEVER_SENT = (OperationState.PENDING, OperationState.CANCELLED)


def untouched(engine: Engine, tx: Transaction) -> frozenset[str]:
    """The connections that may be written to and never were."""
    tried = {name for name, _, state in tx.count_operations() if state not in _NEVER_SENT}
    connections = engine.project.connections
    return frozenset(n for n, c in connections.items() if c.mode == "write" and n not in tried)


def under_way(engine: Engine, tx: Transaction) -> int:
    """Number of unsettled operations, without pending ones of connections that are only observed."""
    return sum(
        count
        for (name, _, state), count in tx.count_operations().items()
        if state in UNSETTLED
        and not (state == OperationState.PENDING and is_observed(engine, name))
    )
