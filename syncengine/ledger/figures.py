"""Figures of the standing: what waits, since when, and who is at work. Each costs a constant number of statements,
however many rows there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Select, case, func, select

from syncengine.ledger import tables as t
from syncengine.ledger.connections import PROCESS, RESOURCE, known
from syncengine.ledger.links import LINKS
from syncengine.ledger.notifying import TOLD, Notifying, notifications_of
from syncengine.ledger.statements import Within, given
from syncengine.ledger.stored import Values, hashed
from syncengine.model.condition import WrittenTo
from syncengine.model.connection import ConnectionState, ResourceState
from syncengine.model.link import WaitGroup, wait_group
from syncengine.model.notification import Notifications
from syncengine.model.operation import OperationState
from syncengine.model.process import Process
from syncengine.model.standing import Figures

ALIVE = "alive:"
"""Under this name stands, for each part of a service, when it last showed that it is at work."""
_c, _o = t.connections.c, t.operations.c
_IS_STATE = _c.state.is_not(None)
_GROUP = (t.links.c.entity, t.links.c.connection, t.links.c.wait_group)
_GROUPS = (
    select(*_GROUP, func.count(), func.min(t.links.c.waits_since), func.min(t.links.c.id))
    .where(t.is_waiting_for)
    .group_by(*_GROUP)
)
_due = case((t.is_claimed, _o.lease_until), else_=_o.next_at)
_OUTBOX = (
    select(_o.connection, _o.state, func.count())
    .add_columns(func.sum(case((_due <= given("late"), 1), else_=0)), func.min(_due))
    .where(t.is_unsettled)
    .group_by(_o.connection, _o.state)
)
_ASKED = (
    select(t.cases.c.kind, func.count(), func.min(t.cases.c.opened_at))
    .where(t.is_open)
    .group_by(t.cases.c.kind)
)


def _unsent() -> Select[Any]:
    """By group: links whose write is dropped or kept, since their connection is only observed, and those that wait for
    a row which one of these would make."""
    place = (t.links.c.id, t.links.c.record_id, t.links.c.connection)
    dropped = select(*place).where(Within(t.links.c.wait_key_hash, "keys"))
    kept = select(_o.link_id, _o.record_id, _o.connection).where(
        t.is_pending, Within(_o.connection, "observed")
    )
    first = dropped.union(kept).subquery()
    found = select(first.c.id, first.c.record_id, first.c.connection).cte("unsent", recursive=True)
    is_behind = (t.links.c.wait_record == found.c.record_id) & (
        t.links.c.connection == found.c.connection
    )
    behind = select(*place).join_from(t.links, found, is_behind).where(t.waits_for_record)
    found = found.union(behind)
    ids = select(found.c.id)
    return select(*_GROUP, func.count()).where(t.links.c.id.in_(ids)).group_by(*_GROUP)


_UNSENT = _unsent()


class Standings(Notifying):
    """The part of a transaction that counts for the standing."""

    def note_alive(self, part: str, now: float) -> None:
        """A part of the service (``worker``, ``beat``) is at work."""
        place: Values = {"name": ALIVE, "part": part}
        state = self._sealed(_c.state, {"at": now}, *place.values())
        self._put(t.connections, [{**place, "state": state}], "state", key=("name", "part"))

    def forget_alive(self) -> None:
        """The service was ended on purpose: nobody waits for it."""
        self._drop(t.connections, name=ALIVE)

    def figures(self, names: Collection[str], observed: Collection[str], late: float) -> Figures:
        """All that the ledger knows for the standing. ``names``: of the project's connections; ``observed``: those that
        are only observed. ``late``: what was due before then (epoch seconds) is late."""
        states, resources, processes, alive, told = self._states(names)
        outbox = self._connection.execute(_OUTBOX, {"given_late": late}).all()
        unsent, sums = self._unsent(observed), Counter[str]()
        for (_, connection, _), count in unsent.items():
            sums[connection] += count
        kept = {(name, OperationState.PENDING.value) for name in observed}
        under_way = [row for row in outbox if (row[0], row[1]) not in kept]
        return Figures(
            states={name: states.get(name, ConnectionState(name)) for name in names},
            resources=resources,
            processes=processes,
            alive=alive,
            asked={kind: (count, at) for kind, count, at in self._connection.execute(_ASKED)},
            waits=self._wait_groups(unsent),
            unsent=sums,
            outbox=[
                (name, state, count, int(some), at) for name, state, count, some, at in under_way
            ],
            notifications=told,
        )

    def _states(
        self, names: Collection[str]
    ) -> tuple[
        dict[str, ConnectionState], dict[tuple[str, str], ResourceState], list[Process],
        dict[str, float], Notifications,
    ]:  # fmt: skip
        columns, all_names = (_c.name, _c.part, _c.state), [*names, PROCESS, ALIVE, TOLD]
        rows = self._rows(t.connections, columns, _IS_STATE, name=all_names)
        kept = {(n, p): self._open(_c.state, state, n, p) or {} for n, p, state in rows}
        states = {
            n: ConnectionState(n, **known(ConnectionState, state))
            for (n, p), state in kept.items()
            if not p and n != TOLD
        }
        resources = {
            (n, p.removeprefix(RESOURCE)): ResourceState(
                n, p.removeprefix(RESOURCE), **known(ResourceState, state)
            )
            for (n, p), state in kept.items()
            if p.startswith(RESOURCE)
        }
        processes = [
            Process(p, **known(Process, state)) for (n, p), state in kept.items() if n == PROCESS
        ]
        alive = {p: float(state["at"]) for (n, p), state in kept.items() if n == ALIVE}
        processes.sort(key=lambda p: (p.kind, p.host, p.pid))
        told = notifications_of(kept.get((TOLD, ""), {}))
        return states, resources, processes, alive, told

    def _wait_groups(self, unsent: Mapping[tuple[str, str, str], int]) -> Sequence[WaitGroup]:
        """Without what ``unsent`` has."""
        rows = self._connection.execute(_GROUPS).all()
        left = [(row, n) for row in rows if (n := row[3] - unsent.get(tuple(row[:3]), 0)) > 0]
        one = {link.id: link for link in self._found(LINKS, id=[row[5] for row, _ in left])}
        return [replace(wait_group(one[row[5]]), count=n, since=row[4]) for row, n in left]

    def _unsent(self, observed: Collection[str]) -> dict[tuple[str, str, str], int]:
        if not observed:
            return {}
        keys = [hashed(self._vault, str(WrittenTo(name))) for name in sorted(observed)]
        asked = {"given_keys": keys, "given_observed": sorted(observed)}
        rows = self._connection.execute(_UNSENT, asked)
        return {tuple(group): count for *group, count in rows}
