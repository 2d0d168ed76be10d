"""No mass accident: how many writes of a kind a rolling window may hold before a person is asked."""

from __future__ import annotations

import math

from syncengine.mapping import Safety, System, paths
from syncengine.model.operation import Action, Operation
from syncengine.planning.sight import body_row


def kind_of(system: System, operation: Operation) -> str:
    """What a write counts as: ``create``, ``update`` or ``delete``. A write of ``set.leave`` is a delete, and so is
    an update by which a field of its own writes what ``set.leave`` writes."""
    action = Action(operation.action)
    if operation.leave:
        return Action.DELETE.value
    if action is not Action.UPDATE or not system.set_leave:
        return action.value
    written = body_row(operation.body)
    leaves = any(paths.get(written, path) == value for path, value in system.set_leave.items())
    return Action.DELETE.value if leaves else action.value


def allowance(safety: Safety, kind: str, live: int) -> int | None:
    """How many writes of a kind a window may hold with ``live`` live links; None: any number."""
    share = {"create": safety.creates, "update": safety.updates, "delete": safety.deletes}[kind]
    return None if share is None else max(safety.floor, math.floor(share * live))
