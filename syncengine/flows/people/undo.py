"""Undo: an earlier change is reverted by a new one, with an author."""

from __future__ import annotations

from syncengine.errors import RowInvalid
from syncengine.flows.core.engine import Engine
from syncengine.flows.core.world import load_world
from syncengine.flows.naming.masking import mask
from syncengine.flows.people.decisions import Decision, NotPossible
from syncengine.mapping import Context, Entity, Unresolved
from syncengine.model.change import Change
from syncengine.model.link import Link
from syncengine.model.record import Record
from syncengine.model.values import Json, is_empty
from syncengine.planning.observation import body_row
from syncengine.planning.settle import AS_SHOWN


def undo(engine: Engine, change_id: int, author: str, reason: str = "") -> tuple[Change, Json]:
    """Give a field back the value that a change replaced or rejected, by a new change: vendors are written to, safety
    counts it, and it can be undone. Returns the change and the value as it is shown. Raises NotPossible."""
    with engine.ledger.write() as tx:
        act = Decision(engine, tx, author, reason)
        found = tx.changes([change_id])
        if not found:
            raise NotPossible(f"there is no change {change_id}: `syncengine explain` lists them")
        change = found[0]
        record = act.record(change.record_id)
        entity = engine.project.entities[record.entity]
        value = change.old if change.old != change.new else _put_aside(act, entity, change)
        _check(act, entity, record, change, value)
        act.commit(act.change(record, {change.field: value}, f"undo {change_id}")[1])
    for task in ("refresh", "reconcile"):
        engine.queue.announce(task, [])
    return change, mask(engine, entity).value(change.field, value)


def may_be_undone(entity: Entity | None, change: Change) -> bool:
    """Whether the project lets anybody undo such a change; ``undo`` may still refuse, for what stands there by now."""
    declared = entity.fields.get(change.field) if entity is not None else None
    if (
        entity is None
        or declared is None
        or declared.formula is not None
        or change.old == change.new
    ):
        return False
    if is_empty(change.old) and not declared.clear:
        return False
    owner = declared.owner
    system = entity.systems.get(owner.source) if owner is not None and owner.constant else None
    rule = system.rules.get(declared.name) if system is not None else None
    return rule is None or rule.writes


def _put_aside(act: Decision, entity: Entity, change: Change) -> Json:
    """The value that a change rejected. A value overwritten by our own write is stored as the vendor spells it."""
    system = entity.systems.get(change.lost_by)
    rule = system.rules.get(change.field) if system is not None else None
    if rule is None or change.policy not in AS_SHOWN:
        return change.lost
    row = body_row(rule.body(change.lost))
    link = Link("", entity.name, change.lost_by, "", row=row)
    context = Context(change.lost_by, load_world(act.engine, act.tx, [link], {}), row=row)
    try:
        return rule.decode(change.lost, context)
    except (RowInvalid, Unresolved) as why:
        raise NotPossible(f"what {change.lost_by} showed means nothing to us: {why}") from None


def _check(act: Decision, entity: Entity, record: Record, change: Change, value: Json) -> None:
    declared = entity.fields.get(change.field)
    if declared is None:
        raise NotPossible(f"change {change.id} is of the whole record; only a field can be undone")
    if declared.formula is not None:
        raise NotPossible(f"{declared.name} is computed ({declared.formula.position})")
    if record.values.get(declared.name) == value:
        said = act.said_of(record.id, declared.name)
        raise NotPossible(f"{declared.name} has that value already{said}")
    if is_empty(value) and not declared.clear:
        raise NotPossible(f"{declared.name} had no value before, and is not to be emptied")
    owner = declared.owned_by(record, load_world(act.engine, act.tx, (), {record.id: record}))
    system = entity.systems.get(owner or "")
    rule = system.rules.get(declared.name) if system is not None else None
    if rule is not None and not rule.writes:
        raise NotPossible(
            f"{declared.name} belongs to {owner} and is never written there ({rule.position}): "
            f"change it in {owner}"
        )
