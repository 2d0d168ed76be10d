"""Members: who may use the console, and with which roles. What is changed here is put on record in the audit."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from dataclasses import asdict, replace

from syncengine.flows.core.engine import Engine, new_id
from syncengine.flows.people.decisions import NotPossible
from syncengine.ledger import Transaction
from syncengine.model.member import (
    AuditEntry,
    AuditWord,
    GrantKind,
    Member,
    Outcome,
    Role,
    Scope,
    Way,
)

LONGEST_NAME = 60
"""Characters of a member's name."""


def add_member(
    engine: Engine, name: str, roles: Collection[Role], author: str, way: Way = "command"
) -> Member:
    """A new member, without a password: a link lets them in first. Raises NotPossible."""
    name = _fitting(name)
    member = Member(new_id(), name, in_order(roles), created_at=engine.clock.now())
    with engine.ledger.write() as tx:
        if _named(tx, name) is not None:
            raise NotPossible(f"there is a member {name} already: see `syncengine members list`")
        tx.add_member(member)
        note(engine, tx, author, way, "add member", member.id, roles=list(member.roles))
    return member


def all_members(engine: Engine) -> list[Member]:
    """By name."""
    with engine.ledger.read() as tx:
        return tx.members()


def set_roles(
    engine: Engine, name: str, roles: Collection[Role], author: str, way: Way = "command"
) -> Member:
    """Give a member these roles and no others. Raises NotPossible."""
    with engine.ledger.write() as tx:
        member = replace(the_member(tx, name), roles=in_order(roles))
        _leaves_an_admin(tx, member)
        tx.save_member(member)
        note(engine, tx, author, way, "set roles", member.id, roles=list(member.roles))
    return member


def limit(engine: Engine, name: str, limits: Scope, author: str, way: Way = "command") -> Member:
    """Limit what a member sees and does to a part; an empty one lifts the limit. Raises NotPossible."""
    with engine.ledger.write() as tx:
        member = replace(the_member(tx, name), limits=limits)
        if way == "console":
            # On the command line limits are lifted again.
            _leaves_an_admin(tx, member)
        tx.save_member(member)
        told: dict[str, object] = {what: list(w) for what, w in asdict(limits).items() if w}
        note(engine, tx, author, way, "limit member", member.id, "done", "", **told)
    return member


def join_members(
    engine: Engine, name: str, other: str, author: str, way: Way = "command"
) -> Member:
    """One person came in by two ways, and so is two members: from now on ``name``, who was added here, is whom the
    provider knows as ``other``, who is locked. Raises NotPossible."""
    with engine.ledger.write() as tx:
        kept, gone = the_member(tx, name), the_member(tx, other)
        if kept.subject is not None or gone.subject is None:
            raise NotPossible(
                "expected first a member who was added here, then one whom the provider knows: see "
                "`syncengine members list`"
            )
        tx.save_member(replace(gone, subject=None, roles=(), locked=True))
        tx.drop_grants(member_id=gone.id)
        kept = replace(kept, subject=gone.subject)
        tx.save_member(kept)
        note(engine, tx, author, way, "join members", kept.id, other=gone.id)
    return kept


def lock(engine: Engine, name: str, author: str, way: Way = "command") -> Member:
    """Shut a member out at once, in all browsers. Raises NotPossible."""
    with engine.ledger.write() as tx:
        member = replace(the_member(tx, name), locked=True)
        _leaves_an_admin(tx, member)
        tx.save_member(member)
        tx.drop_grants(member_id=member.id)
        note(engine, tx, author, way, "lock member", member.id)
    return member


def end_grants(
    engine: Engine, name: str, author: str, way: Way = "command", only: str | None = None
) -> None:
    """End all sessions and links of a member, who may sign in anew; or ``only`` this one, or this token. Raises
    NotPossible."""
    with engine.ledger.write() as tx:
        member = the_member(tx, name)
        found = [
            g for g in tx.grants_of(member.id)
            if (g.id == only if only else g.kind is not GrantKind.TOKEN)
        ]  # fmt: skip
        if only and not found:
            raise NotPossible("that is over already")
        tx.drop_grants(ids=[g.id for g in found])
        token = bool(only) and found[0].kind is GrantKind.TOKEN
        what: AuditWord = "revoke token" if token else "end sessions"
        told: dict[str, object] = {"token": found[0].id} if token else {"count": len(found)}
        note(engine, tx, author, way, what, member.id, "done", "", **told)


def _leaves_an_admin(tx: Transaction, changed: Member) -> None:
    """Raises NotPossible where nobody could say any more who may what: who is locked or limited cannot."""
    before = [m for m in tx.members() if _manages(m)]
    after = [m for m in before if m.id != changed.id]
    if before and not after and not _manages(changed):
        raise NotPossible(
            f"{changed.name} is the only admin who is neither locked nor limited: make another one first"
        )


def _manages(member: Member) -> bool:
    return member.has(Role.ADMIN) and not member.locked and not member.limits


def unlock(engine: Engine, name: str, author: str, way: Way = "command") -> Member:
    """Let a member in again, also one who gave too many wrong passwords. Raises NotPossible."""
    with engine.ledger.write() as tx:
        member = replace(the_member(tx, name), locked=False, failures=0, shut_until=0.0)
        tx.save_member(member)
        note(engine, tx, author, way, "unlock member", member.id)
    return member


def the_member(tx: Transaction, name: str) -> Member:
    """The member of this name, locked in the database. Raises NotPossible."""
    member = _named(tx, name)
    if member is None:
        raise NotPossible(f"there is no member {name}: see `syncengine members list`")
    return member


def note(
    engine: Engine, tx: Transaction, author: str, way: Way, action: AuditWord, about: str = "",
    outcome: Outcome = "done", address: str = "", **detail: object,
) -> None:  # fmt: skip
    """Append one line to the audit."""
    entry = AuditEntry(
        author, way, action, about, outcome, address, engine.clock.now(), detail=detail
    )
    tx.add_audit([entry])


def _named(tx: Transaction, name: str) -> Member | None:
    found = tx.members(names=[folded(name)], lock=True)
    return found[0] if found else None


def folded(name: str) -> str:
    """One spelling for a name: composed, in small letters, without blanks around it."""
    return unicodedata.normalize("NFC", name).strip().casefold()


def _fitting(name: str) -> str:
    found = folded(name)
    if not 0 < len(found) <= LONGEST_NAME or not all(c.isprintable() for c in found):
        raise NotPossible(
            f"a member's name has 1 to {LONGEST_NAME} printable characters; found {name!r}"
        )
    return found


def in_order(roles: Collection[Role]) -> tuple[str, ...]:
    """Roles as a member has them, each once."""
    return tuple(role.value for role in Role if role in roles)
