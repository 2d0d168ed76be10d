"""Following the project: marks in the ledger store with which mapping, modes and day links were last planned; after a
change the links concerned become dirty."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from syncengine.flows.capture.rows import keep_row_keys
from syncengine.flows.core.engine import Engine
from syncengine.flows.core.world import load_world
from syncengine.flows.reconcile.records import invalidate, placeholder_links
from syncengine.ledger import Transaction
from syncengine.mapping import Derivation, Entity
from syncengine.model.key import KeyKind
from syncengine.model.link import LinkState
from syncengine.model.operation import OperationState
from syncengine.planning.identity import former_keys
from syncengine.planning.likeness import record_likes

LIKES = "1"
"""How likeness is told; with another mark that of all things is told anew."""


def follow_project(engine: Engine) -> None:
    """Notice that the mapping, a mode or the day has changed, and make the links concerned dirty."""
    today = engine.today
    with engine.ledger.read() as tx:
        marks = {
            name: tx.connection(name).digest
            for name in ("project", "day")
        }  # fmt: skip
    if marks == {"project": _project_mark(engine), "day": today}:
        return
    with engine.ledger.write() as tx:
        for entity in engine.project.entities.values():
            anew = remapped(tx, entity)
            due = due_anew(engine, tx, entity)
            _mark(tx, f"entity:{entity.name}", _entity_mark(engine, entity))
            if anew:
                _add_placeholders(tx, entity)
                _look_anew(engine, tx, entity)
            if due:
                tx.dirty_entity(entity.name)
        for rule in changed_derivations(engine, tx):
            _mark(tx, f"derive:{rule.name}", rule.digest)
            for name in rule.sources:
                tx.derive_due([record.id for record in tx.records_of(name)])
        if marks["project"] != _project_mark(engine):
            _call_off(engine, tx)
        _keep_likes(engine, tx)
        _mark(tx, "project", _project_mark(engine))
        _mark(tx, "day", today)


def _call_off(engine: Engine, tx: Transaction) -> None:
    """Cancel operations of systems that the project no longer has; nobody can send or prove them."""
    states = (OperationState.PENDING, OperationState.UNKNOWN)
    without = [
        o.id for o in tx.select_operations(states) if engine.system(o.entity, o.connection) is None
    ]
    held = [o for o in tx.operations(without, lock=True).values() if o.state in states]
    why = "the project does not have its system any more"
    tx.save_operations([replace(o, state=OperationState.CANCELLED, detail=why) for o in held])
    tx.dissolve_cases({f"unknown:{o.id}" for o in held}, engine.clock.now())


def mark_modes(engine: Engine, tx: Transaction, entities: Collection[str]) -> None:
    """Mark that a write was dropped because its connection is only observed. A process with another mode, such as a
    service beside a plan that reads all vendors, finds the mark and plans again."""
    marks = {
        f"entity:{name}": _entity_mark(engine, engine.project.entities[name])
        for name in sorted(entities)
    }
    for name, digest in {**marks, "project": _project_mark(engine)}.items():
        _mark(tx, name, digest)


def _keep_likes(engine: Engine, tx: Transaction) -> None:
    """Store the keys of kind ``like`` once, in a database from before there were any."""
    if tx.connection("likes").digest == LIKES:
        return
    for entity in engine.project.entities.values():
        records = tx.records_of(entity.name)
        tx.swap_keys(
            KeyKind.LIKE,
            [r.id for r in records],
            [k for r in records for k in record_likes(entity, r)],
        )
        for system in entity.systems.values():
            seen = tx.select_links(entity.name, system.connection, [LinkState.SEEN])
            keep_row_keys(engine, tx, entity, system, seen, [k.id for k in seen])
            tx.dirty_links([link.id for link in seen])
    _mark(tx, "likes", LIKES)


def _project_mark(engine: Engine) -> str:
    modes = ",".join(f"{c.name}={c.mode}" for c in engine.project.connections.values())
    return f"{engine.project.digest}:{modes}:{LIKES}"


def _entity_mark(engine: Engine, entity: Entity) -> str:
    """The mapping of an entity, and what else its links are planned by."""
    used = [engine.project.connections[name] for name in sorted(entity.systems)]
    return f"{entity.digest}:" + ",".join(f"{c.name}={c.mode}/{c.timezone}" for c in used)


def due_anew(engine: Engine, tx: Transaction, entity: Entity) -> bool:
    """Whether all links of an entity are to be planned again, since its mapping, a mode or the day has changed."""
    made_by = tx.connection(f"entity:{entity.name}").digest
    another_day = tx.connection("day").digest != engine.today
    return made_by != _entity_mark(engine, entity) or (entity.uses_today and another_day)


def changed_derivations(engine: Engine, tx: Transaction) -> list[Derivation]:
    """The derivations that have changed, or depend on the day that has."""
    another_day = tx.connection("day").digest != engine.today
    return [
        rule
        for rule in engine.project.derivations
        if tx.connection(f"derive:{rule.name}").digest != rule.digest
        or (rule.uses_today and another_day)
    ]


def remapped(tx: Transaction, entity: Entity) -> bool:
    """Whether the mapping of an entity differs from the one that its links were planned with."""
    return tx.connection(f"entity:{entity.name}").digest.partition(":")[0] != entity.digest


def _mark(tx: Transaction, name: str, digest: str) -> None:
    if tx.connection(name).digest != digest:
        tx.save_connection(replace(tx.connection(name, lock=True), digest=digest))


def _look_anew(engine: Engine, tx: Transaction, entity: Entity) -> None:
    """A changed mapping, or another version of what counts as one text, may tell who is who in another way, and look
    where a listing does not show: identities are taken anew, untied rows are looked at again, and rows that are listed
    in part are read at the next listing."""
    records = tx.records_of(entity.name)
    world = load_world(engine, tx, (), {record.id: record for record in records})
    invalidate(engine, tx, records, world, ())
    gone = tx.records_of(entity.name, deleted=True)
    tx.take_keys([key for record in gone for key in former_keys(entity, record, world)])
    for system in entity.systems.values():
        found = [
            link.id
            for link in tx.select_links(entity=entity.name, connection=system.connection)
            if link.state is LinkState.SEEN or system.needs_get
        ]
        links = [
            replace(link, listed_hash="", dirty=link.dirty + (link.state is LinkState.SEEN))
            for link in tx.links(found, lock=True).values()
        ]
        tx.save_links(links)
        keep_row_keys(engine, tx, entity, system, links, found)


def _add_placeholders(tx: Transaction, entity: Entity) -> None:
    """Add placeholder links for existing records where a system is new in the mapping."""
    records = [record.id for record in tx.records_of(entity.name)]
    if not records:
        return
    there = {(link.record_id, link.connection) for link in tx.links_of(records)}
    tx.add_links(
        [s for r in records for s in placeholder_links(entity, r) if (r, s.connection) not in there]
    )
