"""Capture: polls, scans and notices become rows, events and dirty counters, one transaction a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from math import inf
from typing import Literal

from syncengine.errors import Halt, RateLimited, SyncengineError
from syncengine.flows.engine import Begun, Engine, failed, new_id
from syncengine.flows.listing import Listing
from syncengine.mapping import System
from syncengine.model.connection import ResourceState
from syncengine.model.event import Event
from syncengine.model.link import Link
from syncengine.planning.questions import emptied, emptied_subject
from syncengine.planning.sight import first_sight
from syncengine.ports import Connector, Item, Page, Transaction, Window

PARENTS_A_ROUND = 50

LACKING = 600.0
"""Seconds after which a listing that lacks some parts is read again."""


@dataclass(frozen=True, slots=True)
class Captured:
    """What a listing brought. ``complete``: it ended without an error. ``fault``: why not, for people; empty where a
    slice was read, and the next one is announced."""

    rows: int = 0
    moved: int = 0
    complete: bool = False
    fault: str = ""


def capture(
    engine: Engine, connection: str, resource: str, kind: Literal["poll", "scan"],
    sliced: bool = False,
) -> Captured:  # fmt: skip
    """Read a change feed from its cursor, or a complete listing. Returns what came; never raises for a vendor's
    failure, which is noted with the connection and the resource. ``sliced``: stop after a slice of time and announce
    the rest, so that a slow vendor does not keep a worker from other work."""
    connector = engine.connectors.get(connection)
    with engine.ledger.read() as tx:
        if connector is None or not engine.may_call(tx, connection):
            return Captured(fault=f"{connection} is off or blocked")
        state = tx.resource(connection, resource)
    with engine.slots(connection) as width:
        if not width:
            _let_go(engine, connection, resource)
            return Captured(fault=f"{connection} is busy")
        began = engine.clock.now()
        listing = Listing(engine, connection, resource, kind, began)
        if sliced and kind == "scan":
            listing.resume(state)
        listing.begin()
        over, until = True, began + engine.limits.slice if sliced else inf
        try:
            if kind == "poll":
                _poll(listing, connector, state)
            else:
                over = _scan(listing, connector, width, until)
        except SyncengineError as error:
            return _note_fault(listing, error)
    engine.note_success(connection)
    if not over:
        listing.put_by()
        engine.queue.announce("capture", [connection, resource, kind])
        return Captured(listing.rows, listing.moved)
    if listing.lacks:
        return _note_lacks(listing)
    return _finish(listing, kind, state)


def _let_go(engine: Engine, connection: str, resource: str) -> None:
    """The next sweep announces the listing again, and does not wait for one that never began."""
    with engine.ledger.write() as tx:
        tx.save_resource(replace(tx.resource(connection, resource), scan_started=0.0))


def _poll(listing: Listing, connector: Connector, state: ResourceState) -> None:
    engine = listing.engine
    for page, started in _timed(engine, connector.poll(listing.resource, state.cursor)):
        engine.needs[listing.connection] += 1
        listing.keep(page.items, started, page.cursor)


def _scan(listing: Listing, connector: Connector, width: int, until: float) -> bool:
    """Whether all was read; what is listed below parents is read in part once ``until`` is over."""
    engine = listing.engine
    spec = connector.spec.resources[listing.resource]
    window = _window(engine, listing.connection, listing.resource)
    if spec.parent is None:
        for page, started in _timed(engine, connector.scan(listing.resource, None, window)):
            listing.keep(page.items, started)
        engine.needs[listing.connection] += connector.pages(listing.resource, listing.rows, window)
        return True
    with engine.ledger.read() as tx:
        parents = tx.row_ids(listing.connection, spec.parent)
    parents = [parent for parent in parents if parent > listing.after]
    while parents:
        some = parents[:PARENTS_A_ROUND]
        read = _scan_below(listing, connector, some, window, width, until)
        listing.after, parents = parents[read - 1], parents[read:]
        if parents and engine.clock.now() >= until:
            return False
    return True


def _scan_below(
    listing: Listing, connector: Connector, parents: Sequence[str], window: Window | None,
    width: int, until: float,
) -> int:  # fmt: skip
    """One round of parents, as far as it begins in time; how many. What came is kept; where nothing came below any,
    and the vendor does not answer its cheapest call either, the listing ends."""
    engine, began = listing.engine, listing.engine.clock.now()
    items: list[Item] = []
    errors: dict[str, SyncengineError] = {}
    jobs = [(p, partial(_below, connector, listing.resource, p, window)) for p in parents]
    begun = Begun(engine.clock, jobs, until)
    with engine.gates[listing.connection].prepaid(len(parents)):
        for parent, result in engine.call_all(begun, width):
            error = failed(result)
            if error is not None:
                errors[parent] = error
                continue
            items += result
            pages = connector.pages(listing.resource, len(result), window)
            engine.needs[listing.connection] += pages
    whole = [e for e in errors.values() if isinstance(e, (RateLimited, Halt))]
    none = len(errors) == begun.count
    if whole or (none and engine.blames(listing.connection, errors.values(), went_well=False)):
        listing.keep(items, began)
        raise next(iter(whole or errors.values()))
    listing.keep(items, began, lost=errors.items())
    return begun.count


def _below(connector: Connector, resource: str, parent: str, window: Window | None) -> list[Item]:
    return [item for page in connector.scan(resource, parent, window) for item in page.items]


def _timed(engine: Engine, pages: Iterable[Page]) -> Iterator[tuple[Page, float]]:
    """Pages with the time at which their request began."""
    started = engine.clock.now()
    for page in pages:
        yield page, started
        started = engine.clock.now()


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
    """A listing that broke off concludes nothing. Within the connection's slots."""
    engine = listing.engine
    engine.blames(listing.connection, [error], went_well=False)
    whole = isinstance(error, (RateLimited, Halt))
    with engine.ledger.write() as tx:
        state = tx.resource(listing.connection, listing.resource)
        tx.listing_until(listing.connection, listing.resource, 0.0)
        tx.save_resource(replace(state, fault=str(error)))
    fault = str(error) if whole else f"the listing broke off: {error}"
    return Captured(listing.rows, listing.moved, fault=fault)


def _note_lacks(listing: Listing) -> Captured:
    """Below some parents nothing could be read: the listing concludes nothing, and is read again after a while."""
    engine = listing.engine
    fault = f"the listing lacks {listing.lacks} parts: {listing.why}"
    retry = engine.clock.now() + LACKING
    with engine.ledger.write() as tx:
        state = tx.resource(listing.connection, listing.resource)
        tx.listing_until(listing.connection, listing.resource, 0.0)
        tx.save_resource(replace(state, fault=fault, scan_started=retry, progress={}))
    return Captured(listing.rows, listing.moved, fault=fault)


def _finish(listing: Listing, kind: str, before: ResourceState) -> Captured:
    """A listing that is complete: what it did not show is nominated, what waited for it goes on."""
    engine = listing.engine
    ids: list[str] = []
    with engine.ledger.write() as tx:
        state = tx.resource(listing.connection, listing.resource)
        tx.listing_until(listing.connection, listing.resource, 0.0)
        if kind == "poll":
            tx.save_resource(replace(state, polled_at=listing.started, fault=""))
            return Captured(listing.rows, listing.moved, complete=True)
        unseen = [
            (system, unseen_links(engine, tx, entity.name, system, listing.started))
            for entity, system in engine.project.systems_of(listing.connection, listing.resource)
        ]
        empty = not (listing.rows or listing.unfit) and any(len(links) > 1 for _, links in unseen)
        fault = f"the listing is empty; it had {before.rows} rows" if empty else ""
        if empty:
            case = emptied(listing.connection, listing.resource, before.rows)
            tx.raise_cases([replace(case, id=new_id(), opened_at=engine.clock.now())])
        else:
            tx.dissolve_cases(
                [emptied_subject(listing.connection, listing.resource)], engine.clock.now()
            )
            for system, links in unseen:
                ids += nominate(tx, system, _surely(listing, system, links), listing.started)
        rows = before.rows if empty else listing.rows
        tx.save_resource(
            replace(state, scanned_at=listing.started, rows=rows, fault=fault, progress={})
        )
        listing.dissolve(tx)
        wake_sorted(engine, tx, listing.connection, listing.resource)
    engine.announce("refresh", ids)
    engine.announce("reconcile", ids)
    return Captured(listing.rows, listing.moved, complete=True)


def _surely(listing: Listing, system: System, unseen: Sequence[Link]) -> Sequence[Link]:
    """Those that may be gone: a row that does not fit is there, and one without an id may be any of them, unless a
    single read can tell."""
    if "" in listing.unfit and not system.resource.single_get:
        return ()
    return [link for link in unseen if link.external_id not in listing.unfit]


def unseen_links(
    engine: Engine, tx: Transaction, entity: str, system: System, started: float
) -> list[Link]:
    """Links whose row a complete listing, begun at ``started``, had to show and did not; what reaches out of its
    window is never missing."""
    connection, resource = system.connection, system.resource.name
    schedule = engine.project.connections[connection].resources.get(resource)
    if system.resource.archive or (schedule is not None and schedule.keep != "latest"):
        return []
    links = tx.unseen_since(entity, connection, resource, started)
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


def nominate(
    tx: Transaction, system: System, unseen: Sequence[Link], at: float, sure: bool = False
) -> list[str]:
    """A scan, complete and begun ``at``, only nominates: a single read concludes, or, where there is none, a second
    complete listing, or a person who is ``sure``. Returns the links that are to be looked at."""
    changed = []
    for link in unseen:
        if system.resource.single_get:
            changed.append(replace(link, need_get=True, nominated_at=at, dirty=link.dirty + 1))
        elif sure or (link.nominated_at is not None and link.nominated_at < at):
            changed.append(
                replace(link, row=None, row_version=link.row_version + 1, dirty=link.dirty + 1)
            )
        else:
            changed.append(replace(link, nominated_at=link.nominated_at or at))
    tx.save_links(changed)
    return [link.id for link in changed if link.dirty]


def wake_sorted(engine: Engine, tx: Transaction, connection: str, resource: str) -> None:
    """Creates wait until a resource is fully listed and each of its rows is told who it is."""
    if not tx.resource(connection, resource).scanned_at:
        return
    systems = engine.project.systems_of(connection, resource)
    if not any(tx.unsorted_links(e.name, connection, resource) for e, _ in systems):
        tx.dirty_waiting({f"scan:{connection}/{resource}"})


def notice(engine: Engine, connection: str, resource: str, external_id: str, event_id: str) -> bool:
    """A webhook says that a row moved: a durable event, and the row is read afresh. Returns False for a repeated
    event id. Raises KeyError for a connection or resource that no mapping uses."""
    systems = engine.project.systems_of(connection, resource)
    if not systems:
        raise KeyError(f"{connection}/{resource}")
    ids = []
    with engine.ledger.write() as tx:
        now = engine.clock.now()
        event = Event(connection, resource, external_id, event_id, "webhook", now)
        if tx.add_events([event]) == [None]:
            return False
        for entity, system in systems:
            known = tx.links_at(entity.name, connection, resource, [external_id], lock=True)
            link = known.get(external_id)
            if link is None:
                link = first_sight(new_id(), entity.name, system, external_id, None)
                tx.add_links([replace(link, need_get=True, dirty=1)])
            else:
                tx.save_links([replace(link, need_get=True, dirty=link.dirty + 1)])
            ids.append(link.id)
    engine.announce("refresh", ids)
    return True
