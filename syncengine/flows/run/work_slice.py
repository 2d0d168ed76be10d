"""Work slices: what a worker does for one message: work for a slice of time, then announce what is left."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from syncengine.errors import Again
from syncengine.flows.core.engine import Engine
from syncengine.flows.core.limits import RACES, race_pause
from syncengine.flows.run.sweep import announce_listings

Flow = Callable[[Engine, Collection[str] | None], Any]
"""Works ids, or whatever is due; returns whether it did anything."""

KINDS = ("derive", "refresh", "reconcile", "dispatch", "probe")


def work_slice(engine: Engine, flow: Flow, ids: Collection[str] = ()) -> None:
    """Run a task: its ids first, then whatever else is due, until nothing is or a slice of time is over. What is due
    then is announced, once per kind: tasks that found our slots or leases taken left their work to us."""
    until, asked, worked, races = engine.clock.now() + engine.limits.slice, ids or None, False, 0
    engine.used.clear()
    while not worked or engine.clock.now() < until:
        try:
            if not flow(engine, asked):
                break
            asked, worked = None, True
        except Again:
            if races == RACES:
                raise
            races += 1
            engine.clock.sleep(race_pause(races))
    if worked or engine.used:
        announce_due(engine)


def work_ids(engine: Engine, flow: Flow, ids: Collection[str]) -> None:
    """Run a task for what was just changed: these ids and nothing else, so that the next change is not kept waiting.
    What found all slots taken meanwhile is announced, unless somebody still holds some: whoever is the last does it."""
    until = engine.clock.now() + engine.limits.slice
    engine.used.clear()
    while _tried(engine, flow, ids) and engine.clock.now() < until:
        pass
    if engine.used:
        with engine.ledger.read() as tx:
            others = tx.with_taken_slots(engine.used, engine.clock.now())
        if engine.used - others:
            announce_due(engine)


def _tried(engine: Engine, flow: Flow, ids: Collection[str] | None) -> Any:
    """Run a flow, again where it lost a race. Raises Again if it always does."""
    for lost in range(1, RACES + 1):
        try:
            return flow(engine, ids)
        except Again:
            engine.clock.sleep(race_pause(lost))
    return flow(engine, ids)


def announce_due(engine: Engine) -> None:
    """Announce what is due now, and the due listings of the connections that were used, which others found busy."""
    now = engine.clock.now()
    with engine.ledger.read() as tx:
        readable, writable = (engine.open_connections(tx, writing=w) for w in (False, True))
        among = {"refresh": readable, "dispatch": writable, "probe": readable}
        due = [
            kind
            for kind in KINDS
            if (tx.derivations_due(1) if kind == "derive" else tx.due_place(kind, now, among.get(kind)))
        ]  # fmt: skip
    for kind in due:
        engine.queue.announce(kind, [])
    announce_listings(engine, engine.used)
