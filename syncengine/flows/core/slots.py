"""Slot sessions: a task holds call slots of a connection as long as there is work to claim."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from syncengine.flows.core.engine import Engine, new_id
from syncengine.ledger import Transaction

T = TypeVar("T")


@dataclass(slots=True)
class SlotSession:
    """The slots that a task holds of one connection. ``width``: how many; 0 once there was nothing to claim.
    ``most``: how many it has use for."""

    engine: Engine
    connection: str
    writing: bool
    holder: str
    most: int
    width: int = 0

    def claim(self, take: Callable[[Transaction], Sequence[T]]) -> Sequence[T]:
        """Run ``take`` if a slot is free and return what it claims. Slots and claims are one transaction; so are a
        claim that finds nothing and the release of the slots. So a task that finds no free slot may end: their holder
        looks for work once more."""
        engine, now = self.engine, self.engine.clock.now()
        until = now + 1.5 * engine.limits.lease
        of = engine.concurrency(self.connection, self.writing)
        with engine.ledger.write() as tx:
            width = self.width
            if width < min(of, self.most):
                want = min(of, self.most) - width
                width += tx.take_slots(self.connection, want, of, self.holder, now, until)
            claimed = take(tx) if width else ()
            if width and not claimed:
                tx.free_slots(self.holder)
        self.width = width if claimed else 0
        if claimed:
            engine.used.add(self.connection)
        return claimed


@contextmanager
def slot_session(
    engine: Engine, connection: str, writing: bool = False, ids: Collection[str] | None = None
) -> Iterator[SlotSession]:
    """A session that takes slots with its first claim and releases them at the end. ``ids``: what is worked on, if not
    whatever is due; a few things take no more slots than they are, and may take that which reads leave to writes."""
    most = engine.concurrency(connection) if ids is None else len(ids)
    few = most < engine.concurrency(connection)
    held = SlotSession(engine, connection, writing or few, new_id(), most)
    try:
        with engine.holding(held.holder):
            yield held
    finally:
        if held.width:
            with engine.ledger.write() as tx:
                tx.free_slots(held.holder)
