"""Storing rows that were read: links, stamps, events and row keys, in a constant number of statements."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

from syncengine.flows.capture.erased_rows import withhold_erased
from syncengine.flows.core.engine import Engine, new_id
from syncengine.ledger import Transaction
from syncengine.mapping import Context, Entity, System
from syncengine.model.changeset import Changeset, Wakes
from syncengine.model.event import Event
from syncengine.model.key import KeyKind
from syncengine.model.link import Link, LinkState
from syncengine.model.operation import Operation, OperationState
from syncengine.model.record import World
from syncengine.model.values import Row
from syncengine.planning.identity import place_free, renames, row_keys, shown_keys
from syncengine.planning.observation import (
    Contested,
    Observation,
    Reading,
    Source,
    counts,
    judge_reading,
    mapped,
    never_seen,
    new_link,
    roots,
    stamped,
)
from syncengine.planning.questions import about
from syncengine.planning.settle import overwritten_change
from syncengine.ports import Item

UNKNOWN = "unknown row"
UNKNOWN_FOR = 60.0
"""Seconds for which it is remembered that a noticed row is not there."""


@dataclass(frozen=True, slots=True)
class PreflightRead:
    """The result of the read before a write, or of a probe; ``started`` and ``received`` around the call."""

    items: Sequence[Item]
    started: float
    received: float

    @property
    def item(self) -> Item | None:
        """The one row of a single read."""
        return self.items[0] if self.items else None


@dataclass(frozen=True, slots=True)
class Read:
    """One row as read: ``row`` None where the vendor says that it does not exist. Times are epoch seconds; ``began``:
    start of the listing that showed it."""

    external_id: str
    row: Row | None
    parent: str | None
    started: float
    received: float
    began: float = inf

    def as_reading(self, source: Source, link: Link, twice: Collection[str]) -> Reading:
        """The reading of a link. ``twice``: ids that the same listing showed with different values."""
        since: Contested = "since" if link.read_at > self.began else ""
        contested = "twice" if self.external_id in twice else since
        return Reading(source, self.row, self.started, self.received, contested)


@dataclass(frozen=True, slots=True)
class Stored:
    """What storing changed. ``dirty``, ``need_get``: ids of links that now have work to do."""

    moved: int
    dirty: list[str]
    need_get: list[str]


def store(
    engine: Engine, tx: Transaction, entity: Entity, system: System, source: Source,
    reads: Sequence[Read],
) -> Stored:  # fmt: skip
    """Judge reads of rows of one resource and store what follows from them."""
    connection, resource = system.connection, system.resource.name
    named = [_with_names(read) for read in reads]
    last = {read.external_id: read for read in named}
    twice = {read.external_id for read in named if read.row != last[read.external_id].row}
    known = tx.links_at(entity.name, connection, resource, list(last), lock=True)
    kept = roots(system)
    observations: dict[str, Observation] = {}
    readings: dict[str, Reading] = {}
    for external_id, read in last.items():
        link = known.get(external_id)
        if link is None:
            if read.row is None or not counts(system, mapped(read.row, kept), source):
                continue
            link = new_link(new_id(), entity.name, system, external_id, read.parent)
        readings[external_id] = reading = read.as_reading(source, link, twice)
        observations[external_id] = judge_reading(system, link, reading, kept, None)
    _note_foreign_values(tx, system, readings, known, observations, kept)
    untied = [s.link for s in observations.values() if s.link.record_id is None]
    back = withhold_erased(
        engine, tx, entity, system, [k for k in untied if not _is_known(known, k)]
    )
    forgotten = {known[e].id for e, s in observations.items() if s.link.id in back and e in known}
    over = {subject for id_ in forgotten for subject in about(id_)}
    change = Changeset(removed=forgotten, dissolved=dict.fromkeys(over, engine.clock.now()))
    observations = {e: s for e, s in observations.items() if s.link.id not in back}
    untold = {e for e, s in observations.items() if e in known and _is_nothing(known[e], s)}
    remember_unknown(tx, connection, resource, untold, engine.clock.now())
    change += Changeset(removed={known[e].id for e in untold})
    observations = {e: s for e, s in observations.items() if e not in untold}
    moved = [e for e, s in observations.items() if _shows_news(s)]
    observations |= _stamped(engine, tx, source, {e: observations[e] for e in moved})
    change += _observed(engine, tx, known, observations)
    change += _followed(entity, known, observations)
    fresh = [s.link for s in observations.values() if _is_changed(s)]
    old = {k.id for k in known.values()}
    change += keep_row_keys(
        engine, tx, entity, system, fresh, {link.id for link in fresh if link.id in old}
    )
    tx.write(change)
    return Stored(
        len(moved),
        [link.id for link in fresh if link.dirty and not link.need_get],
        [link.id for link in fresh if link.need_get],
    )


def _is_known(known: Mapping[str, Link], link: Link) -> bool:
    """Whether a row is stored as it is."""
    before = known.get(link.external_id or "")
    return before is not None and before.row == link.row


def _with_names(read: Read) -> Read:
    """The row with ``_id`` and ``_parent``, which only its address tells, as mappings name them."""
    if read.row is None:
        return read
    names = {"_id": read.external_id} | ({"_parent": read.parent} if read.parent else {})
    return replace(read, row={**names, **read.row})


def _note_foreign_values(
    tx: Transaction, system: System, readings: Mapping[str, Reading],
    known: dict[str, Link], observations: dict[str, Observation], kept: frozenset[str],
) -> None:  # fmt: skip
    """Judge again the rows that changed while a write of ours was under way."""
    still = {e for e, s in observations.items() if s.touched or s.ignored}
    moved = {known[e].id: e for e in observations if e in known and e not in still}
    if not moved:
        return
    operations = tx.unsettled(list(moved))
    for link_id, external_id in moved.items():
        reading, link = readings[external_id], known[external_id]
        operation = operations.get(link_id) or _settled_since(tx, link, reading)
        if operation is not None:
            observations[external_id] = judge_reading(system, link, reading, kept, operation)


def _settled_since(tx: Transaction, link: Link, read: Reading) -> Operation | None:
    """The write that was settled after a read began, which makes the read too old to count."""
    if read.started >= link.read_at:
        return None
    last = tx.select_operations([OperationState.APPLIED], link_id=link.id, limit=1)
    return last[0] if last and read.started < last[0].lease_until else None


def _is_changed(seen: Observation) -> bool:
    return not (seen.touched or seen.ignored)


def _shows_news(seen: Observation) -> bool:
    """Whether a row shows values that it did not show before, or is gone."""
    return _is_changed(seen) and (bool(seen.moved) or seen.link.row is None)


def _stamped(
    engine: Engine, tx: Transaction, source: Source, moved: Mapping[str, Observation]
) -> dict[str, Observation]:
    """External id -> observation, with the ids of the events that say that something moved as the stamps of it."""
    of, now = {"list": "scan", "get": "read"}.get(source, source), engine.clock.now()
    links = [s.link for s in moved.values()]
    events = [
        Event(k.connection, k.resource, external_id, f"{k.id}/{k.row_version}", of, now)
        for external_id, k in zip(moved, links, strict=True)
    ]
    return {
        e: replace(s, link=stamped(s.link, s.moved, stamp or 0))
        for (e, s), stamp in zip(moved.items(), tx.add_events(events), strict=True)
    }


def _observed(
    engine: Engine, tx: Transaction, known: Mapping[str, Link],
    observations: Mapping[str, Observation],
) -> Changeset:  # fmt: skip
    """The links as they are read, and foreign values that our write overwrote, for the history. Unchanged rows are read
    at one time for all: that of the newest read."""
    changed = {e: s.link for e, s in observations.items() if _is_changed(s)}
    touched = [s.link for s in observations.values() if s.touched]
    newest = max((link.read_at for link in touched), default=0.0)
    held = [(s.link, name, raw) for s in observations.values() for name, raw in s.lost.items()]
    named = {link.record_id for link, _, _ in held if link.record_id}
    records = tx.records(named) if named else {}
    return Changeset(
        new_links=[link for e, link in changed.items() if e not in known],
        links=[link for e, link in changed.items() if e in known],
        touched={link.id: newest for link in touched},
        history=[
            overwritten_change(records[link.record_id], link, name, raw, engine.clock.now())
            for link, name, raw in held
            if link.record_id in records
        ],
    )


def _followed(
    entity: Entity, known: Mapping[str, Link], observations: Mapping[str, Observation]
) -> Changeset:
    """Whoever waits for a row to be gone or renamed, and the siblings of links that came or went."""
    changed = {e: s.link for e, s in observations.items() if _is_changed(s)}
    free = {place_free(k) for k in changed.values() if k.record_id is None and k.row is None}
    free |= {
        place_free(s.link)
        for e, s in observations.items()
        if e in known and _shows_news(s) and renames(entity, s.moved)
    }
    turned = {
        link.record_id
        for e, link in changed.items()
        if link.record_id is not None and (link.row is None) != (known[e].row is None)
    }
    siblings = dict.fromkeys(turned, frozenset[str]())
    return Changeset(wakes=Wakes(waiting=free, siblings=siblings))


def _is_nothing(known: Link, seen: Observation) -> bool:
    """Whether a webhook reported a row that does not exist; its event is kept."""
    return never_seen(known) and seen.link.row is None and not seen.link.need_get


def remember_unknown(
    tx: Transaction, connection: str, resource: str, external_ids: Collection[str], now: float
) -> None:
    """Remember that these reported rows do not exist, so that another webhook soon does not cause another read."""
    for external_id in external_ids:
        tx.remember(UNKNOWN, [connection, resource, external_id], now, now + UNKNOWN_FOR)


def keep_row_keys(
    engine: Engine, tx: Transaction, entity: Entity, system: System, links: Sequence[Link],
    stored: Collection[str] = (), world: World | None = None,
) -> Changeset:  # fmt: skip
    """Claim the identity keys that untied rows show; a ref that is not linked yet follows later. Returns what follows:
    links that share a key which was added or removed become dirty, and so do links that wait for one of the ``stored``
    rows to belong to somebody else."""
    untied = [link for link in links if link.state is LinkState.SEEN]
    if not untied:
        return Changeset()
    context = Context(connection=system.connection, world=world or World(engine.today))
    keys = [
        key
        for link in untied
        if link.row
        for key in shown_keys(row_keys(entity, system, link, replace(context, row=link.row)), link)
    ]
    moved = tx.swap_keys(KeyKind.ROW, [link.id for link in untied], keys)
    sharers = {other for other, mine in moved.items() if not mine}
    free = {place_free(link) for link in untied if link.id in moved and link.id in stored}
    return Changeset(wakes=Wakes(links=sharers, waiting=free))
