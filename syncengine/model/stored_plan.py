"""Stored plans: what a sync would do, at once, later, or by other files, as it was computed at one time, in parts that
screens read one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from syncengine.model.values import Json

SUMMARY = ""
"""The part of a stored plan that has the numbers, and says which other parts there are."""
UPCOMING = "upcoming"
"""The same of what the coming days bring."""
TRIAL = "trial"
"""The same of what the files as they stand would do, which are not in use yet."""
SUMMARIES = (SUMMARY, UPCOMING, TRIAL)


@dataclass(frozen=True, slots=True)
class PlanPart:
    """One part of a stored plan: one of the ``SUMMARIES``, or a page of its changes. ``author``: who asked for it;
    ``at``: when it was computed (epoch seconds); ``digest``: of the whole plan."""

    id: str
    part: str
    author: str
    digest: str
    at: float
    document: Mapping[str, Json] = field(default_factory=dict)
