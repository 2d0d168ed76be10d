"""The functions that expressions know beside CEL's own: empty in, empty out, never raising."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, tzinfo
from typing import Any, Final

from syncengine.mapping.canonical import add_days, clock_minutes, local, parser
from syncengine.mapping.cost import TooLarge
from syncengine.model.values import Json, is_empty

Function = Callable[..., Json]

BUILT_IN: Final = frozenset({"size", "string", "int", "double", "timestamp", "duration"})
MACROS: Final = frozenset({"map", "filter", "all", "exists", "exists_one"})
METHODS: Final = MACROS | {
    "size", "contains", "startsWith", "endsWith", "matches", "getFullYear", "getMonth",
    "getDayOfMonth", "getDate", "getDayOfWeek", "getDayOfYear", "getHours", "getMinutes", "getSeconds",
}  # fmt: skip


def functions(zone: tzinfo) -> Mapping[str, Function]:
    """By name; ``zone`` is where ``date``, ``time`` and ``month`` read a timestamp."""
    day = parser("date", zone)
    clock = parser("time", zone)
    number = parser("number", zone)

    def to_date(value: Any) -> Json:
        return local(value, zone).date().isoformat() if isinstance(value, datetime) else day(value)

    def to_time(value: Any) -> Json:
        return local(value, zone).strftime("%H:%M") if isinstance(value, datetime) else clock(value)

    def days_between(start: Any, end: Any) -> Json:
        return (date.fromisoformat(to_date(end)) - date.fromisoformat(to_date(start))).days

    def minutes_between(start: Any, end: Any) -> Json:
        if isinstance(start, datetime) and isinstance(end, datetime):
            return int((end - start).total_seconds() // 60)
        minutes = clock_minutes(clock(end)) - clock_minutes(clock(start))
        return minutes if minutes >= 0 else minutes + 1440

    strict: dict[str, Function] = {
        "date": to_date,
        "time": to_time,
        "month": lambda value: to_date(value)[:7],
        "add_days": lambda value, days: add_days(to_date(value), int(days)),
        "days_between": days_between,
        "minutes_between": minutes_between,
        "hours": lambda seconds: number(seconds) / 3600,
        "lower": lambda text: text.lower(),
        "upper": lambda text: text.upper(),
        "trim": lambda text: text.strip(),
    }
    return {
        **{name: _calm(function) for name, function in strict.items()},
        "join": Joining(),
        "coalesce": lambda *values: next((v for v in values if not is_empty(v)), None),
    }


NAMES: Final = BUILT_IN | frozenset({
    "date", "time", "month", "add_days", "days_between", "minutes_between", "hours", "lower",
    "upper", "trim", "join", "coalesce",
})  # fmt: skip


def _calm(function: Function) -> Function:
    """Empty in, empty out; a value of the wrong kind counts as empty."""

    def calm(*values: Any) -> Json:
        if any(is_empty(value) for value in values):
            return None
        try:
            return function(*values)
        except (ValueError, TypeError, AttributeError, ArithmeticError):
            return None

    return calm


class Joining:
    """``join(list, separator)``: the texts that are not empty; in one evaluation no more than ``MOST`` characters."""

    MOST: Final = 1 << 18

    def __init__(self) -> None:
        self._left = self.MOST

    def __call__(self, *values: Any) -> Json:
        """Raises TooLarge."""
        if len(values) != 2 or not isinstance(values[0], list) or not isinstance(values[1], str):
            return None
        texts = [str(value) for value in values[0] if not is_empty(value)]
        self._left -= sum(map(len, texts)) + len(values[1]) * len(texts)
        if self._left < 0:
            raise TooLarge("what it would join is too large")
        return values[1].join(texts) or None
