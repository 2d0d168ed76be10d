"""What of the console is within the limits of a member."""

from __future__ import annotations

from syncengine.model.member import Scope


def reaches(within: Scope, path: str) -> bool:
    """Whether a page is within the limits of a member. What shows values of all connections is not, where connections
    are limited; what shows people of all entities is not, where entities are; what decides something unasked is not,
    where kinds of question are."""
    if within.kinds and path.endswith(("/undo", "/links", "/sync")):
        return False
    if path.startswith(("/records", "/changes/")):
        return not within.connections
    return not (path.startswith("/upcoming") and (within.connections or within.entities))
