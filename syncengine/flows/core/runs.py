"""Keeping runs on record: passes, plans and listings, from their beginning to their end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

import uuid_utils

from syncengine.errors import DatabaseDown, LostRace, SyncengineError
from syncengine.flows.core.engine import Engine
from syncengine.ledger import Transaction
from syncengine.model.run import BROKE_OFF, COMPLETE, FAILED, HAPPENED, LISTING, Run

QUIET_KEPT = 14 * 86_400.0
"""Seconds for which a run is kept in which nothing happened."""
KEPT = 400 * 86_400.0
"""Seconds for which the others are kept."""


@dataclass(slots=True)
class RunSummary:
    """What a run that is under way has to tell at its end. ``fault``: what could not be done."""

    counts: Counter[str] = field(default_factory=Counter)
    fault: str = ""


@contextmanager
def running(
    engine: Engine, kind: str, connection: str | None = None, resource: str = ""
) -> Iterator[RunSummary]:
    """Keep what happens in this block on record as one run; a part of a run that is under way is none of its own. What
    is written within it says so."""
    noted = RunSummary()
    if engine.run:
        yield noted
        return
    run = new_run(engine, kind, connection or "", resource)
    with engine.ledger.write() as tx:
        tx.add_run(run)
    before = tallies(engine)
    engine.run = engine.ledger.run = run.id
    outcome = BROKE_OFF
    try:
        with engine.holding(run.id):
            yield noted
        outcome = FAILED if noted.fault else COMPLETE
    except SyncengineError as error:
        outcome, noted.fault = FAILED, noted.fault or str(error)
        raise
    finally:
        engine.run, engine.ledger.run = "", None
        with suppress(DatabaseDown, LostRace), engine.ledger.write() as tx:
            noted.counts += tx.counts_below(run.id)
            end_run(engine, tx, run, outcome, noted.fault, noted.counts + calls(engine, before))


def new_run(engine: Engine, kind: str, connection: str, resource: str, parent: str = "") -> Run:
    """A run that begins now. Its id is never drawn from a seed: what happens does not depend on it."""
    now = engine.clock.now()
    return Run(
        str(uuid_utils.uuid7()), kind, parent, connection, resource, engine.author, now, now,
        mapping=engine.edition,
    )  # fmt: skip


def begin_listing(
    engine: Engine, tx: Transaction, connection: str, resource: str, goes_on: bool
) -> Run:
    """The run of a listing that begins, or that ``goes_on`` after an earlier slice of it; what is written from now on
    belongs to it, unless to the run that it is a part of."""
    run = None
    if goes_on:
        run = tx.open_listing(connection, resource, engine.run, engine.clock.now())
    if run is None:
        run = new_run(engine, LISTING, connection, resource, engine.run)
        tx.add_run(run)
    engine.ledger.run = engine.run or run.id
    return run


def end_run(
    engine: Engine, tx: Transaction, run: Run, outcome: str, fault: str, counts: Mapping[str, int]
) -> None:
    """Close a run. ``counts``: besides the questions that it asked. Without an outcome it only has come so far."""
    now = engine.clock.now()
    told = Counter(run.counts)
    told.update(counts)
    if outcome and not run.parent:
        told["asked"] = tx.asked_in(run.id)
    told = +told
    tx.save_run(
        replace(
            run,
            touched_at=now,
            ended_at=now if outcome else None,
            outcome=outcome,
            fault=fault,
            counts=dict(sorted(told.items())),
            quiet=not fault and not any(told[name] for name in HAPPENED),
        )
    )


def tallies(engine: Engine) -> dict[str, tuple[int, int, int]]:
    """Connection -> reads, writes and repeats that this process has sent so far."""
    found = {name: c.tally for name, c in engine.connectors.items()}
    return {name: (t.reads, t.writes, t.retries) for name, t in found.items()}


def calls(engine: Engine, before: Mapping[str, tuple[int, int, int]]) -> Counter[str]:
    """The calls since ``before``, of the connections that it has."""
    now, found = tallies(engine), Counter[str]()
    for name, then in before.items():
        for kind, n, b in zip(("reads", "writes", "retries"), now[name], then, strict=True):
            found[kind] += n - b
    return found


def prune_runs(engine: Engine) -> int:
    """Delete runs that are over for long; returns how many."""
    now = engine.clock.now()
    with engine.ledger.write() as tx:
        return tx.prune_runs(now - QUIET_KEPT, now - KEPT)
