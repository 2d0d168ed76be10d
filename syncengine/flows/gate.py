"""The gate before each vendor call: budget from SQL, blocked-until, and the lease of a write."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar

from syncengine.errors import LostRace, RateLimited, SyncengineError
from syncengine.mapping import Connection
from syncengine.ports import Clock, Ledger

LONGEST_WAIT = 20.0
"""Seconds that a call waits for its budget before it is put off instead."""

ANSWERED = 60.0
"""Seconds without an answer after which a call takes it that nobody grants calls any more."""

TRAVEL = 0.05
"""Part of a window by which it is taken to be longer: a vendor counts calls when they arrive, not when they leave,
and one that was slow on its way falls into a later window."""


class Permit:
    """One call that a thread asks of the thread that may touch SQL."""

    inbox: ClassVar[ContextVar[queue.SimpleQueue[Any] | None]] = ContextVar("inbox", default=None)

    def __init__(self, gate: CallGate) -> None:
        self.gate = gate
        self.answered = threading.Event()
        self.error: SyncengineError | None = None

    def grant(self) -> bool:
        """Try to get it; True when there is an answer."""
        try:
            if not self.gate.take():
                return False
        except SyncengineError as error:
            self.error = error
        self.answered.set()
        return True


class CallGate:
    """Keeps one connection within its budget; shared by the threads of a process, and through SQL by all."""

    def __init__(
        self, connection: Connection, ledger: Ledger, clock: Clock, request_timeout: float
    ) -> None:
        self.connection = connection
        self.ledger = ledger
        self.clock = clock
        self.request_timeout = request_timeout
        self._prepaid = 0
        self._lock = threading.Lock()
        self._deadline: ContextVar[float] = ContextVar("deadline", default=float("inf"))

    @contextmanager
    def sending(self, lease_until: float) -> Iterator[None]:
        """Calls in this block go out only while they end before the lease does."""
        token = self._deadline.set(lease_until)
        try:
            yield
        finally:
            self._deadline.reset(token)

    @contextmanager
    def prepaid(self, want: int) -> Iterator[int]:
        """Take calls at once, for a batch, or before a check so that nothing waits between the check and the
        sending; yields how many were free. What is not used is lost. Main thread."""
        calls = self.connection.budget.calls
        granted = self._take(want, calls)[0] if calls and want else want
        with self._lock:
            self._prepaid = granted
        try:
            yield granted
        finally:
            with self._lock:
                self._prepaid = 0

    def enter(self, write: bool) -> None:
        """See ``ports.Gate``. A write that could outlive its lease is not sent: LostRace, for it is not the
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
        calls = self.connection.budget.calls
        if not calls:
            return True
        granted, free_at = self._take(1, calls)
        if not granted and free_at - self.clock.now() > LONGEST_WAIT:
            raise RateLimited(f"the budget of {self.connection.name} is used up", free_at)
        return bool(granted)

    def _take(self, want: int, calls: int) -> tuple[int, float]:
        budget = self.connection.budget
        per = budget.per + min(self.request_timeout, TRAVEL * budget.per)
        with self.ledger.write() as tx:
            return tx.take_calls(self.connection.name, want, calls, per, self.clock.now())
