"""Quarantine of values that cannot be decrypted: the value is removed from its row and kept in a question, and
everything else goes on.

The encrypted value stays in the question, so that it can be restored should its key be found.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
import structlog
from uuid_utils import uuid7

from syncengine.errors import Unreadable
from syncengine.ledger import tables as t
from syncengine.ledger.connections import PROCESS
from syncengine.ledger.journal import CASES
from syncengine.ledger.keyring import KEYRING_PLACE
from syncengine.ledger.session import Session
from syncengine.ledger.stored import hashed
from syncengine.model.case import Case, CaseKind
from syncengine.model.link import LinkState
from syncengine.model.operation import OperationState
from syncengine.model.values import Json

log = structlog.get_logger(__name__)

_LOST = "cannot be read"
_PAUSED: Json = {
    "paused": "whether it was paused could not be read; resume it if it may be written to"
}
_UNREAD: dict[str, Any] = {
    "row": None, "listed_hash": None, "failures": 1, "need_get": False, "dirty": 0, "lease_until": 0.0,
}  # fmt: skip
"""Of a link whose row is read again before anything is decided on it."""
_HAS_BASE = {"base": None, "noted": None, **_UNREAD}
_FORGOTTEN = {
    "external_id": None, "external_id_hash": None, "parent": None, "parent_hash": None, "record_id": None,
    "state": LinkState.GONE, **_HAS_BASE,
}  # fmt: skip
"""Of a link that does not tell any more which row it is of: the next listing shows that as a new one."""


class Quarantine(Session):
    """The part of a transaction that quarantines values which cannot be decrypted."""

    def set_aside(self, unreadable: Unreadable) -> bool:
        """Remove the value from its row and ask a person; False where nothing can go on without it."""
        column, _, row = unreadable.place.partition("/")
        table, _, name = column.partition(".")
        acts = {
            "links": self._link, "records": self._record, "operations": self._operation,
            "cases": self._case, "history": self._line, "events": self._event,
            "connections": self._kept, "members": self._member, "plans": self._plan,
        }  # fmt: skip
        if table not in acts or unreadable.place == KEYRING_PLACE:
            return False
        acts[table](unreadable, name, row)
        log.error(
            "a value in the database cannot be read", place=unreadable.place, why=unreadable.why
        )
        return True

    def _link(self, why: Unreadable, name: str, id_: str) -> None:
        """A link: nothing is decided on it before its row was read again."""
        self._ask(why, t.links.c[name], id_, link_id=id_)
        told = _FORGOTTEN if name in ("external_id", "parent") else {**_UNREAD, name: None}
        if name in ("wait_key", "wait_what"):
            told = {**_UNREAD, "wait_key": None, "wait_key_hash": None, "wait_what": None}
        self._change(t.links, told, id=id_)

    def _record(self, why: Unreadable, name: str, id_: str) -> None:
        """A record: its values are learned again from its rows, as at their first observation."""
        self._ask(why, t.records.c[name], id_, record_id=id_)
        self._change(t.records, {name: self._sealed(t.records.c[name], {}, id_)}, id=id_)
        self._change(t.links, _HAS_BASE, record_id=id_)

    def _operation(self, why: Unreadable, name: str, id_: str) -> None:
        """An operation: it can neither be sent nor proved any more, and its link waits for an answer."""
        its = self._rows(t.operations, (t.operations.c.link_id,), id=id_)
        link = its[0][0] if its else None
        self._ask(why, t.operations.c[name], id_, link_id=link)
        beside = {"external_id_hash": None} if name == "external_id" else {}
        self._change(t.operations, {name: None, **beside}, id=id_)
        if self._change(t.operations, {"state": OperationState.CANCELLED}, t.is_unsettled, id=id_):
            self._change(t.links, _UNREAD, id=link)

    def _case(self, _: Unreadable, name: str, id_: str) -> None:
        """A case: it stays, without the text."""
        lost: Json = {} if name in ("evidence", "answers") else _LOST
        told = {name: self._sealed(t.cases.c[name], lost, id_)}
        if name == "subject":
            subject = f"unreadable:{id_}"
            told = {
                "subject": self._sealed(t.cases.c.subject, subject, id_),
                "subject_hash": hashed(self._vault, subject),
            }
        self._change(t.cases, told, id=id_)

    def _line(self, _: Unreadable, name: str, row: str) -> None:
        """A line of the history."""
        record, generation, field = row.split("/", 2)
        told = self._sealed(t.history.c[name], _LOST, record, generation, field)
        self._change(
            t.history, {name: told}, record_id=record, generation=int(generation), field=field
        )

    def _event(self, _: Unreadable, name: str, row: str) -> None:
        """An event, which has been handled already."""
        connection, event = row.split("/", 1)
        told = self._sealed(t.events.c[name], _LOST, connection, event)
        beside = {"external_id_hash": hashed(self._vault, _LOST)}
        self._change(t.events, {name: told, **beside}, connection=connection, event_id=event)

    def _kept(self, _: Unreadable, name: str, row: str) -> None:
        """What is remembered of a connection. Nobody knows any more whether a person has paused it, so it is paused,
        and ``status`` says why; a mark that is kept in the same way is set anew. Listings of a resource begin anew;
        nothing is made before they are through. A process tells of itself again."""
        connection, part = (row[:-1], "") if row.endswith("/") else row.split("/", 1)
        if connection == PROCESS:
            self._drop(t.connections, name=connection, part=part)
            return
        told = None if part else self._sealed(t.connections.c.state, _PAUSED, connection, part)
        self._change(t.connections, {name: told}, name=connection, part=part)

    def _member(self, _: Unreadable, name: str, id_: str) -> None:
        """A member, who needs a link to sign in and choose a new password."""
        self._change(t.members, {name: None}, id=id_)

    def _plan(self, _: Unreadable, __: str, row: str) -> None:
        """A stored plan, which can be computed again."""
        self._drop(t.plans, id=row.partition("/")[0])

    def _ask(
        self, why: Unreadable, column: sa.Column[Any], id_: str,
        link_id: str | None = None, record_id: str | None = None,
    ) -> None:  # fmt: skip
        """The question about a row that is set aside; what stood there is kept in it."""
        table = column.table
        stood = self._rows(table, (column,), id=id_)
        asked = Case(
            id=str(uuid7()),
            kind=CaseKind.QUARANTINED,
            subject=f"quarantined:{link_id or id_}",
            question=f"A value in our own database cannot be read ({column}): {why.why}",
            evidence={"place": why.place, "stored": stood[0][0] if stood else None},
            answers={"retry": "read the row again and go on"},
            opened_at=self._clock(),
            link_id=link_id,
            record_id=record_id,
        )
        self._put(t.cases, [CASES.row(asked, self._vault)])
