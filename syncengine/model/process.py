"""A running process of the service, as it reports itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Process:
    """A running process of the service. ``kind``: worker, live (a worker of changes alone) or web. ``digest``: the
    edition of the project that it uses, ``since`` when. ``refused``: faults of the present files, if they were
    rejected. ``seen_at``: time of its last report. Times are epoch seconds."""

    id: str
    kind: str
    host: str
    pid: int
    digest: str
    since: float
    seen_at: float
    refused: Sequence[str] = ()
