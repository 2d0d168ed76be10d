"""Vendor stamps with an offset, or with none, as UTC texts."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo


def to_utc(text: str, zone: tzinfo) -> str:
    """``2026-11-22T10:00:00Z`` for an ISO stamp; one without an offset is a wall clock in ``zone``. What is no
    stamp stays as it is: the mapping says what is wrong with it."""
    if len(text) == 20 and text[-1] == "Z":
        return text
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    if at.tzinfo is None:
        at = at.replace(tzinfo=zone)
    return at.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def seconds(text: str) -> float:
    """Seconds since the epoch of a UTC text. Raises ValueError for anything else."""
    return datetime.fromisoformat(text).timestamp()


def stamp(at: float) -> str:
    """Seconds since the epoch as ``2026-11-22T10:00:00.000+00:00``, with milliseconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
