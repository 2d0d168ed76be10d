"""Values between a vendor's spelling and ours: two-way, each with the equivalence it declares.

A lens says what a raw value means (``decode``), how we spell a value there (``encode``), and when two raw
values mean the same (``norm`` gives equal results). All three raise ValueError for what does not fit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final

from syncengine.mapping.canonical import Parse, as_day, as_set, as_text, instant, parser
from syncengine.model.spelling import blank, cut, cut_off, folded
from syncengine.model.values import Json, TypeName

_TEXTS: Final = frozenset({"string", "text", "email"})


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
        return None if value == "" else as_set(value) if kind == "set" and value else value

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
        return lambda value: as_day(value, zone)
    if kind in {"list", "set", "object", "boolean"}:
        return lambda value: value
    if theirs == "integer":
        return lambda value: int(value) if _whole(value) else value
    if theirs in {"string", "text"}:
        return lambda value: as_text(value)
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
