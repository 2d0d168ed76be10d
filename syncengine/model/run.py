"""Runs: who or what looked at vendors and wrote to them, when, for how long, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

LOST = 300.0
"""Seconds without a sign after which a run that has not ended is taken to have broken off."""

PASS, ONE, LISTING, PLAN = "pass", "one", "listing", "plan"
"""Kinds of runs: a sync, a sync of one record, one listing of a resource, and a plan."""

SERVICE = "service"
"""The author of what workers do by themselves."""

COMPLETE, FAILED, BROKE_OFF = "complete", "failed", "broke_off"
"""Outcomes: all was done; something could not be done, which is its fault; it ended without a word."""

UNDER_WAY = "under_way"
"""What is asked for where runs are wanted that have no outcome yet."""

OUTCOMES = (COMPLETE, FAILED, BROKE_OFF, UNDER_WAY)
"""By what runs are narrowed."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run. ``parent``: of a listing, the run that it is a part of, else empty. ``connection``, ``resource``: of a
    listing, or those that a pass was limited to. ``author``: who began it. Times are epoch seconds; ``touched_at``: its
    last sign, ``ended_at``: None while it is under way. ``outcome``, ``fault``: empty before. ``mapping``: the edition
    of the project. ``counts``: rows read, those that ``moved`` and those that are shown no more (``gone``), calls that
    were ``reads``, ``writes`` and ``retries``, writes by outcome, questions that were ``asked``. ``quiet``: nothing
    happened in it."""

    id: str
    kind: str
    parent: str = ""
    connection: str = ""
    resource: str = ""
    author: str = SERVICE
    started_at: float = 0.0
    touched_at: float = 0.0
    ended_at: float | None = None
    outcome: str = ""
    fault: str = ""
    mapping: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    quiet: bool = True

    def outcome_at(self, now: float) -> str:
        """Its outcome; empty while it is under way."""
        lost = self.ended_at is None and now - self.touched_at > LOST
        return BROKE_OFF if lost else self.outcome


HAPPENED = (
    "moved",
    "gone",
    "writes",
    "asked",
    "applied",
    "stale",
    "rejected",
    "not_sent",
    "unknown",
)
"""Counts of which any makes a run worth to be kept for long."""
