"""Operations: writes to vendors, kept in the outbox until they are settled."""

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
    """State of an operation. ``pending`` -> ``claimed`` -> an outcome. ``unknown``: it may have been sent; a probe
    decides. ``cancelled``: it was never sent."""

    PENDING = "pending"
    CLAIMED = "claimed"
    UNKNOWN = "unknown"
    APPLIED = "applied"
    STALE = "stale"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


class Detail(StrEnum):
    """Why an operation stands where it does, where the engine goes by that later; the value is what people read. Any
    other detail of an operation is only read by people."""

    FOUND = "the row was there"
    """A create was not sent: a read showed its row."""

    NEVER_SHOWN = "no answer came, and no read showed it"
    """A write went out and is stale."""

    LAST_TRY = "it does not take this write: sent twice, never answered, and no read shows it"
    """A write stays unknown for a while before it is tried once more."""

    NO_ROW_NAMED = "accepted, but the answer names no row"
    """A create is unknown, since nothing tells which row it made."""

    OTHER_ROW_NAMED = "accepted, but the answer names another row"
    """The same where that row was there before, or is another record's."""

    NOT_MADE = "accepted, and no read shows a row"
    """What of these is proved to have made none."""


UNSETTLED = frozenset({OperationState.PENDING, OperationState.CLAIMED, OperationState.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Operation:
    """A write to one vendor row, stored in the outbox.

    ``body``: vendor path -> raw value to send. ``carried``: field -> canonical value that the body stands for.
    ``expected``: field -> raw vendor value that the plan saw (for a delete, of the whole row). ``leave``: a write of
    ``set.leave``. ``kind``: how safety counts it (create, update or delete); set when it is committed. ``key``: the
    random idempotency key, the same at each attempt. ``causes``: field -> position of the mapping rule that wants it,
    as text. ``rules``: field -> fingerprint of the rule that encoded it. ``next_at``: not before (epoch seconds).
    ``external_id``: of the row; for a create the chosen id, or the one learned when it settled.
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
    """The vendor's answer to a write: the external id, and the row as far as the answer showed it. ``unread``: the
    vendor may have changed more than was sent without showing it, so the row is read again."""

    external_id: str
    row: Row | None = None
    unread: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """A rule that keeps planned operations unsent while their plan may still grow. Operations of ``entity`` that count
    as ``kind`` are not claimed as long as a link or derivation of one of ``feeders`` is dirty, or one of ``places``
    (connection, resource) is being listed. Pending reads count in ``readable`` connections only; operations made before
    ``since`` are not held."""

    entity: str
    kind: str
    feeders: frozenset[str]
    places: frozenset[tuple[str, str]]
    readable: frozenset[str]
    since: float
