"""Why each write is wanted that waits for approval: what the scope of its system reads, and what changed last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from syncengine.errors import RowInvalid
from syncengine.flows.core.engine import Engine
from syncengine.flows.core.world import load_world
from syncengine.flows.naming.names import Names
from syncengine.ledger import Transaction
from syncengine.model.change import Change
from syncengine.model.link import Link
from syncengine.model.record import Record, World
from syncengine.planning.out_of_scope import told_of

_MOST: Final = 20_000
"""Changes that are looked through."""
_TOGETHER: Final = 60.0
"""Seconds within which changes belong to one."""
_SHOWN: Final = 3
"""Changes that are told of a record."""


def why_wanted(
    engine: Engine, tx: Transaction, called: Names, links: Sequence[Link]
) -> dict[str, list[dict[str, Any]]]:
    """Link -> reasons: ``deleted`` (the record is), ``scope`` with what it says, and ``changed`` with field, values and
    who showed them, the newest first: of who leaves only what the scope reads."""
    records = tx.records({link.record_id for link in links if link.record_id})
    world = load_world(engine, tx, (), records)
    history: dict[str, list[Change]] = {}
    for change in tx.page_of_history(None, _MOST, record_id=sorted(records)):
        history.setdefault(change.record_id, []).append(change)
    found = {}
    for link in links:
        record = records.get(link.record_id or "")
        if record is not None:
            reasons = _scope(engine, link, record, world)
            read = _read_by_scope(engine, link, record, world) if reasons else None
            changes = _last(history.get(record.id, ()), read)
            found[link.id] = reasons + [_changed(engine, called, record, c) for c in changes]
    return found


def told(reason: Mapping[str, Any], plain: Any = str) -> str:
    """A reason in words. ``plain``: spells a value."""
    if reason["code"] == "changed":
        sides = f"{plain(reason['old'])} -> {plain(reason['new'])}"
        return f"{reason['field']} {sides} ({reason['from']})"
    return "its record is deleted" if reason["code"] == "deleted" else str(reason["what"])


def _scope(engine: Engine, link: Link, record: Record, world: World) -> list[dict[str, Any]]:
    if record.deleted:
        return [{"code": "deleted"}]
    entity, system = (
        engine.project.entities.get(link.entity),
        engine.system(link.entity, link.connection),
    )
    if entity is None or system is None or system.scope is None:
        return []
    try:
        if system.scope.on_record(record, world):
            return []
        return [{"code": "scope", "what": told_of(entity, system.scope.named(record, world))}]
    except RowInvalid:
        return []


def _read_by_scope(engine: Engine, link: Link, record: Record, world: World) -> set[str]:
    """The fields that decide whether a record is in the scope of a system, those included that formulas read."""
    system, fields = (
        engine.system(link.entity, link.connection),
        engine.project.entities[link.entity].fields,
    )
    found, due = set[str](), [] if system is None or system.scope is None else [system.scope]
    while due:
        for name in {n.partition(".")[0] for n in due.pop().named(record, world)} - found:
            found.add(name)
            formula = fields[name].formula if name in fields else None
            due += [] if formula is None else [formula]
    return found


def _last(history: Sequence[Change], only: set[str] | None) -> list[Change]:
    """What changed last, and with it, of these fields where only they matter; a value that came with the record is no
    change."""
    changes = [
        c for c in history if c.field and c.old != c.new and (only is None or c.field in only)
    ]
    return [c for c in changes if changes[0].at - c.at < _TOGETHER][:_SHOWN]


def _changed(engine: Engine, called: Names, record: Record, change: Change) -> dict[str, Any]:
    entity = engine.project.entities.get(record.entity)
    sides = {
        side: called.value(entity, change.field, value)
        for side, value in (("old", change.old), ("new", change.new))
    }
    by = change.author or change.connection
    return {"code": "changed", "field": change.field, **sides, "from": by, "at": change.at}
