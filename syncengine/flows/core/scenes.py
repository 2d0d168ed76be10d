"""Loading what surrounds a batch of links before anything is decided about it, in a constant number of statements."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from syncengine.flows.core.engine import Engine, utc_text
from syncengine.flows.core.staging import group_of
from syncengine.ledger import Transaction
from syncengine.mapping import Context, Entity
from syncengine.model.key import Key, KeyKind
from syncengine.model.link import Link, LinkState
from syncengine.model.operation import UNSHOWN, Action, Operation, OperationState
from syncengine.model.record import Record, World
from syncengine.model.ref import Ref
from syncengine.model.values import ABSENT, Json, is_empty
from syncengine.planning.aggregate import TO_BE_MADE, Aggregate
from syncengine.planning.identity import (
    Hits,
    RowKeys,
    identity_subject,
    record_keys,
    row_keys,
    row_keys_of,
)
from syncengine.planning.questions import about

Place = tuple[str, str, str]
"""Entity, connection, resource."""


@dataclass(slots=True)
class Batch:
    """Links of one round and their surroundings. ``siblings``: record id -> its links. ``refused``: link id ->
    digest of the body that the vendor refused. ``ready``: places where every row is told who it is. ``holders``:
    link to be made -> another one that holds its row. ``asked``: subjects of the open questions about these links."""

    links: dict[str, Link]
    records: dict[str, Record]
    siblings: dict[str, list[Link]]
    world: World
    ready: set[Place] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    holders: dict[str, Link] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Ahead:
    """What a forecast knows better than the ledger: ``records`` as they will be, made ones among them, ``externals``:
    record id -> connection -> external id of a row that is to be made there, and ``links`` as they will be."""

    records: Mapping[str, Record] = field(default_factory=dict)
    externals: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    links: Mapping[str, Link] = field(default_factory=dict)

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


@dataclass(frozen=True, slots=True)
class Records:
    """Records with all their links, as they are decided and committed. ``links``: as they were read. ``asked``:
    subjects of the open questions about these links."""

    aggregates: Sequence[Aggregate]
    links: Mapping[str, Link]
    world: World
    asked: Collection[str]


def load_records(engine: Engine, tx: Transaction, ids: Collection[str]) -> Records:
    """These records, each with all its links and what their plans rest on."""
    every = {k.id: k for k in tx.links_of(ids)}
    known = {i: k for i, k in every.items() if engine.system(k.entity, k.connection) is not None}
    made = [k for k in known.values() if k.state in TO_BE_MADE]
    batch = surround(engine, tx, known, every.values(), placed=made)
    unsettled = tx.unsettled(list(known)).items()
    sent = {i for i, o in unsettled if o.state is not OperationState.PENDING}
    closed = sent | {i for i, k in every.items() if k.need_get or i not in known}
    aggregates = [
        _aggregate(engine, batch, record, closed)
        for record in batch.records.values()
        if record.entity in engine.project.entities
    ]
    return Records(aggregates, every, batch.world, batch.asked)


def _aggregate(engine: Engine, batch: Batch, record: Record, closed: Collection[str]) -> Aggregate:
    links = {k.id: k for k in sorted(batch.siblings.get(record.id, ()), key=lambda k: k.id)}
    return Aggregate(
        engine.project.entities[record.entity],
        record,
        links,
        batch.world,
        closed & links.keys(),
        {i for i, k in links.items() if (k.entity, k.connection, k.resource) in batch.ready},
        {i: batch.refused[i] for i in links if i in batch.refused},
        {i: batch.holders[i] for i in links if i in batch.holders},
    )


def surround(
    engine: Engine, tx: Transaction, links: dict[str, Link], every: Iterable[Link],
    ahead: Ahead = NOTHING, placed: Iterable[Link] | None = None,
) -> Batch:  # fmt: skip
    """The surroundings of these links; ``every``: all links of their records; ``placed``: those whose places have to be
    known, if not all."""
    siblings: dict[str, list[Link]] = {}
    for sibling in every:
        siblings.setdefault(sibling.record_id or "", []).append(sibling)
    records = ahead.seen(tx.records(list(siblings)), siblings)
    world = load_world(engine, tx, links.values(), records, ahead)
    batch = Batch(links, records, siblings, world)
    whose = links.values() if placed is None else placed
    for place in {(k.entity, k.connection, k.resource) for k in whose}:
        if tx.resource(place[1], place[2]).scanned_at and not tx.unsorted_links(*place):
            batch.ready.add(place)
    asked = tx.cases(subjects={subject for i in links for subject in about(i)})
    batch.asked = {case.subject for case in asked}
    batch.refused = {
        c.link_id: str(c.evidence.get("digest", ""))
        for c in asked
        if c.link_id and c.subject == f"rejected:{c.link_id}"
    }
    batch.holders = _holders(engine, tx, links.values(), records, world, ahead)
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
        asked += [Key(KeyKind.LIKE, s, parts, "") for s, of in shown.likes.items() for parts in of]
    bearers = tx.bearers(asked) if asked else {}
    owners = {r for (kind, _, _), found in bearers.items() if kind != KeyKind.ROW for r in found}
    held = links_by_record(tx, owners)
    operations = tx.unsettled([k.id for of in held.values() for k in of]) if held else {}
    made = tx.creates(connection, resource, [k.external_id for k in links if k.external_id])
    unsure = _unsure(tx, entity, connection, resource)
    hits = {}
    for link in links:
        perhaps = [unsure[p] for p in keys[link.id].parts.items() if p in unsure]
        ours = made.get(link.external_id or "") or next(iter(perhaps), None)
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
    """Identity (scope, parts) -> a create of it that has no outcome yet, or whose row nobody has told, whatever became
    of its record."""
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
    near = [(KeyKind.LIKE, scope, p) for scope, of in keys.likes.items() for p in of]
    alike = {record for name in near for record in bearers.get(name, ())}
    return Hits(records, rows, held, operations, sorted(alike), made)


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
    """Operation id -> a local link whose row already is what a create is about to make; locked."""
    creates = [o for o in operations if o.action is Action.CREATE]
    if not creates:
        return {}
    records = tx.records([o.record_id for o in creates])
    wanted = [
        _Wanted(o.id, o.link_id, _place(o), records[o.record_id], o.external_id)
        for o in creates
        if o.record_id in records
    ]
    return _rivals(engine, tx, wanted, World(engine.today, records), lock=True)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A row that is to be made, known by ``name``. ``chosen``: the id that it is to have."""

    name: str
    link_id: str
    place: Place
    record: Record
    chosen: str | None


def _rivals(
    engine: Engine, tx: Transaction, wanted: Sequence[_Wanted], world: World, lock: bool = False
) -> dict[str, Link]:
    """Name -> a local link whose row is what is wanted: an untied row that shows its key, or whoever has the id that
    is chosen."""
    asked: dict[tuple[str, str, tuple[Json, ...]], str] = {}
    keys: list[Key] = []
    for row in wanted:
        entity = engine.project.entities.get(row.place[0])
        if entity is None:
            continue
        for key in row_keys_of(entity, record_keys(entity, row.record, world)):
            if key.scope.startswith(f"{row.place[1]}/{row.place[2]}/"):
                asked[(key.kind, key.scope, key.parts)] = row.name
                keys.append(key)
    shown = {
        owners[0]: asked[name] for name, owners in tx.bearers(keys).items() if name in asked
    } if keys else {}  # fmt: skip
    rivals = {shown[i]: link for i, link in tx.links(shown, lock=lock).items()} if shown else {}
    for place in {row.place for row in wanted}:
        chosen = {row.chosen: row for row in wanted if row.chosen and row.place == place}
        held = tx.links_at(*place, list(chosen), lock=lock) if chosen else {}
        for external_id, link in held.items():
            if link.id != chosen[external_id].link_id:
                rivals[chosen[external_id].name] = link
    return rivals


def gives_way(tx: Transaction, holder: Link) -> bool:
    """Whether another record may take a link's row: nobody is asked about it, or its own record is gone and the row was
    kept, or is held until a person has decided."""
    if holder.state is LinkState.SEEN:
        return not tx.cases(subjects=[identity_subject(holder)])
    if holder.state is LinkState.LEFT or group_of(holder) is not None:
        record_id = holder.record_id or ""
        return tx.records([record_id])[record_id].deleted
    return holder.state is LinkState.GONE or (holder.record_id is None and holder.row is None)


def holds(tx: Transaction, rival: Link) -> bool:
    """Whether a row that is to be made is there already, for all that is known here: an untied one is to be told apart
    first, unless it was looked for and not found."""
    untied = rival.state is LinkState.SEEN and (rival.row is not None or rival.need_get)
    return untied or not gives_way(tx, rival)


def _holders(
    engine: Engine, tx: Transaction, links: Iterable[Link], records: Mapping[str, Record],
    world: World, ahead: Ahead = NOTHING,
) -> dict[str, Link]:  # fmt: skip
    """Link to be made -> a local link that holds its row: as known here, or as its vendor has told."""
    wanted: list[_Wanted] = []
    told: dict[str, tuple[_Wanted, str]] = {}
    for link in links:
        record, system = (
            records.get(link.record_id or ""),
            engine.system(link.entity, link.connection),
        )
        made = link.state in (LinkState.CREATING, LinkState.WAITING)
        if not made or record is None or record.deleted or system is None:
            continue
        chosen = None if system.key is None else system.key.on_record(record, world)
        place = (link.entity, link.connection, link.resource)
        id_ = None if is_empty(chosen) else str(chosen)
        wanted.append(_Wanted(link.id, link.id, place, record, id_))
        here = f"free:{link.connection}/{link.resource}/"
        if link.state is LinkState.WAITING and link.wait and link.wait.key.startswith(here):
            told[link.id] = (wanted[-1], link.wait.key.removeprefix(here))
    found = _rivals(engine, tx, wanted, world) if wanted else {}
    found = {name: ahead.links.get(rival.id, rival) for name, rival in found.items()}
    rivals = {i: k for i, k in found.items() if k.id != i and holds(tx, k)}
    return rivals | _awaited(engine, tx, told, records, ahead)


def _awaited(
    engine: Engine, tx: Transaction, told: Mapping[str, tuple[_Wanted, str]],
    records: Mapping[str, Record], ahead: Ahead,
) -> dict[str, Link]:  # fmt: skip
    """Link to be made -> whom it waits for already, where that one still holds its row: of several it is woken by this
    one. ``told``: link -> what is wanted, and the id of the row that it waits for."""
    held = {
        name: at for name, (row, x) in told.items() if (at := tx.links_at(*row.place, [x]).get(x))
    }
    if not held:
        return {}
    held = {name: ahead.links.get(holder.id, holder) for name, holder in held.items()}
    world = load_world(engine, tx, held.values(), records, ahead)
    return {
        name: holder
        for name, holder in held.items()
        if holder.id != name
        and still_shows(engine, holder, told[name][0].record, world)
        and holds(tx, holder)
    }


def still_shows(engine: Engine, holder: Link, record: Record, world: World) -> bool:
    """Whether a row that a search has shown still has, for all that we know of it, an identity of the record whose row
    is wanted. ``world``: with whom that row names."""
    entity = engine.project.entities[holder.entity]
    system = entity.systems[holder.connection]
    context = Context(connection=holder.connection, world=world, row=holder.row or {})
    shown = row_keys(entity, system, holder, context)
    ours = {(key.scope, key.parts) for key in record_keys(entity, record, world)}
    return holder.row is None or not ours.isdisjoint(shown.parts.items())


def _place(operation: Operation) -> Place:
    return operation.entity, operation.connection, operation.resource
