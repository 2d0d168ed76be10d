"""Approving: several people say yes to one set of held writes, each for exactly that set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from syncengine.flows.core.engine import Engine
from syncengine.flows.core.staging import Group
from syncengine.flows.people.decisions import NotPossible
from syncengine.ledger import Transaction
from syncengine.model.case import Case, CaseKind, Vote
from syncengine.model.link import Link, LinkState
from syncengine.model.member import Role
from syncengine.model.operation import OperationState
from syncengine.planning.plan import TAKES_PLACE
from syncengine.planning.votes import counting, digest_of, refusal

_MOST = 10_000
"""Changes and writes that are looked at for who asked for what."""
_WHOLE = ("made", "deleted")
"""What a change of a whole record says that somebody asked for."""


class Votes(NamedTuple):
    """How far a set of held writes is approved. ``digest``: of all that are held; ``given``: the approvals that count;
    ``needed``: how many there have to be. ``part``: the links that these approvals are for, none where they are for
    all."""

    digest: str
    given: tuple[Vote, ...]
    needed: int
    part: tuple[str, ...] = ()


class Answered(NamedTuple):
    """What an answer did, for people. ``more``: how many people have to say the same before it is carried out.
    ``rest``: about how many writes is still asked."""

    done: str
    more: int = 0
    rest: int = 0

    @property
    def told(self) -> str:
        """A sentence or two."""
        return f"Done: {self.done}." + " The next sync carries it on." * (not self.more)


def held_by(tx: Transaction, case: Case, lock: bool = False) -> list[Link]:
    """The links that a case about held writes holds; of a closed one those that its rejection still holds back, or that
    of a part of it."""
    if case.closed_at is None:
        return list(
            tx.links([k.id for k in tx.waiting_links(key=case.subject)], lock=lock).values()
        )
    near = {k.id for k in tx.waiting_links(answered=True) if keeps_back(case, k)}
    near |= {*case.evidence.get("links", ())}
    mine = [k for k in tx.links(near, lock=lock).values() if keeps_back(case, k)]
    places = Counter(
        (k.record_id, k.connection, k.resource)
        for k in tx.links_of({k.record_id for k in mine if k.record_id})
        if k.state in TAKES_PLACE
    )
    return [
        k for k in mine
        if k.state is not LinkState.GONE or not places[k.record_id, k.connection, k.resource]
    ]  # fmt: skip


def keeps_back(case: Case, link: Link) -> bool:
    """Whether a link is still held back by an answer to a case."""
    said = link.approval
    return said is not None and said.refuses and said.case == case.id


def votes_on(engine: Engine, tx: Transaction, case: Case) -> Votes | None:
    """How far the writes are approved that a case holds, or that its rejection holds back; None where it holds none."""
    held = held_by(tx, case) if case.kind is CaseKind.STAGED else []
    if not held:
        return None
    links, part = {k.id: k for k in held}, case.votes[-1].links if case.votes else ()
    if part and links.keys() >= set(part):
        votes = _votes(engine, tx, case, [links[i] for i in part])
        if votes.given:
            return votes._replace(digest=digest_of(held), part=part)
    return _votes(engine, tx, case, held)


def lapsed(before: Votes | None, now: Iterable[Vote]) -> str:
    """Whose approvals an answer ends, for people; empty where nobody's."""
    kept = list(now)
    gone = [vote.author for vote in (before.given if before else ()) if vote not in kept]
    return f"what {' and '.join(gone)} approved counts no longer" if gone else ""


def require_unchanged(held: Sequence[Link], seen: str) -> None:
    """Raises NotPossible where others are held than those that somebody has looked at."""
    if seen != digest_of(held):
        raise NotPossible("other writes are held than those that you looked at: look at them again")


def _votes(engine: Engine, tx: Transaction, case: Case, held: Sequence[Link]) -> Votes:
    writes = digest_of(held)
    needed = engine.project.approvals.of(Group.of(case.subject).kind)
    members = tx.members() if case.votes else []
    out = [m.name for m in members if m.locked or Role.ANSWERER not in m.roles]
    return Votes(writes, counting(case.votes, writes, out), needed)


def with_vote(
    engine: Engine, tx: Transaction, case: Case, held: Sequence[Link], author: str, reason: str,
    whole: bool,
) -> tuple[Case, Votes]:  # fmt: skip
    """The case with an approval of these writes, and how far that is. ``whole``: they are all that it holds. Raises
    NotPossible where the approval does not count."""
    before = _votes(engine, tx, case, held)
    asked_for = before.needed > 1 and _asked_for(tx, author, held)
    why = refusal(
        before.given, author, before.needed, asked_for, _unclear(tx, author, before.given)
    )
    if why:
        raise NotPossible(why)
    part = () if whole else tuple(sorted(k.id for k in held))
    vote = Vote(author, before.digest, engine.clock.now(), reason, part)
    now = before._replace(given=(*before.given, vote))
    return replace(case, votes=now.given), now


def _unclear(tx: Transaction, author: str, given: Sequence[Vote]) -> str:
    """One of those who have approved who may be ``author`` by another way in; empty where there is none. Of two members
    whom the provider knows, or of two who were added here, each is a person."""
    members = {m.name: m for m in tx.members()} if given else {}
    mine = members.get(author.casefold())
    for vote in given:
        theirs = members.get(vote.author.casefold())
        if mine and theirs and (mine.subject is None) != (theirs.subject is None):
            return theirs.name
    return ""


def _asked_for(tx: Transaction, author: str, held: Sequence[Link]) -> bool:
    """Whether one of the held writes follows from what somebody decided, since its row was last written to: a value
    given by an answer or an undo, a record made or deleted, or the answer that the row may be deleted."""
    links = {k.id: k for k in held}
    records = {k.record_id: k.id for k in held if k.record_id}
    changes = tx.page_of_history(None, _MOST, author=author, record_id=sorted(records))
    decided = [(records[c.record_id], c.at) for c in changes if c.field or c.new in _WHOLE]
    answered = tx.cases(links=sorted(links), open_only=False)
    decided += [
        (case.link_id, case.closed_at)
        for case in answered
        if case.author == author and case.answer == "delete" and case.link_id and case.closed_at
    ]
    if not decided:
        return False
    written: dict[str, float] = {}
    applied = str(OperationState.APPLIED)
    for operation in tx.page_of_operations(None, _MOST, link_id=sorted(links), state=applied):
        written.setdefault(operation.link_id, operation.created_at)
    return any(at >= written.get(link_id, 0.0) for link_id, at in decided)
