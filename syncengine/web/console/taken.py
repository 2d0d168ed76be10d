"""Taken questions: who looks at one just now, so that nobody else begins, too. It lapses by itself, and nothing of it
outlives the web side."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Final

LAPSES: Final = 1800.0
"""Seconds after which a question is free again."""


@dataclass(slots=True)
class Taken:
    """Question -> who took it, and when (epoch seconds)."""

    _by: dict[str, tuple[str, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, case: str, name: str, now: float) -> None:
        """Somebody looks at it from now on, whoever did before."""
        with self._lock:
            self._by = {c: by for c, by in self._by.items() if now - by[1] < LAPSES}
            self._by[case] = name, now

    def give_back(self, case: str) -> None:
        """Nobody does any more."""
        with self._lock:
            self._by.pop(case, None)

    def by(self, case: str, now: float) -> tuple[str, float] | None:
        """Who looks at it, and since when."""
        found = self._by.get(case)
        return found if found is not None and now - found[1] < LAPSES else None
