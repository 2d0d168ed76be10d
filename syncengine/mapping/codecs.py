"""Values between a vendor's spelling and ours: two-way, each with the equivalence it declares.

A lens says what a raw value means (``decode``), how we spell a value there (``encode``), and when two raw
values mean the same (``norm`` gives equal results). All three raise ValueError for what does not fit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Final

from syncengine.model.spelling import as_seen, blank, cut, cut_off, folded
from syncengine.model.values import LONGEST_ID, Json, TypeName, is_empty

Parse = Callable[[Json], Json]
_TEXTS: Final = frozenset({"string", "text", "email"})
_READ: Final = frozenset({"date", "time", "datetime", "integer", "number", "boolean", "duration"})
"""Types whose texts are read: how those are spelled does not matter."""
_TIME: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\Z", re.ASCII)
_DIGITS: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?\Z", re.ASCII)
"""What a number is, as text; Python's own reading takes more, such as ``1_000``."""
_MIDNIGHT: Final = time()
_SPAN: Final = re.compile(r"(-?)(\d{1,6}):(\d{2})(?::(\d{2}))?\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Lens:
    """``decode(raw, old, seen)``: ``old`` is our present value, ``seen`` the UTC text of when it was read.
    ``loses``: what encoding drops, empty if nothing but what the equivalence allows. ``empty``: how
    our empty value is spelled (``encode`` never gets it). ``longest``: UTF-16 units of a text after which the vendor
    cuts it."""

    decode: Callable[[Json, Json, str], Json]
    encode: Callable[[Json], Json]
    norm: Parse
    loses: str = ""
    empty: Json = None
    longest: int | None = None

    def same(self, left: Json, right: Json) -> bool:
        """Whether two raw values mean the same; what does not fit equals only itself."""
        if type(left) is type(right) is str and left == right:
            return True
        try:
            same = bool(self.norm(left) == self.norm(right))
        except ValueError:
            return type(left) is type(right) and bool(left == right)
        texts = isinstance(left, str) and isinstance(right, str)
        return same or bool(texts and self.longest and cut_off(left, right, self.longest))


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


def _text(raw: Json) -> str:
    if isinstance(raw, str) and "\0" not in raw:
        return raw
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise ValueError("a text")
    return str(int(raw)) if isinstance(raw, float) and raw.is_integer() else str(raw)


def _id(raw: Json) -> str:
    text = _text(raw)
    if len(text) > LONGEST_ID:
        raise ValueError("an id")
    return text


def _email(raw: Json) -> str | None:
    text = _text(raw).strip().lower()
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


def _day(raw: Json, zone: tzinfo) -> str:
    if not isinstance(raw, str):
        raise ValueError("a date such as 2026-11-22")
    raw = raw.strip()
    if len(raw) <= 10:
        return date.fromisoformat(raw).isoformat()
    moment = _moment(raw, zone)
    if moment.time() == _MIDNIGHT:  # a day as a timestamp, whose zone says nothing
        return moment.date().isoformat()
    return local(moment, zone).date().isoformat()


def _set(items: Sequence[Json]) -> list[Json]:
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
            return (_set(items) if kind == "set" else items) or None

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
        "text": lambda raw: _text(raw).replace("\r\n", "\n"),
        "email": _email,
        "ref": _id,
        "integer": _integer,
        "number": _number,
        "boolean": _boolean,
        "duration": _duration,
        "object": check_object,
        "date": lambda raw: _day(raw, zone),
        "time": lambda raw: _clock(raw, zone),
        "datetime": lambda raw: instant(_moment(raw, zone)),
    }
    return parsers.get(kind, _text)


def typed(
    kind: TypeName, zone: tzinfo, of: TypeName | None, theirs: TypeName | None,
    longest: int | None = None,
) -> Lens:  # fmt: skip
    """The lens of a field type without codec; ``theirs`` is the type that the connector declares, ``longest`` the
    length. Where that is a text and ours is one, a number does not fit: a vendor that mixes them up is put right by its
    connector."""
    parse = parser(kind, zone, of)
    if kind in _TEXTS and theirs in _TEXTS:
        parse = _only_texts(parse)
    shape = _shape(kind, theirs, zone)
    loses = ""
    if kind == "datetime" and theirs == "date":
        loses = "the time of day"
    elif kind == "number" and theirs == "integer":
        loses = "what is behind the decimal point"
    whole = shape
    if longest and kind in _TEXTS:
        loses = f"what is beyond {longest} characters"

        def shape(value: Json) -> Json:
            return cut(whole(value), longest)

    def norm(raw: Json) -> Json:
        value = parse(raw)
        if loses and value is not None:
            value = parse(shape(value))
        value = value if kind == "ref" else folded(value)
        return None if value == "" else _set(value) if kind == "set" and value else value

    return Lens(lambda raw, _old, _seen: parse(raw), shape, norm, loses, longest=longest)


def _only_texts(parse: Parse) -> Parse:
    def parse_text(raw: Json) -> Json:
        if not isinstance(raw, str | None):
            raise ValueError("a text")
        return parse(raw)

    return parse_text


def _shape(kind: TypeName, theirs: TypeName | None, zone: tzinfo) -> Parse:
    """canonical -> the vendor's type."""
    if kind == "date" and theirs == "datetime":
        return lambda value: instant(datetime.fromisoformat(value).replace(tzinfo=zone))
    if kind == "datetime" and theirs == "date":
        return lambda value: _day(value, zone)
    if kind in {"list", "set", "object", "boolean"}:
        return lambda value: value
    if theirs == "integer":
        return lambda value: int(value) if _whole(value) else value
    if theirs in {"string", "text"}:
        return lambda value: _text(value)
    return lambda value: value


def alone(lens: Lens) -> Lens:
    """One value of ours where the vendor has a list: a list of at most one. More do not fit."""

    def only(raw: Json) -> Json:
        if isinstance(raw, list):
            if len(raw) > 1:
                raise ValueError("a list of at most one")
            return raw[0] if raw else None
        return raw

    return Lens(
        decode=lambda raw, old, seen: lens.decode(only(raw), old, seen),
        encode=lambda value: [lens.encode(value)],
        norm=lambda raw: lens.norm(only(raw)),
        loses=lens.loses,
        empty=[],
    )


def _whole(value: Json) -> bool:
    if isinstance(value, str):
        return re.fullmatch(r"0|-?[1-9][0-9]{0,17}", value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


def coded(name: str, zone: tzinfo, theirs: TypeName | None) -> tuple[TypeName, Lens]:
    """A named codec: the field type it is for, and its lens."""
    if name == "midnight":
        clock = parser("time", zone)
        return "time", Lens(
            decode=lambda raw, _old, _seen: _evening(clock(raw)),
            encode=lambda value: "00:00" if value == "24:00" else value,
            norm=lambda raw: _evening(clock(raw)),
        )
    if name == "minutes":
        whole = parser("integer", zone)
        shape = _shape("integer", theirs, zone)

        def seconds(raw: Json) -> Json:
            value = whole(raw)
            return None if value is None else value * 60

        return "duration", Lens(
            decode=lambda raw, _old, _seen: seconds(raw),
            encode=lambda value: shape(value // 60),
            norm=whole,
            loses="seconds below a full minute",
        )
    flag = parser("boolean", zone)

    def happened(raw: Json, old: Json, seen: str) -> Json:
        return (old or seen or None) if flag(raw) else None

    return "datetime", Lens(
        decode=happened,
        encode=lambda value: value is not None,
        norm=lambda raw: bool(flag(raw)),
        loses="when it happened (only that it did)",
        empty=False,
    )


def _evening(value: Json) -> Json:
    return "24:00" if value == "00:00" else value


@dataclass(frozen=True, slots=True)
class Table:
    """The ``values`` of a rule: ``read`` their token -> ours, ``write`` ours -> theirs, ``other``: what any
    unknown value means (``"*"``), ABSENT-like ``...`` if it is unknown to us too."""

    read: Mapping[str, Json]
    write: Mapping[str, Json]
    other: Json

    def lens(self) -> Lens:
        """The lens of the table; unknown values do not fit."""

        def decode(raw: Json) -> Json:
            if (known := self.read.get(token(raw), self.other)) is not ...:
                return known
            if blank(raw):
                return None
            raise ValueError(f"one of: {', '.join(sorted(self.read))}")

        def encode(value: Json) -> Json:
            if token(value) not in self.write:
                raise ValueError(f"one of ours that is written: {', '.join(sorted(self.write))}")
            return self.write[token(value)]

        return Lens(lambda raw, _old, _seen: decode(raw), encode, decode)


def token(raw: Json) -> str:
    """A raw value as text, so that 5 and "5", true and "true" are one, and so are spellings of a text."""
    if isinstance(raw, bool) or raw is None:
        return {True: "true", False: "false", None: "null"}[raw]
    if isinstance(raw, str):
        return str(folded(raw))
    return str(int(raw)) if isinstance(raw, float) and raw.is_integer() else str(raw)


def tabled(values: Mapping[str, Sequence[Any]], parse: Parse) -> Table:
    """``{ours: [theirs, ...]}`` as a table; ``parse`` makes our side canonical. Raises ValueError."""
    read: dict[str, Json] = {}
    write: dict[str, Json] = {}
    other: Json = ...
    for ours, theirs in values.items():
        value = parse(ours)
        for raw in theirs:
            if raw == "*":
                other = value
                continue
            read.setdefault(token(raw), value)
            write.setdefault(token(value), raw)
    return Table(read, write, other)


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
