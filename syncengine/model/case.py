"""Cases: questions that wait for a person's answer. All kinds share one class, one table and one command."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from syncengine.model.values import Json


class CaseKind(StrEnum):
    """What a person is asked about."""

    IDENTITY = "identity"
    CONFLICT = "conflict"
    MISSING = "missing"
    DRIFT = "drift"
    STAGED = "staged"
    UNKNOWN = "unknown"
    REJECTED = "rejected"
    QUARANTINED = "quarantined"
    DEAD_EVENT = "dead_event"
    RESTORE = "restore"


IDENTITY = "identity:"
"""How the subject of the question begins to whom a row belongs; behind it stands the link's id."""


@dataclass(frozen=True, slots=True)
class Vote:
    """One of several approvals that held writes need: by whom, when (epoch seconds), and for exactly which writes
    (``planning.votes.digest_of``). ``links``: of these, where they are a part of what is held."""

    author: str
    digest: str
    at: float
    reason: str = ""
    links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A question that waits for a person's answer. ``subject`` identifies what it is about and is unique among open
    cases, so that the same question is not asked twice.

    ``evidence``: what a person needs to see; encrypted at rest. ``answers``: answer -> what it will do. ``author``,
    ``reason``: who answered, and why. ``votes``: approvals that were given while more are needed.
    """

    id: str
    kind: CaseKind
    subject: str
    question: str
    evidence: dict[str, Json] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    entity: str = ""
    record_id: str | None = None
    link_id: str | None = None
    operation_id: str | None = None
    opened_at: float = 0.0
    answer: str | None = None
    author: str = ""
    reason: str = ""
    closed_at: float | None = None
    votes: tuple[Vote, ...] = ()
