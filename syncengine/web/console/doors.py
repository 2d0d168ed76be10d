"""The door: how often somebody may try to get in. Names that there are, are counted in the database; addresses, and
names that there are not, here, so that nobody learns from it which names there are.

Many people may share one address. So each way in is counted by itself, and whatever is drawn at random and right (a
token, a link, what a provider says, a session) opens also where others have failed; they alone are told to wait."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Literal

from syncengine.flows.people.signing_in import shut_for

Way = Literal["password", "token", "link", "provider"]
TRIES = 30
"""Failed tries of one way from one address within ``SPAN``."""
TOLD = "too many tries from your address; try again in ten minutes"
SPAN = 600.0
_MOST = 10_000
"""Addresses and names that are remembered."""


@dataclass(slots=True)
class Door:
    """Counts failed tries in memory."""

    _tries: OrderedDict[str, list[float]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def shut_until(self, way: Way, address: str, now: float) -> float:
        """Until when whoever fails is told to wait, and no password is looked at, from an address; 0 if it is open."""
        with self._lock:
            tries = [at for at in self._tries.get(f"{way} {address}", ()) if now - at < SPAN]
        return tries[0] + SPAN if len(tries) >= TRIES else 0.0

    def name_shut_until(self, name: str, now: float) -> float:
        """Until when a name is shut that nobody has, as one is that somebody has."""
        with self._lock:
            tries = self._tries.get(f"name {name}", [])
        shut = shut_for(len(tries))
        until = tries[-1] + shut if shut else 0.0
        return until if until > now else 0.0

    def failed(self, way: Way, address: str, now: float, name: str = "") -> None:
        """Count a failed try from an address, and of a name that nobody has."""
        with self._lock:
            for key in (f"{way} {address}", *([f"name {name}"] if name else [])):
                tries = self._tries.pop(key, [])
                self._tries[key] = [*tries[1 - TRIES :], now]
            while len(self._tries) > _MOST:
                self._tries.popitem(last=False)
