"""Connections: their state, their resources' cursors, and the slots and calls that all processes share."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import asdict, fields
from typing import Any

from syncengine.adapters.sql import tables as t
from syncengine.adapters.sql.session import Session
from syncengine.adapters.sql.stored import Values
from syncengine.errors import ConfigInvalid
from syncengine.model.connection import ConnectionState, ResourceState
from syncengine.model.values import Json

_c = t.connections.c
_PART = (_c.part,)
_STATE = ""
_BUDGET = "budget"
LISTING = "listing:"
"""The part, with the resource behind it, whose end says until when a listing is under way."""
_LEDGER = ""
_HASHED_WITH = "hashed with"
_MICRO = 1_000_000


class Connections(Session):
    """The part of a transaction that is about connections; promises as in ``ports.Transaction``."""

    def _part(self, name: str, part: str, lock: bool = False) -> Json:
        """The state kept there, {} if there is none. A lock holds the place even where nothing was."""
        if lock:
            self._make_parts(name, part)
        rows = self._rows(t.connections, (_c.state,), order=_PART, lock=lock, name=name, part=part)
        return (self._vault.open(rows[0][0]) if rows else None) or {}

    def _make_parts(self, name: str, *parts: str) -> None:
        self._put(t.connections, [{"name": name, "part": part} for part in parts])

    def _save_part(self, name: str, part: str, state: dict[str, Any]) -> None:
        row = {"name": name, "part": part, "state": self._vault.seal(state)}
        self._put(t.connections, [row], "state", key=("name", "part"))

    def connection(self, name: str, lock: bool = False) -> ConnectionState:
        return ConnectionState(name, **_known(ConnectionState, self._part(name, _STATE, lock)))

    def connections(self, names: Collection[str]) -> list[ConnectionState]:
        rows = self._rows(t.connections, (_c.name, _c.state), name=names, part=_STATE)
        kept = {name: self._vault.open(state) or {} for name, state in rows}
        return [ConnectionState(n, **_known(ConnectionState, kept.get(n, {}))) for n in names]

    def save_connection(self, state: ConnectionState) -> None:
        kept = asdict(state)
        self._save_part(kept.pop("name"), _STATE, kept)

    def resource(self, connection: str, resource: str) -> ResourceState:
        kept = self._part(connection, f"resource:{resource}")
        return ResourceState(connection, resource, **_known(ResourceState, kept))

    def save_resource(self, state: ResourceState) -> None:
        kept = asdict(state)
        name, resource = kept.pop("connection"), kept.pop("resource")
        self._save_part(name, f"resource:{resource}", kept)

    def listing_until(self, connection: str, resource: str, until: float) -> None:
        part = f"{LISTING}{resource}"
        self._make_parts(connection, part)
        self._change(t.connections, {"until": until}, name=connection, part=part)

    def check_keys(self) -> None:
        """Raises ConfigInvalid where this database's keys were hashed with another last encryption key: nothing
        would be found again, and everything be made twice."""
        mine = self._vault.hash(["syncengine"])
        mark: Values = {"name": _LEDGER, "part": _HASHED_WITH}
        self._put(t.connections, [{**mark, "holder": mine}])
        if self._rows(t.connections, (_c.holder,), **mark)[0][0] != mine:
            fault = (
                "SYNCENGINE_ENCRYPTION_KEYS: the database was begun with another last key, or with none;"
                " put that one at the end of the list, or begin with an empty database"
            )
            raise ConfigInvalid([fault])

    def take_slots(
        self, connection: str, want: int, of: int, holder: str, now: float, until: float
    ) -> int:
        slots = [f"slot:{number}" for number in range(of)]
        if not slots or want <= 0:
            return 0
        self._make_parts(connection, *slots)
        free = self._rows(
            t.connections,
            _PART,
            order=_PART,
            skip=True,
            limit=want,
            name=connection,
            part=slots,
            until__le=now,
        )
        taken = [row[0] for row in free]
        self._change(t.connections, {"holder": holder, "until": until}, name=connection, part=taken)
        return len(taken)

    def renew_slots(self, holder: str, until: float) -> None:
        self._change(t.connections, {"until": until}, holder=holder)

    def free_slots(self, holder: str) -> None:
        self._change(t.connections, {"holder": None, "until": 0.0}, holder=holder)

    def take_calls(
        self, connection: str, want: int, calls: int, per: float, now: float
    ) -> tuple[int, float]:
        self._make_parts(connection, _BUDGET)
        budget: Values = {"name": connection, "part": _BUDGET}
        paid_until = self._rows(t.connections, (_c.until,), order=_PART, lock=True, **budget)[0][0]
        granted, paid_until, next_at = grant(want, calls, per, now, paid_until)
        if granted:
            self._change(t.connections, {"until": paid_until}, **budget)
        return granted, next_at


def _known(kind: type[ConnectionState | ResourceState], state: dict[str, Any]) -> dict[str, Any]:
    """Of a state that another version of us may have kept, what this one knows."""
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
    burst = max(1, calls // 10)
    interval = math.ceil(per * _MICRO / max(1, calls - burst)) + 1
    at = round(now * _MICRO)
    paid = max(round(paid_until * _MICRO), at)
    granted = max(0, min(want, (burst * interval - (paid - at)) // interval))
    paid += granted * interval
    free_at = max(at, paid - (burst - 1) * interval)
    return granted, paid / _MICRO, free_at / _MICRO
