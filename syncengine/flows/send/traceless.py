"""Writes that were never answered and left no trace: sent again at once, then after a while, then a question."""

from __future__ import annotations

from itertools import takewhile
from typing import Final

from syncengine.ledger import Transaction
from syncengine.model.operation import Detail, Operation, OperationState
from syncengine.planning.approvals import body_digest

TRIES: Final = 3
"""How often a write goes out that is never answered and never shows, before a person is asked."""

REST: Final = 300.0
"""Seconds before the last try: longer than a pass waits, so that no pass sends more than two."""

_LOOKED_BACK: Final = 20


def lost_before(tx: Transaction, operation: Operation) -> int:
    """How often the same write was sent right before, never answered, and shown by no read."""
    before = tx.select_operations(link_id=operation.link_id, limit=_LOOKED_BACK)
    sent = [o for o in before if o.id != operation.id and not _unsent(o)]
    wanted = body_digest(operation)
    same = takewhile(lambda o: o.detail == Detail.NEVER_SHOWN and body_digest(o) == wanted, sent)
    return sum(1 for _ in same)


def _unsent(operation: Operation) -> bool:
    stale = operation.state is OperationState.STALE and operation.detail != Detail.NEVER_SHOWN
    return stale or operation.state is OperationState.CANCELLED
