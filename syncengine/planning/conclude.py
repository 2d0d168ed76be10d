"""What becomes of a write that was not confirmed."""

from __future__ import annotations

from dataclasses import replace

from syncengine.model.case import Case
from syncengine.model.changeset import Changeset, Wakes
from syncengine.model.condition import OperationSettled
from syncengine.model.link import Link
from syncengine.model.operation import UNSETTLED, Operation, OperationState


def conclude(
    held: Operation, state: OperationState, detail: str, now: float, next_at: float = 0.0,
    link: Link | None = None, case: Case | None = None,
) -> Changeset:  # fmt: skip
    """All that follows where a write that was sent, or may have been, is in another state from now on. Pure.

    | state | it | its link | who waits for it | what is asked |
    |---|---|---|---|---|
    | pending | was not sent, and is from ``next_at`` on | stays | stays | stays |
    | unknown | is proved by a read from ``next_at`` on | stays | stays | stays |
    | cancelled | is not wanted | is planned again, or as ``link`` says | is woken | is over |
    | stale | is to be another one | is planned again, or as ``link`` says | is woken | is over |
    | rejected | is never sent again as it is | as ``link`` says: it waits | is woken | ``case`` |

    What is over is the question what became of the write."""
    token = None if state is OperationState.PENDING else held.token
    operation = replace(held, state=state, detail=detail, next_at=next_at, token=token)
    if state in UNSETTLED:
        return Changeset(operations=[operation])
    asked = {f"unknown:{held.id}"} if held.state is OperationState.UNKNOWN else ()
    return Changeset(
        operations=[operation],
        links=() if link is None else [link],
        raised=() if case is None else [case],
        dissolved=dict.fromkeys(asked, now),
        wakes=Wakes(
            links={held.link_id} if link is None else (), waiting={OperationSettled(held.id)}
        ),
    )
