"""Retention: old rows of finished work, in the order of ids, and their deletion."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Table, and_, exists, func, literal_column, or_, select

from syncengine.ledger import tables as t
from syncengine.ledger.session import Session
from syncengine.ledger.statements import Condition
from syncengine.model.key import KeyKind

_o, _h = t.operations.c, t.history.c
_later, _lines = t.operations.alias("later"), t.history.alias("lines")
_newest = t.events.alias("newest")
_IS_SETTLED = ~t.is_unsettled

_IS_ASKED = exists().where(t.cases.c.link_id == _o.link_id, t.is_open)
_IS_FOLLOWED = exists().where(
    _later.c.link_id == _o.link_id,
    or_(
        _later.c.created_at > _o.created_at,
        and_(_later.c.created_at == _o.created_at, _later.c.id > _o.id),
    ),
    or_(~t.is_create, _later.c.action == _o.action),
)
"""A later operation of the link is there; behind a create, a later create."""
_IS_OF_NOBODY = ~exists().where(t.links.c.id == _o.link_id)
_IS_NOT_FIRST = exists().where(_lines.c.record_id == _h.record_id, _lines.c.id < _h.id)
_IS_OUTDONE = exists().where(
    _lines.c.record_id == _h.record_id, _lines.c.field == _h.field, _lines.c.id > _h.id
)
_LEFT_AT = (
    select(func.coalesce(func.max(_h.at), literal_column("0")))
    .where(_h.record_id == t.records.c.id)
    .scalar_subquery()
)
_AGED: dict[str, tuple[Table, Any, tuple[Condition, ...]]] = {
    "events": (t.events, t.events.c.at, ()),
    "operations": (t.operations, _o.created_at, ()),
    "cases": (t.cases, t.cases.c.closed_at, (t.is_closed,)),
    "history": (t.history, _h.at, ()),
    "left": (t.records, _LEFT_AT, (t.is_deleted,)),
    "rows": (t.links, t.links.c.read_at, (t.is_untied_and_gone,)),
}
"""Kind -> table, since when a row of it is over, and which rows are looked at."""
_MAY_GO: dict[str, tuple[Condition, ...]] = {
    # The newest one says when something was last seen.
    "events": (t.events.c.id < select(func.max(_newest.c.id)).scalar_subquery(),),
    "operations": (
        _IS_SETTLED,
        or_(_IS_FOLLOWED, _IS_OF_NOBODY),
        ~_IS_ASKED,
    ),
    "cases": (t.is_closed,),
    "history": (_IS_NOT_FIRST, _IS_OUTDONE),
    "rows": (t.is_untied_and_gone, ~t.is_dirty, ~t.needs_get),
}
_IS_NO_LINKS = ~exists().where(t.links.c.id == t.keys.c.owner)
_OF_RECORDS = (KeyKind.SHARED, KeyKind.FORMER, KeyKind.LIKE, KeyKind.USES, KeyKind.DERIVED)
_KEY = (t.keys.c.owner, t.keys.c.scope)


class Retention(Session):
    """The part of a transaction that is about expired data."""

    def aged(self, what: str, after: str | int | None, limit: int) -> list[tuple[Any, float]]:
        """Ids after ``after`` in order, with the time since when each is finished (epoch seconds), at most
        ``limit``."""
        table, since, where = _AGED[what]
        order = (table.c.id,)
        found = self._rows(table, (*order, since), *where, order=order, limit=limit, id__gt=after)
        return [(id_, at) for id_, at in found]

    def forget(self, what: str, ids: Collection[str | int]) -> int:
        """Delete those of these ids that nothing needs any more, as docs/operations.md says; returns how many. Not for
        ``left``."""
        gone = self._drop(_AGED[what][0], *_MAY_GO[what], id=ids)
        if what == "rows":
            self._drop(t.keys, _IS_NO_LINKS, owner=ids)
        return gone

    def derived_by(self, owners: Collection[str]) -> list[tuple[str, str]]:
        """Record id and scope of each key of kind ``derived`` that these records hold."""
        found = self._rows(t.keys, _KEY, order=_KEY, kind__scan=KeyKind.DERIVED, owner=owners)
        return [(owner, scope) for owner, scope in found]

    def remove_records(
        self, ids: Collection[str], links: Collection[str], subjects: Collection[str]
    ) -> None:
        """Delete deleted records with their keys, history and settled operations, these links of theirs, and closed
        cases of these subjects."""
        self._drop(t.cases, t.is_closed, subject=subjects)
        self._drop(t.operations, _IS_SETTLED, link_id=links)
        self._drop(t.operations, _IS_SETTLED, record_id=ids)
        self._drop(t.history, record_id=ids)
        self._drop(t.keys, owner=links)
        self._drop(t.keys, owner=ids, kind__scan=_OF_RECORDS)
        self._drop(t.links, id=links)
        self._drop(t.records, t.is_deleted, id=ids)
