"""Times as people type them, in the zone of the project."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import typer

_CLOCK = re.compile(r"(\d{1,2}):(\d\d)")
_SPAN = re.compile(r"(\d+)(m|h|d)")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def parse(text: str, before: float, zone: ZoneInfo, option: str) -> float:
    """Epoch seconds of ``18:00`` (the last time that it was, before ``before``), ``12h`` or ``2d`` before that,
    ``2026-11-27``, or ``2026-11-27 18:00``. Raises typer.BadParameter."""
    last = datetime.fromtimestamp(before, zone)
    given = text.strip().lower()
    try:
        if found := _SPAN.fullmatch(given):
            return before - timedelta(**{_UNITS[found[2]]: int(found[1])}).total_seconds()
        if found := _CLOCK.fullmatch(given):
            at = datetime.combine(last.date(), time(int(found[1]), int(found[2])), zone)
            if at >= last:
                at = datetime.combine(
                    last.date() - timedelta(days=1), at.timetz().replace(tzinfo=None), zone
                )
            return at.timestamp()
        when = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"expected a time as 18:00, 12h, 2d, 2026-11-27 or '2026-11-27 18:00'; found {text!r}",
            param_hint=option,
        ) from None
    return (when if when.tzinfo else when.replace(tzinfo=zone)).timestamp()
