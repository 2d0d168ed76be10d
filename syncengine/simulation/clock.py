"""Time that stands still until it is moved."""

from __future__ import annotations

START = 1_795_000_000.0
"""A Wednesday morning in November 2026."""


class ManualClock:
    """Stands still until it is moved; sleeping moves it."""

    def __init__(self, start: float = START) -> None:
        self.at = start

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.at

    def sleep(self, seconds: float) -> None:
        """Time goes by, at once."""
        self.at += max(0.0, seconds)
