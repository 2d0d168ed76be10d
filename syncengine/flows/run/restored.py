"""After an older backup was restored: the vendors are ahead of the ledger, so it looks before it writes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from syncengine.flows.core.engine import Engine
from syncengine.flows.people.pausing import pause
from syncengine.flows.run.sweep import listed
from syncengine.ledger import Transaction
from syncengine.model.operation import UNSETTLED, OperationState

WHY = "an older backup was restored"
CHUNK = 1000
"""Links that are written together."""


@dataclass(frozen=True, slots=True)
class Restored:
    """``paused``: connections that are not written to until a person resumes them. ``unsure``: writes that the backup
    knows as not settled, which may have been sent since. ``rows``: those that are looked at anew."""

    paused: list[str]
    unsure: int
    rows: int


def restored(engine: Engine) -> Restored:
    """Stop writing, doubt every write that was under way, and have everything listed and compared again. What the
    vendors show by then is taken for their wish; a person reads the plan, and resumes."""
    paused = pause(engine, None, WHY)
    with engine.ledger.write() as tx:
        return Restored(paused, _doubt(engine, tx), _look_anew(engine, tx))


def _doubt(engine: Engine, tx: Transaction) -> int:
    """Each may have been sent after the backup was taken, so a read has to prove that it was not."""
    now = engine.clock.now()
    waiting = [operation.id for operation in tx.select_operations(UNSETTLED)]
    unsure = [
        replace(o, state=OperationState.UNKNOWN, detail=WHY, lease_until=now, next_at=now)
        for o in tx.operations(waiting, lock=True).values()
    ]
    tx.save_operations(unsure)
    return len(unsure)


def _look_anew(engine: Engine, tx: Transaction) -> int:
    """No row is made before everything is listed again, and each row that a listing shows counts as new."""
    for place in listed(engine):
        state = tx.resource(*place)
        tx.save_resource(replace(state, scanned_at=0.0, scan_started=0.0, progress={}))
    rows, after = 0, ""
    while some := tx.select_links(after=after or None, limit=CHUNK):
        held = tx.links([link.id for link in some], lock=True).values()
        tx.save_links([replace(link, listed_hash="", dirty=link.dirty + 1) for link in held])
        rows, after = rows + len(held), some[-1].id
    return rows
