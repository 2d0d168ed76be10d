"""Operations: the outbox."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, case, func, select
from uuid_utils import uuid7

from syncengine.adapters.sql import tables as t
from syncengine.adapters.sql.encryption import Vault
from syncengine.adapters.sql.session import Session, Values, pack, unpack
from syncengine.model.operation import Action, Operation, OperationState

_c = t.operations.c


def _to_row(operation: Operation, vault: Vault) -> Values:
    return {
        "id": operation.id,
        "link_id": operation.link_id,
        "record_id": operation.record_id,
        "entity": operation.entity,
        "connection": operation.connection,
        "resource": operation.resource,
        "action": operation.action.value,
        "body": vault.seal(operation.body or None),
        "carried": vault.seal(operation.carried or None),
        "expected": vault.seal(operation.expected or None),
        "leave": operation.leave,
        "key": operation.key,
        "generation": operation.generation,
        "causes": pack(
            {name: [at, operation.rules.get(name)] for name, at in operation.causes.items()}
        ),
        "state": operation.state.value,
        "attempts": operation.attempts,
        "token": operation.token,
        "lease_until": operation.lease_until,
        "next_at": operation.next_at,
        "created_at": operation.created_at,
        "external_id": operation.external_id,
        "detail": vault.seal(operation.detail or None),
    }


def _from_row(row: Sequence[Any], vault: Vault) -> Operation:
    (
        id_, link_id, record_id, entity, connection, resource, action, body, carried, expected,
        leave, key, generation, causes, state, attempts, token, lease_until, next_at, created_at,
        external_id, detail,
    ) = row  # fmt: skip
    # Before fingerprints were kept, a cause was its position alone.
    told = {n: c if isinstance(c, list) else [c, ""] for n, c in unpack(causes).items()}
    return Operation(
        id=id_,
        link_id=link_id,
        record_id=record_id,
        entity=entity,
        connection=connection,
        resource=resource,
        action=Action(action),
        body=vault.open(body) or {},
        carried=vault.open(carried) or {},
        expected=vault.open(expected) or {},
        leave=leave,
        key=key,
        generation=generation,
        causes={name: at for name, (at, _) in told.items()},
        rules={name: rule for name, (_, rule) in told.items() if rule},
        state=OperationState(state),
        attempts=attempts,
        token=token,
        lease_until=lease_until,
        next_at=next_at,
        created_at=created_at,
        external_id=external_id,
        detail=vault.open(detail) or "",
    )


class Operations(Session):
    """The part of a transaction that is about operations; promises as in ``ports.Transaction``."""

    def _operations(self, *where: ColumnElement[bool], lock: bool = False) -> list[Operation]:
        found = self._locking(select(t.operations).where(*where), t.operations, lock)
        return [_from_row(row, self._vault) for row in self._rows(found)]

    def _due(
        self, order: ColumnElement[float], limit: int, *where: ColumnElement[bool]
    ) -> list[Operation]:
        """Those due first, locked; what another transaction holds is left out."""
        found = select(t.operations).where(*where).order_by(order, _c.id).limit(limit)
        rows = self._rows(found.with_for_update(skip_locked=True))
        return [_from_row(row, self._vault) for row in rows]

    def operations(self, ids: Collection[str], lock: bool = False) -> dict[str, Operation]:
        return {o.id: o for o in self._operations(self._in(_c.id, ids), lock=lock)}

    def add_operations(self, operations: Sequence[Operation]) -> None:
        self._insert(t.operations, [_to_row(operation, self._vault) for operation in operations])

    def save_operations(self, operations: Sequence[Operation]) -> None:
        self._update(t.operations, [_to_row(operation, self._vault) for operation in operations])

    def unsettled(self, link_ids: Collection[str]) -> dict[str, Operation]:
        return {
            o.link_id: o for o in self._operations(self._in(_c.link_id, link_ids), t.is_unsettled)
        }

    def claim_operations(
        self, now: float, lease: float, limit: int, connections: Collection[str],
        ids: Collection[str] | None = None,
    ) -> list[Operation]:  # fmt: skip
        asked = self._of(connections, ids)
        due = self._due(_c.next_at, limit, t.is_pending, _c.next_at <= now, *asked)
        token = str(uuid7())
        claimed = [
            replace(
                operation,
                state=OperationState.CLAIMED,
                token=token,
                lease_until=now + lease,
                attempts=operation.attempts + 1,
            )
            for operation in due
        ]
        self._write_all(
            due,
            {
                "state": OperationState.CLAIMED.value,
                "token": token,
                "lease_until": now + lease,
                "attempts": _c.attempts + 1,
            },
        )
        return claimed

    def expired_claims(self, now: float, limit: int) -> list[Operation]:
        return self._due(_c.lease_until, limit, t.is_claimed, _c.lease_until <= now)

    def claim_probes(
        self, now: float, lease: float, limit: int, connections: Collection[str],
        ids: Collection[str] | None = None,
    ) -> list[Operation]:  # fmt: skip
        asked = self._of(connections, ids)
        due = self._due(_c.next_at, limit, t.is_unknown, _c.next_at <= now, *asked)
        self._write_all(due, {"next_at": now + lease})
        return [replace(operation, next_at=now + lease) for operation in due]

    def _of(
        self, connections: Collection[str], ids: Collection[str] | None
    ) -> list[ColumnElement[bool]]:
        among_ids = [] if ids is None else [self._in(_c.id, ids)]
        return [self._in(_c.connection, connections), *among_ids]

    def _write_all(self, found: Sequence[Operation], values: Values) -> None:
        self._update_where(t.operations, [self._in(_c.id, [o.id for o in found])], values)

    def select_operations(
        self,
        states: Collection[str] = (),
        connection: str | None = None,
        link_id: str | None = None,
        record_id: str | None = None,
        limit: int = 0,
    ) -> list[Operation]:
        newest = select(t.operations).order_by(_c.created_at.desc(), _c.id.desc())
        equal = {_c.connection: connection, _c.link_id: link_id, _c.record_id: record_id}
        found = self._asked(newest, equal, limit)
        if states:
            found = found.where(t.among(_c.state, map(OperationState, states)))
        return [_from_row(row, self._vault) for row in self._rows(found)]

    def count_operations(self) -> dict[tuple[str, str, str], int]:
        return self._counted(_c.connection, _c.action, _c.state)

    def creates(
        self, connection: str, resource: str, external_ids: Collection[str]
    ) -> dict[str, Operation]:
        found = (
            select(t.operations)
            .where(
                t.is_create,
                _c.connection == connection,
                _c.resource == resource,
                self._in(_c.external_id, external_ids),
            )
            .order_by(_c.created_at, _c.id)
        )
        newest_last = [_from_row(row, self._vault) for row in self._rows(found)]
        return {o.external_id: o for o in newest_last if o.external_id is not None}

    def written_since(self, entity: str, connection: str, since: float) -> dict[str, int]:
        kind = case((_c.leave, Action.DELETE.value), else_=_c.action).label("kind")
        found = (
            select(kind, func.count())
            .where(
                _c.entity == entity,
                _c.connection == connection,
                _c.created_at >= since,
                _c.state != OperationState.CANCELLED.value,
            )
            .group_by(kind)
        )
        counted = {action.value: 0 for action in Action}
        counted.update((action, n) for action, n in self._rows(found))
        return counted

    def next_due(self) -> float | None:
        at = case((t.is_claimed, _c.lease_until), else_=_c.next_at)
        found: float | None = self._rows(select(func.min(at)).where(t.is_unsettled))[0][0]
        return found
