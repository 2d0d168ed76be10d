"""Recovery after an older database backup was restored: the vendors are ahead of the ledger, so everything is read
before anything is written."""

from __future__ import annotations

from dataclasses import dataclass, replace

from syncengine.flows.core.engine import Engine
from syncengine.flows.people.pausing import pause
from syncengine.flows.run.sweep import listed
from syncengine.ledger import Transaction
from syncengine.model.changeset import Changeset
from syncengine.model.connection import ResourceState
from syncengine.model.operation import UNSETTLED, Operation, OperationState

WHY = "an older backup was restored"
CHUNK = 1000
"""Links that are written together."""


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What was done. ``paused``: connections that are not written to until a person resumes them. ``unsure``:
    operations that were unsettled in the backup and may have been sent since. ``rows``: rows that are compared
    again."""

    paused: list[str]
    unsure: int
    rows: int


def recover(engine: Engine) -> RestoreReport:
    """Pause writing, set every unsettled operation to ``unknown``, and have everything listed and compared again. What
    the vendors show counts as their wish; a person reads the plan and resumes."""
    paused = pause(engine, None, WHY, engine.author)
    with engine.ledger.write() as tx:
        unsure, listings = _doubted(engine, tx), _listings_anew(engine, tx)
        tx.write(Changeset(operations=unsure, resources=listings))
        return RestoreReport(paused, len(unsure), _look_anew(tx))


def _doubted(engine: Engine, tx: Transaction) -> list[Operation]:
    """Set unsettled operations to ``unknown``: each may have been sent after the backup was taken."""
    now = engine.clock.now()
    waiting = [operation.id for operation in tx.select_operations(UNSETTLED)]
    return [
        replace(o, state=OperationState.UNKNOWN, detail=WHY, lease_until=now, next_at=now)
        for o in tx.operations(waiting, lock=True).values()
    ]


def _listings_anew(engine: Engine, tx: Transaction) -> list[ResourceState]:
    """Forget how far listings have come, so that no row is created before everything is listed again."""
    states = [tx.resource(*place) for place in listed(engine)]
    return [replace(s, scanned_at=0.0, scan_started=0.0, progress={}) for s in states]


def _look_anew(tx: Transaction) -> int:
    """From now on each listed row counts as new; how many rows there are."""
    rows, after = 0, ""
    while some := tx.select_links(after=after or None, limit=CHUNK):
        held = tx.links([link.id for link in some], lock=True).values()
        anew = [link.mirrored(listed_hash="").woken() for link in held]
        tx.write(Changeset(links=anew))
        rows, after = rows + len(held), some[-1].id
    return rows
