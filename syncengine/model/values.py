"""What a value is, on our side and on a vendor's.

A canonical value is plain JSON: text, email, date ``2026-11-22``, time ``08:00`` (00:00 to 24:00) and
enum are ``str``; datetime is a UTC text ``2026-11-22T10:00:00Z`` (with microseconds where there are
any); integer is ``int``; number is ``float``; boolean is ``bool``; duration is an ``int`` of seconds;
ref is the id of a record; set is a sorted list without repeats; list and object stand as they are;
empty is ``None``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, Literal

TypeName = Literal[
    "string", "text", "email", "date", "datetime", "time", "integer", "number",
    "boolean", "duration", "enum", "ref", "list", "set", "object",
]  # fmt: skip

Json = Any
"""A JSON value: None, bool, int, float, str, list or dict of such."""

Row = Mapping[str, Json]
"""A vendor's row under the vendor's own field names; ``_parent`` and ``_period`` may stand beside them."""


LONGEST_ID: Final = 500
"""Characters of an external id; what is longer is none."""


class Absent:
    """The type of ``ABSENT``: a key that is not in a row says nothing, unlike ``None``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


ABSENT: Final = Absent()


def is_empty(value: Json) -> bool:
    """Whether a value counts as empty: nothing, an empty text, list or object."""
    return value is None or value is ABSENT or value == "" or value == [] or value == {}


def as_list(value: Json) -> list[Json]:
    """A value of one or of many as a list; None as an empty one."""
    return value if isinstance(value, list) else [] if value is None else [value]


@lru_cache
def utc_text(at: float) -> str:
    """Epoch seconds as a canonical datetime. Rows of one page were read at one time, which takes longer to spell than
    to compare."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def digest(value: Json) -> str:
    """A short digest of a JSON value."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()
