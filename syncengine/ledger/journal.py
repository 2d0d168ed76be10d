"""The journal: events, cases and history."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import func, select

from syncengine.ledger import statements
from syncengine.ledger import tables as t
from syncengine.ledger.encryption import Vault
from syncengine.ledger.session import Session
from syncengine.ledger.stored import Mark, Stored, Values, hashed
from syncengine.model.case import Case, Vote
from syncengine.model.change import Change
from syncengine.model.event import Event
from syncengine.model.ref import Ref

EVENTS = Stored(t.events, Event, bound=("connection", "event_id"))


def _in_run(_: Case | Change, __: Vault, mark: Mark) -> Values:
    return {"run_id": mark.run}


def _vote(told: dict[str, Any]) -> Vote:
    return Vote(**{**told, "links": tuple(told.get("links", ()))})


CASES = Stored(
    t.cases, Case, beside=_in_run, kept={"run_id": t.cases.c.run_id},
    votes=(lambda votes: [asdict(v) for v in votes], lambda told: tuple(map(_vote, told))),
)  # fmt: skip
CHANGES = Stored(t.history, Change, bound=("record_id", "generation", "field"), beside=_in_run)
_MANY = 4000
"""Events per statement: as many as SQLite's 32,766 parameters allow for their seven columns, and less."""
_ADDED = {
    on_postgresql: statements.put(on_postgresql, t.events)
    .returning(t.events.c.connection, t.events.c.event_id, t.events.c.id)
    .execution_options(insertmanyvalues_page_size=_MANY)
    for on_postgresql in (False, True)
}
_NEWEST_FIRST = (t.events.c.id.desc(),)
_NEWEST_CHANGES = (t.history.c.id.desc(),)
_NEWEST_IDS = select(
    *(select(func.max(table.c.id)).scalar_subquery() for table in (t.events, t.history))
)
_TOLD = ("id", "subject", "question", "evidence", "answers")
_ASKED = (t.cases.c.id, t.cases.c.subject_hash)


class Journal(Session):
    """The part of a transaction that is about events, cases and history."""

    def add_events(self, events: Sequence[Event]) -> list[int | None]:
        """Insert events; returns their ids in the same order, None for one whose (connection, event id) is known
        already."""
        if not events:
            return []
        rows = [EVENTS.row(event, self._vault) for event in events]
        added = self._connection.execute(_ADDED[self._postgresql], rows)
        ids = {(connection, event_id): id_ for connection, event_id, id_ in added}
        return [ids.pop((event.connection, event.event_id), None) for event in events]

    def add_notice(self, notice: Event) -> bool:
        """Insert an event whose id was chosen by the vendor and may identify a person: only its keyed hash is stored.
        Returns False for a known one, also one stored under an earlier secret or, by an earlier version, in the
        clear."""
        hashes = [f"notice:{h}" for h in self._vault.hashes([notice.connection, notice.event_id])]
        known = [notice.event_id, *hashes]
        by: Values = {"connection": notice.connection, "source": notice.source, "event_id": known}
        if self._rows(t.events, (t.events.c.id,), limit=1, **by):
            return False
        return self.add_events([replace(notice, event_id=hashes[-1])]) != [None]

    def select_events(
        self, connection: str | None = None, limit: int = 100, since: float | None = None,
        until: float | None = None, refs: Collection[Ref] | None = None, source: str | None = None,
    ) -> list[Event]:  # fmt: skip
        """Events, the newest first, received from ``since`` on and before ``until``; only of these rows."""
        asked: Values = {
            "connection": connection,
            "at__ge": since,
            "at__lt": until,
            "source": source,
        }
        if refs is None:
            return self._found(EVENTS, order=_NEWEST_FIRST, limit=limit, **asked)
        # The column alone finds a few too many: ids of other connections are spelled alike.
        ids = sorted({ref.external_id for ref in refs})
        found = self._found(EVENTS, order=_NEWEST_FIRST, external_id=ids, **asked)
        return [e for e in found if Ref(e.connection, e.resource, e.external_id) in refs][:limit]

    def events(self, ids: Collection[int], refs: Collection[Ref] = ()) -> list[Event]:
        """Events with these ids and all events of these rows, oldest first."""
        # Each column by itself finds a few too many at worst.
        near = self._found(
            EVENTS,
            connection={r.connection for r in refs},
            external_id={r.external_id for r in refs},
        )
        there = [e for e in near if Ref(e.connection, e.resource, e.external_id) in refs]
        found = {event.id: event for event in [*there, *self._found(EVENTS, id=ids)]}
        return [found[id_] for id_ in sorted(found)]

    def newest_ids(self) -> tuple[int, int]:
        """The ids of the newest event and of the newest line of history; 0 where there is none."""
        event, change = self._connection.execute(_NEWEST_IDS).one()
        return event or 0, change or 0

    def count_events(self, after: int = 0) -> int:
        """How many events have ids after ``after``."""
        return self._count(t.events, id__gt=after or None)

    def _raise_cases(self, cases: Sequence[Case]) -> None:
        """Open cases; one whose subject is open already gets the newer question, evidence and answers."""
        ordered = sorted(cases, key=lambda case: case.subject)
        asked = self._rows(
            t.cases, _ASKED, t.is_open, subject=[case.subject for case in ordered], lock=True
        )
        ids = {subject: id_ for id_, subject in asked}
        mark = self._mark()
        # What is asked already keeps its id, to which all that is sealed is bound.
        rows = [
            CASES.row(
                replace(c, id=ids.get(hashed(self._vault, c.subject), c.id)), self._vault, mark
            )
            for c in ordered
        ]
        self._put(t.cases, rows, *_TOLD, key=("subject_hash",), where=t.is_open)

    def cases(
        self, ids: Collection[str] | None = None, kind: str | None = None,
        subjects: Collection[str] | None = None, open_only: bool = True, lock: bool = False,
        links: Collection[str] | None = None,
    ) -> list[Case]:  # fmt: skip
        """As asked, oldest first."""
        return self._found(
            CASES, *([t.is_open] if open_only else []), order=(t.cases.c.opened_at, t.cases.c.id),
            lock=lock, id=ids, kind=kind, subject=subjects, link_id=links,
        )  # fmt: skip

    def count_cases(self) -> dict[str, int]:
        """Kind -> open cases."""
        counted = self._counted(t.cases, (t.cases.c.kind,), t.is_open)
        return {kind: count for (kind,), count in counted.items()}

    def count_history(self) -> int:
        """How many changes are on record."""
        return self._count(t.history)

    def changes(self, ids: Collection[int]) -> list[Change]:
        """History entries of any record by id, oldest first."""
        return self._found(CHANGES, order=(t.history.c.id,), id=ids)

    def select_history(
        self, lost: bool = False, limit: int = 0, since: float | None = None,
        until: float | None = None, **asked: str | None,
    ) -> list[Change]:  # fmt: skip
        """History of all records, or the entries with a rejected value, newest first, at most ``limit`` (0: all), with
        these values, from ``since`` on and before ``until``."""
        return self._found(
            CHANGES, order=_NEWEST_CHANGES, limit=limit, lost_by__ne="" if lost else None,
            at__ge=since, at__lt=until, **asked,
        )  # fmt: skip

    def history(self, record_id: str) -> list[Change]:
        """The history of one record, oldest first."""
        return self._found(CHANGES, order=(t.history.c.id,), record_id=record_id)
