"""No mass accident: how many writes of a kind a rolling window may hold before a person is asked."""

from __future__ import annotations

import math

from syncengine.mapping import Safety
from syncengine.model.operation import Action, Operation


def kind_of(operation: Operation) -> str:
    """``create``, ``update`` or ``delete``; a write of ``set.leave`` counts as a delete."""
    return "delete" if operation.leave else Action(operation.action).value


def allowance(safety: Safety, kind: str, live: int) -> int | None:
    """How many writes of a kind a window may hold with ``live`` live links; None: any number."""
    share = {"create": safety.creates, "update": safety.updates, "delete": safety.deletes}[kind]
    return None if share is None else max(safety.floor, math.floor(share * live))
