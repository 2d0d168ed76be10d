"""The SQL threads of the web side: they do all database work of the handlers, so that no handler blocks the event loop
and every wait ends. The intake has one thread, the pages of the console have several."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from threading import Semaphore
from typing import Protocol, TypeVar

import structlog
from starlette.exceptions import HTTPException

from syncengine.errors import Again, DatabaseDown, Halt
from syncengine.flows.core.engine import Engine
from syncengine.ledger.engine import Timeouts

log = structlog.get_logger("syncengine.web")
T = TypeVar("T")
Work = Callable[[], AbstractContextManager[Engine]]
"""Yields the engine for one piece of work."""

TIMEOUTS = Timeouts(statement=4, lock=3, connect=2)
"""Whoever sends a notice or scrapes metrics hangs up after some 10 s, and comes again."""
LONGEST = 8.0
"""Seconds that a request waits for its answer."""
MOST = 64
"""Requests that may wait; more than that are told to come again."""
RETRY_AFTER = "5"


class Desk(Protocol):
    """What one thread works with, as ``syncengine.current.Current``."""

    def work(self) -> AbstractContextManager[Engine]:
        """The engine for one piece of work."""

    def close(self) -> None:
        """Give it back."""


class PerThread:
    """A desk of its own for each thread that works, since an engine belongs to one thread."""

    def __init__(self, make: Callable[[], Desk]) -> None:
        self._make, self._local = make, threading.local()
        self._made: list[Desk] = []

    def work(self) -> AbstractContextManager[Engine]:
        """The engine of this thread for one piece of work."""
        own: Desk | None = getattr(self._local, "own", None)
        if own is None:
            own = self._local.own = self._make()
            self._made.append(own)
        return own.work()

    def close(self) -> None:
        """Give back all of them, once no thread works."""
        for desk in self._made:
            desk.close()


class SqlThread:
    """The threads of the web side that touch SQL; one, unless more are asked for and ``work`` bears it."""

    def __init__(self, work: Work, longest: float = LONGEST, threads: int = 1) -> None:
        self._work, self._longest = work, longest
        self._places = Semaphore(MOST)
        self._thread = ThreadPoolExecutor(threads, "sql")

    async def ask(self, do: Callable[[Engine], T]) -> T:
        """What ``do`` returns. Raises HTTPException 503 where the database cannot be used now, or not in time; what
        was begun by then may still be done."""
        if not self._places.acquire(blocking=False):
            raise unavailable("too many requests are waiting")
        future = self._thread.submit(self._do, do)
        future.add_done_callback(lambda _: self._places.release())
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self._longest)
        except (DatabaseDown, Again):
            raise unavailable("the database cannot be used now") from None
        except Halt as halt:
            # Whoever asks can do nothing about it, and learns nothing of it.
            log.error("nothing can be answered before somebody acts", why=str(halt))
            raise unavailable("the database cannot be used now") from None
        except TimeoutError:
            raise unavailable("the database takes too long") from None

    def _do(self, do: Callable[[Engine], T]) -> T:
        with self._work() as engine:
            return do(engine)

    def close(self) -> None:
        """Accept no more work; what is under way ends by itself."""
        self._thread.shutdown(wait=True, cancel_futures=True)


def unavailable(why: str) -> HTTPException:
    """503, and when to come again."""
    return HTTPException(503, f"{why}; send it again", {"Retry-After": RETRY_AFTER})
