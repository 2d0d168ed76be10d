"""Vendor stamps with an offset, or with none, as UTC texts."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from syncengine.model.values import Json


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


def seconds(text: Json) -> float:
    """Seconds since the epoch of a stamp with an offset; 0 for anything else."""
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return 0.0
    return at.timestamp() if at.tzinfo else 0.0


def stamp(at: float) -> str:
    """Seconds since the epoch as ``2026-11-22T10:00:00.000+00:00``, with milliseconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
