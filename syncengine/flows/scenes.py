"""Loading what surrounds a batch of links before anything is decided about it, in a constant number of statements."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from syncengine.flows.engine import Engine, utc_text
from syncengine.mapping import Context, Entity
from syncengine.model.key import Key, KeyKind
from syncengine.model.link import Link, LinkState
from syncengine.model.operation import UNSHOWN, Action, Operation, OperationState
from syncengine.model.record import Record, World
from syncengine.model.ref import Ref
from syncengine.model.values import ABSENT, Json
from syncengine.planning.identity import Hits, RowKeys, record_keys, row_keys, row_keys_of
from syncengine.ports import Transaction

Place = tuple[str, str, str]
"""Entity, connection, resource."""


@dataclass(slots=True)
class Batch:
    """Links of one round and their surroundings. ``siblings``: record id -> its links. ``refused``: link id ->
    digest of the body that the vendor refused. ``ready``: places where every row is told who it is."""

    links: dict[str, Link]
    records: dict[str, Record]
    siblings: dict[str, list[Link]]
    world: World
    ready: set[Place] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ahead:
    """What a forecast knows better than the ledger: ``records`` as they will be, made ones among them, and
    ``externals``: record id -> connection -> external id of a row that is to be made there."""

    records: Mapping[str, Record] = field(default_factory=dict)
    externals: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def seen(self, found: Mapping[str, Record], asked: Iterable[str]) -> dict[str, Record]:
        """What was found for these ids, as it will be."""
        return {**found, **{i: self.records[i] for i in asked if i in self.records}}

    def everyone(self, entity: str, found: Sequence[Record]) -> list[Record]:
        """All live records of an entity, as they will be."""
        mine = {i: r for i, r in self.records.items() if r.entity == entity}
        return [r for r in {**{r.id: r for r in found}, **mine}.values() if not r.deleted]


NOTHING = Ahead()
"""Nothing lies ahead: things are as the ledger says."""


def load_world(
    engine: Engine, tx: Transaction, links: Iterable[Link], records: Mapping[str, Record],
    ahead: Ahead = NOTHING,
) -> World:  # fmt: skip
    """Everything that the refs of these rows and records point at, as deep as expressions open them."""
    pairs: set[tuple[str, Ref]] = set()
    for link in links:
        system = engine.system(link.entity, link.connection)
        for rule in system.rules.values() if system is not None and link.row is not None else ():
            raw = rule.look(link.row or {})
            if raw is not ABSENT:
                pairs |= set(rule.refs(raw))
    asked = {(entity, r.connection, r.resource, r.external_id): (entity, r) for entity, r in pairs}
    found = tx.ties(list(asked)) if asked else {}
    tied = {asked[key]: record_id for key, record_id in found.items()}
    known = dict(records)
    depth = max((e.depth for e in engine.project.entities.values()), default=0)
    referred = _targets(engine, known.values()) | set(tied.values())
    for _ in range(depth):
        missing = referred - known.keys()
        if not missing:
            break
        more = ahead.seen(tx.records(missing), missing)
        known |= more
        referred = _targets(engine, more.values())
    everyone = known.keys() | referred | set(tied.values())
    externals = tx.externals(everyone) if everyone else {}
    for record_id in everyone & ahead.externals.keys():
        externals |= {(record_id, c): x for c, x in ahead.externals[record_id].items()}
    return World(engine.today, known, tied, externals)


def seen_rows(engine: Engine, most: int = 200) -> dict[tuple[str, str], list[Context]]:
    """(entity, connection) -> rows that are linked there, with their records; some, where there are many."""
    found: dict[tuple[str, str], list[Context]] = {}
    with engine.ledger.read() as tx:
        for entity in engine.project.entities.values():
            for name in entity.systems:
                states = (LinkState.LINKED, LinkState.LEFT)
                links = tx.select_links(entity.name, name, states, limit=most)
                records = tx.records({link.record_id for link in links if link.record_id})
                world = load_world(engine, tx, links, records)
                found[entity.name, name] = [
                    Context(
                        name, world, records.get(k.record_id or ""), k.row, seen=utc_text(k.read_at)
                    )
                    for k in links
                    if k.row is not None
                ]
    return found


def _targets(engine: Engine, records: Iterable[Record]) -> set[str]:
    found: set[str] = set()
    for record in records:
        entity = engine.project.entities.get(record.entity)
        for name, declared in entity.fields.items() if entity is not None else ():
            if declared.is_ref:
                found |= set(as_list(record.values.get(name)))
    return found


def as_list(value: Json) -> list[Json]:
    """A ref field's value as a list of record ids."""
    return value if isinstance(value, list) else [] if value is None else [value]


def load_tied(engine: Engine, tx: Transaction, ids: Sequence[str]) -> Batch:
    """The surroundings of tied links."""
    links = {i: k for i, k in tx.links(ids).items() if k.record_id is not None}
    every = tx.links_of({k.record_id for k in links.values() if k.record_id})
    return surround(engine, tx, links, every)


def surround(
    engine: Engine, tx: Transaction, links: dict[str, Link], every: Iterable[Link],
    ahead: Ahead = NOTHING,
) -> Batch:  # fmt: skip
    """The surroundings of these links; ``every``: all links of their records."""
    siblings: dict[str, list[Link]] = {}
    for sibling in every:
        siblings.setdefault(sibling.record_id or "", []).append(sibling)
    records = ahead.seen(tx.records(list(siblings)), siblings)
    world = load_world(engine, tx, links.values(), records, ahead)
    batch = Batch(links, records, siblings, world)
    for place in {(k.entity, k.connection, k.resource) for k in links.values()}:
        if tx.resource(place[1], place[2]).scanned_at and not tx.unsorted_links(*place):
            batch.ready.add(place)
    asked = tx.cases(subjects=[f"rejected:{i}" for i in links])
    batch.refused = {c.link_id: str(c.evidence.get("digest", "")) for c in asked if c.link_id}
    return batch


@dataclass(slots=True)
class Strangers:
    """Untied links of one entity and connection and what they were looked up against."""

    links: dict[str, Link]
    keys: dict[str, RowKeys]
    hits: dict[str, Hits]
    world: World


def load_untied(
    engine: Engine, tx: Transaction, entity: Entity, links: Sequence[Link]
) -> Strangers:
    """Look the identity keys of untied rows of one connection up, all at once."""
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
    bearers = tx.bearers(asked) if asked else {}
    owners = {r for (kind, _, _), found in bearers.items() if kind != KeyKind.ROW for r in found}
    held = links_by_record(tx, owners)
    operations = tx.unsettled([k.id for of in held.values() for k in of]) if held else {}
    made = tx.creates(connection, resource, [k.external_id for k in links if k.external_id])
    unsure = _unsure(tx, entity, connection, resource)
    hits = {}
    for link in links:
        perhaps = [unsure[p] for p in keys[link.id].parts.items() if p in unsure]
        ours = perhaps[0] if perhaps else made.get(link.external_id or "")
        hits[link.id] = _hits(link, keys[link.id], bearers, held, operations, ours)
    return Strangers({k.id: k for k in links}, keys, hits, world)


def links_by_record(tx: Transaction, record_ids: Collection[str]) -> dict[str, list[Link]]:
    """Record id -> its links."""
    held: dict[str, list[Link]] = {}
    for link in tx.links_of(record_ids) if record_ids else ():
        held.setdefault(link.record_id or "", []).append(link)
    return held


def _unsure(
    tx: Transaction, entity: Entity, connection: str, resource: str
) -> dict[tuple[str, tuple[Json, ...]], Operation]:
    """Identity (scope, parts) -> a create of it that has no outcome yet, whatever became of its record."""
    found: dict[tuple[str, tuple[Json, ...]], Operation] = {}
    states = (OperationState.CLAIMED, OperationState.UNKNOWN)
    for operation in tx.select_operations(states, connection=connection):
        if operation.action is Action.CREATE and operation.resource == resource:
            for number, names in enumerate(entity.identity):
                if operation.entity == entity.name and set(names) <= operation.carried.keys():
                    parts = tuple(operation.carried[name] for name in names)
                    found[(f"{entity.name}:{number}", parts)] = operation
    return found


def _hits(
    link: Link, keys: RowKeys, bearers: Mapping[tuple[str, str, tuple[Json, ...]], list[str]],
    held: Mapping[str, list[Link]], operations: Mapping[str, Operation], made: Operation | None,
) -> Hits:  # fmt: skip
    place = f"{link.connection}/{link.resource}"
    records: dict[str, list[str]] = {}
    rows: dict[str, list[str]] = {}
    for scope, parts in keys.parts.items():
        records[scope] = [
            *bearers.get((KeyKind.RECORD, scope, parts), ()),
            *bearers.get((KeyKind.SHARED, scope, parts), ()),
        ]
        shown = bearers.get((KeyKind.ROW, f"{place}/{scope}", parts), ())
        rows[scope] = [other for other in shown if other != link.id]
    return Hits(records, rows, held, operations, made)


def lost_creates(
    engine: Engine, tx: Transaction, operations: Sequence[Operation]
) -> dict[str, Mapping[str, Json]]:
    """Link for which a create went out before that never showed -> what its vendor wants with another one."""
    more = {
        o.link_id: engine.connectors[o.connection].spec.resources[o.resource].again
        for o in operations
        if o.action is Action.CREATE
    }
    told = [link_id for link_id, again in more.items() if again]
    lost = tx.stale_creates(told) if told else []
    return {o.link_id: more[o.link_id] for o in lost if o.detail == UNSHOWN}


def rivals_of(engine: Engine, tx: Transaction, operations: Sequence[Operation]) -> dict[str, Link]:
    """Operation id -> a local link whose row already is what a create is about to make: an untied row that shows
    its key, or whoever has the id that it chooses."""
    creates = [o for o in operations if o.action is Action.CREATE]
    if not creates:
        return {}
    records = tx.records([o.record_id for o in creates])
    world = World(engine.today, records)
    asked: dict[tuple[str, str, tuple[Json, ...]], str] = {}
    keys: list[Key] = []
    for operation in creates:
        entity = engine.project.entities.get(operation.entity)
        record = records.get(operation.record_id)
        if entity is None or record is None:
            continue
        for key in row_keys_of(entity, record_keys(entity, record, world)):
            if key.scope.startswith(f"{operation.connection}/{operation.resource}/"):
                asked[(key.kind, key.scope, key.parts)] = operation.id
                keys.append(key)
    shown = {
        owners[0]: asked[name] for name, owners in tx.bearers(keys).items() if name in asked
    } if keys else {}  # fmt: skip
    rivals = {shown[i]: link for i, link in tx.links(shown, lock=True).items()} if shown else {}
    for place in {(o.entity, o.connection, o.resource) for o in creates}:
        chosen = {o.external_id: o for o in creates if o.external_id and _place(o) == place}
        held = tx.links_at(*place, list(chosen), lock=True) if chosen else {}
        for external_id, link in held.items():
            if link.id != chosen[external_id].link_id:
                rivals[chosen[external_id].id] = link
    return rivals


def _place(operation: Operation) -> Place:
    return operation.entity, operation.connection, operation.resource
