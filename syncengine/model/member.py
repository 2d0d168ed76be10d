"""Members: the people who may use the console, what each may do, and what is put on record of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from syncengine.model.values import Json


class Role(StrEnum):
    """What a member may do; several add up. ``viewer`` reads; ``answerer`` reads and answers questions; ``operator``
    pauses connections and starts listings and plans, and sees neither names nor values; ``privacy_officer`` reads the
    audit; ``admin`` manages members and nothing else."""

    VIEWER = "viewer"
    ANSWERER = "answerer"
    OPERATOR = "operator"
    PRIVACY_OFFICER = "privacy_officer"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Scope:
    """To which part of everything a member is limited: these entities, connections and kinds of question. An empty one
    is no limit."""

    entities: tuple[str, ...] = ()
    connections: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.entities or self.connections or self.kinds)

    def has(self, entity: str = "", connection: str = "") -> bool:
        """Whether what is of an entity, or in a connection, is within; one that is not told is."""
        return (not (entity and self.entities) or entity in self.entities) and (
            not (connection and self.connections) or connection in self.connections
        )


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who may sign in. ``name`` is unique and stands as the author of all that the member decides.

    ``password``: its hash, ``""`` for none. ``locked``: shut out until an admin says otherwise. ``failures``: wrong
    passwords in a row; ``shut_until``: no password is looked at before (epoch seconds). ``subject``: by which the
    provider of the sign-in knows them, None for a member who was added here. ``limits``: what they may see and do no
    more than."""

    id: str
    name: str
    roles: tuple[str, ...] = ()
    password: str = field(default="", repr=False)
    locked: bool = False
    failures: int = 0
    shut_until: float = 0.0
    created_at: float = 0.0
    subject: str | None = None
    limits: Scope = Scope()

    def has(self, *roles: Role) -> bool:
        """Whether the member has one of these roles."""
        return any(role in self.roles for role in roles)


class GrantKind(StrEnum):
    """What a secret opens: a ``session`` of a browser, a ``link`` by which one is begun once, or the API, to a program
    that has a ``token``."""

    SESSION = "session"
    LINK = "link"
    TOKEN = "token"


@dataclass(frozen=True, slots=True)
class Grant:
    """A secret that was given to a member; only its hash is stored. Times are epoch seconds. ``seen_at``: when it was
    last used; ``proved_at``: when the member last proved who they are. ``name``, ``rights``: of a token, what it is for
    and what it may do of all that its member may."""

    id: str
    kind: GrantKind
    member_id: str
    hash: str = field(repr=False)
    created_at: float
    expires_at: float
    seen_at: float = 0.0
    proved_at: float = 0.0
    name: str | None = None
    rights: tuple[str, ...] = ()


Way = Literal["console", "command", "api"]
"""By which way somebody did what stands in the audit."""
Outcome = Literal["done", "refused", "asked", "approved, more have to", "csv", "json"]
"""How it ended; of a list that was saved, as which file."""
AuditWord = Literal[
    "sign in", "sign out", "prove", "open", "answer", "undo", "sync record", "uncover record",
    "export record", "erase record", "take in who was erased", "point link", "split link", "own link",
    "alone link", "join link", "pause connection", "resume connection", "list connection",
    "look again after a restore", "compute plan", "add member", "set roles", "limit member",
    "join members", "lock member", "unlock member", "make link", "set password", "end sessions",
    "make token", "revoke token", "export records", "export questions", "export writes",
    "export changes", "export runs", "export audit",
]  # fmt: skip
"""What the audit has lines about."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the audit, which is only ever appended to: ``author`` did ``action`` to what ``about`` names (ids of
    ours, never a name), by which ``way`` (console, command), from which ``address``, with which ``outcome``. ``id``
    orders the lines; 0 before it is stored."""

    author: str
    way: str
    action: str
    about: str = ""
    outcome: str = "done"
    address: str = ""
    at: float = 0.0
    detail: Mapping[str, Json] = field(default_factory=dict)
    id: int = 0
