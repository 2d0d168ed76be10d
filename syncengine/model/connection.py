"""Runtime state of connections and resources, as stored in the ledger; their configuration is in the mapping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """Whether a connection may be called and written to. ``paused``: why a person stopped writes to it, else empty.
    ``halted``: why it is not called at all (refused credentials), until ``blocked_until`` (epoch seconds).
    ``failures``: failed calls in a row. ``why``: the reason for the block; ``asked``: the vendor or our own budget
    asked for it; ``since``: when it began. ``failing_since``, ``halted_since``, ``paused_at``: when the first of these
    failed calls ended, credentials were first refused, and a person paused it (0: not, or not known);
    ``paused_by``: who."""

    name: str
    paused: str = ""
    halted: str = ""
    blocked_until: float = 0.0
    failures: int = 0
    digest: str = ""
    why: str = ""
    asked: bool = False
    since: float = 0.0
    failing_since: float = 0.0
    halted_since: float = 0.0
    paused_by: str = ""
    paused_at: float = 0.0

    def recovered(self) -> ConnectionState:
        """The state once it may be called again: failures and refused credentials are forgotten."""
        return replace(
            self, failures=0, halted="", blocked_until=0.0, failing_since=0.0, halted_since=0.0
        )


@dataclass(frozen=True, slots=True)
class ResourceState:
    """How far the listings of a resource have come. ``cursor``: where the next poll continues. ``polled_at``,
    ``scanned_at``: start of the last complete poll and scan (epoch seconds, 0: never). ``scan_started``: when the last
    scan was announced; ``asked_at``: from when on one is wanted besides the schedule, by a person or since a row is to
    be looked at; one begun before does not count. ``rows``: number of rows in the last complete scan. ``fault``: why
    the last listing failed, else empty. ``progress``: state of a scan that is read in slices
    (``flows.capture.listing``)."""

    connection: str
    resource: str
    cursor: str | None = None
    polled_at: float = 0.0
    scanned_at: float = 0.0
    scan_started: float = 0.0
    asked_at: float = 0.0
    rows: int = 0
    fault: str = ""
    progress: Mapping[str, Any] = field(default_factory=dict)

    @property
    def asked_for(self) -> bool:
        """Whether a scan is wanted besides the schedule that has not come yet."""
        return self.asked_at > self.scanned_at

    def under_way(self, since: float) -> dict[str, Any] | None:
        """How far a listing below parents has come that is not over, where it got on after ``since`` (epoch seconds):
        of how many ``parts`` the rows were ``read`` in turn and when that began (``started``); how many were read once
        more meanwhile (``reread``), lastly at ``reread_at`` (None: never)."""
        told = self.progress
        if not told.get("parents") or told["started"] <= self.scanned_at or told["at"] < since:
            return None
        return {
            "started": told["started"],
            "read": told["turned"],
            "parts": told["parents"],
            "reread": told["reread"],
            "reread_at": told["chosen_at"] or None,
        }


@dataclass(frozen=True, slots=True)
class Booking:
    """Calls of a budget reserved ahead of time, for the first ``count`` of several things that need one or more calls
    each. Times are epoch seconds. ``first``: when the first reserved call may be made; ``last``: when all of them may;
    ``free``: when the calls of the next thing would be free (infinity: never)."""

    count: int
    first: float
    last: float
    free: float
