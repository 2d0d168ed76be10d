"""Operations: the outbox."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from sqlalchemy import case, func
from uuid_utils import uuid7

from syncengine.adapters.sql import tables as t
from syncengine.adapters.sql.session import Session
from syncengine.adapters.sql.stored import Stored, Values
from syncengine.model.operation import Action, Operation, OperationState

_c = t.operations.c
OPERATIONS = Stored(t.operations, Operation)
_BY_NEXT = (_c.next_at, _c.id)
_NEWEST_FIRST = (_c.created_at.desc(), _c.id.desc())
_NEXT_ATTEMPT = _c.attempts + 1
_NEXT_DUE = (func.min(case((t.is_claimed, _c.lease_until), else_=_c.next_at)),)
_KIND = (case((_c.leave, Action.DELETE.value), else_=_c.action).label("kind"),)


class Operations(Session):
    """The part of a transaction that is about operations; promises as in ``ports.Transaction``."""

    def operations(self, ids: Collection[str], lock: bool = False) -> dict[str, Operation]:
        return {o.id: o for o in self._found(OPERATIONS, id=ids, lock=lock)}

    def add_operations(self, operations: Sequence[Operation]) -> None:
        self._add(OPERATIONS, operations)

    def save_operations(self, operations: Sequence[Operation]) -> None:
        self._save(OPERATIONS, operations)

    def unsettled(self, link_ids: Collection[str]) -> dict[str, Operation]:
        return {o.link_id: o for o in self._found(OPERATIONS, t.is_unsettled, link_id=link_ids)}

    def claim_operations(
        self, now: float, lease: float, limit: int, connections: Collection[str],
        ids: Collection[str] | None = None,
    ) -> list[Operation]:  # fmt: skip
        due = self._found(
            OPERATIONS, t.is_pending, order=_BY_NEXT, skip=True, limit=limit,
            next_at__le=now, connection=connections, id=ids,
        )  # fmt: skip
        mine: Values = {
            "state": OperationState.CLAIMED,
            "token": str(uuid7()),
            "lease_until": now + lease,
        }
        self._change(t.operations, {**mine, "attempts": _NEXT_ATTEMPT}, id=[o.id for o in due])
        return [replace(o, attempts=o.attempts + 1, **mine) for o in due]

    def expired_claims(self, now: float, limit: int) -> list[Operation]:
        return self._found(
            OPERATIONS, t.is_claimed, order=(_c.lease_until, _c.id), skip=True, limit=limit,
            lease_until__le=now,
        )  # fmt: skip

    def claim_probes(
        self, now: float, lease: float, limit: int, connections: Collection[str],
        ids: Collection[str] | None = None,
    ) -> list[Operation]:  # fmt: skip
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
        among = [t.among(_c.state, *map(OperationState, states))] if states else []
        return self._found(
            OPERATIONS, *among, order=_NEWEST_FIRST, limit=limit,
            connection=connection, link_id=link_id, record_id=record_id,
        )  # fmt: skip

    def count_operations(self) -> dict[tuple[str, str, str], int]:
        return self._counted(t.operations, (_c.connection, _c.action, _c.state))

    def creates(
        self, connection: str, resource: str, external_ids: Collection[str]
    ) -> dict[str, Operation]:
        newest_last = self._found(
            OPERATIONS, t.is_create, order=(_c.created_at, _c.id),
            connection=connection, resource=resource, external_id=external_ids,
        )  # fmt: skip
        return {o.external_id: o for o in newest_last if o.external_id is not None}

    def written_since(self, entity: str, connection: str, since: float) -> dict[str, int]:
        counted = self._counted(
            t.operations, _KIND, entity=entity, connection=connection, created_at__ge=since,
            state__ne=OperationState.CANCELLED,
        )  # fmt: skip
        return {action.value: counted.get((action.value,), 0) for action in Action}

    def next_due(self) -> float | None:
        found: float | None = self._rows(t.operations, _NEXT_DUE, t.is_unsettled)[0][0]
        return found
