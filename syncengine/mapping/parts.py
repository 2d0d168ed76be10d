"""What the models of all files share: spans, sizes, shares, names."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def span(value: Any) -> float:
    """Seconds of ``30s 5m 24h 35d``. Raises ValueError."""
    found = (
        re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)([smhd])", value) if isinstance(value, str) else None
    )
    if found is None:
        raise ValueError("expected a span, write for example 30s, 5m, 24h or 35d")
    return float(found[1]) * _UNITS[found[2]]


def size(value: Any) -> int:
    """Bytes of ``512MiB`` or ``2GiB``. Raises ValueError."""
    found = re.fullmatch(r"(\d{1,5})(MiB|GiB)", value) if isinstance(value, str) else None
    if found is None or not int(found[1]):
        raise ValueError("expected a size, write for example 512MiB or 2GiB")
    return int(found[1]) * (1 << 20 if found[2] == "MiB" else 1 << 30)


def percent(value: Any) -> float:
    """The share (0 to 1) of ``10%``. Raises ValueError."""
    found = re.fullmatch(r"(\d{1,3}(?:\.\d{1,3})?)%", value) if isinstance(value, str) else None
    if found is None or float(found[1]) > 100:
        raise ValueError("expected a percentage, write for example 10%")
    return float(found[1]) / 100


def short(value: Any) -> Any:
    """A text alone is the path of a field."""
    return {"field": value} if isinstance(value, str) else value


def one_or_more(value: Any) -> Any:
    """One text is a list of one."""
    return [value] if isinstance(value, str) else value


Span = Annotated[
    float,
    BeforeValidator(span, json_schema_input_type=str),
    Field(description="a span: 30s 5m 24h 35d"),
]


def _at_least(shortest: str) -> Any:
    """What takes a span that is not shorter than this one."""

    def taken(value: Any) -> float:
        if (seconds := span(value)) < span(shortest):
            raise ValueError(f"is too short, write at least {shortest}")
        return seconds

    return BeforeValidator(taken, json_schema_input_type=str)


Weeks = Annotated[float, _at_least("14d"), Field(description="a span of at least 14d")]
Days = Annotated[float, _at_least("1d"), Field(description="a span of at least 1d")]
Minutes = Annotated[float, _at_least("5m"), Field(description="a span of at least 5m")]
Size = Annotated[
    int,
    BeforeValidator(size, json_schema_input_type=str),
    Field(description="a size: 512MiB 2GiB"),
]
Share = Annotated[
    float, BeforeValidator(percent, json_schema_input_type=str), Field(description="such as 10%")
]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Title = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_. -]*$")]
Cel = Annotated[str, StringConstraints(min_length=1), Field(description="an expression")]
Count = Annotated[int, Field(strict=False, ge=1)]
Few = Annotated[int, Field(ge=1, le=9)]
Several = Annotated[
    list[str],
    BeforeValidator(one_or_more, json_schema_input_type=str | list[str]),
    Field(min_length=1),
]
"""One text, or a list of some."""
