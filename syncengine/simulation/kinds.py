"""Kinds of fields that a drawn entity may have: values that people enter, and how vendors spell them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from syncengine.model.values import Json, TypeName

_START = datetime(2026, 1, 1, 8, 0, 30, tzinfo=UTC)
_EAST = timezone(timedelta(hours=5, minutes=30))


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a vendor keeps a raw value. ``column``: the type that it declares, None for that of the field.
    ``lossy``: what it makes of a value does not mean the same."""

    keep: Callable[[Json], Json]
    column: TypeName | None = None
    lossy: bool = False


def _moment(raw: Json) -> datetime:
    return datetime.fromisoformat(str(raw).replace("Z", "+00:00"))


AS_IT_IS = Spelling(lambda raw: raw)
UPPER = Spelling(lambda raw: raw.upper(), lossy=True)
CUT = Spelling(lambda raw: raw[:7], lossy=True)
TRIM = Spelling(lambda raw: raw.strip(), lossy=True)
LINES = Spelling(lambda raw: raw.replace("\r\n", "\n").replace("\n", "\r\n"))
SHOUTED = Spelling(lambda raw: raw.upper())
TEXT = Spelling(str, "string")
ROUND = Spelling(lambda raw: round(float(raw), 1), lossy=True)
ZONE = Spelling(lambda raw: _moment(raw).astimezone(_EAST).isoformat())
MINUTE = Spelling(
    lambda raw: _moment(raw).replace(second=0).isoformat().replace("+00:00", "Z"), lossy=True
)
STAMP = Spelling(lambda raw: raw, "datetime")
SECONDS = Spelling(lambda raw: raw if raw.count(":") > 1 else f"{raw}:00")
WORDS = Spelling(lambda raw: str(raw).lower(), "string")
REORDER = Spelling(lambda raw: sorted(raw, reverse=True))


WORDY: Final = ("name", "note")
"""Fields whose texts people enter with letters of more than one code, and vendors code in ways of their own."""
ODD: Final = " Zo\u00eb \U0001f600"
"""What such a text ends with."""
CUT_AT: Final = 13
"""UTF-16 units after which a vendor may cut a text, which goes through the last character of many."""


def _cut(raw: str) -> str:
    return raw.encode("utf-16-le")[: 2 * CUT_AT].decode("utf-16-le", "ignore")


TEXTS: Mapping[str, Spelling] = {
    "as it is": AS_IT_IS,
    "NFC": Spelling(lambda raw: unicodedata.normalize("NFC", raw)),
    "NFD": Spelling(lambda raw: unicodedata.normalize("NFD", raw)),
    "no-break spaces": Spelling(lambda raw: raw.replace(" ", "\u00a0")),
    "zero-width spaces": Spelling(lambda raw: raw.replace("\u200b", "").replace(" ", " \u200b")),
    "cut": Spelling(_cut, lossy=True),
}  # fmt: skip
"""How a vendor codes texts. All of it means the same."""


@dataclass(frozen=True, slots=True)
class Kind:
    """``declared``: type and what belongs to it, as YAML. ``fresh``: the n-th value that people think of, canonical;
    different from all others where the type has so many. ``ordered``: max and min can tell. ``rules``: keys of a
    field rule that may stand beside the path."""

    declared: str
    fresh: Callable[[int], Json]
    spellings: tuple[Spelling, ...] = (AS_IT_IS,)
    ordered: bool = False
    rules: tuple[str, ...] = ("",)
    column: TypeName = "string"


def _later(n: int, **step: int) -> datetime:
    return _START + timedelta(**{name: n * count for name, count in step.items()})


KINDS: Mapping[str, Kind] = {
    "name": Kind(
        "string", lambda n: f"{n}-Berta" + " " * (n % 3 == 0), (AS_IT_IS, UPPER, CUT, TRIM), True,
        ("", "", "read: row.name, write: {name: name}"),
    ),
    "note": Kind("text", lambda n: f"{n}\nline", (AS_IT_IS, LINES)),
    "level": Kind("integer", lambda n: n, (AS_IT_IS, TEXT), True, column="integer"),
    "rate": Kind("number", lambda n: n + 0.25, (AS_IT_IS, ROUND, TEXT), True, column="number"),
    "since": Kind(
        "datetime", lambda n: _later(n, minutes=1).strftime("%Y-%m-%dT%H:%M:%SZ"),
        (AS_IT_IS, ZONE, MINUTE), True, column="datetime",
    ),
    "start": Kind(
        "date", lambda n: _later(n, days=1).date().isoformat(), (AS_IT_IS, STAMP), True,
        column="date",
    ),
    "shift": Kind(
        "time", lambda n: _later(n, minutes=7).strftime("%H:%M"), (AS_IT_IS, SECONDS), True,
        ("", "codec: midnight"), "time",
    ),
    "pause": Kind(
        "duration", lambda n: 60 * n + 30 * (n % 2), ordered=True, rules=("", "codec: minutes"),
        column="integer",
    ),
    "done": Kind(
        "datetime", lambda n: _later(n, hours=1).strftime("%Y-%m-%dT%H:%M:%SZ"), ordered=True,
        rules=("", "codec: happened"), column="datetime",
    ),
    "active": Kind("boolean", lambda n: n % 2 == 0, (AS_IT_IS, WORDS), column="boolean"),
    "grade": Kind(
        "enum, choices: [junior, senior, boss]", lambda n: ("junior", "senior", "boss")[n % 3],
        rules=(
            "values: {junior: [J, JUN], senior: [S], boss: [B]}",
            "values: {junior: [1], senior: [2, 3], boss: [9]}",
        ),
    ),
    "tags": Kind("set, of: string", lambda n: [f"t{n}"], (AS_IT_IS, REORDER), column="set"),
    "steps": Kind("list, of: string", lambda n: [f"s{n}", "s0"], column="list"),
    "extra": Kind("object", lambda n: {"b": n, "a": {"c": n}}, column="object"),
    "boss": Kind("ref, to: person", lambda n: n),
}  # fmt: skip
