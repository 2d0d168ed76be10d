"""Sweep: announce again whatever is due, in case an announcement was lost, and delete a slice of expired data; safe to
run twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace

from syncengine.flows.core.clock_setback import correct_setback
from syncengine.flows.core.engine import Engine
from syncengine.flows.forget.retention import forget
from syncengine.flows.reconcile.follow import follow_project
from syncengine.flows.send.probe import expire
from syncengine.ledger import Transaction
from syncengine.mapping.project import Schedule
from syncengine.model.case import CaseKind
from syncengine.model.changeset import Changeset, Wakes
from syncengine.model.condition import InScope, WrittenTo
from syncengine.model.connection import ResourceState
from syncengine.model.link import Link
from syncengine.model.operation import UNSETTLED

WAITS_EVERY = 600.0
"""Seconds after which links that wait are looked at again."""

RARELY = 16
"""A row that stays unreadable is read again after one such time, after two, four, eight, and then at every so many:
each 160 minutes."""

MESSAGES = 4
"""Messages of one kind that one sweep sends; the next sweep sends more if there is more."""


def sweep(engine: Engine) -> Counter[str]:
    """Announce due listings, reads, reconciling, writes, probes and derivations. Returns task -> messages."""
    correct_setback(engine)
    expire(engine)
    follow_project(engine)
    forget(engine)
    sent = Counter({"capture": announce_listings(engine, engine.connectors)})
    with engine.ledger.write() as tx:
        tx.note_alive("beat", engine.clock.now())
        tx.write(_looked_at_waits(engine, tx))
        dirty = tx.dirty_count()
        operations = len(tx.select_operations(UNSETTLED, limit=MESSAGES * engine.limits.batch))
        derivations = len(tx.derivations_due(1))
    for task, count in (
        ("derive", derivations), ("refresh", dirty), ("reconcile", dirty),
        ("dispatch", operations), ("probe", operations),
    ):  # fmt: skip
        for _ in range(min(MESSAGES, -(-count // engine.limits.batch))):
            engine.queue.announce(task, [])
            sent[task] += 1
    if engine.project.notify:
        # In a task of its own: a channel may take seconds.
        engine.queue.announce("notify", [])
        sent["notify"] += 1
    return +sent


def _looked_at_waits(engine: Engine, tx: Transaction) -> Changeset:
    """Some waiting links become dirty each time, until all had their turn, in case a wake-up was missed."""
    state, period = tx.connection("waits", lock=True), str(int(engine.clock.now() // WAITS_EVERY))
    last, _, reached = state.digest.partition(":")
    if last == period:
        return Changeset()
    many = engine.limits.batch * MESSAGES
    waits = tx.waiting_links(many, after=reached)
    on = {link.id: link.wait.on for link in waits if link.wait is not None}
    due = {i for i, of in on.items() if of is not None and not isinstance(of, WrittenTo | InScope)}
    reached = waits[-1].id if len(waits) == many else ""
    return Changeset(
        links=_read_again(engine, tx, int(period)),
        wakes=Wakes(links=due),
        connections=[replace(state, digest=f"{period}:{reached}")],
    )


def _read_again(engine: Engine, tx: Transaction, period: int) -> list[Link]:
    """Rows that did not fit are read once more, ever less often the longer the case is open, since no listing may show
    that they are well again."""
    asked = set[str]()
    for case in tx.cases(kind=CaseKind.QUARANTINED):
        age = period - int(case.opened_at // WAITS_EVERY)
        if case.link_id is not None and (age in (1, 2, 4, 8) or age % RARELY == 0 < age):
            asked.add(case.link_id)
    links = tx.links(asked, lock=True).values() if asked else ()
    return [k.to_read() for k in links if k.external_id and _single(engine, k)]


def _single(engine: Engine, link: Link) -> bool:
    known = engine.project.connections.get(link.connection)
    spec = known and known.spec.resources.get(link.resource)
    return bool(spec and spec.single_get)


def ask_listings(engine: Engine, connection: str) -> int:
    """Have a connection listed now, whatever its schedule says; how many listings that are. Each is due until it has
    been read completely, so that one that finds the connection busy, paused or failing is not forgotten."""
    now = engine.clock.now()
    with engine.ledger.write() as tx:
        states = [tx.resource(*place) for place in listed(engine) if place[0] == connection]
        asked = [replace(state, asked_at=now, scan_started=0.0) for state in states]
        tx.write(Changeset(resources=asked))
    announce_listings(engine, [connection])
    return len(states)


def announce_listings(engine: Engine, connections: Collection[str]) -> int:
    """Announce due listings of these connections; how many."""
    with engine.ledger.read() as tx:
        if not any(_due_listings(engine, tx, connections)):
            return 0
    with engine.ledger.write() as tx:
        listings = list(_due_listings(engine, tx, connections))
        states = [tx.resource(connection, resource) for connection, resource, _ in listings]
        now = engine.clock.now()
        tx.write(Changeset(resources=[replace(state, scan_started=now) for state in states]))
    for listing in listings:
        engine.queue.announce("capture", listing)
    return len(listings)


def _due_listings(
    engine: Engine, tx: Transaction, connections: Collection[str]
) -> Iterator[tuple[str, str, str]]:
    """Polls and scans that are due; one that was announced and never began is announced again."""
    now, overdue = engine.clock.now(), 3 * engine.limits.lease
    for connection, resource in listed(engine):
        if connection not in connections or not engine.may_call(tx, connection):
            continue
        schedule = engine.project.connections[connection].resources.get(resource)
        state = tx.resource(connection, resource)
        came = max(state.scanned_at, state.polled_at) >= state.scan_started
        if not (came or now - state.scan_started >= overdue):
            continue
        kind = _due(state, schedule, now)
        if kind and _parents_known(engine, tx, connection, resource):
            yield connection, resource, kind


def _parents_known(engine: Engine, tx: Transaction, connection: str, resource: str) -> bool:
    """Whether the rows below which this listing is read are listed and correlated; without them it would be empty and
    count as complete."""
    parent = engine.project.connections[connection].spec.resources[resource].parent
    if parent is None:
        return True
    systems = engine.project.systems_of(connection, parent)
    return bool(tx.resource(connection, parent).scanned_at) and not any(
        tx.is_uncorrelated(entity.name, connection, parent) for entity, _ in systems
    )


def _due(state: ResourceState, schedule: Schedule | None, now: float) -> str:
    """How a resource is to be listed by now; empty where it is not."""
    if state.asked_for and now >= state.asked_at:
        return "scan"
    if schedule is None:
        return ""
    poll, scan = schedule.poll, schedule.scan
    if scan is not None and now - state.scanned_at >= scan:
        return "scan"
    if poll is not None and now - max(state.polled_at, state.scanned_at) >= poll:
        return "scan" if not state.scanned_at else "poll"
    return ""


def listed(engine: Engine) -> list[tuple[str, str]]:
    """Connection and resource of all listings; referenced entities and parents first."""
    places: list[tuple[str, str]] = []
    for _, system in engine.places():
        if system.resource.parent is not None:
            places.append((system.connection, system.resource.parent))
        places.append((system.connection, system.resource.name))
    return list(dict.fromkeys(places))
