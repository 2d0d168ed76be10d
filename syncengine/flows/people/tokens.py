"""Tokens: secrets by which programs use the API, each with a part of what its member may do."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import replace
from typing import Final, NamedTuple

from syncengine.flows.core.engine import Engine, new_id
from syncengine.flows.people.decisions import NotPossible
from syncengine.flows.people.members import note, the_member
from syncengine.flows.people.signing_in import SEEN, hash_of
from syncengine.model.member import Grant, GrantKind, Member, Way

DAYS: Final = 365
"""Days for which a token opens at most."""
LONGEST_LABEL: Final = 60
PREFIX: Final = "sync_"
"""How a token begins, by which programs that look for secrets find it."""
MOST: Final = 20
"""Tokens of one member."""


class Bearer(NamedTuple):
    """Who calls: a member, by this token of theirs."""

    member: Member
    grant: Grant


def make_token(
    engine: Engine, name: str, label: str, rights: Collection[str], days: int, author: str,
    way: Way = "command",
) -> tuple[Grant, str]:  # fmt: skip
    """A token of a member and its secret, which is given out here and never again. ``rights``: what it may do of all
    that its member may at any time. Raises NotPossible."""
    label = label.strip()
    if not 0 < len(label) <= LONGEST_LABEL or not label.isprintable():
        raise NotPossible(
            f"say what the token is for, in 1 to {LONGEST_LABEL} printable characters"
        )
    if not 1 <= days <= DAYS:
        raise NotPossible(f"a token opens for 1 to {DAYS} days; found {days}")
    if not rights:
        raise NotPossible("a token without a right opens nothing: name at least one")
    secret = PREFIX + secrets.token_urlsafe(32)
    now = engine.clock.now()
    with engine.ledger.write() as tx:
        member = the_member(tx, name)
        if member.locked:
            raise NotPossible(f"{member.name} is locked")
        tx.drop_grants(kind=GrantKind.TOKEN, expired_at=now)
        if sum(g.kind is GrantKind.TOKEN for g in tx.grants_of(member.id)) >= MOST:
            raise NotPossible(f"{member.name} has {MOST} tokens already: revoke one first")
        grant = Grant(
            new_id(), GrantKind.TOKEN, member.id, hash_of(secret), now, now + days * 86_400.0,
            name=label, rights=tuple(sorted(rights)),
        )  # fmt: skip
        tx.add_grant(grant)
        note(
            engine, tx, author, way, "make token", member.id, token=grant.id, rights=list(grant.rights), days=days
        )  # fmt: skip
    return grant, secret


def tokens_of(engine: Engine, member: Member) -> list[Grant]:
    """Those of a member that open something, the newest first."""
    return [g for g in grants_of(engine, member) if g.kind is GrantKind.TOKEN]


def grants_of(engine: Engine, member: Member) -> list[Grant]:
    """Sessions, links and tokens of a member that open something, the newest first."""
    now = engine.clock.now()
    with engine.ledger.read() as tx:
        found = tx.grants_of(member.id)
    return [g for g in found if g.expires_at > now]


def revoke_token(engine: Engine, name: str, token: str, author: str, way: Way = "command") -> None:
    """End a token of a member, by its id. Raises NotPossible."""
    with engine.ledger.write() as tx:
        member = the_member(tx, name)
        found = [
            g for g in tx.grants_of(member.id) if g.kind is GrantKind.TOKEN and g.id.endswith(token) and token
        ]  # fmt: skip
        if len(found) != 1:
            raise NotPossible(
                f"{member.name} has no token {token!r}: see `syncengine members tokens`"
            )
        tx.drop_grants(ids=[found[0].id])
        note(engine, tx, author, way, "revoke token", member.id, token=found[0].id)


def bearer(engine: Engine, secret: str) -> Bearer | None:
    """Whose token a secret is; None where it is over, revoked or unknown, or its member is locked."""
    now = engine.clock.now()
    with engine.ledger.read() as tx:
        found = tx.grants(hash_of(secret), GrantKind.TOKEN)
        owner = tx.members([found[0].member_id]) if found and found[0].expires_at > now else []
    if not owner or owner[0].locked:
        return None
    if now - found[0].seen_at >= SEEN:
        with engine.ledger.write() as tx:
            for grant in tx.grants(hash_of(secret), GrantKind.TOKEN, lock=True):
                tx.save_grant(replace(grant, seen_at=now))
    return Bearer(owner[0], found[0])
