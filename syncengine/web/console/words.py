"""Values as text on a page: on one line, nothing in it that could steer what stands around it."""

from __future__ import annotations

import json
from typing import Final

from syncengine.model.values import Json

LONGEST: Final = 300
"""Characters of a value on a page; what is longer is cut, and says so."""
NOTHING: Final = "–"


def plain(value: Json, longest: int = LONGEST) -> str:
    """A value as people read it."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, list):
        text = ", ".join(plain(item, longest) for item in value)
    elif isinstance(value, dict):
        text = json.dumps(value, ensure_ascii=False)
    else:
        text = str(value)
    text = "".join(c if c.isprintable() else " " for c in text[: longest + 1])
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def short_id(identifier: str | None) -> str:
    """The end of an id, which tells it from others."""
    return (identifier or "")[-8:]
