"""Purchases: a read before a write and the write are paid for together, out of the budget of their connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

from syncengine.flows.core.engine import Engine
from syncengine.flows.core.gate import USED_UP
from syncengine.model.operation import Action, Operation

TOO_SMALL = 3600.0
"""Seconds after which it is looked again whether the budget has become larger."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """The first ``count`` of some operations are paid for. ``first``: when they may be looked at; ``last``: when they
    may be written. ``looks``, ``writes``: calls of each operation. The others may be paid for at ``free``, and ``why``
    not now."""

    count: int
    first: float = 0.0
    last: float = 0.0
    looks: int = 0
    writes: Mapping[str, int] | None = None
    free: float = 0.0
    why: str = ""

    def of(self, operations: Sequence[Operation]) -> int:
        """How many calls the writes of these take."""
        return sum((self.writes or {}).get(o.id, 0) for o in operations)


def pay(engine: Engine, connection: str, operations: Sequence[Operation]) -> Purchase:
    """Take the calls of as many as can be had as a whole out of the budget; the others cost nothing."""
    gate, connector = engine.gates[connection], engine.connectors[connection]
    if not gate.connection.budget.calls:
        return Purchase(len(operations))
    with engine.ledger.read() as tx:
        links = tx.links([o.link_id for o in operations])
    looks, writes = [], {}
    for o in operations:
        row = links[o.link_id].row if o.link_id in links else None
        current = None if o.action is Action.CREATE else row or {}
        looks.append(int(looked_at(engine, o)))
        writes[o.id] = connector.calls_of(o.resource, o.body, current)
    paid = gate.book([n + writes[o.id] for n, o in zip(looks, operations, strict=True)])
    never = paid.free == inf
    free = engine.clock.now() + TOO_SMALL if never else paid.free
    why = "its budget is too small for the calls of one write" if never else USED_UP
    first = sum(looks[: paid.count])
    return Purchase(paid.count, paid.first, paid.last, first, writes, free, why)


def looked_at(engine: Engine, operation: Operation) -> bool:
    """Whether a call is made before the write: not where nothing could find what a create would make."""
    resource = engine.connectors[operation.connection].spec.resources[operation.resource]
    return operation.action is not Action.CREATE or resource.proves(operation.body)


def wait(engine: Engine, connection: str, until: float) -> None:
    """For calls that are paid for, and say so."""
    if until > engine.clock.now():
        engine.tell(connection, USED_UP, until)
        engine.wait(until)
