"""Held writes: what a person's answer does to writes that wait for approval, to all of a case or to a part of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from syncengine.flows.core.staging import Group
from syncengine.flows.people.approving import (
    Votes,
    held_by,
    lapsed,
    require_unchanged,
    votes_on,
    with_vote,
)
from syncengine.flows.people.decisions import Decision, NotPossible
from syncengine.model.case import Case
from syncengine.model.changeset import Changeset
from syncengine.model.link import Link, LinkState, WriteApproval
from syncengine.planning.safety import said_of

Done = tuple[str, Changeset]
"""What was done, for people, and what is to be written."""


@dataclass(slots=True)
class HeldWrites(Decision):
    """A person's answer to a case. ``seen``: the digest of the held writes that they have looked at; ``only``: the
    links of those that the answer is about, None for all. ``more``: how many people have to say the same before it is
    carried out; ``rest``: about how many writes is still asked."""

    case: Case = field(kw_only=True)
    given: str = field(kw_only=True)
    seen: str | None = field(default=None, kw_only=True)
    only: Collection[str] | None = field(default=None, kw_only=True)
    more: int = field(default=0, kw_only=True)
    rest: int = field(default=0, kw_only=True)

    @property
    def policy(self) -> str:
        """The policy that history entries of this answer show."""
        return f"answer: {self.given}"

    def staged(self) -> Done:
        """Approve or reject the write of each link in the case; this holds until another write is wanted there."""
        group = Group.of(self.case.subject)
        connection, kind = group.connection, group.kind
        self.tx.connection(connection, lock=True)
        held = held_by(self.tx, self.case, lock=True)
        before = votes_on(self.engine, self.tx, self.case)
        if not held:
            raise NotPossible("none of these writes is held any more")
        if self.seen is not None and self.given == "approve":
            require_unchanged(held, self.seen)
        meant = self._meant(held)
        self.case, votes = self._voted(meant, whole=len(meant) == len(held))
        ended = lapsed(before, votes.given)
        if self.more:
            told = f"your approval counts, {len(votes.given)} of {votes.needed} given"
            more = f"{self.more} more {'has' if self.more == 1 else 'have'} to approve"
            return "; ".join(filter(None, (told, more, ended))), Changeset()
        change = Changeset(links=[self._answered(link, kind) for link in meant])
        what = said_of(self.engine.system(group.entity, connection), kind)
        told = f"{what} in {connection} {'approved' if self.given == 'approve' else 'rejected'}"
        records = self.tx.records([k.record_id for k in meant if k.record_id])
        for record in records.values():
            change += self.note(record, self.policy, new=told)
        self.rest = len(held) - len(meant)
        if self.rest:
            # The case goes on with the others.
            self.freed += meant
            self.case = replace(self.case, votes=())
        else:
            about = [k.id for k in held]
            if self.case.closed_at is not None:
                about = list(dict.fromkeys([*self.case.evidence.get("links", ()), *about]))
            evidence = {**self.case.evidence, "links": about}
            self.case = replace(self.case, evidence=evidence)
        return "; ".join(filter(None, (self._told(len(meant)), ended))), change

    def _told(self, count: int) -> str:
        none = self.given == "reject"
        may = "is sent" if none else "may be sent now"
        sent = f"{'none of ' * none}{count} write{'s' * (count != 1)} {may}"
        left = f"{self.rest} {'is' if self.rest == 1 else 'are'} still asked about"
        return f"{sent}; {left}" if self.rest else sent

    def _meant(self, held: Sequence[Link]) -> list[Link]:
        """The writes that the answer is about. Raises NotPossible where one is held no more."""
        if self.only is None:
            return list(held)
        meant = [link for link in held if link.id in self.only]
        if not meant or len(meant) < len(set(self.only)):
            raise NotPossible("some of these writes are held no more: look at them again")
        if len(meant) < len(held) and self.case.closed_at is not None:
            raise NotPossible("what was answered is revised as a whole")
        return meant

    def _voted(self, meant: Sequence[Link], whole: bool) -> tuple[Case, Votes]:
        """The case with this approval; a rejection ends those that were given."""
        if self.given != "approve":
            return replace(self.case, votes=()), Votes("", (), 1)
        case, votes = with_vote(
            self.engine, self.tx, self.case, meant, self.author, self.reason, whole=whole
        )
        self.more = max(0, votes.needed - len(votes.given))
        return case, votes

    def _answered(self, link: Link, kind: str) -> Link:
        approval = self.approval(kind, link.approval.digest if link.approval else "")
        # What a rejection has let be is looked at as it was before.
        before = {LinkState.LEFT: LinkState.LINKED, LinkState.GONE: LinkState.MISSING}
        state = before.get(link.state, link.state)
        return link.tied(approval=approval, state=state, wait=None).woken()

    def approval(self, kind: str, digest: str) -> WriteApproval:
        """What is noted at a link of this answer."""
        return WriteApproval(kind, digest, self.given, self.case.id, self.author, self.reason)
