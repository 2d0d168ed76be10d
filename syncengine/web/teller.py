"""The teller: a thread of the web side that sends notifications, since a worker that is dead cannot say so, and has
computed what the coming days bring, so that whoever comes first in the morning finds it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Final

from syncengine.errors import SyncengineError
from syncengine.flows.core.engine import Engine
from syncengine.flows.tell.tell import tell
from syncengine.logs import Scrubbed
from syncengine.web.sql_thread import Work

EVERY: Final = 15.0
"""Seconds between two looks; workers look more often, so that the web side sends where they do not."""


class Teller:
    """``work`` yields an engine of this thread; without it nothing is told. ``looks``: what else is looked
    at each time. A database that cannot be used is waited
    for: others say it."""

    def __init__(
        self,
        work: Work | None,
        every: float = EVERY,
        looks: Sequence[Callable[[Engine], object]] = (),
    ) -> None:
        self._every, self._over = every, threading.Event()
        self._looks = (tell, *looks)
        self._thread = threading.Thread(target=self._run, args=(work,), name="teller", daemon=True)
        if work is not None:
            self._thread.start()

    def close(self) -> None:
        """Look no more; a message that is under way ends by itself within seconds."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(timeout=15.0)

    def _run(self, work: Work) -> None:
        while not self._over.wait(self._every):
            for look in self._looks:
                with contextlib.suppress(SyncengineError), Scrubbed(), work() as engine:
                    look(engine)
