"""Server time: the clock of the database's own machine, by which all machines that share it tell the time.

Limits of what may be written within an hour, leases and pauses compare times that several machines have stored. With a
clock of its own, a machine that is two hours ahead would find the hour empty and let any number of leavers pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Lock
from typing import Final

import structlog
from sqlalchemy import Engine, text

from syncengine.errors import DatabaseDown, LostRace

EVERY: Final = 30.0
"""Seconds after which the server is asked again; in between, this machine's monotonic clock tells what has passed."""
JUMP: Final = 1.0
"""Seconds by which clock and monotonic clock of this machine have to disagree for it to be asked at once: it slept, or
somebody set its clock."""
_AGAIN: Final = 5.0
"""Seconds after which a server that gave no answer is asked again."""
_WRONG: Final = 60.0
"""Seconds by which this machine's clock may differ before that is said."""
_NOW: Final = text("SELECT extract(epoch FROM clock_timestamp())::double precision")

log = structlog.get_logger(__name__)


def server_time(database: Engine) -> Callable[[], float]:
    """What tells the time to all who share a database: epoch seconds. A file is used by one machine, whose clock it is.
    Raises DatabaseDown where the server gives no first answer."""
    return ServerTime(database) if database.dialect.name == "postgresql" else time.time


@dataclass(frozen=True, slots=True)
class _Look:
    """What the server ``said`` (epoch seconds), and what this machine's monotonic clock and its clock showed then."""

    said: float
    at: float
    wall: float


class ServerTime:
    """The server's time, asked now and then. While it gives no answer, what it said last counts, and the time since."""

    def __init__(self, database: Engine) -> None:
        self._database, self._asking = database, Lock()
        self._look = self._asked()
        self._due = self._look.at + EVERY
        ahead = self._look.wall - self._look.said
        if abs(ahead) > _WRONG:
            log.warning(
                "the clock of this machine is wrong; that of the database counts",
                ahead_s=round(ahead),
            )

    def __call__(self) -> float:
        look, at = self._look, time.monotonic()
        jumped = abs((time.time() - look.wall) - (at - look.at)) > JUMP
        if (at >= self._due or jumped) and self._asking.acquire(blocking=False):
            try:
                self._ask_again(look, at)
            finally:
                self._asking.release()
        look = self._look
        return look.said + (time.monotonic() - look.at)

    def _ask_again(self, look: _Look, at: float) -> None:
        # Where no answer comes the jump is not asked about at each call.
        self._due, self._look = at + _AGAIN, replace(look, wall=time.time() - (at - look.at))
        with suppress(DatabaseDown, LostRace):
            self._look = self._asked()
            self._due = self._look.at + EVERY

    def _asked(self) -> _Look:
        with self._database.connect() as connection:
            # The first statement of a connection may have had to wait for it to be made.
            connection.execute(_NOW)
            at, wall = time.monotonic(), time.time()
            said: float = connection.execute(_NOW).scalar_one()
            half = (time.monotonic() - at) / 2
        return _Look(said, at + half, wall + half)
