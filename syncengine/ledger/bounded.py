"""A PostgreSQL connection whose every wait is bounded, even if the server hangs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.abc import RV, PQGen

_GRACE = 1.0
"""Seconds that a server gets beyond its own limit before it counts as one that hangs."""


class Bounded(psycopg.Connection[Any]):
    """The server cancels statements that exceed the bound; if it does not answer at all, the connection is closed."""

    _longest: float | None = None

    def bound(self, seconds: float) -> None:
        """Set the longest time that a statement may take."""
        self._longest = seconds + _GRACE
        self._limit(seconds)

    @contextmanager
    def unbound(self) -> Iterator[None]:
        """Without a bound until the end of the transaction, for the migration of a large table or waiting for one."""
        longest, self._longest = self._longest, None
        try:
            self._limit(0)
            yield
        finally:
            self._longest = longest

    def _limit(self, seconds: float) -> None:
        idle = self.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        if idle:
            self.set_autocommit(True)
        limit = sql.SQL("SET {} statement_timeout = {}").format(
            sql.SQL("SESSION" if idle else "LOCAL"), sql.Literal(round(seconds * 1000))
        )
        self.execute(limit)
        if idle:
            self.set_autocommit(False)

    def wait(self, gen: PQGen[RV], *args: Any, **kwargs: Any) -> RV:
        """The driver's wait, bounded."""
        if self._longest is None:
            return super().wait(gen, *args, **kwargs)
        return super().wait(self._ending(gen, time.monotonic() + self._longest), *args, **kwargs)

    def _ending(self, gen: PQGen[RV], deadline: float) -> PQGen[RV]:
        """The same steps; the driver wakes them every 0.1 s if nothing comes."""
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() > deadline:
                    self.close()
                    raise psycopg.OperationalError("the server does not answer")
                wanted = gen.send(ready)
        except StopIteration as stop:
            result: RV = stop.value
            return result
