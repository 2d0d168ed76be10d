"""Records, and the keys by which they are found and kept unique."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, update

from syncengine.ledger import tables as t
from syncengine.ledger.session import Session
from syncengine.ledger.stored import Stored
from syncengine.model.key import UNIQUE, Key, KeyKind
from syncengine.model.record import Record
from syncengine.model.values import Json

RECORDS = Stored(t.records, Record)
_OF_LIVE = (KeyKind.RECORD, KeyKind.SHARED, KeyKind.USES, KeyKind.LIKE)
_DUE = t.records.c.derive_due
_PLACE = (t.keys.c.kind, t.keys.c.scope, t.keys.c.hash, t.keys.c.owner)
_IDS = (t.records.c.entity, t.records.c.id)
_NOT_DUE_SINCE = (
    update(t.records)
    .where(t.records.c.id == bindparam("of"), bindparam("move") == _DUE)
    .values(derive_due=0)
)


class Records(Session):
    """The part of a transaction that is about records and keys."""

    def records(self, ids: Collection[str], lock: bool = False) -> dict[str, Record]:
        """By id, deleted ones too."""
        return {record.id: record for record in self._found(RECORDS, id=ids, lock=lock)}

    def records_of(self, entity: str, deleted: bool = False) -> list[Record]:
        """All live records of an entity, or all deleted ones."""
        return self._found(RECORDS, t.is_deleted if deleted else t.is_live, entity=entity)

    def record_ids(self) -> dict[str, list[str]]:
        """Entity -> ids of all its records, deleted ones too, in order."""
        found: dict[str, list[str]] = {}
        for entity, id_ in self._rows(t.records, _IDS, order=_IDS[1:]):
            found.setdefault(entity, []).append(id_)
        return found

    def take_keys(self, keys: Sequence[Key]) -> set[Key]:
        """Insert keys; returns those of a unique kind that another owner holds already (they are not inserted)."""
        hashes = {key: self._vault.hash(key.parts) for key in keys}
        rows = [
            {"kind": key.kind, "scope": key.scope, "hash": hash_, "owner": key.owner}
            for key, hash_ in hashes.items()
        ]
        # In one order, so that two processes that take the same keys do not wait in a circle.
        rows.sort(key=lambda row: (row["kind"], row["hash"], row["scope"]))
        self._put(t.keys, rows)
        single = {key: hash_ for key, hash_ in hashes.items() if key.kind in UNIQUE}
        held = {(kind, scope, hash_): owner for kind, scope, hash_, owner in self._owning(single)}
        return {
            key
            for key, hash_ in single.items()
            if held.get((key.kind.value, key.scope, hash_)) != key.owner
        }

    def retake_keys(self, owners: Collection[str], keys: Sequence[Key]) -> set[Key]:
        """Take keys in place of all identities, likenesses and references that these records bear; returns what
        ``take_keys`` does."""
        self._drop(t.keys, kind__scan=_OF_LIVE, owner=owners)
        return self.take_keys(keys)

    def _owning(self, hashes: Mapping[Key, str]) -> Sequence[Sequence[Any]]:
        """Key rows (kind, scope, hash, owner) with one of these hashes; a few of other scopes may be among them."""
        kinds = {key.kind.value for key in hashes}
        return self._rows(
            t.keys, _PLACE, order=(t.keys.c.owner,), kind=kinds, hash=set(hashes.values())
        )

    def swap_keys(self, kind: str, owners: Collection[str], keys: Sequence[Key]) -> dict[str, bool]:
        """Replace all keys of a (non-unique) kind of these owners. Returns who holds, or held, the keys that were added
        or removed: True for these owners, False for others."""
        held = {tuple(row) for row in self._rows(t.keys, _PLACE, kind__scan=kind, owner=owners)}
        hashes = {key: self._vault.hash(key.parts) for key in keys}
        wanted = {(kind, key.scope, hash_, key.owner) for key, hash_ in hashes.items()}
        moved = held ^ wanted
        if not moved:
            return {}
        self._drop(t.keys, kind__scan=kind, owner={owner for *_, owner in held - wanted})
        changed = {owner for *_, owner in moved}
        self.take_keys([key for key in keys if key.owner in changed])
        places = {(scope, hash_) for _, scope, hash_, _ in moved}
        near = self._rows(t.keys, _PLACE, kind=kind, hash={hash_ for _, hash_ in places})
        sharers = {o for _, scope, hash_, o in near if (scope, hash_) in places}
        return {**dict.fromkeys(sharers - set(owners), False), **dict.fromkeys(changed, True)}

    def records_sharing(self, owners: Collection[str]) -> set[str]:
        """Other records that hold as ``shared`` an identity that one of these holds as ``record``."""
        held = self._rows(t.keys, _PLACE, kind__scan=KeyKind.RECORD, owner=owners)
        places = {(scope, hash_) for _, scope, hash_, _ in held}
        hashes = {hash_ for _, hash_ in places}
        near = self._rows(t.keys, _PLACE, kind=KeyKind.SHARED, hash=hashes)
        return {o for _, scope, hash_, o in near if (scope, hash_) in places} - set(owners)

    def key_owners(
        self, keys: Collection[Key]
    ) -> dict[tuple[str, str, tuple[Json, ...]], list[str]]:
        """(kind, scope, parts) -> ids of the owners of that key; the ``owner`` of the given keys is ignored."""
        hashes = {key: self._vault.hash(key.parts) for key in keys}
        owners: dict[tuple[str, str, str], list[str]] = {}
        for kind, scope, hash_, owner in self._owning(hashes):
            owners.setdefault((kind, scope, hash_), []).append(owner)
        return {
            (key.kind.value, key.scope, key.parts): owners[place]
            for key, hash_ in hashes.items()
            if (place := (key.kind.value, key.scope, hash_)) in owners
        }

    def derivations_due(self, limit: int) -> dict[str, int]:
        """Record id -> number of its last change, for records whose derivations are due."""
        move = (t.records.c.id, _DUE)
        due = self._rows(t.records, move, t.is_derive_due, order=move[:1], limit=limit)
        return {row[0]: row[1] for row in due}

    def derivations_done(self, moves: Mapping[str, int]) -> None:
        """Mark these changes as evaluated; a record that changed again since stays due."""
        if moves:
            self._run(_NOT_DUE_SINCE, [{"of": id_, "move": moves[id_]} for id_ in sorted(moves)])
