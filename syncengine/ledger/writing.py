"""Writing: the one way in which what was decided becomes rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping
from dataclasses import replace
from secrets import randbelow
from typing import Any, TypeVar

from sqlalchemy import or_

from syncengine.errors import LostRace
from syncengine.ledger import tables as t
from syncengine.ledger.connections import Connections
from syncengine.ledger.journal import CASES, CHANGES, Journal
from syncengine.ledger.links import LINKS, Links
from syncengine.ledger.operations import OPERATIONS, Operations
from syncengine.ledger.records import RECORDS, Records
from syncengine.ledger.statements import Condition
from syncengine.model.changeset import Changeset, Wakes
from syncengine.model.key import KeyKind
from syncengine.model.link import LinkState

K = TypeVar("K", bound=Hashable)
_c = t.links.c
_DIRTIER = _c.dirty + 1
_IS_TIED = _c.record_id.is_not(None)
_IS_UNFINISHED = or_(t.is_waiting_for, t.among(_c.state, LinkState.CREATING))
_IS_ROWLESS = t.among(_c.state, *(set(LinkState) - {LinkState.LINKED, LinkState.LEFT}))


class Writing(Links, Records, Operations, Journal, Connections):
    """The part of a transaction that writes changesets."""

    def write(self, change: Changeset) -> None:
        """Write all of a changeset, with a constant number of statements for each kind of thing, and none for what it
        does not hold. Raises LostRace where what is to be saved is gone, a unique key is taken, or a link has another
        unsettled operation.

        In this order: records; links (removed before saved before inserted, so that a place is free for whoever takes
        it); keys (dropped before taken); operations (saved before inserted, since a link has one that is unsettled);
        cases (dissolved before raised); history; states of connections and resources. Then the wakes, since a link
        that is saved after it was woken is not dirty any more; then derivations."""
        drops = bool(change.dropped_keys or change.removed)
        sharers = self.sharers(change.wakes.sharers) if drops else set()
        self._add(RECORDS, change.new_records)
        self._save(RECORDS, change.records)
        self._write_links(change)
        self._write_keys(change)
        self._save(OPERATIONS, change.operations)
        self._add(OPERATIONS, change.new_operations)
        for at, subjects in _grouped(change.dissolved).items():
            over = {"answer": "dissolved", "closed_at": at}
            self._change(t.cases, over, t.is_open, subject=subjects)
        self._raise_cases(change.raised)
        self._save(CASES, change.cases)
        self._add(CHANGES, change.history)
        self._save_connections(change.connections)
        self._save_resources(change.resources)
        self._save_listings(change.listings)
        if change.keys or not drops:
            sharers |= self.sharers(change.wakes.sharers)
        self._wake(change.wakes, sharers)
        due = {"derive_due": 1 + randbelow(2**31 - 1)}
        self._change(t.records, due, id=change.derivations)

    def _write_links(self, change: Changeset) -> None:
        """Links, each as its next version; leases are no part of them."""
        self._drop(t.links, id=change.removed)
        self._drop(t.keys, owner=change.removed)
        for at, ids in _grouped(change.touched).items():
            self._change(t.links, {"read_at": at, "nominated_at": None}, id=ids)
        self._save(LINKS, [replace(link, version=link.version + 1) for link in change.links])
        # In one order, so that two captures of the same page do not wait for each other in a circle.
        self._add(
            LINKS,
            sorted(change.new_links, key=lambda k: (k.resource, k.external_id or "", k.id)),
        )

    def _write_keys(self, change: Changeset) -> None:
        owners = defaultdict[KeyKind, set[str]](set)
        for kind, owner in change.dropped_keys:
            owners[kind].add(owner)
        for kind in sorted(owners):
            self._drop(t.keys, kind__scan=kind, owner=owners[kind])
        if change.keys and self.take_keys(change.keys):
            raise LostRace("another worker took a key that is to be unique; look again")

    def _wake(self, wakes: Wakes, sharers: Collection[str]) -> None:
        self._dirty(id={*wakes.links, *sharers})
        for but, ids in _grouped(wakes.records).items():
            self._dirty(record_id=ids, id__not=but or None)
        for but, ids in _grouped(wakes.siblings).items():
            self._dirty(_IS_ROWLESS, record_id=ids, id__not=but or None)
        named = [self._vault.hash([id_]) for id_ in wakes.users]
        users = self._rows(t.keys, (t.keys.c.owner,), kind=KeyKind.USES, hash=named)
        self._dirty(record_id={row[0] for row in users})
        self._dirty(t.is_waiting_for, wait_key=sorted(map(str, wakes.waiting)))
        for entity, connection in sorted(wakes.entities, key=str):
            self._dirty(_IS_TIED, entity=entity, connection=connection)
        for entity, connection in sorted(wakes.unfinished):
            self._dirty(_IS_TIED, _IS_UNFINISHED, entity=entity, connection=connection)

    def _dirty(self, *where: Condition, **asked: Any) -> None:
        self._change(t.links, {"dirty": _DIRTIER}, *where, **asked)


def _grouped(of: Mapping[str, K]) -> dict[K, set[str]]:
    """What is to be written -> of which things; nearly always one group."""
    groups: dict[K, set[str]] = {}
    for name, what in of.items():
        groups.setdefault(what, set()).add(name)
    return groups
