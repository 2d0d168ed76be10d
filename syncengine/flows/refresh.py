"""Refresh: full rows where the listing shows less than the mapping needs, or where only a fresh read counts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial

from syncengine.flows.capture import wake_sorted
from syncengine.flows.engine import Engine, failed, new_id
from syncengine.flows.rows import Read, store
from syncengine.model.case import Case, CaseKind
from syncengine.model.link import Link
from syncengine.ports import Item


def refresh(engine: Engine, ids: Collection[str] | None = None) -> int:
    """Read one batch of links anew, concurrently within the connections' slots. Returns how many were claimed."""
    with engine.ledger.write() as tx:
        open_now = engine.open_connections(tx)
        claimed = tx.claim_links(
            "refresh", engine.clock.now(), engine.limits.lease, engine.limits.batch, ids=ids,
            connections=open_now,
        ) if open_now else []  # fmt: skip
        links = list(tx.links(claimed).values())
    done = _list_soon(engine, [k for k in links if not _single(engine, k)])
    links = [k for k in links if _single(engine, k) and not _behind(engine, k)]
    try:
        for connection in dict.fromkeys(link.connection for link in links):
            done += _refresh_all(engine, [k for k in links if k.connection == connection])
    finally:
        with engine.ledger.write() as tx:
            tx.release_links(claimed)
    return done


def _single(engine: Engine, link: Link) -> bool:
    resources = engine.project.connections[link.connection].spec.resources
    return link.resource in resources and resources[link.resource].single_get


def _behind(engine: Engine, link: Link) -> bool:
    """Whether a single read would still be behind the last one that counted."""
    spec = engine.project.connections[link.connection].spec.resources[link.resource]
    return bool(link.read_at) and engine.clock.now() < link.read_at + spec.read_lag


def _list_soon(engine: Engine, links: Sequence[Link]) -> int:
    """Where a vendor has no single read, the next listing is the fresh one: it is due now."""
    if not links:
        return 0
    with engine.ledger.write() as tx:
        held = tx.links([link.id for link in links], lock=True)
        tx.save_links([replace(k, need_get=False, version=k.version + 1) for k in held.values()])
        for connection, resource in {(k.connection, k.resource) for k in held.values()}:
            schedule = engine.project.connections[connection].resources.get(resource)
            state = tx.resource(connection, resource)
            if schedule is not None and schedule.scan and state.scanned_at:
                due = min(state.scanned_at, engine.clock.now() - schedule.scan)
                tx.save_resource(replace(state, scanned_at=max(due, 1.0), scan_started=0.0))
    return len(links)


def _refresh_all(engine: Engine, links: Sequence[Link]) -> int:
    connection = links[0].connection
    reads: dict[tuple[str, str], list[Read]] = {}
    faults: list[tuple[Link, Item]] = []
    with engine.slots(connection, engine.concurrency(connection)) as width:
        if not width:
            return 0
        jobs = ((link, partial(_read, engine, link)) for link in links)
        with engine.gates[connection].prepaid(len(links)):
            for link, result in engine.call_all(jobs, width):
                error = failed(result)
                if error is not None:
                    engine.note_failure(connection, error)
                    continue
                engine.needs[connection] += 1
                item, read = result
                if item is not None and item.fault:
                    faults.append((link, item))
                else:
                    reads.setdefault((link.entity, link.resource), []).append(read)
    _store_all(engine, connection, reads, faults)
    return sum(map(len, reads.values())) + len(faults)


def _read(engine: Engine, link: Link) -> tuple[Item | None, Read]:
    started = engine.clock.now()
    external_id = link.external_id or ""
    item = engine.connectors[link.connection].get(link.resource, external_id)
    row = None if item is None else item.row
    parent = link.parent if item is None else item.parent or link.parent
    return item, Read(external_id, row, parent, started, engine.clock.now())


def _store_all(
    engine: Engine, connection: str, reads: dict[tuple[str, str], list[Read]],
    faults: Sequence[tuple[Link, Item]],
) -> None:  # fmt: skip
    dirty: list[str] = []
    with engine.ledger.write() as tx:
        for (entity, resource), batch in reads.items():
            system = engine.system(entity, connection)
            if system is not None:
                kept = store(engine, tx, engine.project.entities[entity], system, "get", batch)
                dirty += kept.dirty
            wake_sorted(engine, tx, connection, resource)
        if faults:
            held = tx.links([link.id for link, _ in faults], lock=True)
            tx.save_links(
                [replace(k, need_get=False, version=k.version + 1) for k in held.values()]
            )
            tx.raise_cases([_unfit(engine, link, item) for link, item in faults])
    engine.announce("reconcile", dirty)


def _unfit(engine: Engine, link: Link, item: Item) -> Case:
    return Case(
        id=new_id(),
        kind=CaseKind.QUARANTINED,
        subject=f"quarantined:{link.id}",
        question=f"A row of {link.connection} {link.resource} does not fit: {item.fault}",
        evidence={"external_id": link.external_id, "row": dict(item.row)},
        answers={"retry": "read the row again and go on"},
        entity=link.entity,
        record_id=link.record_id,
        link_id=link.id,
        opened_at=engine.clock.now(),
    )
