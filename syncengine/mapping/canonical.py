"""Canonical values: what a raw value of each type means on our side."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from syncengine.model.spelling import as_seen, blank
from syncengine.model.values import LONGEST_ID, Json, TypeName, is_empty

Parse = Callable[[Json], Json]
_READ: Final = frozenset({"date", "time", "datetime", "integer", "number", "boolean", "duration"})
"""Types whose texts are read: how those are spelled does not matter."""
_TIME: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\Z", re.ASCII)
_DIGITS: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?\Z", re.ASCII)
"""What a number is, as text; Python's own reading takes more, such as ``1_000``."""
_MIDNIGHT: Final = time()
_SPAN: Final = re.compile(r"(-?)(\d{1,6}):(\d{2})(?::(\d{2}))?\Z", re.ASCII)


def instant(value: datetime) -> str:
    """A datetime as UTC text. Raises ValueError outside the years 1 to 9999."""
    try:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError as error:
        raise ValueError("a datetime in the years 1 to 9999") from error


def _moment(raw: Json, zone: tzinfo) -> datetime:
    if not isinstance(raw, str):
        raise ValueError("a datetime")
    found = datetime.fromisoformat(raw.strip())
    return found if found.tzinfo else found.replace(tzinfo=zone)


def as_text(raw: Json) -> str:
    """A text, or a number as one. Raises ValueError."""
    if isinstance(raw, str) and "\0" not in raw:
        return raw
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise ValueError("a text")
    return str(int(raw)) if isinstance(raw, float) and raw.is_integer() else str(raw)


def _id(raw: Json) -> str:
    text = as_text(raw)
    if len(text) > LONGEST_ID:
        raise ValueError("an id")
    return text


def _email(raw: Json) -> str | None:
    text = as_text(raw).strip().lower()
    name, _, host = text.rpartition("@")
    if text and (not name or not host or any(c.isspace() for c in text)):
        raise ValueError("an email address")
    return text or None


def _integer(raw: Json) -> int:
    if isinstance(raw, bool):
        raise ValueError("a whole number")
    if isinstance(raw, str) and (_DIGITS.match(raw) is None or "." in raw):
        raw = _number(raw)
    elif isinstance(raw, str):
        raw = int(raw)
    if isinstance(raw, float) and raw.is_integer():
        raw = int(raw)
    if not isinstance(raw, int):
        raise ValueError("a whole number")
    return raw


def _number(raw: Json) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise ValueError("a number")
    if isinstance(raw, str) and _DIGITS.match(raw) is None:
        raise ValueError("a number")
    try:
        value = float(raw)
    except OverflowError as error:
        raise ValueError("a number") from error
    if not math.isfinite(value):
        raise ValueError("a finite number")
    return value + 0.0


def _boolean(raw: Json) -> bool:
    if isinstance(raw, str):
        raw = {"true": True, "false": False}.get(raw.strip().lower())
    if raw not in (True, False):
        raise ValueError("true or false")
    return bool(raw)


def _duration(raw: Json) -> int:
    found = _SPAN.match(raw) if isinstance(raw, str) else None
    if found is None:
        return round(_number(raw))
    seconds = int(found[2]) * 3600 + int(found[3]) * 60 + int(found[4] or 0)
    return -seconds if found[1] else seconds


def _clock(raw: Json, zone: tzinfo) -> str:
    if isinstance(raw, str) and "T" in raw:
        return local(_moment(raw, zone), zone).strftime("%H:%M")
    found = _TIME.match(raw.strip()) if isinstance(raw, str) else None
    hour, minute, second = (int(part or 0) for part in found.groups()) if found else (99, 0, 0)
    if minute > 59 or second > 59 or hour * 3600 + minute * 60 + second > 86400:
        raise ValueError("a time from 00:00 to 24:00")
    return f"{hour:02}:{minute:02}" + (f":{second:02}" if second else "")


def local(moment: datetime, zone: tzinfo) -> datetime:
    """The same instant on the clock of a zone. Raises ValueError at the ends of time."""
    try:
        return moment.astimezone(zone)
    except OverflowError as error:
        raise ValueError("a datetime in the years 1 to 9999") from error


def as_day(raw: Json, zone: tzinfo) -> str:
    """A date, or that of a moment on the clock of a zone. Raises ValueError."""
    if not isinstance(raw, str):
        raise ValueError("a date such as 2026-11-22")
    raw = raw.strip()
    if len(raw) <= 10:
        return date.fromisoformat(raw).isoformat()
    moment = _moment(raw, zone)
    if moment.time() == _MIDNIGHT:  # a day as a timestamp, whose zone says nothing
        return moment.date().isoformat()
    return local(moment, zone).date().isoformat()


def as_set(items: Sequence[Json]) -> list[Json]:
    """Items in order, without repeats."""
    ordered = sorted(items, key=lambda i: repr(i) if isinstance(i, dict | list) else i)
    return [item for n, item in enumerate(ordered) if n == 0 or item != ordered[n - 1]]


def parser(kind: TypeName, zone: tzinfo, of: TypeName | None = None) -> Parse:
    """raw -> canonical for a type; canonical values come back as they are, empties and texts in which nothing is
    seen as None. Raises ValueError saying what was expected. A ref gives the external id as text, an enum its text."""
    simple = _simple(kind, zone)
    if kind in {"list", "set"}:
        item = parser(of or "string", zone)

        def parse_items(raw: Json) -> Json:
            if is_empty(raw):
                return None
            if not isinstance(raw, list):
                raise ValueError("a list")
            items = [part for part in map(item, raw) if part is not None]
            return (as_set(items) if kind == "set" else items) or None

        return parse_items

    def parse(raw: Json) -> Json:
        if isinstance(raw, str) and kind in _READ:
            raw = as_seen(raw).strip()
        return None if blank(raw) else simple(raw)

    return parse


def _simple(kind: TypeName, zone: tzinfo) -> Parse:
    def check_object(raw: Json) -> Json:
        if not isinstance(raw, Mapping):
            raise ValueError("an object")
        return raw

    parsers: dict[str, Parse] = {
        "text": lambda raw: as_text(raw).replace("\r\n", "\n"),
        "email": _email,
        "ref": _id,
        "integer": _integer,
        "number": _number,
        "boolean": _boolean,
        "duration": _duration,
        "object": check_object,
        "date": lambda raw: as_day(raw, zone),
        "time": lambda raw: _clock(raw, zone),
        "datetime": lambda raw: instant(_moment(raw, zone)),
    }
    return parsers.get(kind, as_text)


def clock_minutes(value: str) -> int:
    """Minutes since 00:00 of a time text."""
    hour, minute = value.split(":")[:2]
    return int(hour) * 60 + int(minute)


def add_days(value: str, days: int) -> str:
    """A date text some days on. Raises ValueError at the ends of time."""
    try:
        return (date.fromisoformat(value) + timedelta(days=days)).isoformat()
    except OverflowError as error:
        raise ValueError("a date in the years 1 to 9999") from error
