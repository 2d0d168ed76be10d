"""The planner: computes plans beside the requests, one at a time."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import structlog

from syncengine.errors import SyncengineError
from syncengine.flows.views.directory import Directory
from syncengine.flows.views.stored_plan import store_plan
from syncengine.web.sql_thread import Work

log = structlog.get_logger("syncengine.web")


@dataclass(slots=True)
class Planner:
    """``since``: when the plan that is being computed was begun (epoch seconds), 0 if none is. ``by``: for whom.
    ``fault``: why the last one could not be computed."""

    work: Work
    since: float = 0.0
    by: str = ""
    fault: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "plan"))

    def start(self, author: str) -> bool:
        """Begin to compute a plan; False where one is being computed."""
        with self._lock:
            if self.since:
                return False
            self.since, self.by, self.fault = time.time(), author, ""
        self._thread.submit(self._run, author)
        return True

    def warm(self, directory: Directory) -> None:
        """Read the names of people ahead, so that nobody who searches first has to wait."""
        self._thread.submit(self._warm, directory)

    def _warm(self, directory: Directory) -> None:
        with contextlib.suppress(SyncengineError), self.work() as engine:
            for entity in engine.project.entities.values():
                if entity.people:
                    directory.find(engine, entity.name, "")

    def close(self) -> None:
        """Begin no more; what is under way ends by itself."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _run(self, author: str) -> None:
        try:
            with self.work() as engine:
                store_plan(engine, author)
        except SyncengineError as error:
            self.fault = f"{error}"
            log.warning("a plan could not be computed", why=type(error).__name__)
        finally:
            self.since = 0.0
