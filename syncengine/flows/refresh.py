"""Refresh: full rows where the listing shows less than the mapping needs, or where only a fresh read counts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from syncengine.errors import RowInvalid, SyncengineError
from syncengine.flows.capture import wake_sorted
from syncengine.flows.engine import Engine, failed, new_id, stubborn
from syncengine.flows.rows import Read, store
from syncengine.model.case import Case, CaseKind
from syncengine.model.link import Link
from syncengine.planning.questions import shown
from syncengine.ports import Transaction


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
    later: dict[str, float] = {}
    try:
        for connection in dict.fromkeys(link.connection for link in links):
            work = _Reads(engine, connection, [k for k in links if k.connection == connection])
            done += work.run()
            later |= work.later
    finally:
        with engine.ledger.write() as tx:
            tx.release_links([i for i in claimed if i not in later])
            for until in set(later.values()):
                tx.release_links([i for i, at in later.items() if at == until], until)
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
        tx.save_links([replace(k, need_get=False) for k in held.values()])
        for connection, resource in {(k.connection, k.resource) for k in held.values()}:
            schedule = engine.project.connections[connection].resources.get(resource)
            state = tx.resource(connection, resource)
            if schedule is not None and schedule.scan and state.scanned_at:
                due = min(state.scanned_at, engine.clock.now() - schedule.scan)
                tx.save_resource(replace(state, scanned_at=max(due, 1.0), scan_started=0.0))
    return len(links)


@dataclass(slots=True)
class _Reads:
    """Single reads of one connection. ``later``: links that failed -> when they are tried again."""

    engine: Engine
    connection: str
    links: Sequence[Link]
    later: dict[str, float] = field(default_factory=dict)

    def run(self) -> int:
        """Read all, and store what came. Returns how many came or failed by themselves."""
        engine, connection = self.engine, self.connection
        reads: dict[tuple[str, str], list[Read]] = {}
        failures: dict[str, SyncengineError] = {}
        with engine.slots(connection) as width:
            if not width:
                return 0
            jobs = ((link, partial(self._read, link)) for link in self.links)
            with engine.gates[connection].prepaid(len(self.links)):
                for link, result in engine.call_all(jobs, width):
                    error = failed(result)
                    if error is not None:
                        failures[link.id] = error
                    else:
                        engine.needs[connection] += 1
                        reads.setdefault((link.entity, link.resource), []).append(result)
            if engine.blames(connection, failures.values(), went_well=bool(reads)):
                failures = {}
        self._store(reads, failures)
        return sum(map(len, reads.values())) + len(failures)

    def _read(self, link: Link) -> Read:
        started = self.engine.clock.now()
        external_id = link.external_id or ""
        item = self.engine.connectors[link.connection].get(link.resource, external_id)
        row = None if item is None else item.row
        parent = link.parent if item is None else item.parent or link.parent
        return Read(external_id, row, parent, started, self.engine.clock.now())

    @stubborn
    def _store(
        self, reads: Mapping[tuple[str, str], list[Read]], failures: Mapping[str, SyncengineError]
    ) -> None:
        engine, connection = self.engine, self.connection
        dirty: list[str] = []
        with engine.ledger.write() as tx:
            for (entity, _), batch in reads.items():
                system = engine.system(entity, connection)
                if system is not None:
                    kept = store(engine, tx, engine.project.entities[entity], system, "get", batch)
                    dirty += kept.dirty
            if failures:
                dirty += self._put_off(tx, failures)
            for resource in {link.resource for link in self.links}:
                wake_sorted(engine, tx, connection, resource)
        engine.announce("reconcile", dirty)

    def _put_off(self, tx: Transaction, failures: Mapping[str, SyncengineError]) -> list[str]:
        """What does not fit is set aside at once, what failed after some tries: until it shows itself anew, or a
        person says so. Returns the links that were."""
        engine, tries = self.engine, self.engine.limits.tries
        links = [
            replace(k, failures=k.failures + 1) for k in tx.links(failures, lock=True).values()
        ]
        asides = {
            k.id for k in links if k.failures >= tries or isinstance(failures[k.id], RowInvalid)
        }
        tx.save_links([replace(k, need_get=k.id not in asides) for k in links])
        tx.raise_cases([_unreadable(engine, k, failures[k.id]) for k in links if k.id in asides])
        now = engine.clock.now()
        self.later = {
            k.id: now + engine.limits.pause(k.failures) for k in links if k.id not in asides
        }
        return list(asides)


def _unreadable(engine: Engine, link: Link, error: SyncengineError) -> Case:
    evidence = {"external_id": link.external_id}
    if isinstance(error, RowInvalid):
        evidence["found"] = shown(error.evidence)
    return Case(
        id=new_id(),
        kind=CaseKind.QUARANTINED,
        subject=f"quarantined:{link.id}",
        question=f"A row of {link.connection} {link.resource} cannot be read: {error}",
        evidence=evidence,
        answers={"retry": "read the row again and go on"},
        entity=link.entity,
        record_id=link.record_id,
        link_id=link.id,
        opened_at=engine.clock.now(),
    )
