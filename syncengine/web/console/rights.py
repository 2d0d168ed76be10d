"""Rights: what each route of the console asks of a member, and which roles have it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from syncengine.model.member import Member, Role, Scope


class Right(Enum):
    """What a route asks for. ``PUBLIC``: nothing. ``SIGNED_IN``: any member. ``WATCH``: how the service stands, without
    names and values of people. ``READ``: these, too, sensitive ones masked. ``ANSWER``: decide what is asked.
    ``PLAN``: have a plan computed. ``OPERATE``: pause, list. ``PRIVACY``: uncover, export, erase. ``AUDIT``: what
    members did. ``MEMBERS``: who may sign in."""

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
}
"""Right -> the roles of which a member needs one."""


GIVEN = (
    Right.WATCH, Right.READ, Right.ANSWER, Right.PLAN, Right.OPERATE, Right.PRIVACY, Right.AUDIT,
)  # fmt: skip
"""The rights that a token may have."""


def reaches(within: Scope, path: str) -> bool:
    """Whether a page is within the limits of a member. What shows values of all connections is not, where connections
    are limited; what shows people of all entities is not, where entities are; what decides something unasked is not,
    where kinds of question are."""
    if within.kinds and path.endswith(("/undo", "/links", "/sync")):
        return False
    if path.startswith(("/records", "/changes/")):
        return not within.connections
    return not (path.startswith("/upcoming") and (within.connections or within.entities))


def may(member: Member | None, right: Right) -> bool:
    """Whether a member has a right; nobody has those that are open to all."""
    if right is Right.PUBLIC:
        return True
    return member is not None and member.has(*ROLES[right])


def roles_for(right: Right) -> list[str]:
    """The roles that have a right, as people read them, the least first."""
    return [role.value.replace("_", " ") for role in Role if role in ROLES[right]]
