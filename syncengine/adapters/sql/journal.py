"""What happened and what waits for a person: events, cases, history."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import and_, func, or_, select

from syncengine.adapters.sql import tables as t
from syncengine.adapters.sql.encryption import Vault
from syncengine.adapters.sql.session import Session, Values, at_most
from syncengine.model.case import Case, CaseKind
from syncengine.model.change import Change
from syncengine.model.event import Event
from syncengine.model.ref import Ref

_MANY = 4000
"""Events per statement: as many as SQLite's 32,766 parameters allow for their six columns, and less."""
_EVENT = [t.events.c[name] for name in Event.__slots__]
_CHANGE = list(t.history.c)


def _event_row(event: Event) -> Values:
    return {
        "connection": event.connection,
        "resource": event.resource,
        "external_id": event.external_id,
        "event_id": event.event_id,
        "source": event.source,
        "at": event.at,
    }


def _case_row(case: Case, vault: Vault) -> Values:
    return {
        "id": case.id,
        "kind": case.kind.value,
        "subject": case.subject,
        "told": vault.seal([case.question, case.evidence, case.answers]),
        "entity": case.entity,
        "record_id": case.record_id,
        "link_id": case.link_id,
        "operation_id": case.operation_id,
        "opened_at": case.opened_at,
        "answer": case.answer,
        "reason": vault.seal([case.author, case.reason] if case.author or case.reason else None),
        "closed_at": case.closed_at,
    }


def _case(row: Sequence[Any], vault: Vault) -> Case:
    (
        id_, kind, subject, told, entity, record_id, link_id, operation_id, opened_at, answer,
        reason, closed_at,
    ) = row  # fmt: skip
    question, evidence, answers = vault.open(told)
    why = vault.open(reason)
    author, why = why if isinstance(why, list) else ("", why or "")
    return Case(
        id=id_,
        kind=CaseKind(kind),
        subject=subject,
        question=question,
        evidence=evidence,
        answers=answers,
        entity=entity,
        record_id=record_id,
        link_id=link_id,
        operation_id=operation_id,
        opened_at=opened_at,
        answer=answer,
        author=author,
        reason=why,
        closed_at=closed_at,
    )


def _change_row(change: Change, vault: Vault) -> Values:
    return {
        "record_id": change.record_id,
        "generation": change.generation,
        "field": change.field,
        "change": vault.seal([change.old, change.new, change.lost, change.reason]),
        "lost_by": change.lost_by,
        "stamp": change.stamp,
        "connection": change.connection,
        "rule": change.rule,
        "policy": change.policy,
        "author": change.author,
        "at": change.at,
    }


def _change(row: Sequence[Any], vault: Vault) -> Change:
    id_, record_id, generation, field, change, *rest = row
    old, new, lost, *reason = vault.open(change)
    known = [record_id, generation, field, old, new, lost, *rest, "".join(reason), id_]
    return Change(*known)


class Journal(Session):
    """The part of a transaction that is about events, cases and history; promises as in ``ports.Transaction``."""

    def add_events(self, events: Sequence[Event]) -> list[int | None]:
        if not events:
            return []
        added = (
            self._upsert(t.events)
            .on_conflict_do_nothing()
            .returning(t.events.c.connection, t.events.c.event_id, t.events.c.id)
            .execution_options(insertmanyvalues_page_size=_MANY)
        )
        rows = self._connection.execute(added, [_event_row(event) for event in events]).all()
        ids = {(connection, event_id): id_ for connection, event_id, id_ in rows}
        return [ids.pop((event.connection, event.event_id), None) for event in events]

    def select_events(self, connection: str | None = None, limit: int = 100) -> list[Event]:
        newest = select(*_EVENT).order_by(t.events.c.id.desc())
        found = self._asked(newest, {t.events.c.connection: connection}, limit)
        return [Event(*row) for row in self._rows(found)]

    def events(self, ids: Collection[int], refs: Collection[Ref] = ()) -> list[Event]:
        rows = t.events.c
        at = and_(
            self._in(rows.connection, {ref.connection for ref in refs}),
            self._in(rows.external_id, {ref.external_id for ref in refs}),
        )
        found = select(*_EVENT).where(or_(rows.id.in_(ids), at)).order_by(rows.id)
        events = [Event(*row) for row in self._rows(found)]
        asked = {*refs}
        return [
            e for e in events
            if e.id in ids or Ref(e.connection, e.resource, e.external_id) in asked
        ]  # fmt: skip

    def count_events(self) -> int:
        return int(self._rows(select(func.count()).select_from(t.events))[0][0])

    def raise_cases(self, cases: Sequence[Case]) -> None:
        if not cases:
            return
        opened = self._upsert(t.cases)
        opened = opened.on_conflict_do_update(
            index_elements=[t.cases.c.subject],
            index_where=t.is_open,
            set_={"told": opened.excluded.told},
        )
        ordered = sorted(cases, key=lambda case: case.subject)
        self._run(opened, [_case_row(case, self._vault) for case in ordered])

    def dissolve_cases(self, subjects: Collection[str], at: float) -> None:
        self._update_where(
            t.cases,
            [t.is_open, self._in(t.cases.c.subject, subjects)],
            {"answer": "dissolved", "closed_at": at},
        )

    def cases(
        self, ids: Collection[str] | None = None, kind: str | None = None,
        subjects: Collection[str] | None = None, open_only: bool = True,
    ) -> list[Case]:  # fmt: skip
        found = select(t.cases).order_by(t.cases.c.opened_at, t.cases.c.id)
        if ids is not None:
            found = found.where(self._in(t.cases.c.id, ids))
        if kind is not None:
            found = found.where(t.cases.c.kind == str(kind))
        if subjects is not None:
            found = found.where(self._in(t.cases.c.subject, subjects))
        if open_only:
            found = found.where(t.is_open)
        return [_case(row, self._vault) for row in self._rows(found)]

    def count_cases(self) -> dict[str, int]:
        kind = t.cases.c.kind
        found = select(kind, func.count()).where(t.is_open).group_by(kind)
        return {row[0]: row[1] for row in self._rows(found)}

    def save_cases(self, cases: Sequence[Case]) -> None:
        self._update(t.cases, [_case_row(case, self._vault) for case in cases])

    def add_history(self, changes: Sequence[Change]) -> None:
        self._insert(t.history, [_change_row(change, self._vault) for change in changes])

    def changes(self, ids: Collection[int]) -> list[Change]:
        found = select(*_CHANGE).where(t.history.c.id.in_(ids)).order_by(t.history.c.id)
        return [_change(row, self._vault) for row in self._rows(found)]

    def select_history(self, lost: bool = False, limit: int = 0) -> list[Change]:
        found = select(*_CHANGE).order_by(t.history.c.id.desc())
        if lost:
            found = found.where(t.history.c.lost_by != "")
        return [_change(row, self._vault) for row in self._rows(at_most(found, limit))]

    def history(self, record_id: str) -> list[Change]:
        found = select(*_CHANGE).where(t.history.c.record_id == record_id).order_by(t.history.c.id)
        return [_change(row, self._vault) for row in self._rows(found)]
