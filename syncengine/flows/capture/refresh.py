"""Refresh: single reads of rows whose listing shows less than the mapping needs, or that must be read fresh."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from syncengine.errors import Astray, RowInvalid, SyncengineError, VendorDown
from syncengine.flows.capture.capture import list_soon, wake_waiting_creates
from syncengine.flows.capture.rows import Read, remember_unknown, store
from syncengine.flows.core.engine import Engine, failed, new_id, retry_on_lost_race
from syncengine.flows.core.slots import slot_session
from syncengine.ledger import Transaction
from syncengine.model.case import Case, CaseKind
from syncengine.model.changeset import Changeset
from syncengine.model.link import Link
from syncengine.model.values import Json
from syncengine.planning.observation import evidence_row, never_seen
from syncengine.planning.questions import shown

CHUNK = 32
"""Rows that are read before they are stored together: with the first of them another worker goes on, while the next are
read."""


def refresh(engine: Engine, ids: Collection[str] | None = None) -> int:
    """Read due links one by one, concurrently within the connections' slots, for at most one slice of time per
    connection. Returns how many were read or failed individually."""
    done, left = 0, set(engine.connectors)
    while True:
        with engine.ledger.read() as tx:
            open_now = left.intersection(engine.open_connections(tx))
            place = tx.due_place("refresh", engine.clock.now(), sorted(open_now), ids)
        if place is None:
            return done
        left.remove(place)
        done += _refresh(engine, place, ids)


def _refresh(engine: Engine, connection: str, ids: Collection[str] | None) -> int:
    done, until = 0, engine.clock.now() + engine.limits.slice

    def claim(tx: Transaction) -> list[Link]:
        if not engine.may_call(tx, connection):
            return []
        now, limits = engine.clock.now(), engine.limits
        many = min(CHUNK, limits.batch)
        return tx.claim_links("refresh", now, limits.lease, many, ids=ids, connections=[connection])

    with slot_session(engine, connection, ids=ids) as held:
        while links := held.claim(claim):
            done += _batch(engine, connection, links, held.width)
            if engine.clock.now() >= until:
                break
    return done


def _batch(engine: Engine, connection: str, links: Sequence[Link], width: int) -> int:
    """Read claimed links and release them."""
    singles = [k for k in links if _single(engine, k)]
    later = {k.id: at for k in singles if (at := _fresh_from(engine, k)) > engine.clock.now()}
    work = _Reads(engine, connection, [k for k in singles if k.id not in later], width)
    try:
        return _list_soon(engine, [k for k in links if not _single(engine, k)]) + work.run()
    finally:
        later |= work.later
        with engine.ledger.write() as tx:
            tx.release_links([k.id for k in links if k.id not in later])
            for at in set(later.values()):
                tx.release_links([i for i, when in later.items() if when == at], at)


def _single(engine: Engine, link: Link) -> bool:
    resources = engine.project.connections[link.connection].spec.resources
    return link.resource in resources and resources[link.resource].single_get


def _fresh_from(engine: Engine, link: Link) -> float:
    """Earliest time from which a single read is newer than the last accepted one and late enough to prove a write."""
    spec = engine.project.connections[link.connection].spec.resources[link.resource]
    return max(link.read_at + spec.read_lag if link.read_at else 0.0, link.base.proves_at)


def _list_soon(engine: Engine, links: Sequence[Link]) -> int:
    """Links whose vendor has no single read need none: the next listing is due."""
    if not links:
        return 0
    with engine.ledger.write() as tx:
        held = tx.links([link.id for link in links], lock=True)
        change = Changeset(links=[k.mirrored(need_get=False) for k in held.values()])
        for connection, resource in {(k.connection, k.resource) for k in held.values()}:
            change += list_soon(engine, tx, connection, resource)
        tx.write(change)
    return len(links)


@dataclass(slots=True)
class _Reads:
    """Single reads of one connection. ``later``: links that failed -> time of the next try."""

    engine: Engine
    connection: str
    links: Sequence[Link]
    width: int
    later: dict[str, float] = field(default_factory=dict)

    def run(self) -> int:
        """Read all and store the results. Returns how many were read or failed individually."""
        engine, connection = self.engine, self.connection
        reads: dict[tuple[str, str], list[Read]] = {}
        failures: dict[str, SyncengineError] = {}
        jobs = ((link, partial(self._read, link)) for link in self.links)
        with engine.gates[connection].prepaid(len(self.links)):
            for link, result in engine.call_all(jobs, self.width):
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

    @retry_on_lost_race
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
                aside = self._put_off(tx, failures)
                tx.write(aside)
                dirty += [case.link_id for case in aside.raised if case.link_id is not None]
            woken = Changeset()
            for resource in {link.resource for link in self.links}:
                woken += wake_waiting_creates(engine, tx, connection, resource)
            tx.write(woken)
        engine.announce("reconcile", dirty)

    def _put_off(self, tx: Transaction, failures: Mapping[str, SyncengineError]) -> Changeset:
        """What does not fit is set aside at once, what failed after some tries: until it shows itself anew, a person
        says so, or the sweep looks whether it is well again. What only a notice told of is let go instead: a listing
        shows it, if it is there."""
        engine, tries = self.engine, self.engine.limits.tries
        links = [
            k.mirrored(failures=k.failures + 1) for k in tx.links(failures, lock=True).values()
        ]
        untold = {k.id for k in links if never_seen(k) and not _may_pass(failures[k.id], k, tries)}
        for resource in {k.resource for k in links}:
            ids = [k.external_id or "" for k in links if k.id in untold and k.resource == resource]
            remember_unknown(tx, self.connection, resource, ids, engine.clock.now())
        links = [k for k in links if k.id not in untold]
        stuck = {k.id for k in links if k.failures >= tries}
        asides = {k.id for k in links if isinstance(failures[k.id], RowInvalid)}
        asides |= {i for i in stuck if not isinstance(failures[i], Astray)}
        now = engine.clock.now()
        self.later = {
            k.id: now + engine.limits.pause(k.failures) for k in links if k.id not in asides
        }
        return Changeset(
            removed=untold,
            links=[k.mirrored(need_get=k.id not in asides) for k in links],
            raised=[_unreadable(engine, k, failures[k.id]) for k in links if k.id in asides],
        )


def _may_pass(error: SyncengineError, link: Link, tries: int) -> bool:
    """Whether a failed read proves nothing about the row itself."""
    passes = isinstance(error, VendorDown) and error.passes and link.failures < tries
    return isinstance(error, Astray) or passes


def _found(engine: Engine, link: Link, evidence: Any) -> Any:
    """What does not fit; of a whole row what is stored of rows, too."""
    row = evidence.get("row") if isinstance(evidence, dict) else None
    if not isinstance(row, dict):
        return evidence
    systems = engine.project.systems_of(link.connection, link.resource)
    return {**evidence, "row": evidence_row((system for _, system in systems), row)}


def _unreadable(engine: Engine, link: Link, error: SyncengineError) -> Case:
    evidence: dict[str, Json] = {"external_id": link.external_id}
    if isinstance(error, RowInvalid) and error.evidence is not None:
        evidence["found"] = shown(_found(engine, link, error.evidence))
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
