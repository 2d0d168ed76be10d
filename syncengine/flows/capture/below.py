"""Listings below parents: some vendors list rows only below one parent at a time (hakuna: one person's time entries).

Where that takes longer than the project asks for, since the vendor allows few calls, the listing goes round all parents
in turn. At the beginning of each span it reads those again below which something moved lately: what people work on is
seen within a span or so, and the rest within two rounds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import takewhile
from math import inf

from syncengine.errors import Halt, RateLimited, SyncengineError
from syncengine.flows.capture.listing import Listing
from syncengine.flows.core.engine import TimedJobs, failed
from syncengine.model.operation import OperationState
from syncengine.ports import Connector, Item, Window

PARENTS_A_ROUND = 50

SHARE = 0.5
"""Of the parents that can be read in a span, the part that may be read again."""

LATELY = 86_400.0
"""Seconds for which a parent counts as one below which something moved."""

MOST_EVENTS = 5_000
"""Events among which these parents are looked for."""


def scan_below(
    listing: Listing, connector: Connector, parent: str, window: Window | None, width: int,
    until: float,
) -> bool:  # fmt: skip
    """Read the rows below all rows of ``parent``, a resource. Whether all was read; in part once ``until`` is over."""
    engine = listing.engine
    with engine.ledger.read() as tx:
        parents = tx.row_ids(listing.connection, parent)
    listing.parents = len(parents)
    rest = [name for name in parents if name > listing.after]
    while rest:
        if until < inf:
            _choose_again(listing, parent, set(parents))
        again = bool(listing.again)
        some = (listing.again if again else rest)[:PARENTS_A_ROUND]
        read = _round(listing, connector, some, window, width, until, again)
        if again:
            listing.again = listing.again[read:]
        else:
            listing.after, rest = rest[read - 1], rest[read:]
            listing.turned += read
        if rest and engine.clock.now() >= until:
            return False
    return True


def _choose_again(listing: Listing, parent: str, parents: set[str]) -> None:
    """Where a span is over and the listing still goes on, a new one begins: with the parents to be read again, those
    first below which work is open, then those below which something moved last. As many as a part of the span is enough
    for, by how fast the listing has come so far."""
    engine, now = listing.engine, listing.engine.clock.now()
    schedule = engine.project.connections[listing.connection].resources.get(listing.resource)
    span = inf if schedule is None or schedule.scan is None else schedule.scan
    if now < max(listing.started, listing.chosen_at) + span:
        return
    speed = (listing.turned + listing.reread) / (now - listing.started)
    chosen = [name for name in _moved(listing, parent, now - LATELY) if name in parents]
    listing.again = chosen[: int(SHARE * span * speed)]
    listing.reread, listing.chosen_at = listing.reread + len(listing.again), now


def _moved(listing: Listing, parent: str, since: float) -> list[str]:
    """Parents below which a write is not settled yet, or something moved since; the newest first."""
    connection, resource = listing.connection, listing.resource
    with listing.engine.ledger.read() as tx:
        events = tx.select_events(connection, MOST_EVENTS, since=since)
        rows = dict.fromkeys(e.external_id for e in events if e.resource == resource)
        below: dict[str, str] = {}
        for entity, _ in listing.engine.project.systems_of(connection, resource):
            found = tx.links_at(entity.name, connection, resource, list(rows))
            below |= {x: link.parent for x, link in found.items() if link.parent is not None}
        open_ = (OperationState.PENDING, OperationState.CLAIMED, OperationState.UNKNOWN)
        written = tx.select_operations(open_, connection=connection, limit=MOST_EVENTS)
        links = tx.links({o.link_id for o in written if o.resource == resource}).values()
    chosen = [link.parent for link in links if link.parent is not None]
    for event in events:
        moved = event.external_id if event.resource == parent else below.get(event.external_id)
        if moved is not None and event.resource in (parent, resource):
            chosen.append(moved)
    return list(dict.fromkeys(chosen))


def _round(
    listing: Listing, connector: Connector, parents: Sequence[str], window: Window | None,
    width: int, until: float, again: bool,
) -> int:  # fmt: skip
    """One round of parents, as far as it begins in time; how many. What came is kept; where nothing came below any,
    and the vendor does not answer its cheapest call either, the listing ends. ``again``: the listing comes by these
    parents in their turn as well, so that they count then."""
    engine, began = listing.engine, listing.engine.clock.now()
    items: dict[str, list[Item]] = {}
    errors: dict[str, SyncengineError] = {}
    jobs = [(p, partial(_rows_of, listing, connector, p, window)) for p in parents]
    begun, last, calls_each = TimedJobs(engine.clock, jobs, until), None, list[int]()
    with engine.gates[listing.connection].prepaid(listing.calls_each * len(parents)):
        for parent, result in engine.call_all(begun, width):
            last = failed(result)
            if last is not None:
                errors[parent] = last
                continue
            items[parent], calls = result
            engine.needs[listing.connection] += calls
            calls_each.append(calls)
    listing.calls_each = min(calls_each, default=1)
    whole = [e for e in errors.values() if isinstance(e, (RateLimited, Halt))]
    ends = bool(whole) or engine.blames(listing.connection, errors.values(), went_well=last is None)
    kept, rows = [i for below in items.values() for i in below], listing.rows
    listing.keep(kept, began, began=began, lost=() if ends or again else errors.items())
    if again:
        listing.rows = rows
    elif ends:
        # It goes on after the first parents below which all came.
        first = list(takewhile(items.__contains__, parents))
        listing.rows = rows + sum(not item.fault for parent in first for item in items[parent])
        listing.after = first[-1] if first else listing.after
        listing.turned += len(first)
    if ends:
        raise next(iter(whole or errors.values()))
    return begun.count


def _rows_of(
    listing: Listing, connector: Connector, parent: str, window: Window | None
) -> tuple[list[Item], int]:
    """The rows below a parent, and the number of calls."""
    items, calls = list[Item](), 0
    for page in connector.scan(listing.resource, parent, window):
        listing.listing_progress.page(page)
        items += page.items
        calls += page.calls
    return items, calls
