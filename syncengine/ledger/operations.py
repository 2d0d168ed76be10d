"""Operations: the outbox of writes to vendors."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from sqlalchemy import Table, and_, case, exists, func, or_, select
from uuid_utils import uuid7

from syncengine.ledger import statements
from syncengine.ledger import tables as t
from syncengine.ledger.connections import LISTING
from syncengine.ledger.encryption import Vault
from syncengine.ledger.session import Session
from syncengine.ledger.statements import Condition, given, shape_of
from syncengine.ledger.stored import Mark, Stored, Values, fresh
from syncengine.model.operation import UNSETTLED, Action, Hold, Operation, OperationState

_c = t.operations.c


def _beside(operation: Operation, _: Vault, mark: Mark) -> Values:
    return {
        "settled_at": None if operation.state in UNSETTLED else mark.at,
        "run_id": mark.run,
    }


OPERATIONS = Stored(
    t.operations,
    Operation,
    beside=_beside,
    kept={
        "settled_at": case(
            (fresh(_c.settled_at).is_(None), None),
            else_=func.coalesce(_c.settled_at, fresh(_c.settled_at)),
        ),
        "run_id": func.coalesce(fresh(_c.run_id), _c.run_id),
    },
)
_BY_NEXT = (_c.next_at, _c.id)
_NEWEST_FIRST = (_c.created_at.desc(), _c.id.desc())
_HAS_NO_ID = _c.external_id.is_(None)
_NEXT_ATTEMPT = _c.attempts + 1
_NEXT_DUE = (func.min(case((t.is_claimed, _c.lease_until), else_=_c.next_at)),)
_kind = case((_c.kind != "", _c.kind), (_c.leave, Action.DELETE.value), else_=_c.action)
"""What an operation counts as; of one that was never judged, as far as its action tells."""
_TAKES_EFFECT = t.among(_c.state, *UNSETTLED, OperationState.APPLIED)
_DELETED_BY_RULE = (
    select(func.count())
    .select_from(t.history.join(t.records, t.records.c.id == t.history.c.record_id))
    .where(
        t.is_deleted_by_rule,
        t.history.c.connection == given("connection"),
        t.history.c.at >= given("since"),
        t.records.c.entity == given("entity"),
    )
)


_IS_FREE = ~t.is_written(t.links)
_DUE: dict[str, tuple[Table, str, tuple[Condition, ...]]] = {
    "refresh": (
        t.links, "lease_until", (t.needs_get, t.links.c.external_id.is_not(None), _IS_FREE),
    ),
    "reconcile": (t.links, "lease_until", (t.is_dirty, ~t.needs_get, _IS_FREE)),
    "dispatch": (t.operations, "next_at", (t.is_pending,)),
    "probe": (t.operations, "next_at", (t.is_unknown,)),
}  # fmt: skip
"""Work -> the table of what it works on, from when a row is due, and which rows are."""


@cache
def _counts_as(kind: str) -> Condition:
    return _kind == kind


@cache
def _may_go(
    entity: str, kind: str, feeders: frozenset[str], places: frozenset[tuple[str, str]],
    readable: frozenset[str], number: int,
) -> Condition:  # fmt: skip
    """Whether an operation is not kept back by the hold with this number (see ``model.operation.Hold``)."""
    links, listings = t.links.c, t.connections.c
    theirs = [links.entity.in_(sorted(feeders)), _IS_FREE]
    under_way = [f"{name}/{LISTING}{resource}" for name, resource in sorted(places)]
    return ~and_(
        _c.entity == entity,
        _kind == kind,
        _c.created_at >= given(f"since_{number}"),
        or_(
            exists().where(t.is_dirty, ~t.needs_get, *theirs),
            exists().where(t.needs_get, links.connection.in_(sorted(readable)), *theirs),
            exists().where(t.is_derive_due, t.records.c.entity.in_(sorted(feeders))),
            exists().where(
                (listings.name + "/" + listings.part).in_(under_way),
                listings.until > given("next_at__le"),
            ),
        ),
    )


class Operations(Session):
    """The part of a transaction that is about operations."""

    def operations(self, ids: Collection[str], lock: bool = False) -> dict[str, Operation]:
        """By id."""
        return {o.id: o for o in self._found(OPERATIONS, id=ids, lock=lock)}

    def unsettled(self, link_ids: Collection[str], lock: bool = False) -> dict[str, Operation]:
        """Link id -> its unsettled operation; locked, so that nobody begins to send it."""
        found = self._found(OPERATIONS, t.is_unsettled, link_id=link_ids, lock=lock)
        return {o.link_id: o for o in found}

    def claim_operations(
        self, now: float, lease: float, limit: int, connections: Collection[str],
        ids: Collection[str] | None = None, holds: Sequence[Hold] = (), newest: int = 0,
    ) -> list[Operation]:  # fmt: skip
        """Claim due pending operations of these connections that no hold keeps back: state ``claimed``, a new token, a
        lease, attempts + 1. Holds are checked within the same statement. ``newest``: where more are due than ``limit``,
        so many of them are the newest ones, which nothing before has to wait for; the others are the oldest."""
        shape, values = shape_of({"next_at__le": now, "connection": connections, "id": ids})
        if [] in values.values():
            return []
        # In one statement with the claim, so that nothing comes between.
        free = [
            _may_go(h.entity, h.kind, h.feeders, h.places, h.readable, number)
            for number, h in enumerate(holds)
        ]
        values |= {f"given_since_{number}": h.since for number, h in enumerate(holds)}

        def some(order: tuple[Any, ...], many: int) -> list[Operation]:
            found = statements.find(
                t.operations, OPERATIONS.columns, (t.is_pending, *free), shape, order,
                skip=True, limited=True,
            )  # fmt: skip
            rows = self._connection.execute(found, {**values, "given_limit": many})
            return [OPERATIONS.value(row, self._vault) for row in rows]

        due = some(_BY_NEXT, limit)
        if newest and len(due) == limit:
            first = some(_NEWEST_FIRST, newest)
            ahead = {o.id for o in first}
            due = [*first, *(o for o in due if o.id not in ahead)][:limit]
        mine: Values = {
            "state": OperationState.CLAIMED,
            "token": str(uuid7()),
            "lease_until": now + lease,
        }
        self._change(t.operations, {**mine, "attempts": _NEXT_ATTEMPT}, id=[o.id for o in due])
        return [replace(o, attempts=o.attempts + 1, **mine) for o in due]

    def due_place(
        self, work: str, now: float, connections: Collection[str] | None = None,
        ids: Collection[str] | None = None,
    ) -> str | None:  # fmt: skip
        """The connection of something that is due for this work (refresh, reconcile, dispatch, probe), among these
        connections and ids if given; None if nothing is. A hold may still keep it back."""
        table, since, where = _DUE[work]
        asked: dict[str, Any] = {f"{since}__le": now, "connection": connections, "id": ids}
        order = (table.c.id,) if since == "lease_until" else _BY_NEXT
        found = self._rows(table, (table.c.connection,), *where, order=order, limit=1, **asked)
        return found[0][0] if found else None

    def renew_claims(self, token: str, until: float) -> None:
        """Extend the leases of the unsettled operations claimed with this token."""
        self._change(t.operations, {"lease_until": until}, t.is_claimed, token=token)

    def pending_of(self, entity: str, connection: str, kind: str) -> list[Operation]:
        """Pending operations that count as ``kind``, locked."""
        return self._found(
            OPERATIONS, t.is_pending, _counts_as(kind), entity=entity, connection=connection,
            lock=True,
        )  # fmt: skip

    def pending_places(self) -> list[tuple[str, str]]:
        """Connection and record id of each pending one."""
        rows = self._rows(t.operations, (_c.connection, _c.record_id), t.is_pending)
        return [(connection, record) for connection, record in rows]

    def unsettled_places(self) -> list[tuple[str, str]]:
        """Entity and connection of unsettled ones, each once."""
        return list(self._counted(t.operations, (_c.entity, _c.connection), t.is_unsettled))

    def has_expired(self, now: float) -> bool:
        """Whether there are claims whose lease is over."""
        return bool(self._rows(t.operations, (_c.id,), t.is_claimed, limit=1, lease_until__le=now))

    def expired_claims(self, now: float, limit: int) -> list[Operation]:
        """Claimed operations whose lease has expired, locked."""
        return self._found(
            OPERATIONS, t.is_claimed, order=(_c.lease_until, _c.id), skip=True, limit=limit,
            lease_until__le=now,
        )  # fmt: skip

    def claim_probes(
        self, now: float, lease: float, limit: int, connections: Collection[str],
        ids: Collection[str] | None = None,
    ) -> list[Operation]:  # fmt: skip
        """Operations in state ``unknown`` whose ``next_at`` has come; moves ``next_at`` on by ``lease``.
        ``lease_until`` stays that of the sending."""
        due = self._found(
            OPERATIONS, t.is_unknown, order=_BY_NEXT, skip=True, limit=limit,
            next_at__le=now, connection=connections, id=ids,
        )  # fmt: skip
        self._change(t.operations, {"next_at": now + lease}, id=[o.id for o in due])
        return [replace(operation, next_at=now + lease) for operation in due]

    def select_operations(
        self,
        states: Collection[str] = (),
        connection: str | None = None,
        link_id: str | None = None,
        record_id: str | None = None,
        limit: int = 0,
    ) -> list[Operation]:
        """As asked, newest first, at most ``limit`` (0: all)."""
        among = [t.among(_c.state, *map(OperationState, states))] if states else []
        return self._found(
            OPERATIONS, *among, order=_NEWEST_FIRST, limit=limit,
            connection=connection, link_id=link_id, record_id=record_id,
        )  # fmt: skip

    def count_operations(self) -> dict[tuple[str, str, str], int]:
        """(connection, action, state) -> how many."""
        return self._counted(t.operations, (_c.connection, _c.action, _c.state))

    def creates(
        self, connection: str, resource: str, external_ids: Collection[str]
    ) -> dict[str, Operation]:
        """External id -> our newest create for it, settled or not."""
        newest_last = self._found(
            OPERATIONS, t.is_create, order=(_c.created_at, _c.id),
            connection=connection, resource=resource, external_id=external_ids,
        )  # fmt: skip
        return {o.external_id: o for o in newest_last if o.external_id is not None}

    def unnamed_creates(self, connection: str, resource: str) -> list[Operation]:
        """Creates that took effect according to a person's answer, and whose new external id nobody knows."""
        return self._found(
            OPERATIONS, t.is_create, _HAS_NO_ID, order=(_c.created_at, _c.id),
            connection=connection, resource=resource, state=OperationState.APPLIED,
        )  # fmt: skip

    def stale_creates(self, link_ids: Collection[str]) -> list[Operation]:
        """Creates for these links that were superseded by a new plan."""
        stale = OperationState.STALE
        return self._found(OPERATIONS, t.is_create, link_id=link_ids, state=stale)

    def written_since(self, entity: str, connection: str, since: float) -> dict[str, int]:
        """``create``, ``update``, ``delete`` -> number of operations made since then that took effect or still may.
        Deletes include records that were deleted because their row there was gone."""
        counted = self._counted(
            t.operations, (_kind,), _TAKES_EFFECT, entity=entity, connection=connection,
            created_at__ge=since,
        )  # fmt: skip
        kinds = {action.value: counted.get((action.value,), 0) for action in Action}
        asked = {"given_entity": entity, "given_connection": connection, "given_since": since}
        kinds[Action.DELETE.value] += self._connection.execute(_DELETED_BY_RULE, asked).scalar_one()
        return kinds

    def next_due(self) -> float | None:
        """The earliest ``next_at`` or lease end of an unsettled operation (epoch seconds)."""
        found: float | None = self._rows(t.operations, _NEXT_DUE, t.is_unsettled)[0][0]
        return found
