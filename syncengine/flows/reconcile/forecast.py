"""Forecast: what a sync would do, worked out in memory from the mirror. Nobody is called, nothing is stored.

It decides with the same pure parts as the flows, takes each write as done, and so sees what follows from it. What it
cannot know is what vendors will answer: their own spellings, defaults, refusals."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from syncengine.flows.core.engine import Engine
from syncengine.flows.core.scenes import Batch, surround
from syncengine.flows.core.staging import group_of
from syncengine.flows.core.world import Ahead
from syncengine.flows.reconcile.births import stubs
from syncengine.flows.reconcile.derive import (
    by_identity,
    candidates,
    derived_key,
    ended_change,
    ending,
    load_due,
)
from syncengine.flows.reconcile.follow import due_anew, remapped, ruled_anew
from syncengine.flows.reconcile.reconcile import decide_all
from syncengine.ledger import Transaction
from syncengine.mapping import Derivation, Entity, System
from syncengine.model.case import Case
from syncengine.model.change import Change
from syncengine.model.key import Key, KeyKind
from syncengine.model.link import SCOPE, Link, Ruling
from syncengine.model.operation import Action, Operation, OperationState
from syncengine.model.record import Record, World
from syncengine.model.ref import Ref
from syncengine.model.values import Json, as_list, digest, utc_text
from syncengine.planning.derivations import Ids, combinations
from syncengine.planning.identity import place_free, record_keys, renames
from syncengine.planning.scene import Plan
from syncengine.planning.settle import settle_applied
from syncengine.planning.writes import Creates, Write, tell

CHUNK = 500
"""Records that are looked at together."""

ROUNDS = 12
"""How far consequences are followed."""

MOST = 3
"""Writes to one row, one after the other, that are foreseen."""


@dataclass(slots=True)
class Forecast:
    """What is to come. ``records``: those that change or are made, as they will be. ``births``: id of a record that
    will be made -> derivation and inputs. ``rows``: record id -> connection -> external id of a row that will be
    made, and ``tied``: whose rows they and others are. ``links``: those that move, as they will be.
    ``writes``: by link id. ``learned``: (record, field) -> what our record learns. ``cases``: by subject. ``waits``:
    link id -> link that waits. ``unread``: links that want a fresh read first. ``staged``: links whose write waits
    for approval, as they are, and ``rulings``: what was said of writes. ``pending``: link id -> a write in the
    outbox that nobody has begun to send; it is planned anew with its link. ``freed``: wait keys of places that will
    be free."""

    engine: Engine
    records: dict[str, Record] = field(default_factory=dict)
    births: dict[str, tuple[Derivation, Ids]] = field(default_factory=dict)
    rows: dict[str, dict[str, str]] = field(default_factory=dict)
    tied: dict[tuple[str, Ref], str] = field(default_factory=dict)
    links: dict[str, Link] = field(default_factory=dict)
    writes: dict[str, Write] = field(default_factory=dict)
    learned: dict[tuple[str, str], Change] = field(default_factory=dict)
    cases: dict[str, Case] = field(default_factory=dict)
    waits: dict[str, Link] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    staged: dict[str, Link] = field(default_factory=dict)
    rulings: dict[str, Ruling] = field(default_factory=dict)
    pending: dict[str, Operation] = field(default_factory=dict)
    freed: set[str] = field(default_factory=set)
    _stubs: dict[str, list[Link]] = field(default_factory=dict)
    _remapped: set[str] = field(default_factory=set)
    _looked: set[str] = field(default_factory=set)
    _moved: set[str] = field(default_factory=set)
    _due: set[str] = field(default_factory=set)
    _by_row: dict[tuple[str, str, str], Write] = field(default_factory=dict)
    _keys: set[tuple[str, tuple[Json, ...]]] = field(default_factory=set)

    @property
    def ahead(self) -> Ahead:
        """What later looks rest on."""
        return Ahead(self.records, self.rows, self.links)

    @property
    def unborn(self) -> dict[str, Record]:
        """The records that will be made."""
        return {record_id: self.records[record_id] for record_id in self.births}

    def digest(self) -> str:
        """By what the writes are known; what only our own records learn is no part of it."""
        return digest(sorted((w.essence for w in self.writes.values()), key=repr))

    def contains(self, operation: Operation, real: Mapping[str, str]) -> bool:
        """Whether the writes that are to come hold all that an operation writes. ``real``: as ``real`` gives it."""

        def here(value: Json) -> Json:
            if isinstance(value, list):
                return [here(item) for item in value]
            return real.get(value, value) if isinstance(value, str) else value

        if not self._by_row:
            self._by_row = {_row(w.operation): w for w in self.writes.values()}
        record, connection, resource = _row(operation)
        write = self._by_row.get((here(record), connection, resource))
        system = self.engine.system(operation.entity, connection)
        if write is None or system is None:
            return False
        return write.covers(system, operation, {n: here(v) for n, v in operation.carried.items()})

    def real(self, tx: Transaction) -> dict[str, str]:
        """Id of a record that was made since -> the id that it has here."""
        known: dict[str, str] = {}
        while asked := {
            derived_key(rule.name, ids): born
            for born, (rule, made_of) in self.births.items()
            if born not in known and not (self.births.keys() & set(made_of)) - known.keys()
            for ids in [tuple(known.get(i, i) for i in made_of)]
        }:
            found = tx.bearers(asked)
            told = {
                asked[k]: found[name][0]
                for k in asked
                if (name := (str(k.kind), k.scope, k.parts)) in found
            }
            if not told:
                break
            known |= told
        return {real: born for born, real in known.items()}

    def look_at_all(self) -> None:
        """Each record that is not at rest once, what others refer to first; then whatever follows from what was
        found."""
        engine = self.engine
        with engine.ledger.read() as tx:
            everyone = tx.record_ids()
            stirred = tx.stirred() | {c.record_id for c in tx.cases() if c.record_id}
            for entity in engine.project.entities.values():
                mine = everyone.get(entity.name, ())
                if remapped(tx, entity):
                    self._remapped.add(entity.name)
                    self._moved |= set(mine)
                if due_anew(engine, tx, entity):
                    stirred |= set(mine)
            self._due |= tx.derivations_due(10**9).keys()
            for rule in ruled_anew(engine, tx):
                self._due |= {i for name in rule.sources for i in everyone.get(name, ())}
        self._looked = stirred
        for name in engine.project.entities:
            self._look([i for i in everyone.get(name, ()) if i in stirred])
        first = True
        for _ in range(ROUNDS):
            follows = self._follow(first)
            if not follows:
                return
            self._look(sorted(follows))
            first = False

    def _look(self, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), CHUNK):
            self._look_at(ids[start : start + CHUNK])

    def _look_at(self, ids: Sequence[str]) -> None:
        """Plan all links of a few records, each record's one after the other, until none moves any more."""
        with self.engine.ledger.read() as tx:
            links = [self.links.get(k.id, k) for k in tx.links_of(ids)]
            links += self._to_be_made(tx, ids, links)
            links.sort(key=lambda link: link.id)
            batch = surround(self.engine, tx, {k.id: k for k in links}, links, self.ahead)
            busy = tx.unsettled(list(batch.links))
        for row, record_id in batch.world.tied.items():
            self.tied.setdefault(row, record_id)
        batch.world = replace(batch.world, tied=self.tied)
        self.unread |= {link.id for link in links if link.need_get}
        self.staged |= {k.id: k for k in links if group_of(k) is not None}
        self.rulings |= {k.id: k.ruling for k in links if k.ruling is not None}
        due = set(batch.links)
        for link_id, operation in busy.items():
            if operation.state is OperationState.PENDING:
                self.pending[link_id] = operation
            elif link_id not in self.writes:
                batch.links[link_id] = self._write(batch, batch.links[link_id], operation)
        for _ in range(ROUNDS):
            if not due:
                break
            due = self._decide(batch, due)
        for link in batch.links.values():
            if link.record_id in self.records or link.id in self.writes:
                self.links[link.id] = link

    def _to_be_made(
        self, tx: Transaction, ids: Iterable[str], links: Iterable[Link]
    ) -> Iterator[Link]:
        """Links to rows that a new record, or a system that is new in the mapping, wants."""
        new = self.births.keys()
        wanted = [i for i in ids if i not in self._stubs and (i in new or self._remapped)]
        there = {(link.record_id, link.connection) for link in links}
        for record_id, record in self.ahead.seen(tx.records(wanted), wanted).items():
            entity = self.engine.project.entities.get(record.entity)
            made = record_id in self.births or record.entity in self._remapped
            if entity is not None and made and not record.deleted:
                more = stubs(entity, record_id)
                self._stubs[record_id] = [k for k in more if (record_id, k.connection) not in there]
        for record_id in ids:
            for link in self._stubs.get(record_id, ()):
                yield self.links.get(link.id, link)

    def _decide(self, batch: Batch, due: Collection[str]) -> set[str]:
        """One round; returns the links to be looked at once more."""
        again: set[str] = set()
        changed: dict[str, Record] = {}
        some = replace(batch, links={i: k for i, k in batch.links.items() if i in due})
        for link, plan in decide_all(self.engine, some):
            after = replace(plan.link, dirty=0) if plan.link.dirty else plan.link
            if plan.record is not None:
                self._learn(link, plan)
                batch.records[plan.record.id] = changed[plan.record.id] = plan.record
                mine = {k.id for k in batch.siblings.get(plan.record.id, ())}
                again |= mine - {link.id}
            written = self.writes.get(link.id)
            if plan.operation and (written is None or len(written.operations) < MOST):
                after = self._write(batch, after, plan.operation)
                again.add(link.id)
            if plan.again:
                again.add(link.id)
            batch.links[link.id] = after
            self._ask(link, plan)
            self.freed |= plan.wakes
        if again:
            self._refresh(batch, changed)
        return again

    def _refresh(self, batch: Batch, changed: Mapping[str, Record]) -> None:
        """The world as it is after a round: records that moved, and rows that were made."""
        rows = {(r, c): x for r in batch.records for c, x in self.rows.get(r, {}).items()}
        batch.world = replace(
            batch.world, records={**batch.world.records, **changed},
            externals={**batch.world.externals, **rows},
        )  # fmt: skip

    def _ask(self, link: Link, plan: Plan) -> None:
        for subject in plan.dissolves:
            self.cases.pop(subject, None)
        self.cases |= {case.subject: case for case in plan.cases}
        self.waits.pop(link.id, None)
        if plan.link.wait is not None and plan.link.wait.key != SCOPE:
            self.waits[link.id] = plan.link

    def _learn(self, link: Link, plan: Plan) -> None:
        """Our record moves. What it takes from the echo of a write is no news."""
        record = plan.record
        assert record is not None
        self.records[record.id] = record
        self._moved.add(record.id)
        for change in plan.changes:
            if change.generation == record.generation and link.id not in self.writes:
                before = self.learned.get((change.record_id, change.field), change)
                self.learned[change.record_id, change.field] = replace(change, old=before.old)

    def _write(self, batch: Batch, link: Link, operation: Operation) -> Link:
        """Note a write; returns the link as it is once that is done and answered with what was sent."""
        system = self.engine.project.entities[operation.entity].systems.get(operation.connection)
        if system is None:
            return link
        record = batch.records.get(operation.record_id)
        told = tell(system, link, operation, record, batch.world, self._after(operation))
        before = self.writes.pop(link.id, None)
        both = told if before is None else before.then(told)
        # A row that is not made yet and is not wanted any more is not made.
        if "create" not in both.actions or both.action in ("create", "update"):
            self.writes[link.id] = both
        external = link.external_id or operation.external_id or f"new:{operation.record_id}"
        if operation.action is Action.CREATE:
            self.rows.setdefault(operation.record_id, {})[operation.connection] = external
            row = Ref(operation.connection, operation.resource, external)
            self.tied[operation.entity, row] = operation.record_id
            self._derive_from(operation.entity, operation.record_id)
        self._name(batch, system, operation)
        entity = self.engine.project.entities[operation.entity]
        if operation.action is Action.DELETE or renames(entity, operation.carried):
            self.freed.add(place_free(link))
        done = settle_applied(system, link, operation, external, None, link.read_at).link
        return replace(done, dirty=0)

    def _name(self, batch: Batch, system: System, operation: Operation) -> None:
        """Whose rows the new row names."""
        for name, value in operation.carried.items():
            target = system.rules[name].target if name in system.rules else None
            if target is None:
                continue
            for named in as_list(value):
                there = batch.world.externals.get((named, target.connection))
                if there is not None:
                    row = Ref(target.connection, target.resource, there)
                    self.tied[target.entity, row] = named

    def _after(self, operation: Operation) -> Creates:
        """The creates of other records without which this write cannot go out."""
        here, entity = operation.connection, self.engine.project.entities[operation.entity]
        named = {
            target
            for name, value in operation.carried.items()
            if name in entity.fields and entity.fields[name].is_ref
            for target in as_list(value)
        }
        return tuple(sorted((r, here) for r in named if here in self.rows.get(r, {})))

    # what follows

    def _follow(self, first: bool) -> set[str]:
        """Records to be looked at once more: made or ended by derivations, referring to one that moved, or waiting
        for a row that will be made."""
        due, self._due = self._due | self._moved, set()
        follows = self._derive(sorted(due))
        moved, self._moved = self._moved | follows, set()
        follows |= self._users(moved, first)
        for link in self.waits.values():
            key = "" if link.wait is None else link.wait.key
            record, _, connection = key.removeprefix("rec:").partition("@")
            made = key.startswith("rec:") and connection in self.rows.get(record, {})
            if made or key in self.freed:
                follows.add(link.record_id or "")
        self.freed.clear()
        return follows

    def _users(self, moved: set[str], first: bool) -> set[str]:
        """Who refers to these records and opens them. In the first round not those that were looked at after them."""
        if not moved:
            return set()
        order = {name: number for number, name in enumerate(self.engine.project.entities)}
        with self.engine.ledger.read() as tx:
            found = tx.bearers([Key(KeyKind.USES, "", (i,), "") for i in moved])
            users = tx.records({owner for owners in found.values() for owner in owners})
            known = self.ahead.seen(tx.records(moved), moved)
        return {
            owner
            for (_, _, (target,)), owners in found.items()
            for owner in owners
            if owner in users
            and users[owner].entity in order
            and not (
                first
                and owner in self._looked
                and order[users[owner].entity] > order[known[target].entity]
            )
        }

    def _derive(self, due: Sequence[str]) -> set[str]:
        """Records that the derivations over these make, or end."""
        found: set[str] = set()
        for start in range(0, len(due) if self.engine.project.derivations else 0, CHUNK):
            with self.engine.ledger.read() as tx:
                looked = load_due(self.engine, tx, due[start : start + CHUNK], self.ahead)
                for rule in looked.rules:
                    records = list(looked.records.values())
                    wanted, ended = combinations(rule, records, looked.everyone, looked.world)
                    entity = self.engine.project.entities[rule.ensure]
                    made = candidates(tx, rule, entity, wanted, looked.world) if wanted else {}
                    there = by_identity(tx, entity, made, looked.world) if made else {}
                    for ids, record in made.items():
                        if ids not in there:
                            found |= self._bear(entity, rule, ids, record, looked.world)
                    for record in ending(tx, rule, ended) if ended else ():
                        if record.id not in self.records:
                            self.records[record.id] = record
                            self.learned[record.id, ""] = ended_change(rule, record)
                            found.add(record.id)
        return found

    def _derive_from(self, entity: str, record_id: str) -> None:
        if any(entity in rule.sources for rule in self.engine.project.derivations):
            self._due.add(record_id)

    def _bear(
        self, entity: Entity, rule: Derivation, ids: Ids, record: Record, world: World
    ) -> set[str]:
        born = f"new:{digest([rule.name, *ids])}"
        made = replace(record, id=born, created_at=utc_text(self.engine.clock.now()))
        keys = {(key.scope, key.parts) for key in record_keys(entity, made, world)}
        if born in self.births or keys & self._keys:
            return set()
        self._keys |= keys
        self.records[born], self.births[born] = made, (rule, ids)
        self._derive_from(entity.name, born)
        return {born}


def _row(operation: Operation) -> tuple[str, str, str]:
    return operation.record_id, operation.connection, operation.resource


def forecast(engine: Engine) -> Forecast:
    """What a sync would do, as far as the mirror tells."""
    made = Forecast(engine)
    made.look_at_all()
    return made
