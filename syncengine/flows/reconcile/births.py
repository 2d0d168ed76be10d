"""New records and changed identities: keys, links to be made, whoever waited for them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from syncengine.errors import LostRace
from syncengine.flows.core.engine import Engine, new_id
from syncengine.flows.core.world import load_world
from syncengine.ledger import Transaction
from syncengine.mapping import Entity
from syncengine.model.case import Case, CaseKind
from syncengine.model.change import Change
from syncengine.model.key import Key, KeyKind
from syncengine.model.link import Link, LinkState
from syncengine.model.record import Record, World
from syncengine.model.values import utc_text
from syncengine.planning.identity import former_keys, record_keys, scopes, uses
from syncengine.planning.likeness import record_likes
from syncengine.planning.questions import one, sentence


def bear(
    engine: Engine, tx: Transaction, entity: Entity, records: Sequence[Record], world: World,
    origin: Mapping[str, str], rule: str, policy: str, shared: bool = False,
) -> set[Key]:  # fmt: skip
    """Insert new records with their keys, links to be created, and a first line of history. ``origin``: record
    id -> connection that showed it. ``shared``: a person said that a key may be borne twice. Returns the keys that
    other records hold; the records that would bear them were not made."""
    if not records:
        return set()
    _refuse_erased(tx, entity, records)
    lost = _take(entity, tx, records, world, shared)
    losers = {key.owner for key in lost}
    made = [record for record in records if record.id not in losers]
    if losers:
        tx.drop_keys(KeyKind.RECORD, losers)
    tx.add_records(made)
    tx.add_links([stub for r in made for stub in stubs(entity, r.id, origin.get(r.id, ""))])
    tx.add_history([_made(engine, record, origin, rule, policy) for record in made])
    tx.take_keys([k for r in made for k in (*uses(entity, r), *record_likes(entity, r))])
    _derive_due(engine, tx, made)
    tx.dirty_sharers([record.id for record in made])
    _let_go(engine, tx, entity, made, world)
    return lost


def _refuse_erased(tx: Transaction, entity: Entity, records: Sequence[Record]) -> None:
    """Raises LostRace where a record would belong to one that was erased since that was decided."""
    bound = [n for n, f in entity.fields.items() if f.required and f.type == "ref"]
    named = {value for r in records for n in bound if (value := r.values.get(n)) is not None}
    if named and named - tx.records(named).keys():
        raise LostRace("what a new record belongs to was erased meanwhile; look again")


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


def _let_go(
    engine: Engine, tx: Transaction, entity: Entity, made: Sequence[Record], world: World
) -> None:
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
        held = tx.links(kept, lock=True).values()
        tx.save_links(
            [
                replace(
                    link, record_id=None, state=LinkState.SEEN, wait=None, ruling=None,
                    dirty=link.dirty + 1,
                )
                for link in held
            ]
        )  # fmt: skip
        placed(engine, tx, went=held)


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
    identify(engine, tx, records, world)
    tx.dirty_records([record.id for record in records], but)
    spread_on(engine, tx, records)


def spread_on(engine: Engine, tx: Transaction, records: Sequence[Record]) -> None:
    """Records that refer to changed ones are looked at again, and derivations over them."""
    tx.dirty_users([record.id for record in records])
    _derive_due(engine, tx, records)


def identify(engine: Engine, tx: Transaction, records: Sequence[Record], world: World) -> None:
    """Take the identities of changed records anew; rows that show what they bore or bear are looked at again."""
    ids = [record.id for record in records]
    if records:
        tx.dirty_sharers(ids)
        _identify(engine, tx, records, world)
        tx.dirty_sharers(ids)


def _derive_due(engine: Engine, tx: Transaction, records: Iterable[Record]) -> None:
    sources = {name for rule in engine.project.derivations for name in rule.sources}
    tx.derive_due([record.id for record in records if record.entity in sources])


def bears_the_same(entity: Entity, before: Record, record: Record, world: World) -> bool:
    """Whether a changed record is known by what it was known by before."""
    if before.deleted != record.deleted:
        return False
    if any(name in entity.formulas for names in entity.identity for name in names):
        return False
    return (
        record_keys(entity, before, world) == record_keys(entity, record, world)
        and uses(entity, before) == uses(entity, record)
        and record_likes(entity, before) == record_likes(entity, record)
    )


def placed(
    engine: Engine, tx: Transaction, came: Collection[Link] = (), went: Collection[Link] = ()
) -> None:
    """Records that came to a row, and such as lost theirs: rows that show the same identity may be it, or not any
    more, and who was lost cannot be named where something is yet to be told. Who waits for a row is woken by it."""
    tx.dirty_sharers({link.record_id for link in (*came, *went) if link.record_id})
    lost = {(link.entity, link.connection) for link in went}
    for name, connection in sorted(lost):
        for entity in _naming(engine, name, connection):
            tx.dirty_entity(entity, connection, at_rest=False)


def _naming(engine: Engine, name: str, connection: str) -> list[str]:
    """The entities in a connection that refer to one."""
    return [
        entity.name
        for entity in engine.project.entities.values()
        if connection in entity.systems and any(f.to == name for f in entity.fields.values())
    ]


def renamed(engine: Engine, tx: Transaction, link: Link) -> None:
    """A record has another row than it had: rows that name the former one are looked at again."""
    for entity in _naming(engine, link.entity, link.connection):
        tx.dirty_entity(entity, link.connection)


def _identify(engine: Engine, tx: Transaction, moved: Sequence[Record], world: World) -> None:
    """Take the identities of these records anew, and of those that shared what one of these held. That one is borne
    twice is asked once, and no longer than it is so."""
    heirs = tx.records(sorted(tx.heirs([record.id for record in moved])))
    if heirs:
        world = load_world(engine, tx, (), {**world.records, **heirs})
    entities = engine.project.entities
    known = [(entities[r.entity], r) for r in (*moved, *heirs.values()) if r.entity in entities]
    keys = [key for entity, record in known for key in record_keys(entity, record, world)]
    before = tx.bearers([replace(key, kind=KeyKind.SHARED) for key in keys])
    kinds = (KeyKind.RECORD, KeyKind.SHARED, KeyKind.USES, KeyKind.LIKE)
    tx.drop_keys(kinds, [record.id for _, record in known])
    lost = tx.take_keys(keys)
    more = [replace(key, kind=KeyKind.SHARED) for key in lost]
    for entity, record in known:
        more += former_keys(entity, record, world) if record.deleted else []
        more += [*uses(entity, record), *record_likes(entity, record)]
    tx.take_keys(more)
    subjects = {shared_subject(record.id, s) for entity, record in known for s in scopes(entity)}
    tx.dissolve_cases(
        subjects - {shared_subject(k.owner, k.scope) for k in lost}, engine.clock.now()
    )
    names = {record.id: record.entity for _, record in known}
    tx.raise_cases(
        [
            _shared(engine, names[key.owner], key)
            for key in lost
            if key.owner not in before.get((KeyKind.SHARED, key.scope, key.parts), ())
        ]
    )


def shared_subject(record_id: str, scope: str) -> str:
    """What makes the question about an identity that a record shares one question."""
    return f"shared:{record_id}:{scope}"


def _shared(engine: Engine, entity: str, key: Key) -> Case:
    return Case(
        id=new_id(),
        kind=CaseKind.IDENTITY,
        subject=shared_subject(key.owner, key.scope),
        question=f"{sentence(one(entity))} now bears an identity that another {entity} holds.",
        evidence={"shared": list(key.parts), "records": [key.owner]},
        answers={"ignore": "they are two; leave both"},
        entity=entity,
        record_id=key.owner,
        opened_at=engine.clock.now(),
    )
