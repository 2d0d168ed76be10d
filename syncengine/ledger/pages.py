"""Pages: lists for screens, read a page at a time by a key; each costs a constant number of statements."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from syncengine.ledger import statements
from syncengine.ledger import tables as t
from syncengine.ledger.journal import CASES, CHANGES
from syncengine.ledger.operations import OPERATIONS
from syncengine.ledger.session import Session
from syncengine.ledger.statements import Condition, Within, given, shape_of
from syncengine.ledger.stored import hashed
from syncengine.model.case import Case
from syncengine.model.change import Change
from syncengine.model.member import Scope
from syncengine.model.operation import Operation

_c, _o, _h = t.cases.c, t.operations.c, t.history.c
_BEHIND: Final = sa.tuple_(given("behind_at"), given("behind_id"))
_IS_THERE: Final = sa.or_(
    sa.exists().where(t.links.c.id == _c.link_id, t.links.c.connection == given("connection")),
    Within(_c.subject_hash, "subjects"),
)
_IS_OF: Final = Within(_c.entity, "within_entities")
_IS_A: Final = Within(_c.kind, "within_kinds")
_IS_IN: Final = sa.or_(
    sa.exists().where(
        t.links.c.id == _c.link_id, Within(t.links.c.connection, "within_connections")
    ),
    Within(_c.subject_hash, "within_subjects"),
)
_CHANGE_OF: Final = sa.exists().where(
    t.records.c.id == _h.record_id, Within(t.records.c.entity, "within_entities")
)
_OPEN: Final = (_c.opened_at, _c.id)
_CLOSED: Final = (_c.closed_at.desc(), _c.id.desc())
_NEWEST_WRITES: Final = (_o.created_at.desc(), _o.id.desc())
_NEWEST_CHANGES: Final = (_h.id.desc(),)
_NEWEST_ERASURES: Final = (t.erasures.c.id.desc(),)
_IS_BEHIND_OPEN: Final = sa.tuple_(_c.opened_at, _c.id) > _BEHIND
_IS_BEHIND_CLOSED: Final = sa.tuple_(_c.closed_at, _c.id) < _BEHIND
_IS_BEHIND_WRITE: Final = sa.tuple_(_o.created_at, _o.id) < _BEHIND

Place = tuple[float, str]
"""Time and id of the last line of the page before."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which cases are wanted. ``connection``: those about a row there, and those with one of these ``subjects``;
    ``since``, ``before``: opened, or answered, from that time on and before that time (epoch seconds); ``authors``: by
    one of these, as far as they are answered. ``within``: to what whoever asks is limited,
    ``within_subjects``: those of the questions in its connections that are about no row."""

    kind: str | None = None
    connection: str | None = None
    subjects: tuple[str, ...] = ()
    since: float | None = None
    before: float | None = None
    authors: tuple[str, ...] = ()
    closed: bool = False
    within: Scope = field(default_factory=Scope)
    within_subjects: tuple[str, ...] = ()


class Pages(Session):
    """The part of a transaction that reads lists for screens."""

    def page_of_cases(
        self, asked: Asked, behind: Place | None = None, limit: int = 50
    ) -> list[Case]:
        """Open cases, the oldest first, or closed ones, the newest first, behind a place."""
        where, values = self._wanted(asked)
        if behind is not None:
            where = (*where, _IS_BEHIND_CLOSED if asked.closed else _IS_BEHIND_OPEN)
            values |= {"given_behind_at": behind[0], "given_behind_id": behind[1]}
        order = _CLOSED if asked.closed else _OPEN
        shape, more = shape_of({"kind": asked.kind, **self._narrowed(asked)})
        found = statements.find(t.cases, CASES.columns, where, shape, order, limited=True)
        rows = self._connection.execute(found, {**values, **more, "given_limit": limit})
        return [CASES.value(row, self._vault) for row in rows]

    def count_asked(self, asked: Asked) -> dict[str, int]:
        """Kind -> how many cases are wanted, whichever kind that is."""
        where, values = self._wanted(asked)
        shape, more = shape_of(self._narrowed(asked))
        found = statements.find(t.cases, (_c.kind,), where, shape, counted=True)
        rows = self._connection.execute(found, {**values, **more})
        return {row[0]: row[1] for row in rows}

    def _narrowed(self, asked: Asked) -> dict[str, Any]:
        """When, and by whom."""
        at = "closed_at" if asked.closed else "opened_at"
        hashes = [hashed(self._vault, author) for author in asked.authors]
        by = {"author_hash": hashes} if hashes else {}
        return {f"{at}__ge": asked.since, f"{at}__lt": asked.before, **by}

    def _wanted(self, asked: Asked) -> tuple[tuple[Condition, ...], dict[str, Any]]:
        where, values = self._within(asked)
        where = (t.is_closed if asked.closed else t.is_open, *where)
        if asked.connection is None:
            return where, values
        hashes = [hashed(self._vault, subject) for subject in asked.subjects]
        more = {"given_connection": asked.connection, "given_subjects": hashes}
        return (*where, _IS_THERE), values | more

    def _within(self, asked: Asked) -> tuple[tuple[Condition, ...], dict[str, Any]]:
        """What a limit adds to what is asked."""
        where, values = list[Condition](), dict[str, Any]()
        if asked.within.entities:
            where.append(_IS_OF)
            values["given_within_entities"] = list(asked.within.entities)
        if asked.within.kinds:
            where.append(_IS_A)
            values["given_within_kinds"] = list(asked.within.kinds)
        if asked.within.connections:
            where.append(_IS_IN)
            values["given_within_connections"] = list(asked.within.connections)
            hashes = [hashed(self._vault, subject) for subject in asked.within_subjects]
            values["given_within_subjects"] = hashes
        return tuple(where), values

    def case_within(self, id_: str, asked: Asked) -> Case | None:
        """The case with this id, open or closed; None where there is none, or none within the limit."""
        where, values = self._within(asked)
        shape, more = shape_of({"id": id_})
        found = statements.find(t.cases, CASES.columns, where, shape)
        rows = self._connection.execute(found, {**values, **more}).all()
        return CASES.value(rows[0], self._vault) if rows else None

    def page_of_operations(
        self,
        behind: Place | None = None,
        limit: int = 50,
        **asked: str | float | Sequence[str] | None,
    ) -> list[Operation]:
        """Operations with these values, the newest first, behind a place."""
        where: tuple[Condition, ...] = ()
        values: dict[str, Any] = {}
        if behind is not None:
            where = (_IS_BEHIND_WRITE,)
            values = {"given_behind_at": behind[0], "given_behind_id": behind[1]}
        shape, more = shape_of(asked)
        found = statements.find(
            t.operations, OPERATIONS.columns, where, shape, _NEWEST_WRITES, limited=True
        )
        rows = self._connection.execute(found, {**values, **more, "given_limit": limit})
        return [OPERATIONS.value(row, self._vault) for row in rows]

    def page_of_history(
        self, before: int | None = None, limit: int = 50, entities: Sequence[str] = (),
        **asked: str | Sequence[str] | float | None,
    ) -> list[Change]:  # fmt: skip
        """Changes with these values and with ids below ``before``, the newest first; of records of these ``entities``,
        where some are named."""
        shape, values = shape_of({"id__lt": before, **asked})
        where: tuple[Condition, ...] = (_CHANGE_OF,) if entities else ()
        if entities:
            values["given_within_entities"] = list(entities)
        found = statements.find(
            t.history, CHANGES.columns, where, shape, _NEWEST_CHANGES, limited=True
        )
        rows = self._connection.execute(found, {**values, "given_limit": limit})
        return [CHANGES.value(row, self._vault) for row in rows]

    def changed_since(self, change: int, limit: int) -> list[str]:
        """Ids of records with a change behind this one, at most so many."""
        found = self._rows(t.history, (_h.record_id,), limit=limit, counted=True, id__gt=change)
        return [row[0] for row in found]

    def count_outbox(self, connection: str) -> dict[str, int]:
        """State -> unsettled operations of a connection."""
        counted = self._counted(t.operations, (_o.state,), t.is_unsettled, connection=connection)
        return {state: count for (state,), count in counted.items()}

    def count_links_in(self, connection: str) -> list[dict[str, Any]]:
        """How many links of a connection there are, by entity and state."""
        _k = t.links.c
        counted = self._counted(t.links, (_k.entity, _k.state), connection=connection)
        return [
            {"entity": entity, "state": state, "count": count}
            for (entity, state), count in sorted(counted.items())
        ]

    def count_records(self) -> dict[str, int]:
        """Entity -> live records."""
        counted = self._counted(t.records, (t.records.c.entity,), t.is_live)
        return {entity: count for (entity,), count in counted.items()}

    def newest_erasure(self) -> str:
        """The id of the last erasure; empty where there was none."""
        rows = self._rows(t.erasures, (t.erasures.c.id,), order=_NEWEST_ERASURES, limit=1)
        return str(rows[0][0]) if rows else ""

    def cases_of(self, record_ids: Collection[str], link_ids: Collection[str]) -> list[Case]:
        """Open cases about these records or links."""
        found = self._found(CASES, t.is_open, link_id=link_ids)
        return found + [
            c for c in self._found(CASES, t.is_open, record_id=record_ids) if c not in found
        ]
