"""What is to be written where records are made, and where others depend on changed records, identities or rows."""

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
from syncengine.model.changeset import Changeset, Wakes
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
) -> tuple[set[Key], Changeset]:  # fmt: skip
    """Claim the identities of new records. Returns the keys that other records hold already, and what is to be written:
    the records that need none of these, with their keys, placeholder links and a first history entry. ``origin``:
    record id -> connection that showed it. ``shared``: a person allowed two records to have the same key."""
    if not records:
        return set(), Changeset()
    _refuse_erased(tx, entity, records)
    taken = tx.take_keys([key for record in records for key in record_keys(entity, record, world)])
    lost = set() if shared else taken
    losers = {key.owner for key in lost}
    made = [record for record in records if record.id not in losers]
    keys = [replace(key, kind=KeyKind.SHARED) for key in taken - lost]
    for record in made:
        keys += [*uses(entity, record), *record_likes(entity, record)]
    change = Changeset(
        new_records=made,
        new_links=[k for r in made for k in placeholder_links(entity, r.id, origin.get(r.id, ""))],
        keys=keys,
        dropped_keys={(KeyKind.RECORD, loser) for loser in losers},
        history=[_made(engine, record, origin, rule, policy) for record in made],
        derivations=derivable(engine, [(r.entity, r.id) for r in made]),
        wakes=Wakes(sharers=[record.id for record in made]),
    )
    return lost, change + _release_kept_rows(engine, tx, entity, made, world)


def _refuse_erased(tx: Transaction, entity: Entity, records: Sequence[Record]) -> None:
    """Raises LostRace where a new record refers to a record that was erased in the meantime."""
    bound = [n for n, f in entity.fields.items() if f.required and f.type == "ref"]
    named = {value for r in records for n in bound if (value := r.values.get(n)) is not None}
    if named and named - tx.records(named).keys():
        raise LostRace("what a new record belongs to was erased meanwhile; look again")


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
) -> Changeset:
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
    held = tx.links(kept, lock=True).values() if kept else ()
    untied = [
        link.tied(record_id=None, state=LinkState.SEEN, wait=None, approval=None).woken()
        for link in held
    ]  # fmt: skip
    return Changeset(links=untied, wakes=retied(engine, went=held))


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
    engine: Engine, tx: Transaction, records: Sequence[Record], world: World,
    but: Collection[str] = (),
) -> Changeset:  # fmt: skip
    """What follows where records have changed: their identity keys are taken anew (see ``identify``), and dirty become
    their links (except links ``but``) and the records that refer to them; the derivations over them are due."""
    if not records:
        return Changeset()
    theirs = dict.fromkeys((record.id for record in records), frozenset(but))
    change = identify(engine, tx, records, world) + dependents(engine, records)
    return change + Changeset(wakes=Wakes(records=theirs))


def dependents(engine: Engine, records: Sequence[Record]) -> Changeset:
    """What follows for others where records have changed: links of records that refer to them become dirty, and their
    derivations due."""
    users = Wakes(users=[record.id for record in records])
    due = derivable(engine, [(r.entity, r.id) for r in records])
    return Changeset(wakes=users, derivations=due)


def derivable(engine: Engine, moved: Iterable[tuple[str, str]]) -> set[str]:
    """Ids of those records over which there are derivations. ``moved``: entity and record id."""
    sources = {name for rule in engine.project.derivations for name in rule.sources}
    return {record_id for entity, record_id in moved if entity in sources}


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


def retied(engine: Engine, came: Collection[Link] = (), went: Collection[Link] = ()) -> Wakes:
    """What becomes dirty where links were tied (``came``) or untied (``went``): rows with the same identity, which may
    belong to the record or no longer do; after untying also links that may refer to the lost row, and still wait or are
    to be created."""
    lost = {(link.entity, link.connection) for link in went}
    return Wakes(
        sharers={link.record_id for link in (*came, *went) if link.record_id},
        unfinished={(name, c) for entity, c in lost for name in _naming(engine, entity, c)},
    )


def _naming(engine: Engine, name: str, connection: str) -> list[str]:
    """Names of the entities in a connection that refer to this one."""
    return [
        entity.name
        for entity in engine.project.entities.values()
        if connection in entity.systems and any(f.to == name for f in entity.fields.values())
    ]


def referring(engine: Engine, link: Link) -> Wakes:
    """What becomes dirty where a record has another row than before: links that refer to the former one."""
    here = link.connection
    return Wakes(entities={(name, here) for name in _naming(engine, link.entity, here)})


def identify(engine: Engine, tx: Transaction, moved: Sequence[Record], world: World) -> Changeset:
    """Claim the identity keys of changed records anew, and of records that shared one of theirs. Returns what is to be
    written: their other keys, and one case for each identity that two records share. Links whose rows show a key that
    was theirs, or is now, become dirty."""
    if not moved:
        return Changeset()
    ids, now = [record.id for record in moved], engine.clock.now()
    before = tx.sharers(ids)
    sharing = tx.records(sorted(tx.records_sharing(ids)))
    if sharing:
        world = load_world(engine, tx, (), {**world.records, **sharing})
    entities = engine.project.entities
    known = [(entities[r.entity], r) for r in (*moved, *sharing.values()) if r.entity in entities]
    keys = [key for entity, record in known for key in record_keys(entity, record, world)]
    shared = tx.key_owners([replace(key, kind=KeyKind.SHARED) for key in keys])
    lost = tx.retake_keys([record.id for _, record in known], keys)
    more = [replace(key, kind=KeyKind.SHARED) for key in lost]
    for entity, record in known:
        more += former_keys(entity, record, world) if record.deleted else []
        more += [*uses(entity, record), *record_likes(entity, record)]
    subjects = {shared_subject(record.id, s) for entity, record in known for s in scopes(entity)}
    names = {record.id: record.entity for _, record in known}
    asked = [
        _shared(engine, names[key.owner], key)
        for key in lost
        if key.owner not in shared.get((KeyKind.SHARED, key.scope, key.parts), ())
    ]
    over = subjects - {shared_subject(key.owner, key.scope) for key in lost}
    wakes = Wakes(links=before, sharers=ids)
    return Changeset(keys=more, raised=asked, dissolved=dict.fromkeys(over, now), wakes=wakes)


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
