"""An entry of the erasure log: that a person was erased, when, by whom and why, without saying who it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ERASED = "erased:"
"""How the subject of the question begins about what came back; behind it stands the erasure's id."""

KEEP_OUT = "keep_out"
TAKE_IN = "new"


@dataclass(frozen=True, slots=True)
class Erasure:
    """An entry of the erasure log. ``at``: epoch seconds. ``counts``: table -> number of rows deleted. ``answer``: what
    was decided when a vendor showed the erased person again, ``""`` before that."""

    id: str
    entity: str
    at: float
    author: str
    reason: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    answer: str = ""
