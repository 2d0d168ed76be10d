"""What happened in a time: the runs, and what was written, asked, answered and changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from syncengine.flows.core.engine import Engine
from syncengine.ledger import Transaction
from syncengine.model.member import Scope
from syncengine.model.run import Run

_NAMES = {
    "runs": ("kind", "outcome"), "writes": ("connection", "action", "state"), "asked": ("kind",),
    "answered": ("kind",), "changes": ("connection", "by"),
}  # fmt: skip


def happened(
    engine: Engine, since: float, until: float | None = None, every: bool = False, limit: int = 50,
    outcome: str | None = None, within: Scope | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The document of ``runs --json``: the runs that began from ``since`` until before ``until`` (epoch seconds), the
    newest first, at most ``limit``; and the sums of all that happened then. ``every``: also runs in which nothing
    happened, and those that are parts of others; ``outcome``: only runs that ended so, while the sums are of all.
    ``within``: only what is within this limit; a sum of which that is not known is left out. In a constant number of
    statements; no value and no id of a person."""
    now = engine.clock.now()
    end = now if until is None else until
    with engine.ledger.read() as tx:
        found = runs_within(
            tx, within or Scope(), since, until, every, limit=limit, outcome=outcome, now=now
        )
        sums = tx.happened(since, end + (until is None), now, within.connections if within else ())
    if within:
        sums = _sums_within(sums, within)
    return {
        "since": since,
        "until": end,
        "runs": [document(run, now) for run in found],
        **{
            name: [_line(name, row) for row in rows]
            for name, rows in sorted(sums.items())
            if name != "runs"
        },
        "ran": [_line("runs", row) for row in sums["runs"]],
    }


def runs_within(
    tx: Transaction, within: Scope, since: float, until: float | None, every: bool = False,
    connection: str = "", **asked: Any,
) -> list[Run]:  # fmt: skip
    """Runs of a time as ``asked`` of the ledger, the newest first; ``connection``: only those of it. Whoever is limited
    to connections sees those of these and no passes, which are of all."""
    limited = within.connections
    seen = [name for name in limited if connection in ("", name)]
    return tx.select_runs(
        since, until, None if every or connection or limited else "", loud=not every,
        connection=seen if limited else connection or None, **asked,
    )  # fmt: skip


def _sums_within(sums: Mapping[str, list[list[Any]]], within: Scope) -> dict[str, list[list[Any]]]:
    """Writes and changes are counted by connection, and questions by kind; neither by entity."""

    def seen(name: str, row: list[Any]) -> bool:
        if name == "runs":
            return True
        if name in ("writes", "changes"):
            return not within.entities and within.has(connection=row[0])
        placed = within.entities or within.connections
        return not placed and (not within.kinds or row[0] in within.kinds)

    return {name: [row for row in rows if seen(name, row)] for name, rows in sums.items()}


def document(run: Run, now: float) -> dict[str, Any]:
    """A run as JSON; of one that broke off the outcome says so."""
    told = asdict(run)
    del told["touched_at"]
    return {**told, "outcome": run.outcome_at(now), "counts": dict(run.counts)}


def summary(told: dict[str, Any]) -> str:
    """One line of what happened: ``2 passes, 41 listings, 1 failed; 240 writes, 3 rejected; 5 questions``."""
    parts = []
    kinds, outcomes = Counter[str](), Counter[str]()
    for line in told["ran"]:
        kinds[line["kind"]] += line["count"]
        outcomes[line["outcome"]] += line["count"]
    ran = [_many(n, *_KINDS[kind]) for kind in _KINDS if (n := kinds[kind])]
    bad = [f"{n:,} {word}" for outcome, word in _BAD.items() if (n := outcomes[outcome])]
    parts.append(", ".join([*ran, *bad]) or "nothing ran")
    states = Counter[str]()
    for line in told["writes"]:
        states[line["state"]] += line["count"]
    if sent := states["applied"] + states["rejected"]:
        refused = f", {states['rejected']:,} refused" * bool(states["rejected"])
        parts.append(f"{_many(sent, 'write', 'writes')}{refused}")
    for name, word in (("asked", "asked"), ("answered", "answered")):
        if n := sum(line["count"] for line in told[name]):
            parts.append(f"{_many(n, 'question', 'questions')} {word}")
    if n := sum(line["count"] for line in told["changes"]):
        people = sum(line["count"] for line in told["changes"] if line["by"])
        parts.append(_many(n, "change", "changes") + f", {people:,} by people" * bool(people))
    return "; ".join(parts)


_KINDS = {
    "pass": ("sync", "syncs"), "one": ("sync of one record", "syncs of one record"),
    "listing": ("listing", "listings"), "plan": ("plan", "plans"),
}  # fmt: skip
_BAD = {"failed": "failed", "broke_off": "broke off", "": "under way"}


def _many(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _line(name: str, row: list[Any]) -> dict[str, Any]:
    *what, count = row
    return {**dict(zip(_NAMES[name], what, strict=True)), "count": count}
