"""What of the console is within the limits of a member."""

from __future__ import annotations

from syncengine.model import rights
from syncengine.model.member import Scope
from syncengine.model.rights import Deed

_DECIDING = ("/undo", "/links", "/sync", "/export", "/erase", "/uncovered")
"""How paths end that decide something of a record unasked, or show what is covered."""


def reaches(within: Scope, path: str, acts: bool = False) -> bool:
    """Whether a page is within the limits of a member, or (``acts``) what a form or call to it does. What shows values
    of all connections is not, where connections are limited; what shows people of all entities is not, where entities
    are."""
    if acts or path.endswith(_DECIDING):
        return rights.reaches(within, deed_of(path))
    if path.startswith("/records"):
        return not within.connections
    return not (path.startswith("/upcoming") and (within.connections or within.entities))


def deed_of(path: str) -> Deed:
    """Of what it is that a form or call to a path does."""
    if path.startswith("/questions") or path.endswith("/vote"):
        return Deed.ANSWER
    if path.startswith(("/records", "/changes")):
        return Deed.RECORD
    return Deed.CONNECTION if path.startswith("/connections/") else Deed.ALL
