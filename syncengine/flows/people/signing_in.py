"""Signing in: passwords, one-time links and sessions. A secret is given out once, and only its hash is stored."""

from __future__ import annotations

import hashlib
import secrets
import threading
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from syncengine.flows.core.engine import Engine, new_id
from syncengine.flows.people.decisions import NotPossible
from syncengine.flows.people.members import folded, note, the_member
from syncengine.ledger import Transaction
from syncengine.model.member import AuditWord, Grant, GrantKind, Member, Way
from syncengine.model.pauses import doubled

IDLE: Final = 8 * 3600.0
"""Seconds without a request after which a session is over."""
LONGEST: Final = 12 * 3600.0
"""Seconds that a session lasts at most."""
KNOWN: Final = 3600.0
"""Seconds for which it is still known whose a session was that is over."""
LINK: Final = 3600.0
"""Seconds for which a one-time link opens."""
SEEN: Final = 300.0
"""Seconds after which it is noted again that a session is used."""
PROVED: Final = 600.0
"""Seconds for which whoever has just signed in need not prove again who they are."""
FREE_FAILURES: Final = 5
"""Wrong passwords in a row from which on a name is shut, for a minute first."""
SHORTEST: Final = 12
"""Characters of a password."""
_LONGEST_PASSWORD = 1000
_SHUT_FIRST, _SHUT_MOST = 60.0, 3600.0

_hasher = PasswordHasher()
_at_once = threading.Semaphore(2)
"""Each look at a password takes 64 MiB for a moment."""
_places = threading.Semaphore(3)
"""One more may wait; further ones are sent away, so that strangers at the door take no thread from who is inside."""


@cache
def _nobodys() -> str:
    """What a password is compared with where nobody has the name, so that it takes as long."""
    return _hasher.hash(secrets.token_urlsafe())


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A member with the session that was begun or found. ``token``: its secret, given out when it begins."""

    member: Member
    grant: Grant
    token: str = ""


class Refused(NotPossible):
    """Nobody is let in: the name or the password is wrong, or the name is shut until ``until`` (epoch seconds)."""

    def __init__(self, until: float = 0.0) -> None:
        super().__init__("name or password is wrong")
        self.until = until


class Busy(NotPossible):
    """So many passwords are looked at that this one was not: it counts neither as right nor as wrong."""

    def __init__(self) -> None:
        super().__init__("too many people sign in just now; try again in some seconds")


def hash_of(token: str) -> str:
    """The hash by which a secret is found. It was drawn at random, so that it needs no salt."""
    return hashlib.sha256(token.encode()).hexdigest()


def set_password(
    engine: Engine, name: str, password: str, author: str, way: Way = "command"
) -> None:
    """Give a member a password and end all sessions that were begun without it; tokens stay. Raises NotPossible."""
    if not SHORTEST <= len(password) <= _LONGEST_PASSWORD:
        raise NotPossible(f"a password has at least {SHORTEST} characters; several words are best")
    with _at_once:
        hashed = _hasher.hash(password)
    with engine.ledger.write() as tx:
        member = replace(the_member(tx, name), password=hashed, failures=0, shut_until=0.0)
        tx.save_member(member)
        for kind in (GrantKind.SESSION, GrantKind.LINK):
            tx.drop_grants(member_id=member.id, kind=kind)
        note(engine, tx, author, way, "set password", member.id)


def make_link(engine: Engine, name: str, author: str, way: Way = "command") -> str:
    """The secret of a link that signs a member in once, within the hour. Earlier links end. Raises NotPossible."""
    token = secrets.token_urlsafe(32)
    with engine.ledger.write() as tx:
        member = the_member(tx, name)
        if member.locked:
            raise NotPossible(f"{member.name} is locked: `syncengine members unlock {member.name}`")
        tx.drop_grants(member_id=member.id, kind=GrantKind.LINK)
        tx.add_grant(_grant(engine, GrantKind.LINK, member, token, LINK))
        note(engine, tx, author, way, "make link", member.id)
    return token


def linked_member(engine: Engine, token: str) -> Member | None:
    """Whom a link would sign in; None where it is used, over or unknown."""
    with engine.ledger.read() as tx:
        found = tx.grants(hash_of(token), GrantKind.LINK)
        return _owner(engine, tx, found[0]) if found else None


def sign_in_by_link(engine: Engine, token: str, address: str = "") -> SignedIn:
    """Begin a session by a link, which opens nothing afterwards. Raises Refused."""
    with engine.ledger.write() as tx:
        found = tx.grants(hash_of(token), GrantKind.LINK, lock=True)
        member = _owner(engine, tx, found[0]) if found else None
        if member is None:
            raise Refused
        tx.drop_grants(ids=[found[0].id])
        return begin(engine, tx, member, "link", address)


def sign_in(engine: Engine, name: str, password: str, address: str = "") -> SignedIn:
    """Begin a session with name and password. Raises Refused, with a time where the name is shut, and Busy."""
    member = _checked(engine, name, password, address, "sign in")
    with engine.ledger.write() as tx:
        return begin(engine, tx, member, "password", address)


def prove(engine: Engine, signed_in: SignedIn, password: str, address: str = "") -> SignedIn:
    """The session of a member who has said again who they are. Raises Refused as ``sign_in`` does."""
    _checked(engine, signed_in.member.name, password, address, "prove")
    with engine.ledger.write() as tx:
        for grant in tx.grants(signed_in.grant.hash, GrantKind.SESSION, lock=True):
            tx.save_grant(proved := replace(grant, proved_at=engine.clock.now()))
            signed_in = replace(signed_in, grant=proved)
    return signed_in


def _checked(engine: Engine, name: str, password: str, address: str, action: AuditWord) -> Member:
    """Whose name and password these are. Raises Refused, and counts what was wrong; or Busy."""
    now, spelled = engine.clock.now(), folded(name)
    with engine.ledger.read() as tx:
        found = tx.members(names=[spelled])
    member = found[0] if found else None
    if member is not None and member.shut_until > now:
        raise Refused(member.shut_until)
    right = _is_right(member.password if member else "", password)
    with engine.ledger.write() as tx:
        member = the_member(tx, spelled) if member is not None else None
        if right and member is not None and not member.locked and member.shut_until <= now:
            tx.save_member(replace(member, failures=0, shut_until=0.0))
            return member
        until = _failed(tx, member, now)
        about = member.id if member else ""
        note(engine, tx, "", "console", action, about, "refused", address)
    raise Refused(until)


def session(engine: Engine, token: str) -> SignedIn | None:
    """The session of a secret; None where it is over or its member is locked."""
    now = engine.clock.now()
    with engine.ledger.read() as tx:
        found = tx.grants(hash_of(token), GrantKind.SESSION)
        member = _owner(engine, tx, found[0]) if found else None
    if member is None or now - found[0].seen_at >= IDLE:
        return None
    if now - found[0].seen_at >= SEEN:
        with engine.ledger.write() as tx:
            for grant in tx.grants(hash_of(token), GrantKind.SESSION, lock=True):
                tx.save_grant(replace(grant, seen_at=now))
    return SignedIn(member, found[0])


def former(engine: Engine, token: str) -> Member | None:
    """Whose session a secret was, which may be over; None where nobody knows, they ended it, or are locked."""
    with engine.ledger.read() as tx:
        found = tx.grants(hash_of(token), GrantKind.SESSION)
        members = tx.members([found[0].member_id]) if found else []
    return members[0] if members and not members[0].locked else None


def sign_out(engine: Engine, signed_in: SignedIn, address: str = "") -> None:
    """End a session."""
    with engine.ledger.write() as tx:
        tx.drop_grants(ids=[signed_in.grant.id])
        member = signed_in.member
        note(engine, tx, member.name, "console", "sign out", member.id, address=address)


def _is_right(hashed: str, password: str) -> bool:
    if not _places.acquire(blocking=False):
        raise Busy
    try:
        with _at_once:
            _hasher.verify(hashed or _nobodys(), password[:_LONGEST_PASSWORD])
    except (VerificationError, InvalidHashError):
        return False
    finally:
        _places.release()
    return bool(hashed)


def shut_for(failures: int) -> float:
    """Seconds for which a name is shut after so many wrong passwords in a row; 0 for the first few."""
    over = failures - FREE_FAILURES
    return doubled(_SHUT_FIRST, over + 1, _SHUT_MOST) if over >= 0 else 0.0


def _failed(tx: Transaction, member: Member | None, now: float) -> float:
    """Count a wrong password; until when the name is shut."""
    if member is None:
        return 0.0
    failures = member.failures + 1
    shut = shut_for(failures)
    until = now + shut if shut else 0.0
    tx.save_member(replace(member, failures=failures, shut_until=until))
    return until


def _owner(engine: Engine, tx: Transaction, grant: Grant) -> Member | None:
    found = tx.members([grant.member_id]) if grant.expires_at > engine.clock.now() else []
    return found[0] if found and not found[0].locked else None


def begin(
    engine: Engine, tx: Transaction, member: Member, how: str, address: str,
    proved_at: float | None = None,
) -> SignedIn:  # fmt: skip
    """Begin a session of a member, who has come in by ``how``. ``proved_at``: when they said who they are; None: just
    now."""
    token = secrets.token_urlsafe(32)
    grant = _grant(engine, GrantKind.SESSION, member, token, LONGEST)
    if proved_at is not None:
        grant = replace(grant, proved_at=proved_at)
    tx.drop_grants(expired_at=engine.clock.now() - KNOWN)
    tx.drop_forms(engine.clock.now())
    tx.add_grant(grant)
    note(engine, tx, member.name, "console", "sign in", member.id, address=address, by=how)
    return SignedIn(member, grant, token)


def _grant(engine: Engine, kind: GrantKind, member: Member, token: str, span: float) -> Grant:
    now = engine.clock.now()
    return Grant(new_id(), kind, member.id, hash_of(token), now, now + span, now, now)
