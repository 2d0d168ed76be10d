"""Connections: their state, the cursors of their resources, and the slots and call budgets that all processes share."""

from __future__ import annotations

import math
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import sqlalchemy as sa

from syncengine.ledger import tables as t
from syncengine.ledger.encryption import HASH
from syncengine.ledger.session import Session
from syncengine.ledger.stored import Values
from syncengine.model.connection import Booking, ConnectionState, ResourceState
from syncengine.model.process import Process
from syncengine.model.values import Json

_c = t.connections.c
_PART = (_c.part,)
_STATE = ""
_BUDGET = "budget"
RESOURCE = "resource:"
"""The part, with the resource behind it, that holds how far its listings have come."""
LISTING = "listing:"
"""The part, with the resource behind it, whose end says until when a listing is under way."""
_LEDGER = ""
_IDENTITY = "identity"
PROCESS = "process:"
MARK = ":"
"""What the name of a mark ends with; its part is the hash of what is remembered."""
is_mark = sa.and_(_c.name.like(f"%{MARK}"), _c.name != PROCESS, sa.func.length(_c.part) == HASH)
"""A mark, and no other thing without a connection that is kept under a name like that, as how far retention is."""
_MICRO = 1_000_000


class Connections(Session):
    """The part of a transaction that is about connections."""

    def _part(self, name: str, part: str, lock: bool = False) -> Json:
        """The state kept there, {} if there is none. A lock holds the place even where nothing was."""
        if lock:
            self._make_parts(name, part)
        rows = self._rows(t.connections, (_c.state,), order=_PART, lock=lock, name=name, part=part)
        return (self._open(_c.state, rows[0][0], name, part) if rows else None) or {}

    def _make_parts(self, name: str, *parts: str) -> None:
        self._put(t.connections, [{"name": name, "part": part} for part in parts])

    def _save_parts(self, states: Sequence[tuple[str, str, dict[str, Any]]]) -> None:
        """Insert or write (name, part, state)."""
        rows = [
            {"name": name, "part": part, "state": self._sealed(_c.state, state, name, part)}
            for name, part, state in sorted(states, key=lambda kept: kept[:2])
        ]
        self._put(t.connections, rows, "state", key=("name", "part"))

    def connection(self, name: str, lock: bool = False) -> ConnectionState:
        """The state of a connection; a new one if there is none."""
        return ConnectionState(name, **known(ConnectionState, self._part(name, _STATE, lock)))

    def connections(self, names: Collection[str]) -> list[ConnectionState]:
        """The state of each of these connections, in order; new ones where there are none."""
        rows = self._rows(t.connections, (_c.name, _c.state), name=names, part=_STATE)
        kept = {name: self._open(_c.state, state, name, _STATE) or {} for name, state in rows}
        return [ConnectionState(n, **known(ConnectionState, kept.get(n, {}))) for n in names]

    def _save_connections(self, states: Sequence[ConnectionState]) -> None:
        """Insert or write."""
        kept = [asdict(state) for state in states]
        self._save_parts([(state.pop("name"), _STATE, state) for state in kept])

    def resource(self, connection: str, resource: str) -> ResourceState:
        """The state of a resource; a new one if there is none."""
        kept = self._part(connection, f"{RESOURCE}{resource}")
        return ResourceState(connection, resource, **known(ResourceState, kept))

    def resources(self, connection: str, names: Collection[str]) -> dict[str, ResourceState]:
        """The states of these resources, each as ``resource`` tells it."""
        parts = {f"{RESOURCE}{name}": name for name in names}
        asked: Values = {"name": connection, "part": list(parts)}
        found = {
            parts[part]: self._open(_c.state, state, connection, part) or {}
            for part, state in self._rows(t.connections, (_c.part, _c.state), **asked)
        }
        return {
            name: ResourceState(connection, name, **known(ResourceState, found.get(name, {})))
            for name in names
        }

    def _save_resources(self, states: Sequence[ResourceState]) -> None:
        """Insert or write."""
        kept = [asdict(state) for state in states]
        self._save_parts([(k.pop("connection"), f"{RESOURCE}{k.pop('resource')}", k) for k in kept])

    def is_being_listed(self, connection: str, resource: str, now: float) -> bool:
        """Whether a listing is under way."""
        part = f"{LISTING}{resource}"
        return bool(self._rows(t.connections, _PART, name=connection, part=part, until__gt=now))

    def _save_listings(self, until: Mapping[tuple[str, str], float]) -> None:
        """(connection, resource) -> until when at most a listing is under way; 0: it has ended."""
        rows: list[Values] = [
            {"name": connection, "part": f"{LISTING}{resource}", "until": at}
            for (connection, resource), at in sorted(until.items())
        ]
        self._put(t.connections, rows, "until", key=("name", "part"))

    def save_process(self, process: Process, kept: float = 900.0) -> None:
        """Insert or update; processes that have not reported for ``kept`` seconds are removed."""
        told = asdict(process)
        place: Values = {"name": PROCESS, "part": told.pop("id")}
        state = self._sealed(_c.state, told, *place.values())
        row = {**place, "until": process.seen_at + kept, "state": state}
        self._put(t.connections, [row], "state", "until", key=("name", "part"))
        self._drop(t.connections, name=PROCESS, until__le=process.seen_at)

    def forget_process(self, id: str) -> None:
        """Delete a process that has ended."""
        self._drop(t.connections, name=PROCESS, part=id)

    def processes(self) -> list[Process]:
        """The processes that have reported lately, by kind, host and number."""
        rows = self._rows(t.connections, (_c.part, _c.state), order=_PART, name=PROCESS)
        kept = [(part, self._open(_c.state, s, PROCESS, part) or {}) for part, s in rows]
        found = [Process(part, **known(Process, state)) for part, state in kept]
        return sorted(found, key=lambda p: (p.kind, p.host, p.pid))

    def identity(self) -> str:
        """A random word that identifies this database; drawn when first asked for, and kept."""
        mark: Values = {"name": _LEDGER, "part": _IDENTITY}
        self._put(t.connections, [{**mark, "holder": secrets.token_hex(6)}])
        return str(self._rows(t.connections, (_c.holder,), **mark)[0][0])

    def remember(
        self, what: str, about: Sequence[Json], now: float, until: float, whose: str = ""
    ) -> str:
        """Store a mark until then, unless it exists already; returns who holds it."""
        self._drop(t.connections, name=what + MARK, until__le=now)
        mark: Values = {"name": what + MARK, "part": self._vault.hash(list(about))}
        self._put(t.connections, [{**mark, "until": until, "holder": whose}])
        return str(self._rows(t.connections, (_c.holder,), **mark)[0][0])

    def remembered(self, what: str, about: Sequence[Json], now: float) -> float:
        """Until when a mark is kept; 0 if there is none."""
        mark: Values = {"name": what + MARK, "part": self._vault.hash(list(about))}
        rows = self._rows(t.connections, (_c.until,), **mark)
        return rows[0][0] if rows and rows[0][0] > now else 0.0

    def take_mark(
        self, what: str, about: Sequence[Json], now: float, until: float, whose: str
    ) -> None:
        """Store a mark until then, whoever held it before."""
        self._drop(t.connections, name=what + MARK, until__le=now)
        mark: Values = {"name": what + MARK, "part": self._vault.hash(list(about))}
        row = {**mark, "until": until, "holder": whose}
        self._put(t.connections, [row], "until", "holder", key=("name", "part"))

    def drop_mark(self, what: str, about: Sequence[Json]) -> None:
        """Remember it no longer."""
        self._drop(t.connections, name=what + MARK, part=self._vault.hash(list(about)))

    def marks(self, what: str, about: Collection[str], now: float) -> dict[str, tuple[str, float]]:
        """Of the marks about one word each: word -> who holds it, and until when."""
        words = {self._vault.hash([word]): word for word in about}
        asked: Values = {"name": what + MARK, "part": list(words), "until__gt": now}
        rows = self._rows(t.connections, (_c.part, _c.holder, _c.until), **asked)
        return {words[part]: (str(holder), until) for part, holder, until in rows}

    def take_slots(
        self, connection: str, want: int, of: int, holder: str, now: float, until: float
    ) -> int:
        """Take up to ``want`` of the connection's ``of`` slots; returns how many were free. Of two concurrent
        transactions, one waits for the other."""
        slots = [f"slot:{number}" for number in range(of)]
        if not slots:
            return 0
        # All of them are locked, the taken ones too: whoever finds none free has seen what their holder did last.
        which: Values = {"order": _PART, "lock": True, "name": connection, "part": slots}
        held = self._rows(t.connections, (_c.part, _c.until), **which)
        if len(held) < of:
            self._make_parts(connection, *slots)
            held = self._rows(t.connections, (_c.part, _c.until), **which)
        taken = [part for part, until in held if until <= now][: max(0, want)]
        self._change(t.connections, {"holder": holder, "until": until}, name=connection, part=taken)
        return len(taken)

    def with_taken_slots(self, connections: Collection[str], now: float) -> set[str]:
        """Those of these connections of which somebody holds slots."""
        asked: Values = {"name": connections, "until__gt": now}
        rows = self._rows(t.connections, (_c.name,), t.is_held, **asked)
        return {name for (name,) in rows}

    def renew_slots(self, holder: str, until: float) -> None:
        """Extend the slots of this holder."""
        self._change_slots(holder, {"until": until})

    def free_slots(self, holder: str) -> None:
        """Release the slots of this holder."""
        self._change_slots(holder, {"holder": None, "until": 0.0})

    def _change_slots(self, holder: str, values: Values) -> None:
        # Locked in the order in which they are taken, so that nobody waits in a circle.
        self._rows(t.connections, _PART, order=_PART, lock=True, holder=holder)
        self._change(t.connections, values, holder=holder)

    def take_calls(
        self, connection: str, want: int, calls: int, per: float, now: float
    ) -> tuple[int, float]:
        """Take up to ``want`` calls from a budget of ``calls`` per ``per`` seconds, never more within any window of
        that length; returns how many, and when the next one is free."""
        self._make_parts(connection, _BUDGET)
        budget: Values = {"name": connection, "part": _BUDGET}
        paid_until = self._rows(t.connections, (_c.until,), order=_PART, lock=True, **budget)[0][0]
        granted, paid_until, next_at = grant(want, calls, per, now, paid_until)
        if granted:
            self._change(t.connections, {"until": paid_until}, **budget)
        return granted, next_at

    def calls_left(self, connection: str, calls: int, per: float, now: float) -> int:
        """How many of a budget's ``calls`` may be made within the next ``per`` seconds, as far as they are granted by
        now; a tenth of all at once."""
        budget: Values = {"name": connection, "part": _BUDGET}
        rows = self._rows(t.connections, (_c.until,), **budget)
        _, interval = _pace(calls, per)
        paid = max(0, round((rows[0][0] - now) * _MICRO)) if rows else 0
        return max(0, calls - math.ceil(paid / interval))

    def book_calls(
        self,
        connection: str,
        costs: Sequence[int],
        calls: int,
        per: float,
        now: float,
        ahead: float,
    ) -> Booking:
        """Reserve the calls of the first of these things, at most ``ahead`` seconds in advance. A thing whose calls
        cannot all be had gets none."""
        self._make_parts(connection, _BUDGET)
        budget: Values = {"name": connection, "part": _BUDGET}
        paid_until = self._rows(t.connections, (_c.until,), order=_PART, lock=True, **budget)[0][0]
        booking, paid_until = book(costs, calls, per, now, paid_until, ahead)
        if booking.count:
            self._change(t.connections, {"until": paid_until}, **budget)
        return booking


def known(kind: type[Any], state: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a stored state that this version knows; another version may have written it."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in state.items() if name in names}


def grant(
    want: int, calls: int, per: float, now: float, paid_until: float
) -> tuple[int, float, float]:
    """Generic cell rate algorithm: at most ``calls`` calls in any window of ``per`` seconds.

    A tenth of the calls may come at once (the burst), the rest is spread evenly. ``paid_until``: the state, up to
    when the calls granted so far have used up their share (epoch seconds). Returns the calls granted, the new
    state, and when the next call would be free. Counts in whole microseconds, since sums of floats drift.
    """
    burst, interval = _pace(calls, per)
    at = round(now * _MICRO)
    paid = max(round(paid_until * _MICRO), at)
    granted = max(0, min(want, (burst * interval - (paid - at)) // interval))
    paid += granted * interval
    free_at = max(at, paid - (burst - 1) * interval)
    return granted, paid / _MICRO, free_at / _MICRO


def book(
    costs: Sequence[int], calls: int, per: float, now: float, paid_until: float, ahead: float
) -> tuple[Booking, float]:
    """Reserve calls for things that need several each: all things whose calls are free now; else the first one, if its
    calls are free within ``ahead`` seconds. If one needs more than may be made at once, its last calls are free later;
    one that needs more than twice as many never is. Returns the booking and the new state. Counts as ``grant`` does."""
    burst, interval = _pace(calls, per)
    at = round(now * _MICRO)
    paid, latest = max(round(paid_until * _MICRO), at), at + round(ahead * _MICRO)
    count = total = 0

    def begins(cost: int) -> float:
        return (
            paid + (total + min(cost, burst) - burst) * interval if cost <= 2 * burst else math.inf
        )

    while count < len(costs) and begins(costs[count]) <= (at if count else latest):
        total += costs[count]
        count += 1
    first = max(at, paid + (min(total, burst) - burst) * interval)
    last = max(first, paid + (total - burst) * interval)
    free = max(at, begins(costs[count])) if count < len(costs) else last
    booking = Booking(count, first / _MICRO, last / _MICRO, free / _MICRO)
    return booking, (paid + total * interval) / _MICRO


def _pace(calls: int, per: float) -> tuple[int, int]:
    """How many calls may be made at once, and the microseconds that each one takes up."""
    burst = max(1, calls // 10)
    return burst, math.ceil(per * _MICRO / max(1, calls - burst)) + 1
