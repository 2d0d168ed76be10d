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


def allowance(safety: Safety, kind: str, live: int, first: bool = False) -> int | None:
    """How many writes of a kind a window may hold with ``live`` live links; None: any number. ``first``: nothing was
    ever written there before that window."""
    share = {"create": safety.creates, "update": safety.updates, "delete": safety.deletes}[kind]
    limits = [] if share is None else [max(safety.floor, math.floor(share * live))]
    if first and safety.first is not None:
        limits.append(safety.first)
    return min(limits, default=None)


def waits(allowed: int | None, written: int, asked: int, held: bool) -> bool:
    """Whether all writes of a kind wait for a person. ``written``: how many the window holds, ``asked``: how many are
    wanted now. ``held``: whether somebody is asked about some of these already: what was asked is sent by an answer
    only, however few they are by now and whatever is allowed by now."""
    return held or (allowed is not None and written + asked > allowed)
