"""The SQL thread of the web side: one thread does all database work of the handlers, so that no handler blocks the
event loop and every wait ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from threading import Semaphore
from typing import TypeVar

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


class SqlThread:
    """The one thread of the web side that touches SQL."""

    def __init__(self, work: Work, longest: float = LONGEST) -> None:
        self._work, self._longest = work, longest
        self._places = Semaphore(MOST)
        self._thread = ThreadPoolExecutor(1, "sql")

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
