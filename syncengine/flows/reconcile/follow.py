"""Following the project: marks in the ledger store with which mapping, modes and day links were last planned; after a
change the links concerned become dirty."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from syncengine.flows.capture.rows import keep_row_keys
from syncengine.flows.core.engine import Engine
from syncengine.flows.core.world import load_world
from syncengine.flows.reconcile.records import invalidate, placeholder_links
from syncengine.ledger import Transaction
from syncengine.mapping import Derivation, Entity
from syncengine.model.changeset import Changeset, Wakes
from syncengine.model.connection import ConnectionState
from syncengine.model.key import KeyKind
from syncengine.model.link import Link, LinkState
from syncengine.model.operation import OperationState
from syncengine.planning.identity import former_keys
from syncengine.planning.likeness import record_likes

LIKES = "1"
"""How likeness is told; with another mark that of all things is told anew."""


def follow_project(engine: Engine) -> None:
    """Notice that the mapping, a mode or the day has changed, and make the links concerned dirty. Writes that nobody
    can send or prove any more are called off, whenever they came to be left."""
    today = engine.today
    with engine.ledger.read() as tx:
        marks = {state.name: state.digest for state in tx.connections(("project", "day"))}
        left = any(engine.system(*place) is None for place in tx.unsettled_places())
    if marks == {"project": _project_mark(engine), "day": today}:
        if left:
            with engine.ledger.write() as tx:
                tx.write(_called_off(engine, tx))
        return
    with engine.ledger.write() as tx:
        change, digests = Changeset(), dict[str, str]()
        for entity in engine.project.entities.values():
            digests[f"entity:{entity.name}"] = _entity_mark(engine, entity)
            if _remapped(tx, entity):
                change += Changeset(new_links=_placeholders(tx, entity))
                change += _looked_anew(engine, tx, entity)
            if _due_anew(engine, tx, entity):
                change += Changeset(wakes=Wakes(entities={(entity.name, None)}))
        for rule in _changed_derivations(engine, tx):
            digests[f"derive:{rule.name}"] = rule.digest
            moved = {record.id for name in rule.sources for record in tx.records_of(name)}
            change += Changeset(derivations=moved)
        change += _called_off(engine, tx)
        change += _other_modes(engine, tx)
        change += _likes(engine, tx)
        digests |= {f"mode:{c.name}": c.mode for c in engine.project.connections.values()}
        digests |= {"likes": LIKES, "project": _project_mark(engine), "day": today}
        tx.write(change + Changeset(connections=_marks(tx, digests)))


def _called_off(engine: Engine, tx: Transaction) -> Changeset:
    """Cancel operations of systems that the project no longer has; nobody can send or prove them."""
    states = (OperationState.PENDING, OperationState.UNKNOWN)
    without = [
        o.id for o in tx.select_operations(states) if engine.system(o.entity, o.connection) is None
    ]
    held = [o for o in tx.operations(without, lock=True).values() if o.state in states]
    why = "the project does not have its system any more"
    return Changeset(
        operations=[replace(o, state=OperationState.CANCELLED, detail=why) for o in held],
        dissolved={f"unknown:{o.id}": engine.clock.now() for o in held},
    )


def mark_modes(
    engine: Engine, tx: Transaction, connections: Collection[str]
) -> list[ConnectionState]:
    """The marks that writes were dropped because these connections are only observed. A process with another mode, such
    as a service beside a plan that reads all vendors, finds the mark and plans again."""
    modes = {f"mode:{name}": engine.project.connections[name].mode for name in sorted(connections)}
    return _marks(tx, {**modes, "project": _project_mark(engine)})


def _other_modes(engine: Engine, tx: Transaction) -> Changeset:
    """Where a mode has changed, what waits there, is to be created or has a write in the outbox is planned again;
    nothing else depends on a mode."""
    modes = {f"mode:{c.name}": c.mode for c in engine.project.connections.values()}
    changed = {state.name.partition(":")[2] for state in _marks(tx, modes)}
    if not changed:
        return Changeset()
    pending = tx.select_operations([OperationState.PENDING])
    places = {
        (entity.name, system.connection)
        for entity, system in engine.places()
        if system.connection in changed
    }
    written = [o.link_id for o in pending if o.connection in changed]
    return Changeset(wakes=Wakes(links=written, unfinished=places))


def _likes(engine: Engine, tx: Transaction) -> Changeset:
    """Store the keys of kind ``like`` once, in a database from before there were any."""
    if tx.connection("likes").digest == LIKES:
        return Changeset()
    change = Changeset()
    for entity in engine.project.entities.values():
        likes = {r.id: record_likes(entity, r) for r in tx.records_of(entity.name)}
        tx.swap_keys(KeyKind.LIKE, likes, [key for of in likes.values() for key in of])
        for system in entity.systems.values():
            seen = tx.select_links(entity.name, system.connection, [LinkState.SEEN])
            ids = [link.id for link in seen]
            change += Changeset(wakes=Wakes(links=ids))
            change += keep_row_keys(engine, tx, entity, system, seen, ids)
    return change


def _project_mark(engine: Engine) -> str:
    modes = ",".join(f"{c.name}={c.mode}" for c in engine.project.connections.values())
    return f"{engine.project.digest}:{modes}:{LIKES}"


def _entity_mark(engine: Engine, entity: Entity) -> str:
    """The mapping of an entity, and what else its links are planned by, but for the modes."""
    used = [engine.project.connections[name] for name in sorted(entity.systems)]
    return f"{entity.digest}:" + ",".join(f"{c.name}={c.timezone}" for c in used)


def _due_anew(engine: Engine, tx: Transaction, entity: Entity) -> bool:
    """Whether all links of an entity are to be planned again, since its mapping, a zone or the day has changed."""
    made_by = tx.connection(f"entity:{entity.name}").digest
    another_day = tx.connection("day").digest != engine.today
    return made_by != _entity_mark(engine, entity) or (entity.uses_today and another_day)


def _changed_derivations(engine: Engine, tx: Transaction) -> list[Derivation]:
    """The derivations that have changed, or depend on the day that has."""
    another_day = tx.connection("day").digest != engine.today
    return [
        rule
        for rule in engine.project.derivations
        if tx.connection(f"derive:{rule.name}").digest != rule.digest
        or (rule.uses_today and another_day)
    ]


def _remapped(tx: Transaction, entity: Entity) -> bool:
    """Whether the mapping of an entity differs from the one that its links were planned with."""
    return tx.connection(f"entity:{entity.name}").digest.partition(":")[0] != entity.digest


def _marks(tx: Transaction, digests: Mapping[str, str]) -> list[ConnectionState]:
    """The marks that are to be stored with other digests than they have, locked."""
    other = [s.name for s in tx.connections(digests) if s.digest != digests[s.name]]
    return [replace(tx.connection(name, lock=True), digest=digests[name]) for name in other]


def _looked_anew(engine: Engine, tx: Transaction, entity: Entity) -> Changeset:
    """A changed mapping, or another version of what counts as one text, may tell who is who in another way, and look
    where a listing does not show: identities are taken anew, untied rows are looked at again, and rows that are listed
    in part are read at the next listing."""
    records = tx.records_of(entity.name)
    world = load_world(engine, tx, (), {record.id: record for record in records})
    gone = tx.records_of(entity.name, deleted=True)
    change = invalidate(engine, tx, records, world)
    change += Changeset(keys=[k for record in gone for k in former_keys(entity, record, world)])
    for system in entity.systems.values():
        found = [
            link.id
            for link in tx.select_links(entity=entity.name, connection=system.connection)
            if link.state is LinkState.SEEN or system.needs_get
        ]
        links = [
            link.mirrored(listed_hash="").woken(link.state is LinkState.SEEN)
            for link in tx.links(found, lock=True).values()
        ]
        change += Changeset(links=links)
        change += keep_row_keys(engine, tx, entity, system, links, found)
    return change


def _placeholders(tx: Transaction, entity: Entity) -> list[Link]:
    """Placeholder links for existing records where a system is new in the mapping."""
    records = [record.id for record in tx.records_of(entity.name)]
    there = {(link.record_id, link.connection) for link in tx.links_of(records)}
    return [
        link
        for record in records
        for link in placeholder_links(entity, record)
        if (record, link.connection) not in there
    ]
