"""Derive: when these records are so, ensure that record exists; once, tombstones included."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from syncengine.flows.births import bear, new_record, spread
from syncengine.flows.engine import Engine
from syncengine.flows.scenes import load_world
from syncengine.mapping import Derivation, Entity
from syncengine.model.change import Change
from syncengine.model.key import Key, KeyKind
from syncengine.model.record import Record, World
from syncengine.planning.identity import lacking, record_keys, with_defaults
from syncengine.ports import Transaction

Inputs = dict[str, Record]


def derive(engine: Engine) -> int:
    """Look at the derivations of one batch of records that moved. Returns how many were due."""
    with engine.ledger.read() as tx:
        due = tx.derivations_due(engine.limits.batch)
        records = tx.records(due)
        entities = {record.entity for record in records.values()}
        rules = [d for d in engine.project.derivations if entities & set(d.sources)]
        everyone = {
            name: tx.records_of(name)
            for name in {n for d in rules for n in d.sources if entities & d.sources.keys() - {n}}
        }
        known = {r.id: r for group in everyone.values() for r in group} | records
        world = load_world(engine, tx, (), known) if rules else World(engine.today)
    for rule in rules:
        _Rule(engine, rule, world, everyone).ensure(list(records.values()))
    with engine.ledger.write() as tx:
        tx.derivations_done(due)
    if rules:
        engine.queue.announce("reconcile", [])
    return len(due)


@dataclass(slots=True)
class _Rule:
    engine: Engine
    rule: Derivation
    world: World
    everyone: Mapping[str, Sequence[Record]]

    def ensure(self, records: Sequence[Record]) -> None:
        wanted: dict[tuple[str, ...], Inputs] = {}
        ended: set[tuple[str, ...]] = set()
        for record in records:
            if record.entity in self.rule.sources:
                for inputs, holds in self._combinations(record):
                    ids = tuple(inputs[name].id for name in self.rule.sources)
                    if holds:
                        wanted[ids] = inputs
                    else:
                        ended.add(ids)
        if wanted:
            self._make(wanted)
        if ended and self.rule.on_leave == "delete":
            self._end(ended - wanted.keys())

    def _combinations(self, record: Record) -> Iterator[tuple[Inputs, bool]]:
        """Every combination that holds this record, and whether its conditions do."""
        partial: list[tuple[Inputs, bool]] = [({}, not record.deleted)]
        for name, condition in self.rule.sources.items():
            pool = [record] if name == record.entity else self.everyone.get(name, ())
            grown = []
            for inputs, holds in partial:
                for candidate in pool:
                    now = {**inputs, name: candidate}
                    so = holds and bool(condition.on_records(now, self.world))
                    if so or self.rule.on_leave == "delete":
                        grown.append((now, so))
            partial = grown
        return iter(partial)

    def _key(self, ids: tuple[str, ...], owner: str = "") -> Key:
        return Key(KeyKind.DERIVED, self.rule.name, ids, owner)

    def _make(self, wanted: Mapping[tuple[str, ...], Inputs]) -> None:
        engine, rule = self.engine, self.rule
        entity = engine.project.entities[rule.ensure]
        with engine.ledger.write() as tx:
            there = {parts for _, _, parts in tx.bearers([self._key(ids) for ids in wanted])}
            candidates = {
                ids: new_record(engine, record)
                for ids, inputs in wanted.items()
                if ids not in there and (record := self._candidate(entity, inputs)) is not None
            }
            owners = self._by_identity(tx, entity, candidates)
            fresh = {ids: r for ids, r in candidates.items() if ids not in owners}
            policy = f"derive {rule.name}"
            lost = bear(
                engine, tx, entity, list(fresh.values()), self.world, {}, str(rule.position), policy
            )
            losers = {key.owner for key in lost}
            keys = [self._key(ids, r.id) for ids, r in fresh.items() if r.id not in losers]
            tx.take_keys([*keys, *(self._key(ids, owner) for ids, owner in owners.items())])
            if lost:
                tx.derive_due([r.id for ids, r in fresh.items() for r in wanted[ids].values()][:1])

    def _candidate(self, entity: Entity, inputs: Inputs) -> Record | None:
        given = {
            name: expression.on_records(inputs, self.world)
            for name, expression in self.rule.values.items()
        }
        values = with_defaults(entity, given)
        return None if lacking(entity, values) else Record("", entity.name, values)

    def _by_identity(
        self, tx: Transaction, entity: Entity, candidates: Mapping[tuple[str, ...], Record]
    ) -> dict[tuple[str, ...], str]:
        """Combinations whose record is there already under its identity."""
        asked = {
            (str(key.kind), key.scope, key.parts): ids
            for ids, record in candidates.items()
            for key in record_keys(entity, record, self.world)
        }
        found = tx.bearers([Key(KeyKind(k), scope, parts, "") for k, scope, parts in asked])
        return {asked[name]: owners[0] for name, owners in found.items() if owners}

    def _end(self, ended: Collection[tuple[str, ...]]) -> None:
        engine, now = self.engine, self.engine.clock.now()
        with engine.ledger.write() as tx:
            bearers = tx.bearers([self._key(ids) for ids in ended])
            held = tx.records({o for owners in bearers.values() for o in owners}, lock=True)
            gone = [
                replace(r, deleted=True, generation=r.generation + 1)
                for r in held.values()
                if not r.deleted
            ]
            tx.save_records(gone)
            policy, rule = f"derive {self.rule.name} ended", str(self.rule.position)
            tx.add_history(
                [
                    Change(r.id, r.generation, "", "", "deleted", rule=rule, policy=policy, at=now)
                    for r in gone
                ]
            )
            spread(engine, tx, gone, self.world, ())
