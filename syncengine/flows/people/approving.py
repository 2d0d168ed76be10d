"""Approving: several people say yes to one set of held writes, each for exactly that set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from syncengine.flows.core.engine import Engine
from syncengine.flows.core.staging import Group
from syncengine.flows.people.decisions import NotPossible
from syncengine.ledger import Transaction
from syncengine.ledger.access import AuditAsked
from syncengine.model.case import Case, CaseKind, Vote
from syncengine.model.link import Link, LinkState
from syncengine.model.member import Member, Role
from syncengine.model.operation import OperationState
from syncengine.planning.plan import TAKES_PLACE
from syncengine.planning.votes import counting, digest_of, refusal

_MOST = 10_000
"""Changes and writes that are looked at for who asked for what."""
JOINED_MEMBERS = "join members"
"""What the audit calls it that two members are one person."""
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
    if before.needed > 1:
        who = _People.known(tx)
        deciders = _deciders(tx, held)
        approved = [vote.author for vote in before.given]
        own = any(who.one(name) == who.one(author) for name in deciders)
        given = who.unclear(author, approved), who.unclear(author, deciders)
        why = refusal(before.given, author, before.needed, own, *given)
        if why:
            raise NotPossible(why)
    part = () if whole else tuple(sorted(k.id for k in held))
    vote = Vote(author, before.digest, engine.clock.now(), reason, part)
    now = before._replace(given=(*before.given, vote))
    return replace(case, votes=now.given), now


@dataclass(frozen=True, slots=True)
class _People:
    """Who is one person, as far as it is known: members by name, and those that were joined to another one."""

    members: Mapping[str, Member]
    joined: Mapping[str, str]

    @classmethod
    def known(cls, tx: Transaction) -> _People:
        """As the members and the audit say."""
        members = tx.members()
        names = {m.id: m.name for m in members}
        lines = tx.select_audit(limit=_MOST, asked=AuditAsked(action=JOINED_MEMBERS))
        pairs = (
            (names.get(str(line.detail.get("other"))), names.get(line.about)) for line in lines
        )
        return cls(
            {m.name: m for m in members}, {gone: kept for gone, kept in pairs if gone and kept}
        )

    def one(self, name: str) -> str:
        """The name of the member who this is today."""
        found, seen = name.casefold(), set[str]()
        while found in self.joined and found not in seen:
            seen.add(found)
            found = self.joined[found]
        return found

    def unclear(self, author: str, others: Iterable[str]) -> str:
        """One of the others who may be ``author`` by another way in; empty where there is none. Of two members whom the
        provider knows, or of two who were added here, each is a person."""
        mine = self.members.get(self.one(author))
        for name in others:
            theirs = self.members.get(self.one(name))
            if mine and theirs and (mine.subject is None) != (theirs.subject is None):
                return theirs.name
        return ""


def _deciders(tx: Transaction, held: Sequence[Link]) -> list[str]:
    """From whose decisions one of the held writes follows, since its row was last written to: a value given by an
    answer or an undo, a record made or deleted, or the answer that the row may be deleted."""
    links = {k.id: k for k in held}
    records = {k.record_id: k.id for k in held if k.record_id}
    changes = tx.page_of_history(None, _MOST, author__ne="", record_id=sorted(records))
    decided = [
        (records[c.record_id], c.at, c.author) for c in changes if c.field or c.new in _WHOLE
    ]
    answered = tx.cases(links=sorted(links), open_only=False)
    decided += [
        (case.link_id, case.closed_at, case.author)
        for case in answered
        if case.author and case.answer == "delete" and case.link_id and case.closed_at
    ]
    if not decided:
        return []
    written: dict[str, float] = {}
    applied = str(OperationState.APPLIED)
    for operation in tx.page_of_operations(None, _MOST, link_id=sorted(links), state=applied):
        written.setdefault(operation.link_id, operation.created_at)
    since = [author for link_id, at, author in decided if at >= written.get(link_id, 0.0)]
    return list(dict.fromkeys(since))
