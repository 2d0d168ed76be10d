"""Derive: create the records that derivation rules want, once each; tombstones keep a deleted one from coming back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from syncengine.flows.core.engine import Engine
from syncengine.flows.core.world import load_world
from syncengine.flows.reconcile.records import create_records, invalidate, new_record
from syncengine.ledger import Transaction
from syncengine.mapping import Derivation, Entity
from syncengine.model.change import Change
from syncengine.model.changeset import Changeset
from syncengine.model.key import Key, KeyKind
from syncengine.model.record import Record, World
from syncengine.planning.derivations import Ids, Inputs, combinations, derived
from syncengine.planning.identity import record_keys


@dataclass(frozen=True, slots=True)
class _Due:
    """Records whose derivations are due, the rules over them, and the data that these need."""

    records: Mapping[str, Record]
    rules: Sequence[Derivation]
    everyone: Mapping[str, Sequence[Record]]
    world: World


def _load_due(engine: Engine, tx: Transaction, ids: Collection[str]) -> _Due:
    """Load what the derivations over these records need."""
    records = tx.records(ids)
    entities = {record.entity for record in records.values()}
    rules = [d for d in engine.project.derivations if entities & set(d.sources)]
    everyone = {
        name: tx.records_of(name)
        for name in {n for d in rules for n in d.sources if entities & d.sources.keys() - {n}}
    }
    known = {r.id: r for group in everyone.values() for r in group} | records
    world = load_world(engine, tx, (), known) if rules else World(engine.today)
    return _Due(records, rules, everyone, world)


Made = dict[str, tuple[Derivation, Ids]]
"""Id of a record that a derivation has made -> the derivation, and the records that it is made of."""


def derive(engine: Engine, made: Made | None = None) -> int:
    """Evaluate the derivations over one batch of changed records. Returns how many records were due; what is made is
    added to ``made``."""
    with engine.ledger.read() as tx:
        moves = tx.derivations_due(engine.limits.batch)
        if not moves:
            return 0
        due = _load_due(engine, tx, moves)
    for rule in due.rules:
        _ensure(engine, rule, due, {} if made is None else made)
    with engine.ledger.write() as tx:
        tx.derivations_done(moves)
    if due.rules:
        engine.queue.announce("reconcile", [])
    return len(moves)


def _ensure(engine: Engine, rule: Derivation, due: _Due, made: Made) -> None:
    wanted, ended = combinations(rule, list(due.records.values()), due.everyone, due.world)
    if wanted:
        fresh = _make(engine, rule, wanted, due.world)
        made |= {record_id: (rule, ids) for ids, record_id in fresh.items()}
    if ended:
        _end(engine, rule, ended, due.world)


def derived_key(rule: str, ids: Ids, owner: str = "") -> Key:
    """The key that marks a combination as having its record."""
    return Key(KeyKind.DERIVED, rule, ids, owner)


def _make(
    engine: Engine, rule: Derivation, wanted: Mapping[Ids, Inputs], world: World
) -> dict[Ids, str]:
    """Returns which records were made of what."""
    entity = engine.project.entities[rule.ensure]
    with engine.ledger.write() as tx:
        found = _candidates(tx, rule, entity, wanted, world)
        made = {ids: new_record(engine, record) for ids, record in found.items()}
        owners = _by_identity(tx, entity, made, world)
        fresh = {ids: r for ids, r in made.items() if ids not in owners}
        position, policy = str(rule.position), f"derive {rule.name}"
        lost, change = create_records(
            engine, tx, entity, list(fresh.values()), world, {}, position, policy
        )
        losers = {key.owner for key in lost}
        keys = [derived_key(rule.name, ids, r.id) for ids, r in fresh.items() if r.id not in losers]
        keys += [derived_key(rule.name, ids, owner) for ids, owner in owners.items()]
        again = [r.id for ids, r in fresh.items() for r in wanted[ids].values()][:1] if lost else ()
        tx.write(change + Changeset(keys=keys, derivations=again))
    return {ids: record.id for ids, record in fresh.items() if record.id not in losers}


def _candidates(
    tx: Transaction, rule: Derivation, entity: Entity, wanted: Mapping[Ids, Inputs], world: World
) -> dict[Ids, Record]:
    """Records, without ids, for combinations that never had one."""
    there = {
        parts for _, _, parts in tx.key_owners([derived_key(rule.name, ids) for ids in wanted])
    }
    made = {
        i: derived(rule, entity, inputs, world) for i, inputs in wanted.items() if i not in there
    }
    return {ids: record for ids, record in made.items() if record is not None}


def _by_identity(
    tx: Transaction, entity: Entity, made: Mapping[Ids, Record], world: World
) -> dict[Ids, str]:
    """Combinations whose record exists already under its identity, and which one it is."""
    asked = {
        (str(key.kind), key.scope, key.parts): ids
        for ids, record in made.items()
        for key in record_keys(entity, record, world)
    }
    found = tx.key_owners([Key(KeyKind(k), scope, parts, "") for k, scope, parts in asked])
    return {asked[name]: owners[0] for name, owners in found.items() if owners}


def _end(engine: Engine, rule: Derivation, ended: Collection[Ids], world: World) -> None:
    """Delete the records of combinations that have ended."""
    now, policy, position = engine.clock.now(), f"derive {rule.name} ended", str(rule.position)
    with engine.ledger.write() as tx:
        key_owners = tx.key_owners([derived_key(rule.name, ids) for ids in ended])
        held = tx.records({o for owners in key_owners.values() for o in owners}, lock=True)
        gone = [
            replace(r, deleted=True, generation=r.generation + 1)
            for r in held.values()
            if not r.deleted
        ]
        history = [
            Change(r.id, r.generation, "", "", "deleted", rule=position, policy=policy, at=now)
            for r in gone
        ]
        change = invalidate(engine, tx, gone, world)
        tx.write(Changeset(records=gone, history=history) + change)
