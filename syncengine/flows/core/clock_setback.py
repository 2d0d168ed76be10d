"""Clock setbacks: when the system clock goes back, stored times in the future are corrected and the setback is
reported."""

from __future__ import annotations

from dataclasses import dataclass, replace

import structlog

from syncengine.flows.core.engine import Engine
from syncengine.ledger import Transaction
from syncengine.model.changeset import Changeset
from syncengine.model.connection import ResourceState
from syncengine.model.link import Doubt, Link

AHEAD = 60.0
"""Seconds by which a stored time may be ahead of the clock: those of several machines differ."""

ASKED = 3600.0
"""Seconds that a vendor's own pause may last."""

TOLD = 86_400.0
"""Seconds for which it is told that the clock went back."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Setback:
    """The clock went back ``by`` seconds, noticed ``at`` (epoch seconds)."""

    by: float
    at: float


def correct_setback(engine: Engine) -> None:
    """Record the present time. If an earlier recorded time is later than now, the clock went back: stored times in the
    future are set to now, and leases and slots last as if taken now."""
    now = engine.clock.now()
    with engine.ledger.read() as tx:
        seen = max(_marks(tx)[0], tx.last_seen())
    if seen <= now + AHEAD:
        _mark(engine, now, None)
        return
    log.warning("the clock went back", seconds=round(seen - now))
    with engine.ledger.write() as tx:
        tx.set_back(now, AHEAD, engine.limits.lease)
        read = [(s.connection, s.resource) for _, s in engine.places()]
        places = {(c, r) for c, of in read for r in (of.name, of.parent) if r is not None}
        states = [tx.connection(name, lock=True) for name in engine.project.connections]
        change = Changeset(
            links=_set_back_links(tx, now),
            resources=[_of_resource(tx.resource(*place), now) for place in sorted(places)],
            connections=[
                replace(state, blocked_until=now, since=now)
                for state in states
                # A pause that was set by the right clock, for as long as one may last, stands.
                if state.since > now + AHEAD or state.blocked_until > now + AHEAD + ASKED
            ],
        )
        tx.write(change)
    _mark(engine, now, Setback(seen - now, now))


def setback(engine: Engine, tx: Transaction) -> Setback | None:
    """The setback of the clock within the last day, if there was one."""
    last = _marks(tx)[1]
    return last if last is not None and engine.clock.now() - last.at < TOLD else None


def _set_back_links(tx: Transaction, now: float) -> list[Link]:
    """Reads in the future are set to now; the times of doubts keep their distance to them."""
    changed = []
    for link in tx.read_after(now + AHEAD):
        doubts = {
            name: replace(doubt, until=min(doubt.until, now + _beyond(doubt, link.read_at)))
            for name, doubt in link.base.doubts.items()
        }
        changed.append(link.mirrored(read_at=now).tied(base=replace(link.base, doubts=doubts)))
    return changed


def _beyond(doubt: Doubt, read_at: float) -> float:
    return max(0.0, doubt.until - read_at)


def _of_resource(state: ResourceState, now: float) -> ResourceState:
    told = state.progress
    ahead = told and max(told["started"], told.get("chosen_at", 0.0)) > now + AHEAD
    return replace(
        state,
        polled_at=_as_now(state.polled_at, now),
        scanned_at=_as_now(state.scanned_at, now),
        scan_started=_as_now(state.scan_started, now),
        asked_at=_as_now(state.asked_at, now),
        progress={} if ahead else state.progress,
    )


def _as_now(at: float, now: float) -> float:
    return now if at > now + AHEAD else at


def _marks(tx: Transaction) -> tuple[float, Setback | None]:
    seen, _, back = tx.connection(_CLOCK).digest.partition("/")
    by, _, at = back.partition("@")
    return float(seen or 0.0), Setback(float(by), float(at)) if at else None


def _mark(engine: Engine, now: float, back: Setback | None) -> None:
    with engine.ledger.write() as tx:
        state = tx.connection(_CLOCK, lock=True)
        told = f"{back.by}@{back.at}" if back is not None else state.digest.partition("/")[2]
        tx.write(Changeset(connections=[replace(state, digest=f"{now}/{told}")]))


_CLOCK = "clock"
