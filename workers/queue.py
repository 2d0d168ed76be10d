"""The queues that flows announce work to, in batches, on three lanes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import structlog
from celery import Celery
from kombu.exceptions import KombuError

NAMESPACE = "syncengine."
"""How the names of tasks begin, so that Flower shows whose they are."""
MOST = 100
"""Ids in one message: the cost is per message, so that this is the largest lever there is."""
MUTE = 5.0
"""Seconds without a try after the broker could not be reached."""
LANES = ("live", "", "scan")
"""Ends of the queues' names, in the order in which workers look: what was just changed, whatever else is due, and
complete listings."""
LIVE, DUE, SCAN = LANES
FEW = 20
"""Ids up to which an announcement is a change; more are a backlog."""

log = structlog.get_logger(__name__)


def queue_name(prefix: str, lane: str) -> str:
    """``syncengine``, ``syncengine.live``, ``syncengine.scan``, with the prefix in front."""
    return f"{prefix}syncengine.{lane}".rstrip(".")


class CeleryQueue:
    """``ports.Queue`` over Celery. Announce after the commit. A broker that is down costs a warning and time,
    never work: the sweep announces again what is due. ``live``: what is announced was just changed."""

    def __init__(self, app: Celery, live: bool = False) -> None:
        self._app, self._live = app, live
        self._mute_until = 0.0

    @contextmanager
    def lane(self, live: bool) -> Iterator[None]:
        """Within it, whether what is announced was just changed."""
        before, self._live = self._live, live
        try:
            yield
        finally:
            self._live = before

    def announce(self, task: str, arguments: Iterable[str]) -> None:
        """Send the task, at most 100 arguments a message; without arguments one message (whatever is due)."""
        given = list(arguments)
        lane = LIVE if self._live and 0 < len(given) <= FEW else DUE
        if task == "capture":
            lane = SCAN if given[-1:] == ["scan"] else DUE
        for start in range(0, max(len(given), 1), MOST):
            if time.monotonic() < self._mute_until:
                return
            try:
                self._send(task, given[start : start + MOST], lane)
            except (KombuError, OSError) as error:
                self._mute_until = time.monotonic() + MUTE
                log.warning("broker not reached", task=task, error=type(error).__name__)

    def _send(self, task: str, arguments: list[str], lane: str) -> None:
        default: str = self._app.conf.task_default_queue
        self._app.send_task(
            f"{NAMESPACE}{task}",
            args=(arguments,),
            queue=f"{default}.{lane}".rstrip("."),
            retry=True,
            retry_policy={"max_retries": 1, "interval_start": 0.1},
            confirm_timeout=5,
        )
