"""A process of the service, as it says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Process:
    """``kind``: worker or web. ``digest``: of the edition of the project that it works by, ``since`` when. ``refused``:
    the faults of the files as they stand, where they are not taken for that reason. ``seen_at``: when it said so.
    Times are epoch seconds."""

    id: str
    kind: str
    host: str
    pid: int
    digest: str
    since: float
    seen_at: float
    refused: Sequence[str] = ()
