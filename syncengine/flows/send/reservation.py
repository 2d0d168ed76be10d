"""Reservations: the calls of a read and of the write after it are taken from the connection's budget together."""

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
class Reservation:
    """Budget calls reserved for the first ``count`` of some operations. ``first``: when their reads may begin;
    ``last``: when their writes may. ``preflight_calls``, ``writes``: calls of the reads, and of each operation's write.
    The other operations may be tried at ``free``, and ``why`` not now."""

    count: int
    first: float = 0.0
    last: float = 0.0
    preflight_calls: int = 0
    writes: Mapping[str, int] | None = None
    free: float = 0.0
    why: str = ""

    def of(self, operations: Sequence[Operation]) -> int:
        """How many calls the writes of these operations take."""
        return sum((self.writes or {}).get(o.id, 0) for o in operations)


def pay(engine: Engine, connection: str, operations: Sequence[Operation]) -> Reservation:
    """Reserve the calls of as many operations as can have all of theirs; the others cost nothing."""
    gate, connector = engine.gates[connection], engine.connectors[connection]
    if not gate.connection.budget.calls:
        return Reservation(len(operations))
    with engine.ledger.read() as tx:
        links = tx.links([o.link_id for o in operations])
    preflight_calls, writes = [], {}
    for o in operations:
        row = links[o.link_id].row if o.link_id in links else None
        current = None if o.action is Action.CREATE else row or {}
        preflight_calls.append(int(needs_preflight(engine, o)))
        writes[o.id] = connector.calls_of(o.resource, o.body, current)
    paid = gate.book([n + writes[o.id] for n, o in zip(preflight_calls, operations, strict=True)])
    never = paid.free == inf
    free = engine.clock.now() + TOO_SMALL if never else paid.free
    why = "its budget is too small for the calls of one write" if never else USED_UP
    first = sum(preflight_calls[: paid.count])
    return Reservation(paid.count, paid.first, paid.last, first, writes, free, why)


def needs_preflight(engine: Engine, operation: Operation) -> bool:
    """Whether a call is made before the write: not for a create whose row no search could find."""
    resource = engine.connectors[operation.connection].spec.resources[operation.resource]
    return operation.action is not Action.CREATE or resource.proves(operation.body)


def wait(engine: Engine, connection: str, until: float) -> None:
    """Wait for reserved calls, and report the wait."""
    if until > engine.clock.now():
        engine.tell(connection, USED_UP, until)
        engine.wait(until)
