"""Rights: what each route of the console and each deciding command asks of a member, which roles have it, and what is
within the limits of a member."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum

from syncengine.model.member import Member, Role, Scope


class Right(Enum):
    """What a route or a command asks for. ``PUBLIC``: nothing. ``SIGNED_IN``: any member. ``WATCH``: how the service
    stands, without names and values of people. ``READ``: these, too, sensitive ones masked. ``ANSWER``: decide what is
    asked. ``PLAN``: have a plan computed. ``OPERATE``: pause, list. ``PRIVACY``: uncover, export, erase. ``AUDIT``:
    what members did. ``MEMBERS``: see who may sign in. ``MANAGE``: say who may."""

    PUBLIC = "public"
    SIGNED_IN = "signed in"
    WATCH = "watch"
    READ = "read"
    ANSWER = "answer"
    PLAN = "plan"
    OPERATE = "operate"
    PRIVACY = "privacy"
    AUDIT = "audit"
    MEMBERS = "members"
    MANAGE = "manage"


ROLES: Mapping[Right, frozenset[Role]] = {
    Right.SIGNED_IN: frozenset(Role),
    Right.WATCH: frozenset(Role) - {Role.ADMIN},
    Right.READ: frozenset({Role.VIEWER, Role.ANSWERER, Role.PRIVACY_OFFICER}),
    Right.ANSWER: frozenset({Role.ANSWERER}),
    Right.PLAN: frozenset({Role.ANSWERER, Role.OPERATOR}),
    Right.OPERATE: frozenset({Role.OPERATOR}),
    Right.PRIVACY: frozenset({Role.PRIVACY_OFFICER}),
    Right.AUDIT: frozenset({Role.PRIVACY_OFFICER}),
    Right.MEMBERS: frozenset({Role.ADMIN, Role.PRIVACY_OFFICER}),
    Right.MANAGE: frozenset({Role.ADMIN}),
}
"""Right -> the roles of which a member needs one."""


class TokenRight(StrEnum):
    """What a token may do."""

    WATCH = Right.WATCH.value
    READ = Right.READ.value
    ANSWER = Right.ANSWER.value
    PLAN = Right.PLAN.value
    OPERATE = Right.OPERATE.value
    PRIVACY = Right.PRIVACY.value
    AUDIT = Right.AUDIT.value


GIVEN = tuple(Right(right.value) for right in TokenRight)
"""The rights that a token may have."""


def may(member: Member | None, right: Right) -> bool:
    """Whether a member has a right; nobody has those that are open to all."""
    if right is Right.PUBLIC:
        return True
    return member is not None and member.has(*ROLES[right])


class Deed(Enum):
    """Of what something is that somebody does, by which it is within the limits of a member or not. ``ANSWER``: of a
    question, which is within by itself or not. ``RECORD``: of a record, unasked: undo, links by hand, an export, an
    erasure. ``CONNECTION``: of one connection, as a pause is. ``ALL``: of everything, as a plan is, and who may
    what."""

    ANSWER = "answer"
    RECORD = "record"
    CONNECTION = "connection"
    ALL = "all"


def reaches(within: Scope, deed: Deed, entity: str = "", connection: str = "") -> bool:
    """Whether what is done to what is of this entity, or in this connection, is within the limits of a member. Whoever
    is limited to kinds of question answers and does nothing else. A record has the values of all connections, a
    connection those of all entities; what is of everything is within no limit."""
    if not within.has(entity, connection):
        return False
    if deed is Deed.ANSWER:
        return True
    if within.kinds or deed is Deed.ALL:
        return not within
    return not (within.connections if deed is Deed.RECORD else within.entities)


def roles_for(right: Right) -> list[str]:
    """The roles that have a right, as people read them, the least first."""
    return [role.value.replace("_", " ") for role in Role if role in ROLES[right]]
