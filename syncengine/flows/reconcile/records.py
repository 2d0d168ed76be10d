"""Creating records, and invalidating links that depend on changed records, identities or rows."""

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


def create_records(
    engine: Engine, tx: Transaction, entity: Entity, records: Sequence[Record], world: World,
    origin: Mapping[str, str], rule: str, policy: str, shared: bool = False,
) -> set[Key]:  # fmt: skip
    """Insert new records with their keys, placeholder links and a first history entry. ``origin``: record id ->
    connection that showed it. ``shared``: a person allowed two records to have the same key. Returns the keys that
    other records hold already; records that would need one of these are not created."""
    if not records:
        return set()
    _refuse_erased(tx, entity, records)
    lost = _take(entity, tx, records, world, shared)
    losers = {key.owner for key in lost}
    made = [record for record in records if record.id not in losers]
    if losers:
        tx.drop_keys(KeyKind.RECORD, losers)
    tx.add_records(made)
    tx.add_links(
        [
            placeholder
            for r in made
            for placeholder in placeholder_links(entity, r.id, origin.get(r.id, ""))
        ]
    )
    tx.add_history([_made(engine, record, origin, rule, policy) for record in made])
    tx.take_keys([k for r in made for k in (*uses(entity, r), *record_likes(entity, r))])
    derive_due(engine, tx, [(r.entity, r.id) for r in made])
    tx.dirty_sharers([record.id for record in made])
    _release_kept_rows(engine, tx, entity, made, world)
    return lost


def _refuse_erased(tx: Transaction, entity: Entity, records: Sequence[Record]) -> None:
    """Raises LostRace where a new record refers to a record that was erased in the meantime."""
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


def _release_kept_rows(
    engine: Engine, tx: Transaction, entity: Entity, made: Sequence[Record], world: World
) -> None:
    """The new record may be a rehire: untie the rows kept for deleted records of the same identity (state ``left``), so
    that correlation can tie them with their base. Where a row is created for the new record anyway, the create adopts
    it."""
    borne = tx.key_owners([key for record in made for key in former_keys(entity, record, world)])
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
                    link, record_id=None, state=LinkState.SEEN, wait=None, approval=None,
                    dirty=link.dirty + 1,
                )
                for link in held
            ]
        )  # fmt: skip
        invalidate_by_links(engine, tx, went=held)


def new_record(engine: Engine, record: Record) -> Record:
    """The record with an id and a creation time."""
    return replace(record, id=new_id(), created_at=utc_text(engine.clock.now()))


def placeholder_links(entity: Entity, record_id: str, but: str = "") -> list[Link]:
    """Links in state ``creating`` of a record, one for every system that may create its row, except ``but``; scope is
    checked when they are planned."""
    return [
        Link(
            id=new_id(), entity=entity.name, connection=system.connection,
            resource=system.resource.name, record_id=record_id, state=LinkState.CREATING, dirty=1,
        )
        for system in entity.systems.values()
        if system.creates_out and system.connection != but
    ]  # fmt: skip


def invalidate(
    engine: Engine, tx: Transaction, records: Sequence[Record], world: World, but: Collection[str]
) -> None:
    """After records changed: take their identity keys anew, and make dirty their links (except links ``but``), the
    records that refer to them, and the derivations over them."""
    if not records:
        return
    identify(engine, tx, records, world)
    tx.dirty_records([record.id for record in records], but)
    invalidate_dependents(engine, tx, records)


def invalidate_dependents(engine: Engine, tx: Transaction, records: Sequence[Record]) -> None:
    """After records changed: make dirty the links of records that refer to them, and their derivations due."""
    tx.dirty_users([record.id for record in records])
    derive_due(engine, tx, [(r.entity, r.id) for r in records])


def identify(engine: Engine, tx: Transaction, records: Sequence[Record], world: World) -> None:
    """Take the identity keys of changed records anew. Links whose rows show a key that was theirs, or is now, become
    dirty."""
    ids = [record.id for record in records]
    if records:
        tx.dirty_sharers(ids)
        _identify(engine, tx, records, world)
        tx.dirty_sharers(ids)


def derive_due(engine: Engine, tx: Transaction, moved: Iterable[tuple[str, str]]) -> None:
    """Make the derivations over these records due. ``moved``: entity and record id."""
    sources = {name for rule in engine.project.derivations for name in rule.sources}
    tx.derive_due([record_id for entity, record_id in moved if entity in sources])


def same_identity(entity: Entity, before: Record, record: Record, world: World) -> bool:
    """Whether a changed record has the same identity keys, references and likenesses as before."""
    if before.deleted != record.deleted:
        return False
    # A formula may have changed with another record since the keys were stored.
    if any(name in entity.formulas for names in entity.identity for name in names):
        return False
    return (
        record_keys(entity, before, world) == record_keys(entity, record, world)
        and uses(entity, before) == uses(entity, record)
        and record_likes(entity, before) == record_likes(entity, record)
    )


def invalidate_by_links(
    engine: Engine, tx: Transaction, came: Collection[Link] = (), went: Collection[Link] = ()
) -> None:
    """After links were tied (``came``) or untied (``went``): make rows with the same identity dirty, which may belong
    to the record or no longer do. After untying, links that may refer to the lost row and still wait or are to be
    created become dirty, too."""
    tx.dirty_sharers({link.record_id for link in (*came, *went) if link.record_id})
    lost = {(link.entity, link.connection) for link in went}
    for name, connection in sorted(lost):
        for entity in _naming(engine, name, connection):
            tx.dirty_entity(entity, connection, at_rest=False)


def _naming(engine: Engine, name: str, connection: str) -> list[str]:
    """Names of the entities in a connection that refer to this one."""
    return [
        entity.name
        for entity in engine.project.entities.values()
        if connection in entity.systems and any(f.to == name for f in entity.fields.values())
    ]


def invalidate_references(engine: Engine, tx: Transaction, link: Link) -> None:
    """A record has another row than before: make links dirty that refer to the former one."""
    for entity in _naming(engine, link.entity, link.connection):
        tx.dirty_entity(entity, link.connection)


def _identify(engine: Engine, tx: Transaction, moved: Sequence[Record], world: World) -> None:
    """Renew the identity keys of these records, and of records that shared one of theirs. While two records share an
    identity there is one case about it."""
    records_sharing = tx.records(sorted(tx.records_sharing([record.id for record in moved])))
    if records_sharing:
        world = load_world(engine, tx, (), {**world.records, **records_sharing})
    entities = engine.project.entities
    known = [
        (entities[r.entity], r) for r in (*moved, *records_sharing.values()) if r.entity in entities
    ]
    keys = [key for entity, record in known for key in record_keys(entity, record, world)]
    before = tx.key_owners([replace(key, kind=KeyKind.SHARED) for key in keys])
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
    """Subject of the case about an identity that a record shares with another one."""
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
