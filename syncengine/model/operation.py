"""One intended vendor write, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from syncengine.model.values import Json, Row


class Action(StrEnum):
    """What an operation does at the vendor."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


class OperationState(StrEnum):
    """``pending`` -> ``claimed`` -> an outcome; ``unknown`` is probed; ``cancelled`` was never sent."""

    PENDING = "pending"
    CLAIMED = "claimed"
    UNKNOWN = "unknown"
    APPLIED = "applied"
    STALE = "stale"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


THERE = "the row was there"
"""What is said of a create that was not sent, since a look showed its row."""

UNSHOWN = "no answer came, and no read showed it"
"""What is said of a stale write that went out."""

UNTAKEN = "it does not take this write: sent twice, never answered, and no read shows it"
"""What is said of a write that is unknown a while longer for that reason, before its last try."""

UNNAMED = "accepted, but the answer names no row"
"""What is said of a create that is unknown for that reason."""

ANOTHERS = "accepted, but the answer names another row"
"""The same where the row that is named was there before, or is another record's."""

UNMADE = "accepted, and no read shows a row"
"""What is said of it once that is proved."""

UNSETTLED = frozenset({OperationState.PENDING, OperationState.CLAIMED, OperationState.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Operation:
    """A row of the outbox.

    ``body``: vendor path -> raw value. ``carried``: field -> canonical value that the body stands for.
    ``expected``: field -> raw vendor value that the plan saw (``row`` for a delete). ``leave``: a write of
    ``set.leave``. ``kind``: what it counts as to safety, create, update or delete; known once it is committed.
    ``key``: the idempotency key, random, the same at each attempt.
    ``causes``: field -> position of the rule that wants it, as text. ``rules``: field -> fingerprint of the rule
    that spelled it. ``next_at``: not before (epoch seconds).
    ``external_id``: the row's; of a create the chosen one, or the one that settling learned.
    """

    id: str
    link_id: str
    record_id: str
    entity: str
    connection: str
    resource: str
    action: Action
    body: Mapping[str, Json] = field(default_factory=dict)
    carried: Mapping[str, Json] = field(default_factory=dict)
    expected: Mapping[str, Json] = field(default_factory=dict)
    leave: bool = False
    kind: str = ""
    key: str = ""
    generation: int = 0
    causes: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, str] = field(default_factory=dict)
    state: OperationState = OperationState.PENDING
    attempts: int = 0
    token: str | None = None
    lease_until: float = 0.0
    next_at: float = 0.0
    created_at: float = 0.0
    external_id: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """The vendor's own answer to a write: the external id and as much of the row as it showed. ``unread``: it may have
    changed more than was sent and did not show that, so that the row is read afresh."""

    external_id: str
    row: Row | None = None
    unread: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """A plan that may still grow: operations of ``entity`` that count as ``kind`` stay where they are as long as a
    link or a derivation of one of ``feeders`` is to be looked at, or one of ``places`` (connection, resource) is being
    listed. Reads are waited for in ``readable`` connections only, and operations made before ``since`` are not held."""

    entity: str
    kind: str
    feeders: frozenset[str]
    places: frozenset[tuple[str, str]]
    readable: frozenset[str]
    since: float
