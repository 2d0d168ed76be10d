"""What we remember of a connection between calls; configuration is not among it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """``paused``: writes stopped by a person (why, else empty). ``halted``: why nothing is called at all
    (refused credentials), until ``blocked_until`` (epoch seconds). ``failures``: failed calls in a row. ``why``: it is
    blocked; ``asked``: the vendor asked for that pause, or our budget does; ``since``: when that was noted."""

    name: str
    paused: str = ""
    halted: str = ""
    blocked_until: float = 0.0
    failures: int = 0
    digest: str = ""
    why: str = ""
    asked: bool = False
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class ResourceState:
    """``cursor``: where the poll goes on. ``polled_at``, ``scanned_at``: start of the last one that was complete
    (epoch seconds, 0: never). ``scan_started``: when the last one was announced. ``rows``: of the last complete
    scan. ``fault``: why the last one failed, else empty. ``progress``: how far a scan that is read in slices has come
    (``flows.capture.listing``)."""

    connection: str
    resource: str
    cursor: str | None = None
    polled_at: float = 0.0
    scanned_at: float = 0.0
    scan_started: float = 0.0
    rows: int = 0
    fault: str = ""
    progress: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Booking:
    """Calls of a budget that were taken for the first ``count`` of some things, all calls of each. Times are epoch
    seconds. ``first``: when they may begin; ``last``: when all of the calls are free; ``free``: when those of the next
    thing would be (infinity: never)."""

    count: int
    first: float
    last: float
    free: float
