"""Sweep: whatever is due is announced again, whoever lost it; harmless if two run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from syncengine.flows.births import spread, stubs
from syncengine.flows.dispatch import expire
from syncengine.flows.engine import Engine
from syncengine.flows.rows import keep_row_keys
from syncengine.flows.scenes import load_world
from syncengine.mapping import Derivation, Entity
from syncengine.model.connection import ResourceState
from syncengine.model.link import LinkState
from syncengine.model.operation import UNSETTLED
from syncengine.ports import Transaction

WAITS_EVERY = 600.0
"""Seconds after which links that wait are looked at again."""

MESSAGES = 4
"""Messages of one kind that one sweep sends; the next sweep sends more if there is more."""


def sweep(engine: Engine) -> Counter[str]:
    """Announce due listings, reads, reconciling, writes, probes and derivations. Returns task -> messages."""
    adopt_project(engine)
    expire(engine)
    sent: Counter[str] = Counter()
    with engine.ledger.write() as tx:
        listings = list(_due_listings(engine, tx))
        _look_at_waits(engine, tx)
        dirty = tx.dirty_count()
        operations = len(tx.select_operations(UNSETTLED, limit=MESSAGES * engine.limits.batch))
        derivations = len(tx.derivations_due(1))
    for connection, resource, kind in listings:
        engine.queue.announce("capture", [connection, resource, kind])
        sent["capture"] += 1
    for task, count in (
        ("derive", derivations), ("refresh", dirty), ("reconcile", dirty),
        ("dispatch", operations), ("probe", operations),
    ):  # fmt: skip
        for _ in range(min(MESSAGES, -(-count // engine.limits.batch))):
            engine.queue.announce(task, [])
            sent[task] += 1
    return sent


def _look_at_waits(engine: Engine, tx: Transaction) -> None:
    """What waits for a row or record is looked at again now and then, should a wake-up have been missed: some each
    time, until all had their turn."""
    state, period = tx.connection("waits", lock=True), str(int(engine.clock.now() // WAITS_EVERY))
    last, _, reached = state.digest.partition(":")
    if last == period:
        return
    many = engine.limits.batch * MESSAGES
    waits = tx.waiting_links(many, after=reached)
    tx.dirty_links([link.id for link in waits if link.wait is not None and link.wait.key])
    reached = waits[-1].id if len(waits) == many else ""
    tx.save_connection(replace(state, digest=f"{period}:{reached}"))


def _due_listings(engine: Engine, tx: Transaction) -> Iterator[tuple[str, str, str]]:
    """Polls and scans whose span is over; one that was announced and did not come is announced again."""
    now, patience = engine.clock.now(), 3 * engine.limits.lease
    for connection, resource in listed(engine):
        if not engine.may_call(tx, connection):
            continue
        schedule = engine.project.connections[connection].resources.get(resource)
        state = tx.resource(connection, resource)
        came = max(state.scanned_at, state.polled_at) >= state.scan_started
        if schedule is None or not (came or now - state.scan_started >= patience):
            continue
        if not _parents_known(engine, tx, connection, resource):
            continue
        kind = _due(state, schedule.poll, schedule.scan, now)
        if kind:
            tx.save_resource(replace(state, scan_started=now))
            yield connection, resource, kind


def _parents_known(engine: Engine, tx: Transaction, connection: str, resource: str) -> bool:
    """Whether the rows that this listing is read below are listed and told who they are; without them it would
    come back empty and count as complete."""
    parent = engine.project.connections[connection].spec.resources[resource].parent
    if parent is None:
        return True
    systems = engine.project.systems_of(connection, parent)
    return bool(tx.resource(connection, parent).scanned_at) and not any(
        tx.unsorted_links(entity.name, connection, parent) for entity, _ in systems
    )


def _due(state: ResourceState, poll: float | None, scan: float | None, now: float) -> str:
    if scan is not None and now - state.scanned_at >= scan:
        return "scan"
    if poll is not None and now - max(state.polled_at, state.scanned_at) >= poll:
        return "scan" if not state.scanned_at else "poll"
    return ""


def listed(engine: Engine) -> list[tuple[str, str]]:
    """Connection and resource of everything that is listed, in the order in which entities build on each other,
    parents first."""
    places: list[tuple[str, str]] = []
    for _, system in engine.places():
        if system.resource.parent is not None:
            places.append((system.connection, system.resource.parent))
        places.append((system.connection, system.resource.name))
    return list(dict.fromkeys(places))


def adopt_project(engine: Engine) -> None:
    """Notice that the mapping, a mode or the day has changed: what it concerns is looked at again."""
    today = engine.today
    with engine.ledger.read() as tx:
        marks = {
            name: tx.connection(name).digest
            for name in ("project", "day")
        }  # fmt: skip
    if marks == {"project": _project_mark(engine), "day": today}:
        return
    with engine.ledger.write() as tx:
        for entity in engine.project.entities.values():
            anew = remapped(tx, entity)
            due = due_anew(engine, tx, entity)
            _mark(tx, f"entity:{entity.name}", _entity_mark(engine, entity))
            if anew:
                _add_stubs(tx, entity)
                _look_anew(engine, tx, entity)
            if due:
                tx.dirty_entity(entity.name)
        for rule in ruled_anew(engine, tx):
            _mark(tx, f"derive:{rule.name}", rule.digest)
            for name in rule.sources:
                tx.derive_due([record.id for record in tx.records_of(name)])
        _mark(tx, "project", _project_mark(engine))
        _mark(tx, "day", today)


def _project_mark(engine: Engine) -> str:
    modes = ",".join(f"{c.name}={c.mode}" for c in engine.project.connections.values())
    return f"{engine.project.digest}:{modes}"


def _entity_mark(engine: Engine, entity: Entity) -> str:
    """The mapping of an entity, and what else its links are planned by."""
    used = [engine.project.connections[name] for name in sorted(entity.systems)]
    return f"{entity.digest}:" + ",".join(f"{c.name}={c.mode}/{c.timezone}" for c in used)


def due_anew(engine: Engine, tx: Transaction, entity: Entity) -> bool:
    """Whether all links of an entity are to be looked at: its mapping, a mode or the day is another."""
    made_by = tx.connection(f"entity:{entity.name}").digest
    another_day = tx.connection("day").digest != engine.today
    return made_by != _entity_mark(engine, entity) or (entity.uses_today and another_day)


def ruled_anew(engine: Engine, tx: Transaction) -> list[Derivation]:
    """The derivations that changed since they were last looked at, and those that a new day changes."""
    another_day = tx.connection("day").digest != engine.today
    return [
        rule
        for rule in engine.project.derivations
        if tx.connection(f"derive:{rule.name}").digest != rule.digest
        or (rule.uses_today and another_day)
    ]


def remapped(tx: Transaction, entity: Entity) -> bool:
    """Whether the mapping of an entity is another than the one that its links were made by."""
    return tx.connection(f"entity:{entity.name}").digest.partition(":")[0] != entity.digest


def _mark(tx: Transaction, name: str, digest: str) -> bool:
    state = tx.connection(name, lock=True)
    if state.digest == digest:
        return False
    tx.save_connection(replace(state, digest=digest))
    return True


def _look_anew(engine: Engine, tx: Transaction, entity: Entity) -> None:
    """A changed mapping may tell who is who in another way, and look where a listing does not show: identities are
    taken anew, untied rows are looked at again, and rows that are listed in part are read at the next listing."""
    records = tx.records_of(entity.name)
    world = load_world(engine, tx, (), {record.id: record for record in records})
    spread(engine, tx, records, world, ())
    for system in entity.systems.values():
        found = [
            link.id
            for link in tx.select_links(entity=entity.name, connection=system.connection)
            if link.state is LinkState.SEEN or system.needs_get
        ]
        links = [
            replace(link, listed_hash="", dirty=link.dirty + (link.state is LinkState.SEEN))
            for link in tx.links(found, lock=True).values()
        ]
        tx.save_links(links)
        keep_row_keys(engine, tx, entity, system, links, found)


def _add_stubs(tx: Transaction, entity: Entity) -> None:
    """A system that is new in the mapping gets links to be created for the records that are there."""
    records = [record.id for record in tx.records_of(entity.name)]
    if not records:
        return
    there = {(link.record_id, link.connection) for link in tx.links_of(records)}
    tx.add_links([s for r in records for s in stubs(entity, r) if (r, s.connection) not in there])
