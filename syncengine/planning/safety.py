"""Protection against mass accidents: how many writes of a kind are sent within a time window before a person is
asked."""

from __future__ import annotations

import math

from syncengine.mapping import Safety, System, paths
from syncengine.model.operation import Action, Operation
from syncengine.planning.observation import body_row


def kind_of(system: System, operation: Operation) -> str:
    """As what safety counts a write: ``create``, ``update`` or ``delete``. A write of ``set.leave`` counts as a delete,
    and so does an update that writes the same values by a field of its own."""
    action = Action(operation.action)
    if operation.leave:
        return Action.DELETE.value
    if action is not Action.UPDATE or not system.set_leave:
        return action.value
    written = body_row(operation.body)
    leaves = any(paths.get(written, path) == value for path, value in system.set_leave.items())
    return Action.DELETE.value if leaves else action.value


def said_of(system: System | None, kind: str) -> str:
    """What a write that safety counts so is called: ``leaver`` of a delete where no row is deleted, as the row of a
    record that leaves is only set to something."""
    return "leaver" if kind == Action.DELETE and system is not None and system.leaving else kind


def allowance(safety: Safety, kind: str, live: int, first: bool = False) -> int | None:
    """How many writes of a kind a time window may contain, with ``live`` live links; None: any number. ``first``:
    nothing was ever written there before that window."""
    share = {"create": safety.creates, "update": safety.updates, "delete": safety.deletes}[kind]
    limits = [] if share is None else [max(safety.floor, math.floor(share * live))]
    if first and safety.first is not None:
        limits.append(safety.first)
    return min(limits, default=None)


def waits(allowed: int | None, written: int, asked: int, held: bool) -> bool:
    """Whether the writes of a kind wait for a person. ``written``: number already in the window, ``asked``: number
    wanted now. ``held``: a person is already asked about some of them; then only an answer sends them, however few they
    have become."""
    return held or (allowed is not None and written + asked > allowed)
