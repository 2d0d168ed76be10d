"""Reconcile: correlate untied rows, plan tied links, and commit each by compare-and-set."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from syncengine.errors import RowInvalid
from syncengine.flows.core.engine import Engine
from syncengine.flows.core.loading import load_records, load_untied
from syncengine.flows.reconcile.commit import Commit
from syncengine.flows.reconcile.ties import Ties
from syncengine.mapping import Context
from syncengine.model.changeset import Changeset
from syncengine.model.link import Link, LinkState
from syncengine.model.values import utc_text
from syncengine.planning.aggregate import decide_record
from syncengine.planning.identity import Correlation, correlate, quarantine


def reconcile(engine: Engine, ids: Collection[str] | None = None, entity: str | None = None) -> int:
    """Process one batch of dirty links. Returns how many were claimed; 0: nothing was due."""
    now, limits = engine.clock.now(), engine.limits
    with engine.ledger.read() as tx:
        if tx.due_place("reconcile", now, ids=ids) is None:
            return 0
    with engine.ledger.write() as tx:
        claimed = tx.claim_links(
            "reconcile", now, limits.lease, limits.batch, ids=ids, entity=entity
        )
    records = {k.record_id for k in claimed if k.record_id is not None}
    held = {k.id for k in claimed}
    try:
        untied, left = list[Link](), list[Link]()
        for link in claimed:
            if engine.system(link.entity, link.connection) is None:
                left.append(link)
            elif link.record_id is None:
                untied.append(link)
        for group in _by_place(untied):
            records |= _correlate_all(engine, group)
        held -= set(_reconcile_records(engine, records))
        _forget(left, engine)
    finally:
        if held:
            with engine.ledger.write() as tx:
                tx.release_links(held)
    return len(claimed)


def _by_place(links: Iterable[Link]) -> list[list[Link]]:
    groups: dict[tuple[str, str], list[Link]] = {}
    for link in links:
        groups.setdefault((link.entity, link.connection), []).append(link)
    return list(groups.values())


def _forget(links: Sequence[Link], engine: Engine) -> None:
    """Links of a system that the project no longer has are left as they are."""
    if links:
        with engine.ledger.write() as tx:
            held = tx.links([k.id for k in links], lock=True)
            tx.write(Changeset(links=[k.at_rest() for k in held.values()]))


def _correlate_all(engine: Engine, links: Sequence[Link]) -> set[str]:
    entity = engine.project.entities[links[0].entity]
    system = entity.systems[links[0].connection]
    with engine.ledger.read() as tx:
        found = load_untied(engine, tx, entity, links)
    decided: dict[str, Correlation] = {}
    for link in links:
        context = Context(
            connection=link.connection, world=found.world, row=link.row or {},
            seen=utc_text(link.read_at),
        )  # fmt: skip
        if link.state is LinkState.UNLINKED or link.row is None or link.set_aside:
            decided[link.id] = Correlation(link.at_rest().tied(wait=None))
            continue
        try:
            decided[link.id] = correlate(
                entity, system, link, found.keys[link.id], found.hits[link.id], context
            )
        except RowInvalid as invalid:
            case = quarantine(entity, link, "the row", invalid)
            decided[link.id] = Correlation(link.at_rest(), ask=case)
    return Ties(engine, found.world).commit(entity, system, found.links, decided)


def _reconcile_records(engine: Engine, ids: Collection[str]) -> Collection[str]:
    """Decide these records and commit that; returns the links that were written."""
    if not ids:
        return ()
    with engine.ledger.read() as tx:
        found = load_records(engine, tx, ids)
    decided = {a.record.id: decide_record(a) for a in found.aggregates}
    return Commit(engine, found.world).records(found, decided)
