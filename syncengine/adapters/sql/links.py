"""Links: what we know of each vendor row."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    delete,
    exists,
    false,
    func,
    literal_column,
    select,
    true,
)

from syncengine.adapters.sql import tables as t
from syncengine.adapters.sql.encryption import Vault
from syncengine.adapters.sql.session import Session, Values, at_most, pack, unpack
from syncengine.errors import Bug
from syncengine.model.key import KeyKind
from syncengine.model.link import LIVE, Base, Link, LinkState, Wait

_c = t.links.c
_COLUMNS = [column for column in _c if column is not _c.lease_until]
_AT_VENDOR = (LinkState.LINKED, LinkState.LEFT)
_MORE_DIRTY = {"dirty": _c.dirty + 1}


def _to_row(link: Link, vault: Vault) -> Values:
    base, wait = link.base, link.wait
    sealed_base = None
    if base != Base():
        sealed_base = vault.seal(
            [base.canonical, base.vendor, sorted(base.expected), dict(base.rules)]
        )
    return {
        "id": link.id,
        "entity": link.entity,
        "connection": link.connection,
        "resource": link.resource,
        "external_id": link.external_id,
        "parent": link.parent,
        "record_id": link.record_id,
        "state": link.state.value,
        "row": vault.seal(link.row),
        "listed_hash": link.listed_hash,
        "row_version": link.row_version,
        "stamps": pack(link.stamps),
        "read_at": link.read_at,
        "need_get": link.need_get,
        "base": sealed_base,
        "noted": vault.seal(link.noted or None),
        "version": link.version,
        "dirty": link.dirty,
        "nominated_at": link.nominated_at,
        "approved": link.approved,
        "wait_key": wait.key if wait else None,
        "wait_what": wait.what if wait else None,
    }


def _from_row(row: Sequence[Any], vault: Vault) -> Link:
    (
        id_, entity, connection, resource, external_id, parent, record_id, state, seen, listed_hash,
        row_version, stamps, read_at, need_get, base, noted, version, dirty, nominated_at,
        approved, wait_key, wait_what,
    ) = row  # fmt: skip
    canonical, vendor, expected, *rules = vault.open(base) or ({}, {}, ())
    return Link(
        id=id_,
        entity=entity,
        connection=connection,
        resource=resource,
        external_id=external_id,
        parent=parent,
        record_id=record_id,
        state=LinkState(state),
        row=vault.open(seen),
        listed_hash=listed_hash,
        row_version=row_version,
        stamps=unpack(stamps),
        read_at=read_at,
        need_get=need_get,
        base=Base(canonical, vendor, frozenset(expected), *rules),
        noted=vault.open(noted) or {},
        version=version,
        dirty=dirty,
        nominated_at=nominated_at,
        approved=approved,
        wait=None if wait_key is None else Wait(wait_key, wait_what),
    )


class Links(Session):
    """The part of a transaction that is about links; promises as in ``ports.Transaction``."""

    def _links(self, *where: ColumnElement[bool], lock: bool = False) -> list[Link]:
        found = self._locking(select(*_COLUMNS).where(*where), t.links, lock)
        return [_from_row(row, self._vault) for row in self._rows(found)]

    def links(self, ids: Collection[str], lock: bool = False) -> dict[str, Link]:
        return {link.id: link for link in self._links(self._in(_c.id, ids), lock=lock)}

    def links_at(
        self, entity: str, connection: str, resource: str, external_ids: Collection[str],
        lock: bool = False,
    ) -> dict[str, Link]:  # fmt: skip
        found = self._links(
            *_listed(connection, resource),
            _c.entity == entity,
            self._in(_c.external_id, external_ids),
            lock=lock,
        )
        return {link.ref.external_id: link for link in found}

    def links_of(self, record_ids: Collection[str]) -> list[Link]:
        return self._links(self._in(_c.record_id, record_ids))

    def row_ids(
        self, connection: str, resource: str, after: str | None = None, limit: int = 0
    ) -> list[str]:
        found = (
            select(_c.external_id)
            .distinct()
            .where(
                *_listed(connection, resource),
                _c.external_id.is_not(None),
                _c.row.is_not(None),
            )
            .order_by(_c.external_id)
        )
        if after is not None:
            found = found.where(_c.external_id > after)
        return [row[0] for row in self._rows(at_most(found, limit))]

    def select_links(
        self,
        entity: str | None = None,
        connection: str | None = None,
        states: Collection[str] = (),
        after: str | None = None,
        limit: int = 0,
    ) -> list[Link]:
        equal = {_c.entity: entity, _c.connection: connection}
        found = self._asked(select(*_COLUMNS).order_by(_c.id), equal, limit)
        if states:
            found = found.where(t.among(_c.state, map(LinkState, states)))
        if after is not None:
            found = found.where(_c.id > after)
        return [_from_row(row, self._vault) for row in self._rows(found)]

    def count_links(self) -> dict[tuple[str, str, str], int]:
        return self._counted(_c.entity, _c.connection, _c.state)

    def unsorted_links(self, entity: str, connection: str, resource: str) -> int:
        there = [
            _c.entity + "" == entity,
            _c.connection + "" == connection,
            _c.resource == resource,
            t.among(_c.state, [LinkState.SEEN]),
        ]
        # Two counts, each over its own small index; a column with "" at its end tempts SQLite to no other.
        dirty = self._count(t.is_dirty, ~t.needs_get, _c.row.is_not(None), *there)
        return dirty + self._count(t.needs_get, *there)

    def waiting_links(self, limit: int = 0) -> list[Link]:
        found = select(*_COLUMNS).where(t.is_waiting_for).order_by(_c.id)
        return [_from_row(row, self._vault) for row in self._rows(at_most(found, limit))]

    def dirty_count(self, connections: Collection[str] | None = None) -> int:
        free = ~_is_busy(t.links)
        there = [] if connections is None else [self._in(_c.connection, connections)]
        # Two counts, each over its own small index.
        return self._count(t.is_dirty, ~t.needs_get, free) + self._count(t.needs_get, free, *there)

    def add_links(self, links: Sequence[Link]) -> None:
        # In one order, so that two captures of the same page do not wait for each other in a circle.
        ordered = sorted(links, key=lambda link: (link.resource, link.external_id or "", link.id))
        self._insert(t.links, [_to_row(link, self._vault) for link in ordered])

    def save_links(self, links: Sequence[Link]) -> None:
        self._update(t.links, [_to_row(link, self._vault) for link in links])

    def touch_links(self, ids: Collection[str], read_at: float) -> None:
        self._update_where(
            t.links, [self._in(_c.id, ids)], {"read_at": read_at, "nominated_at": None}
        )

    def remove_links(self, ids: Collection[str]) -> None:
        self._run(delete(t.links).where(self._in(_c.id, ids)))

    def unseen_since(
        self,
        entity: str,
        connection: str,
        resource: str,
        started: float,
        parent: str | None = None,
    ) -> list[Link]:
        below = [] if parent is None else [_c.parent == parent]
        return self._links(
            *_listed(connection, resource),
            _c.entity == entity,
            _c.external_id.is_not(None),
            _c.row.is_not(None),
            _c.read_at < started,
            *below,
        )

    def _dirty(self, *where: ColumnElement[bool]) -> int:
        return self._update_where(t.links, where, _MORE_DIRTY)

    def dirty_links(self, ids: Collection[str]) -> None:
        self._dirty(self._in(_c.id, ids))

    def dirty_records(self, record_ids: Collection[str], but: Collection[str] = ()) -> None:
        self._dirty(self._in(_c.record_id, record_ids), ~self._in(_c.id, but))

    def dirty_users(self, record_ids: Collection[str]) -> None:
        uses = select(t.keys.c.owner).where(
            t.keys.c.kind == KeyKind.USES.value,
            self._in(t.keys.c.hash, [self._vault.hash([id_]) for id_ in record_ids]),
        )
        self._dirty(_c.record_id.in_(uses))

    def dirty_waiting(self, keys: Collection[str]) -> None:
        self._dirty(t.is_waiting_for, self._in(_c.wait_key, keys))

    def dirty_entity(self, entity: str, connection: str | None = None) -> int:
        there = [] if connection is None else [_c.connection == connection]
        return self._dirty(_c.entity == entity, _c.record_id.is_not(None), *there)

    def claim_links(
        self, work: str, now: float, lease: float, limit: int,
        ids: Collection[str] | None = None, entity: str | None = None,
        connections: Collection[str] | None = None,
    ) -> list[str]:  # fmt: skip
        def due(link: FromClause) -> list[ColumnElement[bool]]:
            c = link.c
            where = [*_work(work, link), c.lease_until <= now, ~_is_busy(link)]
            if ids is not None:
                where.append(self._in(c.id, ids))
            if entity is not None:
                where.append(c.entity == entity)
            if connections is not None:
                # With "" at its end SQLite does not take the index of all rows of these connections.
                where.append(self._in(c.connection + "", connections))
            return where

        sibling = t.links.alias("sibling")
        first = ~exists().where(
            sibling.c.record_id == _c.record_id, sibling.c.id < _c.id, *due(sibling)
        )
        free = (
            select(_c.id)
            .where(*due(t.links), first)
            .order_by(_c.id)
            .limit(limit)
            .with_for_update(skip_locked=True, of=t.links)
        )
        claimed = [row[0] for row in self._rows(free)]
        self._lease(claimed, now + lease)
        return claimed

    def release_links(self, ids: Collection[str]) -> None:
        self._lease(ids, 0.0)

    def _lease(self, ids: Collection[str], until: float) -> None:
        self._update_where(t.links, [self._in(_c.id, ids)], {"lease_until": until})

    def ties(
        self, entity_refs: Collection[tuple[str, str, str, str]]
    ) -> dict[tuple[str, str, str, str], str]:
        ref = (_c.entity, _c.connection, _c.resource, _c.external_id)
        asked = set(entity_refs)
        # Each column by itself finds a few too many at worst, in one statement on both databases.
        found = self._rows(
            select(*ref, _c.record_id).where(
                *(self._in(ref[i], {a[i] for a in asked}) for i in range(4)),
                t.among(_c.state, LIVE),
                _c.record_id.is_not(None),
            )
        )
        return {(e, c, r, x): record for e, c, r, x, record in found if (e, c, r, x) in asked}

    def externals(self, record_ids: Collection[str]) -> dict[tuple[str, str], str]:
        found = select(_c.record_id, _c.connection, _c.external_id).where(
            self._in(_c.record_id, record_ids),
            t.among(_c.state, _AT_VENDOR),
            _c.external_id.is_not(None),
        )
        return {
            (record, connection): external for record, connection, external in self._rows(found)
        }

    def live_links(self, entity: str, connection: str) -> int:
        linked = t.among(_c.state, [LinkState.LINKED])
        return self._count(_c.entity == entity, _c.connection == connection, linked)

    def _count(self, *where: ColumnElement[bool]) -> int:
        return int(self._rows(select(func.count()).select_from(t.links).where(*where))[0][0])


def _is_busy(link: FromClause) -> ColumnElement[bool]:
    return exists().where(t.operations.c.link_id == link.c.id, t.is_unsettled)


def _listed(connection: str, resource: str) -> list[ColumnElement[bool]]:
    return [_c.connection == connection, _c.resource == resource]


def _work(work: str, link: FromClause) -> list[ColumnElement[bool]]:
    """Raises Bug for a kind of work that links are not claimed for."""
    if work == "refresh":
        return [link.c.need_get.is_(true()), link.c.external_id.is_not(None)]
    if work == "reconcile":
        return [link.c.dirty > literal_column("0"), link.c.need_get.is_(false())]
    raise Bug(f"links are claimed for refresh or reconcile, not for {work!r}")
