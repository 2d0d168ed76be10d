"""Correction of stored times after the clock went back."""

from __future__ import annotations

from collections.abc import Sequence

from syncengine.ledger import tables as t
from syncengine.ledger.links import LINKS
from syncengine.ledger.session import Session
from syncengine.model.link import Link

_COUNT_AS_NOW = (
    (t.links, "nominated_at"),
    (t.links, "lease_until"),
    (t.operations, "next_at"),
    (t.operations, "created_at"),
    (t.events, "at"),
    (t.cases, "opened_at"),
    (t.cases, "closed_at"),
    (t.history, "at"),
)
_NEWEST = (t.events.c.id.desc(),)
_IS_NOT_CLAIMED = ~t.is_claimed
_IS_NOT_HELD = ~t.is_held


class Times(Session):
    """The part of a transaction that is about stored times."""

    def last_seen(self) -> float:
        """Time of the newest event (epoch seconds, 0: never)."""
        newest = self._rows(t.events, (t.events.c.at,), order=_NEWEST, limit=1)
        return float(newest[0][0]) if newest else 0.0

    def read_after(self, at: float) -> Sequence[Link]:
        """Links last read after this time, locked."""
        return self._found(LINKS, lock=True, read_at__gt=at)

    def set_back(self, now: float, ahead: float, lease: float) -> None:
        """After the clock went back: set all times (except those of reads) that lie more than ``ahead`` seconds in the
        future to now, and the ends of claims and slots to a lease from now."""
        latest = now + ahead
        for table, column in _COUNT_AS_NOW:
            self._change(table, {column: now}, **{f"{column}__gt": latest})
        # Whoever holds a claim or a slot may be at work: as if it was taken just now.
        held = {"lease_until": now + lease}
        self._change(t.operations, held, t.is_claimed, lease_until__gt=latest)
        self._change(t.operations, {"lease_until": now}, _IS_NOT_CLAIMED, lease_until__gt=latest)
        self._change(t.connections, {"until": now + 1.5 * lease}, t.is_held, until__gt=latest)
        self._change(t.connections, {"until": now}, _IS_NOT_HELD, until__gt=latest)
