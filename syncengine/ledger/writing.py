"""Writing: the one way in which what was decided becomes rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping
from typing import TypeVar

from syncengine.errors import LostRace
from syncengine.ledger.connections import Connections
from syncengine.ledger.journal import Journal
from syncengine.ledger.links import Links
from syncengine.ledger.operations import Operations
from syncengine.ledger.records import Records
from syncengine.model.changeset import Changeset, Wakes
from syncengine.model.key import KeyKind

K = TypeVar("K", bound=Hashable)


class Writing(Links, Records, Operations, Journal, Connections):
    """The part of a transaction that writes changesets."""

    def write(self, change: Changeset) -> None:
        """Write all of a changeset, with a constant number of statements for each kind of thing, and none for what it
        does not hold. Raises LostRace where something that is to be written is gone, or is no longer free.

        In this order: records; links (removed before saved before inserted, so that a place is free for whoever takes
        it); keys (dropped before taken); operations (saved before inserted, since a link has one that is unsettled);
        cases (dissolved before raised); history; states of connections and resources. Then the wakes, since a link
        that is saved after it was woken is not dirty any more; and derivations, which a record is saved without."""
        drops = bool(change.dropped_keys or change.removed)
        sharers = self.sharers(change.wakes.sharers) if drops else set()
        self._add_records(change.new_records)
        self._save_records(change.records)
        self._write_links(change)
        self._write_keys(change)
        self._save_operations(change.operations)
        self._add_operations(change.new_operations)
        for at, subjects in _grouped(change.dissolved).items():
            self._dissolve_cases(subjects, at)
        self._raise_cases(change.raised)
        self._save_cases(change.cases)
        self._add_history(change.history)
        self._save_connections(change.connections)
        self._save_resources(change.resources)
        self._save_listings(change.listings)
        if change.keys or not drops:
            sharers |= self.sharers(change.wakes.sharers)
        self._wake(change.wakes, sharers)
        self._derive_due(change.derivations)

    def _write_links(self, change: Changeset) -> None:
        self._remove_links(change.removed)
        for at, ids in _grouped(change.touched).items():
            self._touch_links(ids, at)
        self._save_links(change.links)
        self._add_links(change.new_links)

    def _write_keys(self, change: Changeset) -> None:
        owners = defaultdict[KeyKind, set[str]](set)
        for kind, owner in change.dropped_keys:
            owners[kind].add(owner)
        for kind in sorted(owners):
            self._drop_keys(kind, owners[kind])
        if change.keys and self.take_keys(change.keys):
            raise LostRace("another worker took a key that is to be unique; look again")

    def _wake(self, wakes: Wakes, sharers: Collection[str]) -> None:
        self._dirty_links({*wakes.links, *sharers})
        for but, ids in _grouped(wakes.records).items():
            self._dirty_records(ids, but)
        for but, ids in _grouped(wakes.siblings).items():
            self._dirty_siblings(ids, but)
        self._dirty_users(wakes.users)
        self._dirty_waiting(wakes.waiting)
        for entity, connection in sorted(wakes.entities, key=str):
            self._dirty_entity(entity, connection)
        for entity, connection in sorted(wakes.unfinished):
            self._dirty_entity(entity, connection, at_rest=False)


def _grouped(of: Mapping[str, K]) -> dict[K, set[str]]:
    """What is to be written -> of which things; nearly always one group."""
    groups: dict[K, set[str]] = {}
    for name, what in of.items():
        groups.setdefault(what, set()).add(name)
    return groups
