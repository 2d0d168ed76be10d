"""By whom a write is: who decided what it follows from, or who began the sync that sent it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from syncengine.flows.core.engine import Engine
from syncengine.flows.views.queries import Document, operation_documents
from syncengine.model.change import Change
from syncengine.model.operation import Operation

_MOST: Final = 10_000
"""Changes and writes that are looked through."""


def select(engine: Engine, author: str, limit: int, **asked: str | float | None) -> list[Document]:
    """Writes that are by somebody, the newest first: of records that they changed, those that carry what they said last
    before it, or follow from their answer about the record as a whole; and those that a sync of theirs sent."""
    with engine.ledger.read() as tx:
        runs = [run.id for run in tx.select_runs(author=author)]
        found = tx.page_of_operations(None, limit, run_id=runs, **asked) if runs else []
        changes = tx.page_of_history(None, _MOST, author=author)
        wanted = asked.pop("record_id", None)
        records = sorted({c.record_id for c in changes if wanted in (None, c.record_id)})
        if records:
            history: dict[str, list[Change]] = {}
            for change in tx.page_of_history(None, _MOST, record_id=records):
                history.setdefault(change.record_id, []).append(change)
            near = tx.page_of_operations(None, _MOST, record_id=records, **asked)
            earlier = _earlier(tx.page_of_operations(None, _MOST, record_id=records))
            found += [
                o
                for o in near
                if _is_by(author, o, earlier.get(o.id, 0.0), history.get(o.record_id, ()))
            ]
        return operation_documents(engine, tx, _newest(found)[:limit])


def _earlier(writes: Sequence[Operation]) -> dict[str, float]:
    """Write -> when the one before it was planned for the same row. ``writes``: the newest first."""
    found, last = dict[str, float](), dict[str, float]()
    for write in reversed(writes):
        found[write.id] = last.get(write.link_id, 0.0)
        last[write.link_id] = write.created_at
    return found


def _is_by(author: str, write: Operation, earlier: float, changes: Sequence[Change]) -> bool:
    """Whether the last word before a write about a value that it carries is this person's; or, since the write before
    it, about the record. ``changes``: the newest first."""
    before = [c for c in changes if c.at <= write.created_at]
    whole = next((c for c in before if not c.field), None)
    if whole is not None and whole.author == author and whole.at > earlier:
        return True
    last = (next((c for c in before if c.field == name), None) for name in write.carried)
    return any(change is not None and change.author == author for change in last)


def _newest(found: Iterable[Operation]) -> list[Operation]:
    once = {operation.id: operation for operation in found}
    return sorted(once.values(), key=lambda o: (o.created_at, o.id), reverse=True)
