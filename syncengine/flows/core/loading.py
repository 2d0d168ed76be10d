"""Loading what surrounds a batch of links before anything is decided, in a constant number of statements."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from syncengine.flows.core.engine import Engine
from syncengine.flows.core.places import Place, holders_of
from syncengine.flows.core.world import load_world
from syncengine.ledger import Transaction
from syncengine.mapping import Context, Entity
from syncengine.model.key import Key, KeyKind
from syncengine.model.link import Link
from syncengine.model.operation import Action, Operation, OperationState
from syncengine.model.record import Record, World
from syncengine.model.values import Json
from syncengine.planning.aggregate import TO_BE_MADE, Aggregate
from syncengine.planning.identity import (
    Hits,
    RowKeys,
    row_keys,
)
from syncengine.planning.questions import about


@dataclass(frozen=True, slots=True)
class Records:
    """Records as they are loaded to be decided and committed, each with all its links. ``links``: as they were read.
    ``asked``: subjects of the open questions about these links."""

    aggregates: Sequence[Aggregate]
    links: Mapping[str, Link]
    world: World
    asked: Collection[str]


def load_records(engine: Engine, tx: Transaction, ids: Collection[str]) -> Records:
    """Load these records in one snapshot, each with all its links and what their plans depend on, in a constant number
    of statements."""
    every = {k.id: k for k in tx.links_of(ids)}
    known = {i: k for i, k in every.items() if engine.system(k.entity, k.connection) is not None}
    siblings: dict[str, list[Link]] = {}
    for link in sorted(every.values(), key=lambda k: k.id):
        siblings.setdefault(link.record_id or "", []).append(link)
    records = tx.records(list(siblings))
    world = load_world(engine, tx, known.values(), records)
    made = [k for k in known.values() if k.state in TO_BE_MADE]
    cases = tx.cases(subjects={subject for i in known for subject in about(i)})
    unsettled = tx.unsettled(list(known)).items()
    sent = {i for i, o in unsettled if o.state is not OperationState.PENDING}
    found = _Surroundings(
        closed=sent | {i for i, k in every.items() if k.need_get or i not in known},
        ready=_ready(tx, made),
        refused={
            c.link_id: str(c.evidence.get("digest", ""))
            for c in cases
            if c.link_id and c.subject == f"rejected:{c.link_id}"
        },
        holders=holders_of(engine, tx, known.values(), records, world),
    )
    aggregates = [
        found.aggregate(engine.project.entities[record.entity], record, siblings[i], world)
        for i, record in sorted(records.items())
        if record.entity in engine.project.entities
    ]
    return Records(aggregates, every, world, {case.subject for case in cases})


def _ready(tx: Transaction, links: Iterable[Link]) -> set[str]:
    """Links whose place is known whole: it was listed, and every row there is told who it is."""
    places: dict[Place, list[str]] = {}
    for link in links:
        places.setdefault((link.entity, link.connection, link.resource), []).append(link.id)
    return {
        link_id
        for place, mine in places.items()
        if tx.resource(place[1], place[2]).scanned_at and not tx.is_uncorrelated(*place)
        for link_id in mine
    }


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What the plans of links depend on beside their records; by link id, as ``Aggregate`` says."""

    closed: Collection[str]
    ready: Collection[str]
    refused: Mapping[str, str]
    holders: Mapping[str, Link]

    def aggregate(
        self, entity: Entity, record: Record, links: Iterable[Link], world: World
    ) -> Aggregate:
        """The part of it that is about one record."""
        mine = {link.id: link for link in links}
        return Aggregate(
            entity,
            record,
            mine,
            world,
            mine.keys() & self.closed,
            mine.keys() & self.ready,
            {i: self.refused[i] for i in mine if i in self.refused},
            {i: self.holders[i] for i in mine if i in self.holders},
        )


@dataclass(slots=True)
class UntiedBatch:
    """Untied links of one entity and connection, and what their identity keys match."""

    links: dict[str, Link]
    keys: dict[str, RowKeys]
    hits: dict[str, Hits]
    world: World


def load_untied(
    engine: Engine, tx: Transaction, entity: Entity, links: Sequence[Link]
) -> UntiedBatch:
    """Look up the identity keys of all untied rows of one connection at once."""
    connection, resource = links[0].connection, links[0].resource
    system = entity.systems[connection]
    world = load_world(engine, tx, links, {})
    context = Context(connection=connection, world=world)
    keys = {k.id: row_keys(entity, system, k, replace(context, row=k.row or {})) for k in links}
    asked: list[Key] = []
    for link_id, shown in keys.items():
        for scope, parts in shown.parts.items():
            asked += [Key(kind, scope, parts, "") for kind in (KeyKind.RECORD, KeyKind.SHARED)]
            asked.append(Key(KeyKind.ROW, f"{connection}/{resource}/{scope}", parts, link_id))
    key_owners = tx.key_owners(asked) if asked else {}
    if not system.creates_in:
        # Likeness counts only for a row that nobody's identity fits and of which no record is made.
        strange = [shown for shown in keys.values() if not _is_known(shown, key_owners)]
        likes = [
            Key(KeyKind.LIKE, s, p, "") for k in strange for s, of in k.likes.items() for p in of
        ]
        key_owners |= tx.key_owners(likes) if likes else {}
    owners = {r for (kind, _, _), found in key_owners.items() if kind != KeyKind.ROW for r in found}
    held = links_by_record(tx, owners)
    operations = tx.unsettled([k.id for of in held.values() for k in of]) if held else {}
    made = tx.creates(connection, resource, [k.external_id for k in links if k.external_id])
    unsure = _unsure(tx, entity, connection, resource)
    hits = {}
    for link in links:
        perhaps = [unsure[p] for p in keys[link.id].parts.items() if p in unsure]
        ours = made.get(link.external_id or "") or next(iter(perhaps), None)
        hits[link.id] = _hits(link, keys[link.id], key_owners, held, operations, ours)
    return UntiedBatch({k.id: k for k in links}, keys, hits, world)


def _is_known(
    keys: RowKeys, key_owners: Mapping[tuple[str, str, tuple[Json, ...]], list[str]]
) -> bool:
    """Whether a record has an identity that a row shows."""
    kinds = (KeyKind.RECORD, KeyKind.SHARED)
    return any((kind, *key) in key_owners for key in keys.parts.items() for kind in kinds)


def links_by_record(tx: Transaction, record_ids: Collection[str]) -> dict[str, list[Link]]:
    """Record id -> its links."""
    held: dict[str, list[Link]] = {}
    for link in tx.links_of(record_ids) if record_ids else ():
        held.setdefault(link.record_id or "", []).append(link)
    return held


def _unsure(
    tx: Transaction, entity: Entity, connection: str, resource: str
) -> dict[tuple[str, tuple[Json, ...]], Operation]:
    """Identity (scope, parts) -> a create with that identity whose outcome is unknown, or whose new row nobody has
    named, whatever became of its record."""
    found: dict[tuple[str, tuple[Json, ...]], Operation] = {}
    states = (OperationState.CLAIMED, OperationState.UNKNOWN)
    unsettled = tx.select_operations(states, connection=connection)
    for operation in [*tx.unnamed_creates(connection, resource), *unsettled]:
        if operation.action is Action.CREATE and operation.resource == resource:
            for number, names in enumerate(entity.identity):
                if operation.entity == entity.name and set(names) <= operation.carried.keys():
                    parts = tuple(operation.carried[name] for name in names)
                    found[(f"{entity.name}:{number}", parts)] = operation
    return found


def _hits(
    link: Link, keys: RowKeys, key_owners: Mapping[tuple[str, str, tuple[Json, ...]], list[str]],
    held: Mapping[str, list[Link]], operations: Mapping[str, Operation], made: Operation | None,
) -> Hits:  # fmt: skip
    place = f"{link.connection}/{link.resource}"
    records: dict[str, list[str]] = {}
    rows: dict[str, list[str]] = {}
    for scope, parts in keys.parts.items():
        records[scope] = [
            *key_owners.get((KeyKind.RECORD, scope, parts), ()),
            *key_owners.get((KeyKind.SHARED, scope, parts), ()),
        ]
        shown = key_owners.get((KeyKind.ROW, f"{place}/{scope}", parts), ())
        rows[scope] = [other for other in shown if other != link.id]
    near = [(KeyKind.LIKE, scope, p) for scope, of in keys.likes.items() for p in of]
    alike = {record for name in near for record in key_owners.get(name, ())}
    return Hits(records, rows, held, operations, sorted(alike), made)
