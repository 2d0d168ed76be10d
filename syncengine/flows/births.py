"""New records and changed identities: keys, links to be made, whoever waited for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from syncengine.flows.engine import Engine, new_id, utc_text
from syncengine.mapping import Entity
from syncengine.model.case import Case, CaseKind
from syncengine.model.change import Change
from syncengine.model.key import Key, KeyKind
from syncengine.model.link import Link, LinkState
from syncengine.model.record import Record, World
from syncengine.planning.identity import former_keys, record_keys, row_keys_of, uses
from syncengine.planning.questions import one, sentence
from syncengine.ports import Transaction


def bear(
    engine: Engine, tx: Transaction, entity: Entity, records: Sequence[Record], world: World,
    origin: Mapping[str, str], rule: str, policy: str, shared: bool = False,
) -> set[Key]:  # fmt: skip
    """Insert new records with their keys, links to be created, and a first line of history. ``origin``: record
    id -> connection that showed it. ``shared``: a person said that a key may be borne twice. Returns the keys that
    other records hold; the records that would bear them were not made."""
    if not records:
        return set()
    lost = _take(entity, tx, records, world, shared)
    losers = {key.owner for key in lost}
    made = [record for record in records if record.id not in losers]
    if losers:
        tx.drop_keys(KeyKind.RECORD, losers)
    tx.add_records(made)
    tx.add_links([stub for r in made for stub in stubs(entity, r.id, origin.get(r.id, ""))])
    tx.add_history([_made(engine, record, origin, rule, policy) for record in made])
    tx.take_keys([key for record in made for key in uses(entity, record)])
    tx.derive_due([record.id for record in made])
    _wake_rows(tx, entity, made, world)
    _let_go(tx, entity, made, world)
    return lost


def _take(
    entity: Entity, tx: Transaction, records: Sequence[Record], world: World, shared: bool
) -> set[Key]:
    taken = tx.take_keys([key for record in records for key in record_keys(entity, record, world)])
    if not shared:
        return taken
    tx.take_keys([replace(key, kind=KeyKind.SHARED) for key in taken])
    return set()


def _made(
    engine: Engine, record: Record, origin: Mapping[str, str], rule: str, policy: str
) -> Change:
    return Change(
        record.id, record.generation, "", None, "made", connection=origin.get(record.id, ""),
        rule=rule, policy=policy, stamp=max(record.stamps.values(), default=0),
        at=engine.clock.now(),
    )  # fmt: skip


def _let_go(tx: Transaction, entity: Entity, made: Sequence[Record], world: World) -> None:
    """Rows that deleted records of the same identity have left are told anew whose they are, with their faces; where
    a row is made for a new record, it is taken over in its making."""
    borne = tx.bearers([key for record in made for key in former_keys(entity, record, world)])
    owners = {owner for of in borne.values() for owner in of}
    kept = [
        link.id
        for link in (tx.links_of(owners) if owners else ())
        if link.state is LinkState.LEFT
        and link.connection in entity.systems
        and not entity.systems[link.connection].creates_out
    ]
    if kept:
        tx.save_links(
            [
                replace(
                    link, record_id=None, state=LinkState.SEEN, wait=None, ruling=None,
                    dirty=link.dirty + 1,
                )
                for link in tx.links(kept, lock=True).values()
            ]
        )  # fmt: skip


def _wake_rows(tx: Transaction, entity: Entity, records: Sequence[Record], world: World) -> None:
    """Untied rows that show a key which a record now bears are looked at again."""
    asked = [
        key for record in records for key in row_keys_of(entity, record_keys(entity, record, world))
    ]
    if asked:
        links = {owner for owners in tx.bearers(asked).values() for owner in owners}
        if links:
            tx.dirty_links(links)


def new_record(engine: Engine, record: Record) -> Record:
    """The record with an id and its time of making."""
    return replace(record, id=new_id(), created_at=utc_text(engine.clock.now()))


def stubs(entity: Entity, record_id: str, but: str = "") -> list[Link]:
    """Links of a record to every system that may create its row; scope is judged when they are planned."""
    return [
        Link(
            id=new_id(), entity=entity.name, connection=system.connection,
            resource=system.resource.name, record_id=record_id, state=LinkState.CREATING, dirty=1,
        )
        for system in entity.systems.values()
        if system.creates_out and system.connection != but
    ]  # fmt: skip


def spread(
    engine: Engine, tx: Transaction, records: Sequence[Record], world: World, but: Collection[str]
) -> None:
    """Changed records: identities anew, and everyone who has to know becomes dirty. ``but``: links that know."""
    if not records:
        return
    ids = [record.id for record in records]
    for kind in (KeyKind.RECORD, KeyKind.SHARED, KeyKind.USES):
        tx.drop_keys(kind, ids)
    for entity in engine.project.entities.values():
        mine = [record for record in records if record.entity == entity.name]
        if mine:
            _identify(engine, tx, entity, mine, world)
    tx.dirty_records(ids, but)
    tx.dirty_users(ids)
    tx.derive_due(ids)


def renamed(engine: Engine, tx: Transaction, link: Link) -> None:
    """A record has another row than it had: rows that name the former one are looked at again."""
    for entity in engine.project.entities.values():
        names = any(field.to == link.entity for field in entity.fields.values())
        if names and link.connection in entity.systems:
            tx.dirty_entity(entity.name, link.connection)


def _identify(
    engine: Engine, tx: Transaction, entity: Entity, records: Sequence[Record], world: World
) -> None:
    lost = tx.take_keys([key for record in records for key in record_keys(entity, record, world)])
    tx.take_keys([replace(key, kind=KeyKind.SHARED) for key in lost])
    tx.take_keys([key for r in records if r.deleted for key in former_keys(entity, r, world)])
    tx.take_keys([key for record in records for key in uses(entity, record)])
    tx.raise_cases([_shared(engine, entity, key) for key in lost])
    _wake_rows(tx, entity, records, world)


def _shared(engine: Engine, entity: Entity, key: Key) -> Case:
    return Case(
        id=new_id(),
        kind=CaseKind.IDENTITY,
        subject=f"shared:{key.owner}:{key.scope}",
        question=f"{sentence(one(entity.name))} now bears an identity that another {entity.name} holds.",
        evidence={"shared": list(key.parts), "records": [key.owner]},
        answers={"ignore": "they are two; leave both"},
        entity=entity.name,
        record_id=key.owner,
        opened_at=engine.clock.now(),
    )
