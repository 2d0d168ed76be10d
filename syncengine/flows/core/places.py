"""Places: which link already has the row that a create would make, so that nothing is made twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from syncengine.flows.core.engine import Engine
from syncengine.flows.core.staging import group_of
from syncengine.flows.core.world import load_world
from syncengine.ledger import Transaction
from syncengine.mapping import Context
from syncengine.model.condition import PlaceFree
from syncengine.model.key import Key
from syncengine.model.link import Link, LinkState
from syncengine.model.operation import Action, Detail, Operation
from syncengine.model.record import Record, World
from syncengine.model.values import Json, is_empty
from syncengine.planning.identity import (
    identity_subject,
    record_keys,
    row_keys,
    row_keys_of,
)

Place = tuple[str, str, str]
"""Entity, connection, resource."""


def lost_creates(
    engine: Engine, tx: Transaction, operations: Sequence[Operation]
) -> dict[str, Mapping[str, Json]]:
    """Link whose earlier create was sent and never showed up -> what the vendor wants added to the next one."""
    more = {
        o.link_id: engine.connectors[o.connection].spec.resources[o.resource].again
        for o in operations
        if o.action is Action.CREATE
    }
    told = [link_id for link_id, again in more.items() if again]
    lost = tx.stale_creates(told) if told else []
    return {o.link_id: more[o.link_id] for o in lost if o.detail == Detail.NEVER_SHOWN}


def rivals_of(engine: Engine, tx: Transaction, operations: Sequence[Operation]) -> dict[str, Link]:
    """Operation id -> a local link that already has the row which a create would make; locked."""
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
    """A row that is to be created, identified by ``name``. ``chosen``: the id that it is to have."""

    name: str
    link_id: str
    place: Place
    record: Record
    chosen: str | None


def _rivals(
    engine: Engine, tx: Transaction, wanted: Sequence[_Wanted], world: World, lock: bool = False
) -> dict[str, Link]:
    """Name -> a local link that already has the wanted row: an untied row with the same key, or the holder of the
    chosen id."""
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
        owners[0]: asked[name] for name, owners in tx.key_owners(keys).items() if name in asked
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
    """Whether another record may take over a link's row: an untied row without an open identity case, a row that is
    kept or held for approval while its own record is deleted, or a link without a row."""
    if holder.state is LinkState.SEEN:
        return not tx.cases(subjects=[identity_subject(holder)])
    if holder.state is LinkState.LEFT or group_of(holder) is not None:
        record_id = holder.record_id or ""
        return tx.records([record_id])[record_id].deleted
    return holder.state is LinkState.GONE or (holder.record_id is None and holder.row is None)


def row_exists(tx: Transaction, rival: Link) -> bool:
    """Whether, as far as is known here, the row that is to be created exists already. An untied one is correlated
    first, unless a search did not find it."""
    untied = rival.state is LinkState.SEEN and (rival.row is not None or rival.need_get)
    return untied or not gives_way(tx, rival)


def holders_of(
    engine: Engine, tx: Transaction, links: Iterable[Link], records: Mapping[str, Record],
    world: World,
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
        on = None if link.wait is None else link.wait.on
        if link.state is LinkState.WAITING and isinstance(on, PlaceFree):
            told[link.id] = (wanted[-1], on.row.external_id)
    found = _rivals(engine, tx, wanted, world) if wanted else {}
    rivals = {i: k for i, k in found.items() if k.id != i and row_exists(tx, k)}
    return rivals | _awaited(engine, tx, told, records)


def _awaited(
    engine: Engine, tx: Transaction, told: Mapping[str, tuple[_Wanted, str]],
    records: Mapping[str, Record],
) -> dict[str, Link]:  # fmt: skip
    """Link whose row is to be created -> the holder that it already waits for, if that still holds the row. ``told``:
    link -> what is wanted, and the id of the row that it waits for."""
    held = {
        name: at for name, (row, x) in told.items() if (at := tx.links_at(*row.place, [x]).get(x))
    }
    if not held:
        return {}
    world = load_world(engine, tx, held.values(), records)
    return {
        name: holder
        for name, holder in held.items()
        if holder.id != name
        and still_shows(engine, holder, told[name][0].record, world)
        and row_exists(tx, holder)
    }


def still_shows(engine: Engine, holder: Link, record: Record, world: World) -> bool:
    """Whether a row that a search found still has an identity of the record whose row is wanted, as far as we know.
    ``world``: with the records that the row refers to."""
    entity = engine.project.entities[holder.entity]
    system = entity.systems[holder.connection]
    context = Context(connection=holder.connection, world=world, row=holder.row or {})
    shown = row_keys(entity, system, holder, context)
    ours = {(key.scope, key.parts) for key in record_keys(entity, record, world)}
    return holder.row is None or not ours.isdisjoint(shown.parts.items())


def _place(operation: Operation) -> Place:
    return operation.entity, operation.connection, operation.resource
