"""Votes: how many people have to approve held writes, and whose approval counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from syncengine.model.case import Vote
from syncengine.model.link import Link
from syncengine.model.values import digest


def digest_of(links: Iterable[Link]) -> str:
    """Of exactly these held writes: of which row each is, and what it would write. Another row more or another value,
    and it is another one."""
    told = [
        [k.id, k.external_id, k.approval.kind if k.approval else "", k.approval.digest if k.approval else ""]
        for k in sorted(links, key=lambda link: link.id)
    ]  # fmt: skip
    return digest(told)[:16]


def counting(votes: Sequence[Vote], writes: str, shut_out: Iterable[str] = ()) -> tuple[Vote, ...]:
    """The votes for exactly these writes; those of who is ``shut_out``, or lacks the right now, count no longer."""
    out = {name.casefold() for name in shut_out}
    return tuple(v for v in votes if v.digest == writes and v.author.casefold() not in out)


def refusal(
    votes: Sequence[Vote], author: str, needed: int, asked_for: bool, unclear: str = "",
    decider: str = "",
) -> str:  # fmt: skip
    """Why somebody's approval does not count, where ``needed`` people have to approve; empty where it does. ``votes``:
    those that count. ``asked_for``: whether the writes follow from what they have decided themselves. ``unclear``: one
    of those who have approved, who may be the same person; ``decider``: one of those from whose decisions they follow,
    who may be the same person."""
    if needed < 2:
        return ""
    if any(vote.author.casefold() == author.casefold() for vote in votes):
        return (
            f"you have approved this already; {needed - len(votes)} more of {needed} people have to"
        )
    if asked_for:
        return "it follows from what you decided yourself, by an answer or an undo: somebody else has to approve it"
    if unclear:
        return f"one of you and {_may_be_one(unclear)}"
    if decider:
        return f"it follows from what {decider} decided: one of you and {_may_be_one(decider)}"
    return ""


def _may_be_one(name: str) -> str:
    return (
        f"{name} was added here, the other comes from the provider, and nobody has said whether you are one person: an "
        f"admin does by `syncengine members join`; else let somebody approve who comes in as {name} does"
    )
