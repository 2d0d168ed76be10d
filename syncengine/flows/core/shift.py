"""Shifts: a task holds slots of a connection while there is something to claim there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from syncengine.flows.core.engine import Engine, new_id
from syncengine.ledger import Transaction

T = TypeVar("T")


@dataclass(slots=True)
class Shift:
    """Slots of one connection. ``width``: how many are held; none once there was nothing to claim."""

    engine: Engine
    connection: str
    writing: bool
    holder: str
    width: int = 0

    def claim(self, take: Callable[[Transaction], Sequence[T]]) -> Sequence[T]:
        """What ``take`` claims, where a slot is free. Slots and claims are one transaction, and so are the claim that
        finds nothing and the end of the shift: whoever finds no slot free may go, for their holder looks once more."""
        engine, now = self.engine, self.engine.clock.now()
        until = now + 1.5 * engine.limits.lease
        of = engine.concurrency(self.connection, self.writing)
        with engine.ledger.write() as tx:
            width = self.width
            if width < of:
                width += tx.take_slots(self.connection, of - width, of, self.holder, now, until)
            claimed = take(tx) if width else ()
            if width and not claimed:
                tx.free_slots(self.holder)
        self.width = width if claimed else 0
        if claimed:
            engine.used.add(self.connection)
        return claimed


@contextmanager
def shift(engine: Engine, connection: str, writing: bool = False) -> Iterator[Shift]:
    """No slot is held before something is claimed, and none afterwards."""
    held = Shift(engine, connection, writing, new_id())
    try:
        with engine.holding(held.holder):
            yield held
    finally:
        if held.width:
            with engine.ledger.write() as tx:
                tx.free_slots(held.holder)
