"""Signing in elsewhere: members whom a provider knows, or a proxy in front."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from syncengine.flows.core.engine import Engine, new_id, retry_on_lost_race
from syncengine.flows.people.decisions import NotPossible
from syncengine.flows.people.members import LONGEST_NAME, folded, in_order, note
from syncengine.flows.people.signing_in import PROVED, Refused, SignedIn, begin
from syncengine.ledger import Transaction
from syncengine.model.member import GrantKind, Member, Role

_AHEAD = 60.0
"""Seconds by which the provider's clock may be ahead of ours."""


class NoRole(NotPossible):
    """Who signs in is known where they come from, and none of their groups has a role here."""

    def __init__(self) -> None:
        super().__init__(
            "none of your groups has a role here; whoever looks after syncengine names it in console.yaml"
        )


@dataclass(slots=True)
class Entrance:
    """Lets those in whom a provider knows. ``subject``: by which it knows them, never their name or mail."""

    engine: Engine

    def sign_in(
        self, subject: str, name: str, roles: Collection[Role], proved_at: float, address: str
    ) -> SignedIn:  # fmt: skip
        """Begin a session, of a new member where nobody has come as this subject yet. ``proved_at``: when they said
        there who they are. Raises NoRole, which takes what they had here, and Refused."""
        begun = self._signed_in(subject, name, roles, proved_at, address)
        if begun is None:
            raise NoRole if not roles else Refused
        return begun

    @retry_on_lost_race
    def _signed_in(
        self, subject: str, name: str, roles: Collection[Role], proved_at: float, address: str
    ) -> SignedIn | None:  # fmt: skip
        engine = self.engine
        with engine.ledger.write() as tx:
            found = tx.members(subjects=[subject], lock=True)
            member = found[0] if found else None
            if not roles or (member is not None and member.locked):
                if member is not None:
                    tx.save_member(replace(member, roles=in_order(roles)))
                    tx.drop_grants(member_id=member.id)
                about = member.id if member else ""
                note(engine, tx, "", "console", "sign in", about, "refused", address, by="provider")
                return None
            if member is None:
                member = Member(
                    new_id(), _free(tx, name), in_order(roles), created_at=engine.clock.now(),
                    subject=subject,
                )  # fmt: skip
                tx.add_member(member)
                note(
                    engine,
                    tx,
                    member.name,
                    "console",
                    "add member",
                    member.id,
                    roles=list(member.roles),
                )
            elif member.roles != in_order(roles):
                member = replace(member, roles=in_order(roles))
                tx.save_member(member)
                note(
                    engine,
                    tx,
                    member.name,
                    "console",
                    "set roles",
                    member.id,
                    roles=list(member.roles),
                )
            return begin(engine, tx, member, "provider", address, self._proved(proved_at))

    def prove(self, signed_in: SignedIn, subject: str, proved_at: float, address: str) -> None:
        """Note that the member of a session has said again at the provider who they are. Raises Refused where it was
        somebody else, or where the provider did not ask."""
        fresh = self.engine.clock.now() - self._proved(proved_at) < PROVED
        with self.engine.ledger.write() as tx:
            member = signed_in.member
            if member.subject == subject and fresh:
                for grant in tx.grants(signed_in.grant.hash, GrantKind.SESSION, lock=True):
                    tx.save_grant(replace(grant, proved_at=self._proved(proved_at)))
                return
            note(self.engine, tx, member.name, "console", "prove", member.id, "refused", address)
        raise Refused

    def _proved(self, at: float) -> float:
        """When somebody said who they are, as far as the provider can be believed: not in times to come."""
        now = self.engine.clock.now()
        return min(at, now) if at <= now + _AHEAD else 0.0


def sign_in_by_proxy(engine: Engine, name: str, address: str) -> SignedIn | None:
    """Begin a session for the member whom a proxy names; None where there is none of that name, or they are locked."""
    with engine.ledger.write() as tx:
        found = tx.members(names=[folded(name)], lock=True)
        if not found or found[0].locked:
            note(engine, tx, "", "console", "sign in", "", "refused", address, by="proxy")
            return None
        return begin(engine, tx, found[0], "proxy", address, 0.0)


def _free(tx: Transaction, name: str) -> str:
    """A name that nobody has: as the provider says, with a number behind it where somebody has it already."""
    plain = (
        "".join(c for c in folded(name) if c.isprintable())[: LONGEST_NAME - 4].strip() or "member"
    )
    taken = {member.name for member in tx.members()}
    number = 1
    while (found := plain if number == 1 else f"{plain} {number}") in taken:
        number += 1
    return found
