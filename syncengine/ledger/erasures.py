"""Erasures: deleting rows from every table, and the erasure log."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import func, select

from syncengine.ledger import tables as t
from syncengine.ledger.journal import CHANGES, EVENTS
from syncengine.ledger.operations import OPERATIONS
from syncengine.ledger.session import Session
from syncengine.ledger.statements import Within
from syncengine.ledger.stored import Stored
from syncengine.model.change import JOINED, Change
from syncengine.model.erasure import Erasure
from syncengine.model.event import Event
from syncengine.model.operation import Operation
from syncengine.model.ref import Ref

ERASURES = Stored(t.erasures, Erasure)
_ID = (t.events.c.id,)
_LINK = func.substr(t.events.c.event_id, 1, 36, type_=t.events.c.event_id.type)
"""The link that an event was written for, if it was for one."""
_OF_LINKS = select(*_ID).where(Within(_LINK, "links"))
_BY_AGE = (t.history.c.id,)


class Erasures(Session):
    """The part of a transaction that is about erasures."""

    def histories(self, record_ids: Collection[str]) -> list[Change]:
        """The history of all of these records, oldest first."""
        return self._found(CHANGES, order=_BY_AGE, record_id=record_ids)

    def changes_of(self, fields: Collection[str]) -> list[Change]:
        """Changes of fields of these names, of any record, oldest first."""
        return self._found(CHANGES, order=_BY_AGE, field=fields)

    def joined(self, record_ids: Collection[str]) -> set[str]:
        """Ids of records that were joined into one of these."""
        policies = [f"{JOINED}{id_}" for id_ in record_ids]
        return {row[0] for row in self._rows(t.history, (t.history.c.record_id,), policy=policies)}

    def save_changes(self, changes: Sequence[Change]) -> None:
        """Rewrite entries of the history."""
        if changes:
            rows = [{"same_id": c.id, **CHANGES.row(c, self._vault)} for c in changes]
            self._run(CHANGES.update, rows)

    def operations_of(
        self, record_ids: Collection[str], link_ids: Collection[str] = ()
    ) -> list[Operation]:
        """All operations of these records and of these links."""
        found = self._found(OPERATIONS, record_id=record_ids)
        found += self._found(OPERATIONS, link_id=link_ids)
        return list({o.id: o for o in found}.values())

    def operations_after(self, entity: str, after: str, limit: int) -> list[Operation]:
        """Operations of an entity with ids after ``after``, in order, at most ``limit``."""
        order = (t.operations.c.id,)
        return self._found(OPERATIONS, order=order, limit=limit, entity=entity, id__gt=after)

    def operations_under_way(self) -> list[Operation]:
        """Operations that may take effect still, or may have, of all entities."""
        return self._found(OPERATIONS, t.is_unsettled)

    def events_about(
        self, refs: Collection[Ref], links: Collection[str], operations: Collection[str]
    ) -> list[Event]:
        """Events about these rows, about what these links were before, and about these operations, oldest first."""
        places = set(refs)
        # Each column by itself finds a few too many at worst.
        near = self._found(
            EVENTS,
            connection={r.connection for r in places},
            external_id={r.external_id for r in places},
        )
        ids = {e.id for e in near if Ref(e.connection, e.resource, e.external_id) in places}
        ids |= {
            row[0] for row in self._rows(t.events, _ID, event_id=[f"write:{o}" for o in operations])
        }
        made_by = {"given_links": list(links)}
        ids |= {row[0] for row in self._connection.execute(_OF_LINKS, made_by)}
        return self._found(EVENTS, order=_ID, id=ids)

    def erase(
        self, records: Collection[str], links: Collection[str], operations: Collection[str],
        cases: Collection[str], events: Collection[int],
    ) -> dict[str, int]:  # fmt: skip
        """Delete these rows, all history of these records, and all keys of these records and links. Returns table ->
        number of rows deleted."""
        counts = {
            "keys": self._drop(t.keys, owner=[*records, *links]),
            "history": self._drop(t.history, record_id=records),
            "events": self._drop(t.events, id=events),
            "cases": self._drop(t.cases, id=cases),
            "operations": self._drop(t.operations, id=operations),
            "links": self._drop(t.links, id=links),
            "records": self._drop(t.records, id=records),
        }
        return {name: count for name, count in counts.items() if count}

    def add_erasure(self, erasure: Erasure) -> None:
        """Append to the erasure log."""
        self._add(ERASURES, [erasure])

    def save_erasures(self, erasures: Sequence[Erasure]) -> None:
        """Write locked entries of the erasure log."""
        self._save(ERASURES, erasures)

    def erasures(self, ids: Collection[str] | None = None, lock: bool = False) -> list[Erasure]:
        """The erasure log, oldest first."""
        return self._found(ERASURES, order=(t.erasures.c.id,), id=ids, lock=lock)
