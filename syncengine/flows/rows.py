"""Storing what was read: rows, stamps, events, row keys, in a constant number of statements."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from syncengine.flows.engine import Engine, new_id
from syncengine.mapping import Context, Entity, System
from syncengine.model.event import Event
from syncengine.model.key import Key, KeyKind
from syncengine.model.link import Link, LinkState
from syncengine.model.operation import Operation, OperationState
from syncengine.model.record import World
from syncengine.model.values import Row
from syncengine.planning.identity import place_free, row_keys, shown_keys
from syncengine.planning.settle import run_over
from syncengine.planning.sight import (
    Reading,
    Sight,
    Source,
    counts,
    first_sight,
    mapped,
    roots,
    sight,
    stamped,
)
from syncengine.ports import Transaction


@dataclass(frozen=True, slots=True)
class Read:
    """One row as read: ``row`` None where the vendor says that it is not there. Times are epoch seconds."""

    external_id: str
    row: Row | None
    parent: str | None
    started: float
    received: float


@dataclass(frozen=True, slots=True)
class Stored:
    """``dirty``, ``need_get``: ids of links that have work to do."""

    moved: int
    dirty: list[str]
    need_get: list[str]


def store(
    engine: Engine, tx: Transaction, entity: Entity, system: System, source: Source,
    reads: Sequence[Read],
) -> Stored:  # fmt: skip
    """Judge readings of rows of one resource and write what follows from them."""
    connection, resource = system.connection, system.resource.name
    last = {read.external_id: _with_names(read) for read in reads}
    known = tx.links_at(entity.name, connection, resource, list(last), lock=True)
    kept = roots(system)
    sights: dict[str, Sight] = {}
    for external_id, read in last.items():
        link = known.get(external_id)
        if link is None:
            if read.row is None or not counts(system, mapped(read.row, kept), source):
                continue
            link = first_sight(new_id(), entity.name, system, external_id, read.parent)
        reading = Reading(source, read.row, read.started, read.received)
        sights[external_id] = sight(system, link, reading, kept, None)
    _note_foreign(tx, system, source, last, known, sights, kept)
    return _write(engine, tx, entity, system, source, known, sights)


def _with_names(read: Read) -> Read:
    """The row with what only its address tells, as mappings name it."""
    if read.row is None:
        return read
    names = {"_id": read.external_id} | ({"_parent": read.parent} if read.parent else {})
    return replace(read, row={**names, **read.row})


def _note_foreign(
    tx: Transaction, system: System, source: Source, reads: dict[str, Read],
    known: dict[str, Link], sights: dict[str, Sight], kept: frozenset[str],
) -> None:  # fmt: skip
    """Look again at rows that moved while a write of ours was under way."""
    still = {e for e, s in sights.items() if s.touched or s.ignored}
    moved = {known[e].id: e for e in sights if e in known and e not in still}
    if not moved:
        return
    operations = tx.unsettled(list(moved))
    for link_id, external_id in moved.items():
        read, link = reads[external_id], known[external_id]
        operation = operations.get(link_id) or _settled_since(tx, link, read)
        if operation is not None:
            reading = Reading(source, read.row, read.started, read.received)
            sights[external_id] = sight(system, link, reading, kept, operation)


def _settled_since(tx: Transaction, link: Link, read: Read) -> Operation | None:
    """The write that was settled after a read had begun, of a read that came too late to count."""
    if read.started >= link.read_at:
        return None
    last = tx.select_operations([OperationState.APPLIED], link_id=link.id, limit=1)
    return last[0] if last and read.started < last[0].lease_until else None


def _write(
    engine: Engine, tx: Transaction, entity: Entity, system: System, source: Source,
    known: dict[str, Link], sights: dict[str, Sight],
) -> Stored:  # fmt: skip
    changed = {e: s for e, s in sights.items() if not (s.touched or s.ignored)}
    moved = [(e, s) for e, s in changed.items() if s.moved or s.link.row is None]
    events = [
        Event(
            system.connection,
            system.resource.name,
            external_id,
            f"{seen.link.id}/{seen.link.row_version}",
            {"list": "scan", "get": "read"}.get(source, source),
            engine.clock.now(),
        )
        for external_id, seen in moved
    ]
    stamps = tx.add_events(events) if events else []
    links = {e: s.link for e, s in sights.items()}
    for (external_id, seen), stamp in zip(moved, stamps, strict=True):
        links[external_id] = stamped(seen.link, seen.moved, stamp or 0)
    new = [links[e] for e in changed if e not in known]
    old = [links[e] for e in changed if e in known]
    if new:
        tx.add_links(new)
    if old:
        tx.save_links(old)
    _touch(tx, [s for s in sights.values() if s.touched])
    _keep_lost(engine, tx, [s for s in sights.values() if s.lost])
    before = [known[e] for e in changed if e in known]
    keep_row_keys(
        engine, tx, entity, system, [*new, *old], {link.id for link in old}, before=before
    )
    fresh = [links[e] for e in changed]
    free = {place_free(link) for link in fresh if link.record_id is None and link.row is None}
    if free:
        tx.dirty_waiting(free)
    return Stored(
        len(moved),
        [link.id for link in fresh if link.dirty and not link.need_get],
        [link.id for link in fresh if link.need_get],
    )


def _touch(tx: Transaction, touched: list[Sight]) -> None:
    """One time for all: none may count as read earlier than it was."""
    if touched:
        newest = max(seen.link.read_at for seen in touched)
        tx.touch_links([seen.link.id for seen in touched], newest)


def _keep_lost(engine: Engine, tx: Transaction, sights: Sequence[Sight]) -> None:
    """Foreign values that a write of ours ran over stay in the history."""
    held = [(s.link, name, raw) for s in sights for name, raw in s.lost.items()]
    if held:
        records = tx.records({link.record_id for link, _, _ in held if link.record_id})
        tx.add_history(
            [
                run_over(records[link.record_id], link, name, raw, engine.clock.now())
                for link, name, raw in held
                if link.record_id in records
            ]
        )


def keep_row_keys(
    engine: Engine, tx: Transaction, entity: Entity, system: System, links: Sequence[Link],
    stored: Collection[str] = (), world: World | None = None, before: Sequence[Link] = (),
) -> None:  # fmt: skip
    """Remember the identity keys that untied rows show; a ref that is not linked yet follows later. ``before``:
    the stored ones as they were; rows that shared a key with them are looked at again."""
    untied = [link for link in links if link.state is LinkState.SEEN]
    if not untied:
        return
    context = Context(connection=system.connection, world=world or World(engine.today))

    def shown(link: Link) -> list[Key]:
        return shown_keys(row_keys(entity, system, link, context), link) if link.row else []

    keys = [key for link in untied for key in shown(link)]
    again = [link.id for link in untied if link.id in stored]
    if again:
        tx.drop_keys(KeyKind.ROW, again)
    gone = {k for link in before if link.id in again for k in shown(link)} - set(keys)
    sharers = {o for owners in tx.bearers(gone).values() for o in owners} if gone else set()
    if sharers:
        tx.dirty_links(sharers)
    if gone:
        place = f"{system.connection}/{system.resource.name}"
        tx.dirty_waiting({f"free:{place}/{link.external_id}" for link in untied})
    if keys:
        tx.take_keys(keys)
