"""Forecast: what a sync would do, computed in memory from the ledger. No vendor is called and nothing is stored.

It decides with the same pure functions as the flows, takes each write as done, and so sees what follows from it. What
it cannot know is how vendors will answer: their own spellings, defaults, refusals.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from syncengine.flows.core.engine import Engine
from syncengine.flows.core.loading import Batch, load_surroundings
from syncengine.flows.core.staging import group_of
from syncengine.flows.core.world import Overlay
from syncengine.flows.reconcile.derive import (
    by_identity,
    candidates,
    derived_key,
    ended_change,
    ending,
    load_due,
)
from syncengine.flows.reconcile.follow import changed_derivations, due_anew, remapped
from syncengine.flows.reconcile.records import placeholder_links
from syncengine.ledger import Transaction
from syncengine.mapping import Derivation, Entity, System
from syncengine.model.case import Case
from syncengine.model.change import Change
from syncengine.model.key import Key, KeyKind
from syncengine.model.link import SCOPE, Link, WriteApproval
from syncengine.model.operation import Action, Operation, OperationState
from syncengine.model.record import Record, World
from syncengine.model.ref import Ref
from syncengine.model.values import Json, as_list, digest, utc_text
from syncengine.planning.aggregate import plan_link
from syncengine.planning.derivations import Ids, combinations
from syncengine.planning.identity import place_free, record_keys, renames
from syncengine.planning.plan_input import Plan, PlanInput
from syncengine.planning.settle import settle_applied
from syncengine.planning.writes import Creates, Write, describe_write

CHUNK = 500
"""Records that are looked at together."""

ROUNDS = 12
"""How far consequences are followed."""

MOST = 3
"""Writes to one row, one after the other, that are foreseen."""


@dataclass(slots=True)
class Forecast:
    """What a sync would do. ``records``: those that change or are created, as they will be. ``derived_records``: id of
    a record that a derivation will create -> the derivation and its inputs. ``rows``: record id -> connection ->
    external id of a row that will be created, and ``tied``: record ids of these and other rows. ``links``: those that
    change, as they will be. ``writes``: by link id. ``learned``: (record, field) -> what our record learns. ``cases``:
    by subject. ``waits``: link id -> link that waits. ``unread``: links that need a fresh read first. ``staged``: links
    whose write waits for approval, as they are, and ``approvals``: by link id. ``pending``: link id -> an operation in
    the outbox that no worker has claimed; it is planned again with its link. ``freed``: wait keys of places that will
    be free."""

    engine: Engine
    records: dict[str, Record] = field(default_factory=dict)
    derived_records: dict[str, tuple[Derivation, Ids]] = field(default_factory=dict)
    rows: dict[str, dict[str, str]] = field(default_factory=dict)
    tied: dict[tuple[str, Ref], str] = field(default_factory=dict)
    links: dict[str, Link] = field(default_factory=dict)
    writes: dict[str, Write] = field(default_factory=dict)
    learned: dict[tuple[str, str], Change] = field(default_factory=dict)
    cases: dict[str, Case] = field(default_factory=dict)
    waits: dict[str, Link] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    staged: dict[str, Link] = field(default_factory=dict)
    approvals: dict[str, WriteApproval] = field(default_factory=dict)
    pending: dict[str, Operation] = field(default_factory=dict)
    freed: set[str] = field(default_factory=set)
    _stubs: dict[str, list[Link]] = field(default_factory=dict)
    _remapped: set[str] = field(default_factory=set)
    _planned: set[str] = field(default_factory=set)
    _moved: set[str] = field(default_factory=set)
    _due: set[str] = field(default_factory=set)
    _by_row: dict[tuple[str, str, str], Write] = field(default_factory=dict)
    _keys: set[tuple[str, tuple[Json, ...]]] = field(default_factory=set)

    @property
    def overlay(self) -> Overlay:
        """The forecast changes that later rounds build on."""
        return Overlay(self.records, self.rows, self.links)

    @property
    def new_records(self) -> dict[str, Record]:
        """The records that will be created."""
        return {record_id: self.records[record_id] for record_id in self.derived_records}

    def digest(self) -> str:
        """Digest of the writes; what only our own records learn is not part of it."""
        return digest(sorted((w.essence for w in self.writes.values()), key=repr))

    def contains(self, operation: Operation, real: Mapping[str, str]) -> bool:
        """Whether the forecast contains all that an operation writes. ``real``: as ``real`` returns it."""

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
        """Id of a record created since -> its id in this forecast."""
        known: dict[str, str] = {}
        while asked := {
            derived_key(rule.name, ids): created
            for created, (rule, made_of) in self.derived_records.items()
            if created not in known
            and not (self.derived_records.keys() & set(made_of)) - known.keys()
            for ids in [tuple(known.get(i, i) for i in made_of)]
        }:
            found = tx.key_owners(asked)
            told = {
                asked[k]: found[name][0]
                for k in asked
                if (name := (str(k.kind), k.scope, k.parts)) in found
            }
            if not told:
                break
            known |= told
        return {real: created for created, real in known.items()}

    def plan_all(self) -> None:
        """Plan each record with unfinished work once, in the order of references; then everything that follows."""
        engine = self.engine
        with engine.ledger.read() as tx:
            everyone = tx.record_ids()
            records_in_motion = tx.records_in_motion() | {
                c.record_id for c in tx.cases() if c.record_id
            }
            for entity in engine.project.entities.values():
                mine = everyone.get(entity.name, ())
                if remapped(tx, entity):
                    self._remapped.add(entity.name)
                    self._moved |= set(mine)
                if due_anew(engine, tx, entity):
                    records_in_motion |= set(mine)
            self._due |= tx.derivations_due(10**9).keys()
            for rule in changed_derivations(engine, tx):
                self._due |= {i for name in rule.sources for i in everyone.get(name, ())}
        self._planned = records_in_motion
        for name in engine.project.entities:
            self._plan_next([i for i in everyone.get(name, ()) if i in records_in_motion])
        first = True
        for _ in range(ROUNDS):
            follows = self._follow(first)
            if not follows:
                return
            self._plan_next(sorted(follows))
            first = False

    def _plan_next(self, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), CHUNK):
            self._plan_records(ids[start : start + CHUNK])

    def _plan_records(self, ids: Sequence[str]) -> None:
        """Plan all links of a few records, each record's one after the other, until nothing changes any more."""
        with self.engine.ledger.read() as tx:
            links = [self.links.get(k.id, k) for k in tx.links_of(ids)]
            links += self._to_be_made(tx, ids, links)
            links.sort(key=lambda link: link.id)
            batch = load_surroundings(
                self.engine, tx, {k.id: k for k in links}, links, self.overlay
            )
            busy = tx.unsettled(list(batch.links))
        for row, record_id in batch.world.tied.items():
            self.tied.setdefault(row, record_id)
        batch.world = replace(batch.world, tied=self.tied)
        self.unread |= {link.id for link in links if link.need_get}
        self.staged |= {k.id: k for k in links if group_of(k) is not None}
        self.approvals |= {k.id: k.approval for k in links if k.approval is not None}
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
        new = self.derived_records.keys()
        wanted = [i for i in ids if i not in self._stubs and (i in new or self._remapped)]
        there = {(link.record_id, link.connection) for link in links}
        for record_id, record in self.overlay.seen(tx.records(wanted), wanted).items():
            entity = self.engine.project.entities.get(record.entity)
            made = record_id in self.derived_records or record.entity in self._remapped
            if entity is not None and made and not record.deleted:
                more = placeholder_links(entity, record_id)
                self._stubs[record_id] = [k for k in more if (record_id, k.connection) not in there]
        for record_id in ids:
            for link in self._stubs.get(record_id, ()):
                yield self.links.get(link.id, link)

    def _decide(self, batch: Batch, due: Collection[str]) -> set[str]:
        """One round of planning; returns the links to be planned once more."""
        again: set[str] = set()
        changed: dict[str, Record] = {}
        some = replace(batch, links={i: k for i, k in batch.links.items() if i in due})
        for link, plan in _plans(self.engine, some):
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
            if plan.requeue:
                again.add(link.id)
            batch.links[link.id] = after
            self._ask(link, plan)
            self.freed |= plan.satisfies
        if again:
            self._refresh(batch, changed)
        return again

    def _refresh(self, batch: Batch, changed: Mapping[str, Record]) -> None:
        """Update the world after a round: changed records and new rows."""
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
        """Apply a change of our record. What it takes from the echo of a write does not count as a change."""
        record = plan.record
        assert record is not None
        self.records[record.id] = record
        self._moved.add(record.id)
        for change in plan.changes:
            if change.generation == record.generation and link.id not in self.writes:
                before = self.learned.get((change.record_id, change.field), change)
                self.learned[change.record_id, change.field] = replace(change, old=before.old)

    def _write(self, batch: Batch, link: Link, operation: Operation) -> Link:
        """Record a write; returns the link as after a write that was answered with what was sent."""
        system = self.engine.project.entities[operation.entity].systems.get(operation.connection)
        if system is None:
            return link
        record = batch.records.get(operation.record_id)
        told = describe_write(system, link, operation, record, batch.world, self._after(operation))
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
        """The creates of other records that have to be sent before this write."""
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
        """Records to be planned once more: created or ended by derivations, referring to a changed one, or waiting for
        a row that will be created."""
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
            found = tx.key_owners([Key(KeyKind.USES, "", (i,), "") for i in moved])
            users = tx.records({owner for owners in found.values() for owner in owners})
            known = self.overlay.seen(tx.records(moved), moved)
        return {
            owner
            for (_, _, (target,)), owners in found.items()
            for owner in owners
            if owner in users
            and users[owner].entity in order
            and not (
                first
                and owner in self._planned
                and order[users[owner].entity] > order[known[target].entity]
            )
        }

    def _derive(self, due: Sequence[str]) -> set[str]:
        """Records that the derivations over these make, or end."""
        found: set[str] = set()
        for start in range(0, len(due) if self.engine.project.derivations else 0, CHUNK):
            with self.engine.ledger.read() as tx:
                looked = load_due(self.engine, tx, due[start : start + CHUNK], self.overlay)
                for rule in looked.rules:
                    records = list(looked.records.values())
                    wanted, ended = combinations(rule, records, looked.everyone, looked.world)
                    entity = self.engine.project.entities[rule.ensure]
                    made = candidates(tx, rule, entity, wanted, looked.world) if wanted else {}
                    there = by_identity(tx, entity, made, looked.world) if made else {}
                    for ids, record in made.items():
                        if ids not in there:
                            found |= self._create_records(entity, rule, ids, record, looked.world)
                    for record in ending(tx, rule, ended) if ended else ():
                        if record.id not in self.records:
                            self.records[record.id] = record
                            self.learned[record.id, ""] = ended_change(rule, record)
                            found.add(record.id)
        return found

    def _derive_from(self, entity: str, record_id: str) -> None:
        if any(entity in rule.sources for rule in self.engine.project.derivations):
            self._due.add(record_id)

    def _create_records(
        self, entity: Entity, rule: Derivation, ids: Ids, record: Record, world: World
    ) -> set[str]:
        created = f"new:{digest([rule.name, *ids])}"
        made = replace(record, id=created, created_at=utc_text(self.engine.clock.now()))
        keys = {(key.scope, key.parts) for key in record_keys(entity, made, world)}
        if created in self.derived_records or keys & self._keys:
            return set()
        self._keys |= keys
        self.records[created], self.derived_records[created] = made, (rule, ids)
        self._derive_from(entity.name, created)
        return {created}


def _row(operation: Operation) -> tuple[str, str, str]:
    return operation.record_id, operation.connection, operation.resource


def forecast(engine: Engine) -> Forecast:
    """What a sync would do, as far as the ledger knows."""
    made = Forecast(engine)
    made.plan_all()
    return made


def _plans(engine: Engine, batch: Batch) -> Iterable[tuple[Link, Plan]]:
    """The plan of every tied link of a batch, each alone."""
    for link in batch.links.values():
        entity = engine.project.entities.get(link.entity)
        record = batch.records.get(link.record_id or "")
        if entity is None or record is None or link.connection not in entity.systems:
            continue
        plan_input = PlanInput(
            entity=entity,
            system=entity.systems[link.connection],
            link=link,
            record=record,
            world=batch.world,
            siblings=batch.siblings.get(record.id, ()),
            ready=(link.entity, link.connection, link.resource) in batch.ready,
            refused=batch.refused.get(link.id, ""),
            holder=batch.holders.get(link.id),
        )
        yield link, plan_link(plan_input)
