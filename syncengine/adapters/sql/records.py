"""Records, and the keys by which they are found and kept single."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, select, update

from syncengine.adapters.sql import tables as t
from syncengine.adapters.sql.encryption import Vault
from syncengine.adapters.sql.session import Session, Values, pack, unpack
from syncengine.model.key import UNIQUE, Key
from syncengine.model.record import Record
from syncengine.model.values import Json

_COLUMNS = [column for column in t.records.c if column is not t.records.c.derive_due]


def _to_row(record: Record, vault: Vault) -> Values:
    return {
        "id": record.id,
        "entity": record.entity,
        "fields": vault.seal(record.values),
        "stamps": pack(record.stamps),
        "generation": record.generation,
        "created_at": record.created_at,
        "deleted": record.deleted,
    }


def _from_row(row: Sequence[Any], vault: Vault) -> Record:
    id_, entity, fields, stamps, generation, created_at, deleted = row
    return Record(id_, entity, vault.open(fields), unpack(stamps), generation, created_at, deleted)


class Records(Session):
    """The part of a transaction that is about records and keys; promises as in ``ports.Transaction``."""

    def _records(self, *where: ColumnElement[bool], lock: bool = False) -> list[Record]:
        found = self._locking(select(*_COLUMNS).where(*where), t.records, lock)
        return [_from_row(row, self._vault) for row in self._rows(found)]

    def records(self, ids: Collection[str], lock: bool = False) -> dict[str, Record]:
        return {r.id: r for r in self._records(self._in(t.records.c.id, ids), lock=lock)}

    def records_of(self, entity: str) -> list[Record]:
        return self._records(t.records.c.entity == entity, t.is_live)

    def add_records(self, records: Sequence[Record]) -> None:
        self._insert(t.records, [_to_row(record, self._vault) for record in records])

    def save_records(self, records: Sequence[Record]) -> None:
        self._update(t.records, [_to_row(record, self._vault) for record in records])

    def take_keys(self, keys: Sequence[Key]) -> set[Key]:
        if not keys:
            return set()
        hashes = {key: self._vault.hash(key.parts) for key in keys}
        rows = [
            {"kind": key.kind.value, "scope": key.scope, "hash": hash_, "owner": key.owner}
            for key, hash_ in hashes.items()
        ]
        # In one order, so that two processes that take the same keys do not wait in a circle.
        rows.sort(key=lambda row: (row["kind"], row["hash"], row["scope"]))
        self._run(self._upsert(t.keys).on_conflict_do_nothing(), rows)
        single = {key: hash_ for key, hash_ in hashes.items() if key.kind in UNIQUE}
        held = {(kind, scope, hash_): owner for kind, scope, hash_, owner in self._bearing(single)}
        return {
            key
            for key, hash_ in single.items()
            if held.get((key.kind.value, key.scope, hash_)) != key.owner
        }

    def _bearing(self, hashes: Mapping[Key, str]) -> Sequence[Sequence[Any]]:
        """Rows (kind, scope, hash, owner) that bear one of these; a few of other scopes may be among them."""
        if not hashes:
            return []
        found = select(t.keys.c.kind, t.keys.c.scope, t.keys.c.hash, t.keys.c.owner).where(
            self._in(t.keys.c.kind, {key.kind.value for key in hashes}),
            self._in(t.keys.c.hash, set(hashes.values())),
        )
        return self._rows(found.order_by(t.keys.c.owner))

    def drop_keys(self, kind: str, owners: Collection[str]) -> None:
        self._run(
            delete(t.keys).where(t.keys.c.kind == str(kind), self._in(t.keys.c.owner, owners))
        )

    def bearers(self, keys: Collection[Key]) -> dict[tuple[str, str, tuple[Json, ...]], list[str]]:
        hashes = {key: self._vault.hash(key.parts) for key in keys}
        owners: dict[tuple[str, str, str], list[str]] = {}
        for kind, scope, hash_, owner in self._bearing(hashes):
            owners.setdefault((kind, scope, hash_), []).append(owner)
        return {
            (key.kind.value, key.scope, key.parts): owners[place]
            for key, hash_ in hashes.items()
            if (place := (key.kind.value, key.scope, hash_)) in owners
        }

    def derive_due(self, record_ids: Collection[str]) -> None:
        self._update_where(
            t.records,
            [self._in(t.records.c.id, record_ids)],
            {"derive_due": t.records.c.derive_due + 1},
        )

    def derivations_due(self, limit: int) -> dict[str, int]:
        due = select(t.records.c.id, t.records.c.derive_due).where(t.is_derive_due)
        return {row[0]: row[1] for row in self._rows(due.order_by(t.records.c.id).limit(limit))}

    def derivations_done(self, counters: Mapping[str, int]) -> None:
        if not counters:
            return
        lower = (
            update(t.records)
            .where(t.records.c.id == bindparam("of"))
            .values(derive_due=t.records.c.derive_due - bindparam("by"))
        )
        self._run(lower, [{"of": id_, "by": counters[id_]} for id_ in sorted(counters)])
