"""Days of a filter: from which on, and up to which, in the project's zone."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from syncengine.web.console.ask import Ask

FROM: Final = "from"
TO: Final = "to"


class Period(NamedTuple):
    """Epoch seconds from which on and before which; None where there is no such end. ``words``: as the address has
    them."""

    since: float | None
    before: float | None
    words: dict[str, str]


def period(ask: Ask) -> Period:
    """The days that the address names; what is no day is left out."""
    first, last = _day(ask.query(FROM)), _day(ask.query(TO))
    zone = ZoneInfo(ask.engine.project.timezone)
    named = {FROM: first, TO: last}
    return Period(
        _midnight(first, zone) if first else None,
        _midnight(last + timedelta(days=1), zone) if last else None,
        {name: f"{day}" for name, day in named.items() if day},
    )


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None
    return found if found and 2000 <= found.year < 3000 else None


def _midnight(day: date, zone: ZoneInfo) -> float:
    return datetime.combine(day, time(), zone).timestamp()
