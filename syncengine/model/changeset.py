"""Changesets: all that one transaction is to write, as a value."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from syncengine.errors import Bug
from syncengine.model.case import Case
from syncengine.model.change import Change
from syncengine.model.condition import Condition
from syncengine.model.connection import ConnectionState, ResourceState
from syncengine.model.key import Key, KeyKind
from syncengine.model.link import Link
from syncengine.model.operation import Operation
from syncengine.model.record import Record

T = TypeVar("T")
Ids = Collection[str]
But = Mapping[str, frozenset[str]]
"""Record id -> those of its links that are left out."""


@dataclass(frozen=True, slots=True)
class Wakes:
    """Which links have to be planned again (become dirty), grouped by the reason. A link with several reasons becomes
    dirty at least once.

    ``links``: these. ``records``: all links of these records, and ``siblings``: those of them that have no row, whose
    plans depend on which rows the record has elsewhere; both with the links that are left out. ``users``: links of the
    records that refer to these. ``sharers``: links of others whose row shows, or asks about, an identity that one of
    these records or links bears or has borne until now. ``waiting``: links that wait for one of these.
    ``entities``: all tied links of an entity (in one connection); ``unfinished``: those of them that wait for something
    or are to be created."""

    links: Ids = ()
    records: But = field(default_factory=dict)
    siblings: But = field(default_factory=dict)
    users: Ids = ()
    sharers: Ids = ()
    waiting: Collection[Condition] = ()
    entities: Collection[tuple[str, str | None]] = ()
    unfinished: Collection[tuple[str, str]] = ()

    def __add__(self, then: Wakes) -> Wakes:
        return Wakes(
            {*self.links, *then.links},
            _but(self.records, then.records),
            _but(self.siblings, then.siblings),
            {*self.users, *then.users},
            {*self.sharers, *then.sharers},
            {*self.waiting, *then.waiting},
            {*self.entities, *then.entities},
            {*self.unfinished, *then.unfinished},
        )


@dataclass(frozen=True, slots=True)
class Changeset:
    """All that one transaction is to write; ``ledger.Transaction.write`` writes it, and says in which order.

    Records, links, operations and cases: those to be inserted (``new_``), and locked ones to be written. ``removed``:
    links whose row another link has taken over, with their keys. ``touched``: link -> when its unchanged row was read;
    it is suspected no more. ``keys`` are taken; what a decision depends on is taken before, by a claim.
    ``dropped_keys``: (kind, owner). ``raised``: questions to be opened, or to be asked anew where the subject is open
    already. ``dissolved``: subject of an open question whose reason is over -> since when. ``derivations``: records
    over which derivations are due. ``listings``: (connection, resource) -> until when at most a listing is under way;
    0: it has ended."""

    new_records: Sequence[Record] = ()
    records: Sequence[Record] = ()
    new_links: Sequence[Link] = ()
    links: Sequence[Link] = ()
    removed: Ids = ()
    touched: Mapping[str, float] = field(default_factory=dict)
    keys: Sequence[Key] = ()
    dropped_keys: Collection[tuple[KeyKind, str]] = ()
    new_operations: Sequence[Operation] = ()
    operations: Sequence[Operation] = ()
    raised: Sequence[Case] = ()
    dissolved: Mapping[str, float] = field(default_factory=dict)
    cases: Sequence[Case] = ()
    history: Sequence[Change] = ()
    wakes: Wakes = Wakes()
    derivations: Ids = ()
    resources: Sequence[ResourceState] = ()
    connections: Sequence[ConnectionState] = ()
    listings: Mapping[tuple[str, str], float] = field(default_factory=dict)

    def __add__(self, then: Changeset) -> Changeset:
        """Both, the other one decided after this one. Of two saves of one thing the later one counts. Raises Bug where
        that was made of an older state than the earlier one, which would be lost."""
        raised = [c for c in self.raised if c.subject not in then.dissolved]
        return Changeset(
            new_records=(*self.new_records, *then.new_records),
            records=_later(self.records, then.records),
            new_links=(*self.new_links, *then.new_links),
            links=_later(self.links, then.links),
            removed={*self.removed, *then.removed},
            touched={**self.touched, **then.touched},
            keys=(*self.keys, *then.keys),
            dropped_keys={*self.dropped_keys, *then.dropped_keys},
            new_operations=(*self.new_operations, *then.new_operations),
            operations=_later(self.operations, then.operations),
            raised=(*raised, *then.raised),
            dissolved={**self.dissolved, **then.dissolved},
            cases=_later(self.cases, then.cases),
            history=(*self.history, *then.history),
            wakes=self.wakes + then.wakes,
            derivations={*self.derivations, *then.derivations},
            resources=_later(self.resources, then.resources),
            connections=_later(self.connections, then.connections),
            listings={**self.listings, **then.listings},
        )


def _but(first: But, then: But) -> But:
    """A link is left out only where both leave it out."""
    both = {id_: first[id_] & but for id_, but in then.items() if id_ in first}
    return {**first, **then, **both}


def _later(first: Sequence[T], then: Sequence[T]) -> Sequence[T]:
    if not first or not then:
        return then or first
    kept = {_name(one): one for one in first}
    for one in then:
        before = kept.get(_name(one))
        if before is not None and _age(one) < _age(before):
            raise Bug(f"{_name(one)} was decided on what it was before another decision")
        kept[_name(one)] = one
    return tuple(kept.values())


def _name(one: object) -> object:
    """What two saves of one thing have in common."""
    match one:
        case ResourceState():
            return one.connection, one.resource
        case ConnectionState():
            return one.name
        case Record() | Link() | Operation() | Case():
            return one.id
    raise Bug(f"{type(one).__name__} is not saved by a changeset")


def _age(one: object) -> tuple[int, ...]:
    """What grows with each state of a thing."""
    match one:
        case Link():
            return one.version, one.row_version
        case Record():
            return (one.generation,)
    return ()
