"""Announcing work to the workers."""

from __future__ import annotations

import time
from collections.abc import Iterable

import structlog
from celery import Celery
from kombu.exceptions import KombuError

NAMESPACE = "syncengine."
"""How the names of tasks begin, so that Flower shows whose they are."""
MOST = 100
"""Ids in one message: the cost is per message, so that this is the largest lever there is."""
MUTE = 5.0
"""Seconds without a try after the broker could not be reached."""

log = structlog.get_logger(__name__)


class CeleryQueue:
    """``ports.Queue`` over Celery. Announce after the commit. A broker that is down costs a warning and time,
    never work: the sweep announces again what is due."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._mute_until = 0.0

    def announce(self, task: str, arguments: Iterable[str]) -> None:
        """Send the task, at most 100 arguments a message; without arguments one message (whatever is due)."""
        given = list(arguments)
        for start in range(0, max(len(given), 1), MOST):
            if time.monotonic() < self._mute_until:
                return
            try:
                self._send(task, given[start : start + MOST])
            except (KombuError, OSError) as error:
                self._mute_until = time.monotonic() + MUTE
                log.warning("broker not reached", task=task, error=type(error).__name__)

    def _send(self, task: str, arguments: list[str]) -> None:
        self._app.send_task(
            f"{NAMESPACE}{task}",
            args=(arguments,),
            retry=True,
            retry_policy={"max_retries": 1, "interval_start": 0.1},
            confirm_timeout=5,
        )
