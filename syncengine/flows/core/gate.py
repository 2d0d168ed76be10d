"""The gate in front of each vendor call: call budget, blocked connections, and the lease of a write."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar

from syncengine.errors import LostRace, RateLimited, SyncengineError
from syncengine.ledger import Ledger, Transaction
from syncengine.mapping import Connection
from syncengine.model.connection import Booking
from syncengine.ports import Clock

LONGEST_WAIT = 20.0
"""Seconds that a call waits for its budget before it is put off instead; where the budget is slower, a bit longer than
one call takes, or a listing of two pages would never end."""

SLOWEST = 120.0
"""Seconds that a call waits at most."""

USED_UP = "its budget is used up"
"""Why calls of a connection are waited for."""

ANSWERED = SLOWEST + 30.0
"""Seconds without an answer after which a call takes it that nobody grants calls any more."""

TRAVEL = 0.05
"""Part of a window by which it is taken to be longer: a vendor counts calls when they arrive, not when they leave,
and one that was slow on its way falls into a later window."""


class Permit:
    """One call that a worker thread requests from the main thread, which alone may touch SQL."""

    inbox: ClassVar[ContextVar[queue.SimpleQueue[Any] | None]] = ContextVar("inbox", default=None)

    def __init__(self, gate: CallGate) -> None:
        self.gate = gate
        self.answered = threading.Event()
        self.error: SyncengineError | None = None

    def grant(self) -> bool:
        """Try to grant it; True once there is an answer."""
        try:
            if not self.gate.take():
                return False
        except SyncengineError as error:
            self.error = error
        self.answered.set()
        return True


class CallGate:
    """Keeps one connection within its budget, across the threads of a process and, through SQL, across processes.
    ``waits``: called in the main thread while a call waits."""

    def __init__(
        self, connection: Connection, ledger: Ledger, clock: Clock, request_timeout: float
    ) -> None:
        self.connection = connection
        self.ledger = ledger
        self.clock = clock
        self.request_timeout = request_timeout
        self._prepaid = 0
        self._free_at = 0.0
        self.waits: Callable[[float], None] = lambda _: None
        self._lock = threading.Lock()
        self._deadline: ContextVar[float] = ContextVar("deadline", default=float("inf"))

    @contextmanager
    def sending(self, lease_until: float) -> Iterator[None]:
        """Within this block calls are made only if they will end before the lease does."""
        token = self._deadline.set(lease_until)
        try:
            yield
        finally:
            self._deadline.reset(token)

    @contextmanager
    def prepaid(self, want: int) -> Iterator[int]:
        """Take calls for a batch at once; yields how many were free. Unused ones are lost. Main thread."""
        calls = self.connection.budget.calls
        granted = self._take(want, calls)[0] if calls and want else want
        with self.spending(granted):
            yield granted

    @contextmanager
    def spending(self, paid: int) -> Iterator[None]:
        """Within this block this many calls are already paid for."""
        with self._lock:
            self._prepaid = paid
        try:
            yield
        finally:
            with self._lock:
                self._prepaid = 0

    def book(self, costs: Sequence[int]) -> Booking:
        """Reserve the calls of things that need several calls each (a read and the write after it). Things that cannot
        get all of their calls within a while wait, and cost nothing. Main thread."""
        calls, now = self.connection.budget.calls, self.clock.now()
        if not calls:
            return Booking(len(costs), now, now, now)
        with self.ledger.write() as tx:
            return tx.book_calls(self.connection.name, costs, calls, self._per, now, LONGEST_WAIT)

    def enter(self, write: bool) -> None:
        """See ``ports.Gate``. A write that could outlive its lease is not sent: LostRace, since that is not the
        vendor's fault."""
        if self.connection.budget.calls and not self._use_prepaid():
            self._wait()
        if write and self.clock.now() + self.request_timeout > self._deadline.get():
            raise LostRace("not sent: the lease would end before the answer")

    def _use_prepaid(self) -> bool:
        with self._lock:
            if self._prepaid < 1:
                return False
            self._prepaid -= 1
            return True

    def _wait(self) -> None:
        inbox = Permit.inbox.get()
        if inbox is None:
            while not self.take():
                self.clock.sleep(0.05)
            return
        permit = Permit(self)
        inbox.put(permit)
        if not permit.answered.wait(ANSWERED):
            raise LostRace("not sent: nobody grants calls any more")
        if permit.error is not None:
            raise permit.error

    def take(self) -> bool:
        """One call of the budget, if one is free. Raises RateLimited where that is far away."""
        calls, now = self.connection.budget.calls, self.clock.now()
        if not calls:
            return True
        longest = min(max(LONGEST_WAIT, 2 * self._per / calls), SLOWEST)
        granted = 0
        if not now < self._free_at <= now + longest:
            granted, self._free_at = self._take(1, calls)
        if not granted and self._free_at > now + longest:
            raise RateLimited(USED_UP, self._free_at)
        if not granted:
            self.waits(self._free_at)
        return bool(granted)

    def calls_left(self, tx: Transaction) -> tuple[int, int] | None:
        """How many calls are left of the budget, and how many it has; None without a budget."""
        calls = self.connection.budget.calls
        if not calls:
            return None
        return tx.calls_left(self.connection.name, calls, self._per, self.clock.now()), calls

    def _take(self, want: int, calls: int) -> tuple[int, float]:
        with self.ledger.write() as tx:
            return tx.take_calls(self.connection.name, want, calls, self._per, self.clock.now())

    @property
    def _per(self) -> float:
        per = self.connection.budget.per
        return per + min(self.request_timeout, TRAVEL * per)
