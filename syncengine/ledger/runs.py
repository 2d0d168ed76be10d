"""Runs, and what happened in a time: figures by stamp."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from sqlalchemy import case, func, literal_column, select

from syncengine.ledger import statements
from syncengine.ledger import tables as t
from syncengine.ledger.session import Session
from syncengine.ledger.statements import Condition, Within, given, shape_of
from syncengine.ledger.stored import Stored
from syncengine.model.run import BROKE_OFF, COMPLETE, FAILED, LOST, UNDER_WAY, Run

RUNS = Stored(t.runs, Run)
_r, _o, _h, _c = t.runs.c, t.operations.c, t.history.c, t.cases.c
_NEWEST_FIRST = (_r.started_at.desc(), _r.id.desc())
_IS_UNDER_WAY = _r.ended_at.is_(None)
_IS_LOUD = ~t.is_quiet | _IS_UNDER_WAY
_outcome = case(
    (_r.ended_at.is_not(None), _r.outcome), (_r.touched_at < given("lost"), "broke_off"), else_=""
)
_IS_LOST = _IS_UNDER_WAY & (_r.touched_at < given("lost"))
_HAS_OUTCOME = {
    COMPLETE: _r.outcome == literal_column(f"'{COMPLETE}'"),
    FAILED: _r.outcome == literal_column(f"'{FAILED}'"),
    BROKE_OFF: (_r.outcome == literal_column(f"'{BROKE_OFF}'")) | _IS_LOST,
    UNDER_WAY: _IS_UNDER_WAY & (_r.touched_at >= given("lost")),
}
_author = case((_h.author != "", "people"), else_="")
_RUNS = (
    select(_r.kind, _outcome, func.count())
    .where(_r.started_at >= given("since"), _r.started_at < given("until"))
    .group_by(_r.kind, _outcome)
)
_RUNS_IN = _RUNS.where(Within(_r.connection, "connections"))
_SETTLED = (
    select(_o.connection, _o.action, _o.state, func.count())
    .where(_o.settled_at >= given("since"), _o.settled_at < given("until"))
    .group_by(_o.connection, _o.action, _o.state)
)
_ASKED = (
    select(_c.kind, func.count())
    .where(_c.opened_at >= given("since"), _c.opened_at < given("until"))
    .group_by(_c.kind)
)
_ANSWERED = (
    select(_c.kind, func.count())
    .where(_c.closed_at >= given("since"), _c.closed_at < given("until"), _c.author.is_not(None))
    .group_by(_c.kind)
)
_CHANGED = (
    select(_h.connection, _author, func.count())
    .where(_h.at >= given("since"), _h.at < given("until"))
    .group_by(_h.connection, _author)
)


class Runs(Session):
    """The part of a transaction that is about runs."""

    def add_run(self, run: Run) -> None:
        """Insert."""
        self._add(RUNS, [run])

    def save_run(self, run: Run) -> None:
        """Write. Raises LostRace where it is gone."""
        self._save(RUNS, [run])

    def touch_run(self, id: str, now: float) -> None:
        """Show that it goes on."""
        self._change(t.runs, {"touched_at": now}, _IS_UNDER_WAY, id=id)

    def open_listing(self, connection: str, resource: str, parent: str, now: float) -> Run | None:
        """The newest run of this listing that is under way below this parent."""
        found = self._found(
            RUNS, _IS_UNDER_WAY, order=_NEWEST_FIRST, limit=1, connection=connection,
            resource=resource, parent=parent, touched_at__ge=now - LOST,
        )  # fmt: skip
        return found[0] if found else None

    def runs(self, ids: Collection[str]) -> dict[str, Run]:
        """By id."""
        return {run.id: run for run in self._found(RUNS, id=ids)}

    def select_runs(
        self, since: float | None = None, until: float | None = None, parent: str | None = None,
        loud: bool = False, limit: int = 0, author: str | None = None,
        connection: str | Collection[str] | None = None, outcome: str | None = None, now: float = 0.0,
    ) -> list[Run]:  # fmt: skip
        """As asked, the newest first. ``loud``: only those in which something happened, and those under way.
        ``outcome``: of ``OUTCOMES``, as it is ``now``."""
        where: tuple[Condition, ...] = (_IS_LOUD,) if loud else ()
        shape, values = shape_of(
            {
                "started_at__ge": since,
                "started_at__lt": until,
                "parent": parent,
                "author": author,
                "connection": connection,
            }
        )
        if outcome is not None:
            where, values = (*where, _HAS_OUTCOME[outcome]), {**values, "given_lost": now - LOST}
        found = statements.find(
            t.runs, RUNS.columns, where, shape, _NEWEST_FIRST, limited=limit > 0
        )
        rows = self._connection.execute(found, {**values, "given_limit": limit})
        return [RUNS.value(row, self._vault) for row in rows]

    def counts_below(self, parent: str) -> Counter[str]:
        """The rows that the parts of a run have read, and those of them that had moved or are shown no more."""
        counts = Counter[str]()
        for run in self._found(RUNS, parent=parent):
            counts.update({n: run.counts.get(n, 0) for n in ("rows", "moved", "gone")})
        return counts

    def asked_in(self, run: str) -> int:
        """How many questions were first asked in a run."""
        return self._count(t.cases, run_id=run)

    def happened(
        self, since: float, until: float, now: float, connections: Collection[str] = ()
    ) -> dict[str, list[list[Any]]]:
        """What happened in a time, each as rows that end with a number: ``runs`` by kind and outcome, ``writes`` by
        connection, action and state, questions ``asked`` and ``answered`` (by people) by kind, ``changes`` by the
        connection that they came from and whether people made them. ``connections``: of runs only those that were of
        one of these."""
        asked = {"given_since": since, "given_until": until}
        lost = {**asked, "given_lost": now - LOST}
        statements = {
            "writes": _SETTLED, "asked": _ASKED, "answered": _ANSWERED, "changes": _CHANGED,
        }  # fmt: skip
        ran = {"given_connections": [*connections]} if connections else {}
        runs = self._connection.execute(_RUNS_IN if connections else _RUNS, {**lost, **ran})
        found = {name: self._connection.execute(s, asked) for name, s in statements.items()}
        return {name: [[*row] for row in rows] for name, rows in {"runs": runs, **found}.items()}

    def prune_runs(self, quiet_before: float, before: float) -> int:
        """Delete old runs; those in which nothing happened earlier. Returns how many."""
        gone = self._drop(t.runs, t.is_quiet, started_at__lt=quiet_before)
        return gone + self._drop(t.runs, started_at__lt=before)
