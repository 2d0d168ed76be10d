"""Pauses between tries."""

from __future__ import annotations


def doubled(first: float, times: int, longest: float) -> float:
    """Seconds until the next try of what failed so many times in a row: ``first``, doubled each time up to
    ``longest``."""
    return min(longest, first * 2.0 ** min(max(times, 1) - 1, 60))
