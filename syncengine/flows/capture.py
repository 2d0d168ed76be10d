"""Capture: polls, scans and notices become rows, events and dirty counters, one transaction a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import partial
from typing import Literal

from syncengine.errors import Halt, RateLimited, SyncengineError, Unusable
from syncengine.flows.engine import Engine, failed, new_id, stubborn
from syncengine.flows.rows import Read, store
from syncengine.mapping import System
from syncengine.model.case import Case, CaseKind
from syncengine.model.connection import ResourceState
from syncengine.model.event import Event
from syncengine.model.link import Link
from syncengine.model.values import Json
from syncengine.planning.questions import digest, emptied, emptied_subject, shown
from syncengine.planning.sight import Source, first_sight
from syncengine.ports import Connector, Item, Page, Transaction, Window

PARENTS_A_ROUND = 50
NEXT_PAGE = 300.0
"""Seconds within which the next page of a listing comes, unless its worker has died."""

LACKING = 600.0
"""Seconds after which a listing that lacks some parts is read again."""


@dataclass(frozen=True, slots=True)
class Captured:
    """What a listing brought. ``complete``: it ended without an error. ``fault``: why not, for people."""

    rows: int = 0
    moved: int = 0
    complete: bool = False
    fault: str = ""


@dataclass(slots=True)
class _Listing:
    """A listing under way, and what it has found so far. ``asked``: subjects of the questions about rows that do not
    fit; ``unfit``: their external ids, "" among them where a row has none. ``lacks``: parents below which nothing
    could be read."""

    engine: Engine
    connection: str
    resource: str
    kind: Literal["poll", "scan"]
    started: float
    rows: int = 0
    moved: int = 0
    asked: set[str] = field(default_factory=set)
    unfit: set[str] = field(default_factory=set)
    lacks: list[tuple[str, SyncengineError]] = field(default_factory=list)
    marked: float = 0.0

    @stubborn
    def begin(self) -> None:
        """Tell the others that more is to come."""
        with self.engine.ledger.write() as tx:
            self._mark(tx)

    def _mark(self, tx: Transaction) -> None:
        now = self.engine.clock.now()
        if now > self.marked + NEXT_PAGE / 4:
            self.marked = now
            tx.listing_until(self.connection, self.resource, now + NEXT_PAGE)

    @stubborn
    def keep(self, items: Sequence[Item], started: float, cursor: str | None = None) -> None:
        """Store what one page (or some pages) showed, and where to go on."""
        engine = self.engine
        engine.hold_on()
        received = engine.clock.now()
        items = [_of_period(engine, self.connection, self.resource, item) for item in items]
        reads = [
            Read(i.external_id, i.row, i.parent, started, received) for i in items if not i.fault
        ]
        faults = {case.subject: case for case in (_unfit(self, i) for i in items if i.fault)}
        dirty: list[str] = []
        stale: list[str] = []
        moved = 0
        source: Source = "poll" if self.kind == "poll" else "list"
        with engine.ledger.write() as tx:
            self._mark(tx)
            for entity, system in engine.project.systems_of(self.connection, self.resource):
                kept = store(engine, tx, entity, system, source, reads)
                moved += kept.moved
                dirty += kept.dirty
                stale += kept.need_get
            if faults:
                tx.raise_cases(list(faults.values()))
            if cursor is not None:
                state = tx.resource(self.connection, self.resource)
                tx.save_resource(replace(state, cursor=cursor))
        self.rows += len(reads)
        self.moved += moved
        self.asked |= faults.keys()
        self.unfit |= {i.external_id for i in items if i.fault}
        engine.announce("refresh", stale)
        engine.announce("reconcile", dirty)


def _of_period(engine: Engine, connection: str, resource: str, item: Item) -> Item:
    """A live value without a past (``keep: day`` or ``month``) is one row for each period."""
    schedule = engine.project.connections[connection].resources.get(resource)
    if schedule is None or schedule.keep == "latest" or item.fault:
        return item
    period = engine.today if schedule.keep == "day" else engine.today[:7]
    row = {**item.row, "_period": period}
    return replace(item, external_id=f"{item.external_id}@{period}", row=row)


def _unfit(listing: _Listing, item: Item) -> Case:
    place = f"{listing.connection} {listing.resource}"
    return _asked(
        listing,
        item.external_id or digest(dict(item.row)),
        f"A row of {place} does not fit: {item.fault}",
        {"external_id": item.external_id, "row": shown(dict(item.row))},
    )


def _asked(listing: _Listing, about: str, question: str, evidence: dict[str, Json]) -> Case:
    """The question about a part of a listing; it ends with the next complete listing that has no such part."""
    return Case(
        id=new_id(),
        kind=CaseKind.QUARANTINED,
        subject=f"{_subjects(listing)}{about}",
        question=question,
        evidence=evidence,
        answers={"retry": "go on; it is looked at again with the next listing"},
        opened_at=listing.engine.clock.now(),
    )


def _subjects(listing: _Listing) -> str:
    return f"quarantined:{listing.connection}/{listing.resource}/"


def capture(
    engine: Engine, connection: str, resource: str, kind: Literal["poll", "scan"]
) -> Captured:
    """Read a change feed from its cursor, or a complete listing. Returns what came; never raises for a vendor's
    failure, which is noted with the connection and the resource."""
    connector = engine.connectors.get(connection)
    with engine.ledger.read() as tx:
        if connector is None or not engine.may_call(tx, connection):
            return Captured(fault=f"{connection} is off or blocked")
        state = tx.resource(connection, resource)
    with engine.slots(connection) as width:
        if not width:
            _let_go(engine, connection, resource)
            return Captured(fault=f"{connection} is busy")
        listing = _Listing(engine, connection, resource, kind, engine.clock.now())
        listing.begin()
        try:
            if kind == "poll":
                _poll(listing, connector, state)
            else:
                _scan(listing, connector, width)
        except SyncengineError as error:
            return _note_fault(listing, error)
    engine.note_success(connection)
    if listing.lacks:
        return _note_lacks(listing)
    return _finish(listing, kind, state)


def _let_go(engine: Engine, connection: str, resource: str) -> None:
    """The next sweep announces the listing again, and does not wait for one that never began."""
    with engine.ledger.write() as tx:
        tx.save_resource(replace(tx.resource(connection, resource), scan_started=0.0))


def _poll(listing: _Listing, connector: Connector, state: ResourceState) -> None:
    engine = listing.engine
    for page, started in _timed(engine, connector.poll(listing.resource, state.cursor)):
        engine.needs[listing.connection] += 1
        listing.keep(page.items, started, page.cursor)


def _scan(listing: _Listing, connector: Connector, width: int) -> None:
    engine = listing.engine
    spec = connector.spec.resources[listing.resource]
    window = _window(engine, listing)
    if spec.parent is None:
        for page, started in _timed(engine, connector.scan(listing.resource, None, window)):
            listing.keep(page.items, started)
        engine.needs[listing.connection] += connector.pages(listing.resource, listing.rows, window)
        return
    with engine.ledger.read() as tx:
        parents = tx.row_ids(listing.connection, spec.parent)
    for start in range(0, len(parents), PARENTS_A_ROUND):
        some = parents[start : start + PARENTS_A_ROUND]
        _scan_below(listing, connector, some, window, width)


def _scan_below(
    listing: _Listing, connector: Connector, parents: Sequence[str], window: Window | None,
    width: int,
) -> None:  # fmt: skip
    """One round of parents. What came is kept; where nothing came below any, the listing ends."""
    engine, began = listing.engine, listing.engine.clock.now()
    items: list[Item] = []
    errors: dict[str, SyncengineError] = {}
    jobs = ((p, partial(_below, connector, listing.resource, p, window)) for p in parents)
    with engine.gates[listing.connection].prepaid(len(parents)):
        for parent, result in engine.call_all(jobs, width):
            error = failed(result)
            if error is not None:
                errors[parent] = error
                continue
            items += result
            pages = connector.pages(listing.resource, len(result), window)
            engine.needs[listing.connection] += pages
    listing.keep(items, began)
    listing.lacks += errors.items()
    for error in errors.values():
        if isinstance(error, (RateLimited, Halt)) or len(errors) == len(parents):
            raise error


def _below(connector: Connector, resource: str, parent: str, window: Window | None) -> list[Item]:
    return [item for page in connector.scan(resource, parent, window) for item in page.items]


def _timed(engine: Engine, pages: Iterable[Page]) -> Iterator[tuple[Page, float]]:
    """Pages with the time at which their request began."""
    started = engine.clock.now()
    for page in pages:
        yield page, started
        started = engine.clock.now()


def _window(engine: Engine, listing: _Listing) -> Window | None:
    schedule = engine.project.connections[listing.connection].resources.get(listing.resource)
    if schedule is None or schedule.window is None:
        return None
    back, ahead = schedule.window
    today = date.fromisoformat(engine.today)
    return Window(
        (today - timedelta(days=back)).isoformat(), (today + timedelta(days=ahead)).isoformat()
    )


def _note_fault(listing: _Listing, error: SyncengineError) -> Captured:
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


def _note_lacks(listing: _Listing) -> Captured:
    """Below some parents nothing could be read: the listing concludes nothing, and is read again after a while."""
    engine = listing.engine
    error = listing.lacks[0][1]
    fault = f"the listing lacks {len(listing.lacks)} parts: {error}"
    retry = engine.clock.now() + LACKING
    with engine.ledger.write() as tx:
        state = tx.resource(listing.connection, listing.resource)
        tx.listing_until(listing.connection, listing.resource, 0.0)
        tx.save_resource(replace(state, fault=fault, scan_started=retry))
        tx.raise_cases(
            [_lost(listing, *lost) for lost in listing.lacks if isinstance(lost[1], Unusable)]
        )
    return Captured(listing.rows, listing.moved, fault=fault)


def _lost(listing: _Listing, parent: str, error: SyncengineError) -> Case:
    answer = error.answer if isinstance(error, Unusable) else ""
    return _asked(
        listing,
        f"below {parent}",
        f"The {listing.resource} of {listing.connection} below one row cannot be read: {error}",
        {"parent": parent, "answer": answer},
    )


def _finish(listing: _Listing, kind: str, before: ResourceState) -> Captured:
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
            (system, _unseen(engine, tx, entity.name, system, listing))
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
        tx.save_resource(replace(state, scanned_at=listing.started, rows=rows, fault=fault))
        _dissolve(listing, tx)
        wake_sorted(engine, tx, listing.connection, listing.resource)
    engine.announce("refresh", ids)
    engine.announce("reconcile", ids)
    return Captured(listing.rows, listing.moved, complete=True)


def _surely(listing: _Listing, system: System, unseen: Sequence[Link]) -> Sequence[Link]:
    """Those that may be gone: a row that does not fit is there, and one without an id may be any of them, unless a
    single read can tell."""
    if "" in listing.unfit and not system.resource.single_get:
        return ()
    return [link for link in unseen if link.external_id not in listing.unfit]


def _dissolve(listing: _Listing, tx: Transaction) -> None:
    """Questions about what this complete listing shows no more, or shows well again."""
    place = _subjects(listing)
    known = {case.subject for case in tx.cases(kind=CaseKind.QUARANTINED)}
    over = {s for s in known - listing.asked if s.startswith(place)}
    if over:
        tx.dissolve_cases(over, listing.engine.clock.now())


def _unseen(
    engine: Engine, tx: Transaction, entity: str, system: System, listing: _Listing
) -> list[Link]:
    """Links whose row a complete listing had to show and did not; what reaches out of its window is never missing."""
    schedule = engine.project.connections[listing.connection].resources.get(listing.resource)
    if system.resource.archive or (schedule is not None and schedule.keep != "latest"):
        return []
    links = tx.unseen_since(entity, listing.connection, listing.resource, listing.started)
    window = _window(engine, listing)
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
