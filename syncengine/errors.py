"""The exception tree: an error's class says what happens next, its message what to do.

::

    SyncengineError
    ├── Retry                  the same thing is tried again later, by itself
    │   ├── RateLimited        the vendor or our own budget says: not now (``until``)
    │   ├── DatabaseDown       the database cannot be used now: locked, full, stopped, not reached
    │   ├── ChannelDown        a notification is not known to have arrived
    │   └── VendorDown         the vendor surely did not do it: refused, timeout before sending, 5xx on a read
    │       ├── Unusable       a read was answered, with what is no JSON, too large, or of another shape
    │       └── Astray         something before the vendor answered: a redirect, a web page; says nothing of a row
    ├── Again                  decided on a picture that has moved: read and decide anew, at once
    │   ├── Stale              the vendor's row is not what the plan saw
    │   └── LostRace           a compare-and-set found another generation or version
    ├── Unknown                the write was sent and nobody knows whether it took effect: probe
    │   └── Unnamed            a create was accepted, and the answer names no row
    ├── SetAside               this one thing becomes a case, the rest goes on
    │   ├── Rejected           the vendor refused it for good (validation, permission, closed month)
    │   ├── Exists             the vendor says that the id or key of a create is taken: look, then adopt
    │   ├── RowInvalid         a vendor's row does not fit what the mapping declares
    │   └── Unreadable         a value in our own database does not open: changed from outside, or of another key
    ├── Halt                   nothing of this kind can work before a person has acted
    │   ├── Unauthorized       the credentials of a connection are refused
    │   ├── ConfigInvalid      the project is invalid; carries every fault with its position
    │   └── ConnectionOff      a connection has no credentials or no base URL
    └── Bug                    an invariant of the engine is broken
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class SyncengineError(Exception):
    """The root of all errors that the engine raises on purpose."""


class Retry(SyncengineError):
    """Try the same thing again later."""


class RateLimited(Retry):
    """Not before ``until`` (seconds since the epoch)."""

    def __init__(self, message: str, until: float) -> None:
        super().__init__(message)
        self.until = until


class DatabaseDown(Retry):
    """The database cannot be used now: ``why``, and what to ``do``. It says nothing about any vendor. Work goes on by
    itself once it can be used again."""

    def __init__(self, why: str, do: str) -> None:
        super().__init__(f"the database cannot be used now: {why}; {do}")
        self.why = why


class ChannelDown(Retry):
    """A channel did not take a notification, or not in time. The message is our own, without anything of an answer,
    which may repeat an address or what was sent."""


class VendorDown(Retry):
    """The vendor surely did not do what was asked; it may the next time. ``passes``: at once, perhaps."""

    passes: bool = False


class Unusable(VendorDown):
    """An answer to a read came and is of no use. The message says of what kind it is, and where it fails; nothing of
    it is kept, since it may hold anybody's row."""

    def __init__(self, message: str, passes: bool = False) -> None:
        super().__init__(message)
        self.passes = passes


class Astray(VendorDown):
    """Something before the vendor answered, with a redirect or a web page: that passes, and is no fault of a row. A
    repeat may bring the vendor itself."""

    passes = True


class Again(SyncengineError):
    """The picture has moved: read and decide anew."""


class Stale(Again):
    """The vendor's row differs from what the plan saw."""


class LostRace(Again):
    """A compare-and-set found another generation or version."""


class Unknown(SyncengineError):
    """A write was sent, and whether it took effect is not known."""


class Unnamed(Unknown):
    """A create was accepted, and the answer names no row: a read proves whether there is one."""


class SetAside(SyncengineError):
    """This one thing becomes a case; the rest goes on."""


class Rejected(SetAside):
    """The vendor refused a write for good.

    ``status`` is the HTTP status, ``answer`` the vendor's answer, cut to 2,000 characters; it may hold
    personal data and belongs into encrypted columns only.
    """

    def __init__(self, message: str, status: int | None = None, answer: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.answer = answer[:2000]


class Exists(SetAside):
    """The id or key that a create carries is taken at the vendor: read it, then adopt or wait."""


class RowInvalid(SetAside):
    """A vendor's row, or one value of it, does not fit what is declared.

    ``evidence`` holds the offending value and where it stood.
    """

    def __init__(self, message: str, evidence: Any = None) -> None:
        super().__init__(message)
        self.evidence = evidence


class Unreadable(SetAside):
    """A value in our own database does not open. ``place``: table, column and row; ``why``: what is wrong with it."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(f"{place} cannot be read: {why}")
        self.place = place
        self.why = why


class Halt(SyncengineError):
    """Nothing of this kind can work before a person has acted."""


class Unauthorized(Halt):
    """The vendor refuses the credentials of a connection."""


class ConnectionOff(Halt):
    """A connection lacks credentials or a base URL."""


class ConfigInvalid(Halt):
    """A project is invalid. ``faults`` are printable lines ``file:line:column: key: what, what instead``."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class Bug(SyncengineError):
    """An invariant of the engine does not hold. Please report it."""
