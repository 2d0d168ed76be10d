"""An erasure: that somebody was forgotten, when, by whom and why, and nothing of who it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ERASED = "erased:"
"""How the subject of the question begins about what came back; behind it stands the erasure's id."""

KEEP_OUT = "keep_out"
TAKE_IN = "new"


@dataclass(frozen=True, slots=True)
class Erasure:
    """A line of the erasure log. ``at``: epoch seconds. ``counts``: table -> how many of its rows went. ``answer``:
    what a person said of what came back, ``""`` before."""

    id: str
    entity: str
    at: float
    author: str
    reason: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    answer: str = ""
