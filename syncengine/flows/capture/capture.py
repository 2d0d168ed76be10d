"""Capture: polls and scans become rows, events and dirty counters, one transaction per page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import repeat
from math import inf
from threading import Event, Lock
from typing import Literal

from syncengine.errors import DatabaseDown, Halt, RateLimited, SyncengineError
from syncengine.flows.capture.below import scan_below
from syncengine.flows.capture.listing import Listing
from syncengine.flows.core.engine import Engine, failed, new_id
from syncengine.ledger import Transaction
from syncengine.mapping import System
from syncengine.model.changeset import Changeset, Wakes
from syncengine.model.condition import Listed
from syncengine.model.connection import ResourceState
from syncengine.model.link import Link
from syncengine.planning.questions import emptied, emptied_subject
from syncengine.ports import Connector, Page, Window

LACKING = 600.0
"""Seconds after which a listing that lacks some parts is read again."""


@dataclass(frozen=True, slots=True)
class Captured:
    """The result of a listing. ``complete``: it ended without an error. ``fault``: why not, for people; empty where
    only a slice was read and the next one is announced. ``got_on``: it came further below its parents than before."""

    rows: int = 0
    moved: int = 0
    complete: bool = False
    fault: str = ""
    got_on: bool = False


def capture(
    engine: Engine, connection: str, resource: str, kind: Literal["poll", "scan"],
    sliced: bool = False, since: float = inf,
) -> Captured:  # fmt: skip
    """Read a change feed from its cursor, or a complete listing. Returns what came; never raises for a vendor's
    failure, which is noted with the connection and the resource. ``sliced``: stop after a slice of time and announce
    the rest, so that a slow vendor does not keep a worker from other work. What is read below parents goes on where an
    earlier slice has stopped; else where it stopped, if it was begun at ``since`` or later, or a limit stopped it."""
    try:
        return _capture(engine, connection, resource, kind, sliced, since)
    finally:
        engine.ledger.run = engine.run or None


def _capture(
    engine: Engine, connection: str, resource: str, kind: Literal["poll", "scan"], sliced: bool,
    since: float,
) -> Captured:  # fmt: skip
    connector = engine.connectors.get(connection)
    with engine.ledger.read() as tx:
        if connector is None or not engine.may_call(tx, connection):
            return Captured(fault=f"{connection} is off or blocked")
        state = tx.resource(connection, resource)
    listing, end = Listing(engine, connection, resource, kind, 0.0), None
    for last in (False, True):
        with engine.slots(connection) as width:
            if width:
                end = _read(listing, connector, state, width, 0.0 if sliced else since)
        if end is not None or last:
            break
        # Whoever holds the slots looks for this listing once they are free; by now they may be.
        _let_go(engine, connection, resource)
    if end is None:
        return Captured(fault=f"{connection} is busy")
    if isinstance(end, Captured):
        return end
    engine.note_success(connection)
    if not end:
        listing.checkpoint()
        engine.queue.announce("capture", [connection, resource, kind])
        return Captured(listing.rows, listing.moved)
    if listing.lacks:
        return _note_lacks(listing)
    return _finish(listing, kind, state)


def _read(
    listing: Listing, connector: Connector, state: ResourceState, width: int, since: float
) -> bool | Captured:
    """Within slots of the connection: whether all was read, or why not."""
    now = listing.started = listing.listing_progress.told = listing.engine.clock.now()
    if listing.kind == "scan":
        listing.resume(state, since)
    listing.begin()
    try:
        if listing.kind == "scan":
            until = inf if since else now + listing.engine.limits.slice
            return _scan(listing, connector, width, until)
        _poll(listing, connector, state)
    except DatabaseDown:
        raise
    except SyncengineError as error:
        return _note_fault(listing, error)
    return True


def _let_go(engine: Engine, connection: str, resource: str) -> None:
    """Announce the listing again; nobody waits for one that never began."""
    with engine.ledger.write() as tx:
        state = replace(tx.resource(connection, resource), scan_started=0.0)
        tx.write(Changeset(resources=[state]))


def _poll(listing: Listing, connector: Connector, state: ResourceState) -> None:
    engine = listing.engine
    for page, started in _fetched(listing, connector.poll(listing.resource, state.cursor)):
        engine.needs[listing.connection] += page.calls
        listing.keep(page.items, started, page.cursor)


def _scan(listing: Listing, connector: Connector, width: int, until: float) -> bool:
    """Whether all was read; what is listed below parents is read in part once ``until`` is over."""
    engine = listing.engine
    spec = connector.spec.resources[listing.resource]
    window = _window(engine, listing.connection, listing.resource)
    if spec.parent is None:
        calls = 0
        for page, started in _fetched(listing, connector.scan(listing.resource, None, window)):
            calls += page.calls
            listing.keep(page.items, started)
        engine.needs[listing.connection] += calls
        return True
    return scan_below(listing, connector, spec.parent, window, width, until)


def _fetched(listing: Listing, pages: Iterable[Page]) -> Iterator[tuple[Page, float]]:
    """Pages with the time at which their request began. While one of them is stored the next one is fetched."""
    engine, iterator, one_at_a_time, over = listing.engine, iter(pages), Lock(), Event()

    def fetch() -> tuple[Page, float] | None:
        with one_at_a_time:
            started = engine.clock.now()
            page = None if over.is_set() else next(iterator, None)
            if page is None:
                return None
            listing.listing_progress.page(page)
            return page, started

    try:
        for _, result in engine.call_all(repeat((None, fetch)), 1):
            error = failed(result)
            if error is not None:
                raise error
            if result is None:
                return
            yield result
    finally:
        over.set()
        # Whoever leaves gives slots back: no call may be under way. One that waits for its budget never goes out.
        if one_at_a_time.acquire(timeout=engine.limits.request_timeout):
            one_at_a_time.release()


def _window(engine: Engine, connection: str, resource: str) -> Window | None:
    schedule = engine.project.connections[connection].resources.get(resource)
    if schedule is None or schedule.window is None:
        return None
    back, ahead = schedule.window
    today = date.fromisoformat(engine.today)
    return Window(
        (today - timedelta(days=back)).isoformat(), (today + timedelta(days=ahead)).isoformat()
    )


def _note_fault(listing: Listing, error: SyncengineError) -> Captured:
    """Record why a listing failed; it proves nothing about missing rows. Within the connection's slots."""
    engine = listing.engine
    engine.blames(listing.connection, [error], went_well=False)
    whole = isinstance(error, (RateLimited, Halt))
    if not isinstance(error, RateLimited):
        engine.troubles.setdefault(listing.connection, type(error).__name__)
    with engine.ledger.write() as tx:
        state = tx.resource(listing.connection, listing.resource)
        tx.write(_ended(replace(state, fault=str(error))))
        listing.end(tx, str(error))
    if listing.after:
        listing.checkpoint(limited=isinstance(error, RateLimited))
    fault = str(error) if whole else f"the listing broke off: {error}"
    got_on = listing.after > listing.resumed
    return Captured(listing.rows, listing.moved, fault=fault, got_on=got_on)


def _note_lacks(listing: Listing) -> Captured:
    """Nothing could be read below some parents: the listing proves nothing about missing rows, and is repeated after a
    while."""
    engine = listing.engine
    fault = f"the listing lacks {listing.lacks} parts: {listing.why}"
    retry = engine.clock.now() + LACKING
    with engine.ledger.write() as tx:
        state = tx.resource(listing.connection, listing.resource)
        tx.write(_ended(replace(state, fault=fault, scan_started=retry, progress={})))
        listing.end(tx, fault)
    return Captured(listing.rows, listing.moved, fault=fault)


def _finish(listing: Listing, kind: str, before: ResourceState) -> Captured:
    """Finish a complete listing: suspect the rows that it did not show, and wake what waited for it."""
    engine = listing.engine
    with engine.ledger.write() as tx:
        state = tx.resource(listing.connection, listing.resource)
        if kind == "poll":
            tx.write(_ended(replace(state, polled_at=listing.started, fault="")))
            listing.end(tx)
            return Captured(listing.rows, listing.moved, complete=True)
        unseen = [
            (system, unseen_links(engine, tx, entity.name, system, listing.started))
            for entity, system in engine.project.systems_of(listing.connection, listing.resource)
        ]
        empty = not (listing.rows or listing.unfit) and any(len(links) > 1 for _, links in unseen)
        fault = f"the listing is empty; it had {before.rows} rows" if empty else ""
        now, over, change = engine.clock.now(), listing.over(tx), Changeset()
        if empty:
            case = emptied(listing.connection, listing.resource, before.rows)
            change += Changeset(raised=[replace(case, id=new_id(), opened_at=now)])
        else:
            over.add(emptied_subject(listing.connection, listing.resource))
            listing.gone = sum(k.suspected_at is None for _, links in unseen for k in links)
            for system, links in unseen:
                change += suspect_missing(system, _surely(listing, system, links), listing.started)
        rows = before.rows if empty else listing.rows
        state = replace(state, scanned_at=listing.started, rows=rows, fault=fault, progress={})
        tx.write(change + _ended(state) + Changeset(dissolved=dict.fromkeys(over, now)))
        tx.write(wake_waiting_creates(engine, tx, listing.connection, listing.resource))
        listing.end(tx, fault)
    ids = [link.id for link in change.links if link.dirty]
    engine.announce("refresh", ids)
    engine.announce("reconcile", ids)
    return Captured(listing.rows, listing.moved, complete=True)


def _ended(state: ResourceState) -> Changeset:
    """A listing that is no longer under way, and how far its resource has come."""
    return Changeset(resources=[state], listings={(state.connection, state.resource): 0.0})


def _surely(listing: Listing, system: System, unseen: Sequence[Link]) -> Sequence[Link]:
    """Those of the links that may really be gone: not the rows that did not fit. If a row came without an id it may be
    any of them, unless a single read can tell."""
    if "" in listing.unfit and not system.resource.single_get:
        return ()
    return [link for link in unseen if link.external_id not in listing.unfit]


def unseen_links(
    engine: Engine, tx: Transaction, entity: str, system: System, started: float
) -> list[Link]:
    """Links whose row a complete listing, begun at ``started``, should have shown and did not. Rows outside of its
    window are not missing, and neither are rows that were read too shortly before it."""
    connection, resource = system.connection, system.resource.name
    schedule = engine.project.connections[connection].resources.get(resource)
    if system.resource.archive or (schedule is not None and schedule.keep != "latest"):
        return []
    behind = max(system.resource.read_lag, system.resource.list_lag)
    links = tx.unseen_since(entity, connection, resource, started - behind)
    window = _window(engine, connection, resource)
    if window is None or not system.resource.dated:
        return links
    dated = [n for n, f in system.resource.fields.items() if f.type == "date"]
    shown = (
        (link, [str(v)[:10] for n in dated if (v := (link.row or {}).get(n))]) for link in links
    )
    return [
        link
        for link, days in shown
        if days and window.start <= min(days) <= max(days) <= window.end
    ]


def suspect_missing(
    system: System, unseen: Sequence[Link], at: float, sure: bool = False
) -> Changeset:
    """Links are suspected missing, since a complete scan begun ``at`` did not show their rows. A single read decides;
    where there is none, a second complete listing, or a person who is ``sure``."""
    changed = []
    for link in unseen:
        if system.resource.single_get:
            changed.append(link.mirrored(suspected_at=at).to_read().woken())
        elif sure or (link.suspected_at is not None and link.suspected_at < at):
            changed.append(link.mirrored(row=None, row_version=link.row_version + 1).woken())
        else:
            changed.append(link.mirrored(suspected_at=link.suspected_at or at))
    return Changeset(links=changed)


def wake_waiting_creates(
    engine: Engine, tx: Transaction, connection: str, resource: str
) -> Changeset:
    """Creates that waited until a resource is fully listed and each of its rows is correlated become dirty."""
    systems = engine.project.systems_of(connection, resource)
    if not tx.resource(connection, resource).scanned_at or any(
        tx.is_uncorrelated(e.name, connection, resource) for e, _ in systems
    ):
        return Changeset()
    return Changeset(wakes=Wakes(waiting={Listed(connection, resource)}))


def list_soon(
    engine: Engine, tx: Transaction, connection: str, resource: str, at: float = 0.0
) -> Changeset:
    """A listing is due now, or at ``at``, besides those of the schedule, where a vendor has no single read. One that is
    under way does not count; one that is due already, and not under way, is not put off."""
    schedule = engine.project.connections[connection].resources.get(resource)
    state = tx.resource(connection, resource)
    if schedule is None or not schedule.scan or not state.scanned_at:
        return Changeset()
    now = engine.clock.now()
    wanted = max(at, now)
    if state.asked_for and (
        state.asked_at > now or not tx.is_being_listed(connection, resource, now)
    ):
        wanted = min(wanted, state.asked_at)
    return Changeset(resources=[replace(state, asked_at=wanted, scan_started=0.0)])
