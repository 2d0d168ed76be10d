"""What of the console is within the limits of a member."""

from __future__ import annotations

from syncengine.model.member import Scope

_DECIDING = ("/undo", "/links", "/sync", "/export", "/erase", "/uncovered")
"""How paths end that decide something unasked, or show what is covered."""
_OF_ALL = ("/plan", "/plans", "/trial", "/upcoming")
"""What is computed of everything."""


def reaches(within: Scope, path: str, acts: bool = False) -> bool:
    """Whether a page is within the limits of a member, or (``acts``) what a form or call to it does. What shows values
    of all connections is not, where connections are limited; what shows people of all entities is not, where entities
    are; what decides something unasked is not, where kinds of question are. What is done to everything is within no
    limit: to have a plan computed, and what is done to a whole connection where entities are limited, and to say who
    may what."""
    if within.kinds and (path.endswith(_DECIDING) or (acts and not _answers(path))):
        return False
    if acts and within and (path in _OF_ALL or path.startswith("/access")):
        return False
    if path.startswith(("/records", "/changes/")):
        return not within.connections
    if path.startswith("/connections/"):
        return not (acts and within.entities)
    return not (path.startswith("/upcoming") and (within.connections or within.entities))


def _answers(path: str) -> bool:
    return path.startswith("/questions") or path.endswith("/vote")
