"""Links: what is known of each vendor row."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, astuple
from functools import cache
from typing import Any

from sqlalchemy import Select, case, exists, false, func, literal_column, or_, select, true

from syncengine.errors import Bug
from syncengine.ledger import tables as t
from syncengine.ledger.encryption import Vault
from syncengine.ledger.session import Session
from syncengine.ledger.statements import (
    Condition,
    Shape,
    Within,
    conditions,
    given,
    shape_of,
)
from syncengine.ledger.stored import Mark, Stored, Values, fresh, hashed
from syncengine.model.condition import InScope, RecordAt, condition
from syncengine.model.key import KeyKind
from syncengine.model.link import (
    LIVE,
    Base,
    Doubt,
    Link,
    LinkState,
    Wait,
    Waiting,
    WriteApproval,
    wait_group,
)
from syncengine.model.values import Json

_c = t.links.c


def _split(link: Link) -> Values:
    return {"wait_key": link.wait and link.wait.key, "wait_what": link.wait and link.wait.what}


def _join(*values: Any) -> Link:
    *before, key, what = values
    return Link(*[*before, None if key is None else Wait(condition(key), what)])


def _base_to_json(base: Base) -> Json:
    doubts = {name: asdict(doubt) for name, doubt in base.doubts.items()}
    parts = [base.canonical, base.vendor, sorted(base.expected), base.rules, doubts]
    return [*parts, base.released] if base.released else parts


def _base_from_json(stored: Sequence[Any]) -> Base:
    # Rows of earlier versions hold fewer parts.
    canonical, vendor, expected, rules, doubts, released = [*stored, {}, {}, {}][:6]
    held = {name: Doubt(**doubt) for name, doubt in doubts.items()}
    return Base(canonical, vendor, frozenset(expected), rules, held, released)


def _approval(said: dict[str, Any]) -> WriteApproval:
    return WriteApproval(**said)


def _beside(link: Link, vault: Vault, mark: Mark) -> Values:
    if link.wait is None:
        return {"wait_group": None, "wait_record": None, "waits_since": None}
    on = link.wait.on
    here = isinstance(on, RecordAt) and on.connection == link.connection
    return {
        "wait_group": vault.hash(list(astuple(wait_group(link))[2:6])),
        "wait_record": on.record_id if isinstance(on, RecordAt) and here else None,
        "waits_since": mark.at,
    }


_WAITS_SINCE = case(
    (fresh(_c.wait_group).is_(None), None),
    (fresh(_c.wait_group) == _c.wait_group, func.coalesce(_c.waits_since, fresh(_c.waits_since))),
    else_=fresh(_c.waits_since),
)
"""As long as a link waits for the same, since when it does."""
LINKS = Stored(
    t.links,
    Link,
    _split,
    _join,
    beside=_beside,
    kept={"waits_since": _WAITS_SINCE},
    base=(_base_to_json, _base_from_json),
    ruling=(asdict, _approval),
    columns={"approval": "ruling", "foreign_values": "noted", "suspected_at": "nominated_at"},
)
_TIE = (_c.entity, _c.connection, _c.resource, _c.external_id_hash)
_RECORD = (_c.record_id,)
_ID = (_c.id, _c.external_id)
_WAITING = (_c.id, _c.entity, _c.connection, _c.record_id, _c.wait_key, _c.wait_what)
_IS_TIED = _c.record_id.is_not(None)
_HAS_ID = _c.external_id.is_not(None)
_HAS_ROW = _c.row.is_not(None)
_NEEDS_NO_GET = ~t.needs_get
_IS_FREE = ~t.is_written(t.links)
_IDENTITIES = (KeyKind.RECORD, KeyKind.SHARED, KeyKind.ROW, KeyKind.LIKE)
_OF_ROWS = (KeyKind.ROW, KeyKind.ASKS)
_BORNE, _SHOWN = t.keys.alias("borne"), t.keys.alias("shown")
# SQLite looks by the owner only where it cannot look by the kind, by which it would go through all keys for each batch.
_KIND = _BORNE.c.kind + literal_column("''")
_HASHES = select(_BORNE.c.hash).where(Within(_BORNE.c.owner, "owner"), t.among(_KIND, *_IDENTITIES))
# By hash alone, which finds a few of another scope too many at worst. Not a join of both: SQLite would begin it with
# all keys of rows.
_SHARERS = (
    select(_c.id)
    .distinct()
    .select_from(_SHOWN)
    .join(t.links, _c.id == _SHOWN.c.owner)
    .where(
        Within(_SHOWN.c.hash, _HASHES),
        t.among(_SHOWN.c.kind, *_OF_ROWS),
        ~Within(_c.id, "owner"),
        or_(_c.record_id.is_(None), ~Within(_c.record_id, "owner")),
    )
)
"""The links of others that show an identity which the owners bear."""
_WAITS_FOR_NOTHING = ~t.is_waiting_for
_IS_NOT_ASKED = ~exists().where(t.cases.c.link_id == _c.id, t.asks_whose, t.is_open)
_HAS_APPROVAL = _c.ruling.is_not(None)


class Links(Session):
    """The part of a transaction that is about links."""

    def links(self, ids: Collection[str], lock: bool = False) -> dict[str, Link]:
        """By id; unknown ids are left out."""
        return {link.id: link for link in self._found(LINKS, id=ids, lock=lock)}

    def links_at(
        self, entity: str, connection: str, resource: str, external_ids: Collection[str],
        lock: bool = False,
    ) -> dict[str, Link]:  # fmt: skip
        """By external id."""
        found = self._found(
            LINKS, entity=entity, connection=connection, resource=resource,
            external_id=external_ids, lock=lock,
        )  # fmt: skip
        return {link.ref.external_id: link for link in found}

    def links_of(self, record_ids: Collection[str]) -> list[Link]:
        """All links of these records."""
        return self._found(LINKS, record_id=record_ids)

    def row_ids(self, connection: str, resource: str) -> list[str]:
        """External ids of the rows that exist there, correlated or not, in order."""
        found = self._rows(
            t.links, _ID, _HAS_ID, _HAS_ROW, connection=connection, resource=resource
        )
        return sorted({self._open(_c.external_id, text, link) for link, text in found})

    def select_links(
        self,
        entity: str | None = None,
        connection: str | None = None,
        states: Collection[str] = (),
        after: str | None = None,
        limit: int = 0,
        waiting: bool = False,
    ) -> list[Link]:
        """As asked, ordered by id, after one, at most ``limit`` (0: all). ``waiting``: only those that wait."""
        more = (t.is_waiting_for,) if waiting else ()
        return self._found(
            LINKS, *more, order=(_c.id,), limit=limit, entity=entity, connection=connection,
            state=states or None, id__gt=after,
        )  # fmt: skip

    def count_links(self) -> dict[tuple[str, str, str], int]:
        """(entity, connection, state) -> how many."""
        return self._counted(t.links, (_c.entity, _c.connection, _c.state))

    def count_untied(self) -> dict[tuple[str, str], int]:
        """(entity, connection) -> number of rows that belong to no record, wait for nothing, and about which no person
        is asked; those included that somebody left alone."""
        counted = self._counted(
            t.links, (_c.entity, _c.connection), t.among(_c.state, LinkState.SEEN, LinkState.UNLINKED), _HAS_ROW,
            _WAITS_FOR_NOTHING, _IS_NOT_ASKED,
        )  # fmt: skip
        return {(entity, connection): count for (entity, connection), count in counted.items()}

    def uncorrelated_links(self, entity: str, connection: str, resource: str) -> int:
        """How many rows of a resource are not correlated yet: links in state ``seen`` with a row that are dirty or need
        a read."""
        return self._count(
            t.links, *t.is_uncorrelated, entity=entity, connection=connection, resource=resource
        )

    def is_uncorrelated(self, entity: str, connection: str, resource: str) -> bool:
        """Whether there are such rows; that costs the same however many they are."""
        found = self._rows(
            t.links, (_c.id,), *t.is_uncorrelated, limit=1, entity=entity, connection=connection,
            resource=resource,
        )  # fmt: skip
        return bool(found)

    def waiting_links(
        self, limit: int = 0, key: str | None = None, answered: bool = False, after: str = ""
    ) -> list[Link]:
        """Links that wait, oldest first: for anything, for ``key``, or (``answered``) because of a person's answer
        about their write; with ids after ``after``."""
        more = (_HAS_APPROVAL,) if answered else ()
        return self._found(
            LINKS, t.is_waiting_for, *more, order=(_c.id,), limit=limit, wait_key=key,
            id__gt=after or None,
        )  # fmt: skip

    def waits(self) -> list[Waiting]:
        """All links that wait for something."""
        return [
            Waiting(
                link, entity, connection, record,
                condition(self._open(_c.wait_key, key, link)),
                self._open(_c.wait_what, what, link),
            )
            for link, entity, connection, record, key, what in self._rows(
                t.links, _WAITING, t.is_waiting_for
            )
        ]  # fmt: skip

    def dirty_count(self, connections: Collection[str] | None = None) -> int:
        """Number of links that are dirty or need a read and have no operation that may have been sent; those that need
        a read only in these connections, if given."""
        # Two counts, each over its own small index.
        return self._count(t.links, t.is_dirty, _NEEDS_NO_GET, _IS_FREE) + self._count(
            t.links, t.needs_get, _IS_FREE, connection=connections
        )

    def records_in_motion(self) -> set[str]:
        """Ids of records with unfinished work: a link that is dirty, needs a read or waits, or an unsettled
        operation."""
        # Statements of their own, each over its own small index.
        reasons = (t.is_dirty, t.needs_get)
        found = [self._rows(t.links, _RECORD, _IS_TIED, reason) for reason in reasons]
        found.append(
            self._rows(t.links, _RECORD, _IS_TIED, t.is_waiting_for, wait_key__ne=str(InScope()))
        )
        found.append(self._rows(t.operations, (t.operations.c.record_id,), t.is_unsettled))
        return {row[0] for rows in found for row in rows}

    def live_links(self, entity: str, connection: str) -> int:
        """How many links of an entity are linked or missing in a connection."""
        states = (LinkState.LINKED, LinkState.MISSING)
        return self._count(t.links, entity=entity, connection=connection, state=states)

    def unseen_since(
        self,
        entity: str,
        connection: str,
        resource: str,
        started: float,
        parent: str | None = None,
    ) -> list[Link]:
        """Links that have a row whose ``read_at`` is older than ``started`` (below one parent, if given)."""
        return self._found(
            LINKS, _HAS_ID, _HAS_ROW, entity=entity, connection=connection, resource=resource,
            read_at__lt=started, parent=parent,
        )  # fmt: skip

    def ties(
        self, entity_refs: Collection[tuple[str, str, str, str]]
    ) -> dict[tuple[str, str, str, str], str]:
        """(entity, connection, resource, external id) -> record id of the live link there."""
        asked = {(e, c, r, hashed(self._vault, x)): (e, c, r, x) for e, c, r, x in entity_refs}
        # Each column by itself finds a few too many at worst, in one statement on both databases.
        each: dict[str, Any] = {
            column.name: {ref[i] for ref in asked} for i, column in enumerate(_TIE)
        }
        found = self._rows(
            t.links, (*_TIE, _c.record_id), _IS_TIED, t.among(_c.state, *LIVE), **each
        )
        return {asked[tuple(ref)]: record for *ref, record in found if tuple(ref) in asked}

    def externals(self, record_ids: Collection[str]) -> dict[tuple[str, str], str]:
        """(record id, connection) -> external id of its live (linked, left) links."""
        found = self._rows(
            t.links, (_c.record_id, _c.connection, *_ID), _HAS_ID,
            record_id=record_ids, state=(LinkState.LINKED, LinkState.LEFT),
        )  # fmt: skip
        return {(r, c): self._open(_c.external_id, text, link) for r, c, link, text in found}

    def sharers(self, owners: Collection[str]) -> set[str]:
        """Ids of other links whose row shows, or asks about, an identity key that one of these owners (records or
        links) holds; not of these links themselves, nor of links tied to these records."""
        if not owners:
            return set()
        found = self._connection.execute(_SHARERS, {"given_owner": sorted(owners)})
        return {row[0] for row in found}

    def claim_links(
        self, work: str, now: float, lease: float, limit: int,
        ids: Collection[str] | None = None, entity: str | None = None,
        connections: Collection[str] | None = None,
    ) -> list[Link]:  # fmt: skip
        """Lease links that are due: ``refresh`` = need_get, external id known; ``reconcile`` = dirty and not
        need_get. Never one with a lease that runs or an operation that is sent, or may have been.
        ``ids``: only among these; ``connections``: only of these. Ordered by id."""
        shape, values = shape_of(
            {
                "lease_until__le": now, "id": ids, "entity__scan": entity,
                "connection__scan": connections,
            }
        )  # fmt: skip
        free = self._connection.execute(_claim(work, shape), {**values, "given_limit": limit})
        claimed = [LINKS.value(row, self._vault) for row in free]
        self._change(t.links, {"lease_until": now + lease}, id=[link.id for link in claimed])
        return claimed

    def release_links(self, ids: Collection[str], until: float = 0.0) -> None:
        """End leases; with ``until`` (epoch seconds) the links are not due before then."""
        self._change(t.links, {"lease_until": until}, id=ids)


@cache
def _claim(work: str, shape: Shape) -> Select[Any]:
    """Links that are due. Raises Bug for what links are not claimed for."""
    due: list[Condition]
    if work == "refresh":
        due = [_c.need_get.is_(true()), _c.external_id.is_not(None)]
    elif work == "reconcile":
        due = [_c.dirty > literal_column("0"), _c.need_get.is_(false())]
    else:
        raise Bug(f"links are claimed for refresh or reconcile, not for {work!r}")
    due += [_IS_FREE, *conditions(t.links, shape)]
    return (
        select(*LINKS.columns)
        .where(*due)
        .order_by(_c.id)
        .limit(given("limit"))
        .with_for_update(skip_locked=True, of=t.links)
    )
