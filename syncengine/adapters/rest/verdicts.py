"""What an answer, or the lack of one, says about a request: the only place that reads HTTP statuses.

======================  ==================  =====================  =================
what came back          token               read                   write
======================  ==================  =====================  =================
never sent              VendorDown          VendorDown             VendorDown
sent, no answer         VendorDown          VendorDown             Unknown
2xx                     fine                fine                   fine
400, 403                Unauthorized        VendorDown             Rejected
401                     Unauthorized        Unauthorized           Unauthorized
408, 425                VendorDown          VendorDown             VendorDown
409                     VendorDown          VendorDown             Exists (create)
429                     RateLimited         RateLimited            RateLimited
other 3xx, 4xx          VendorDown          VendorDown             Rejected
5xx                     VendorDown          VendorDown             Unknown
======================  ==================  =====================  =================

A read that is refused is ``VendorDown`` and not ``Unauthorized`` unless the vendor says 401: one forbidden row
or resource must not halt a connection.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from typing import Final

import httpx

from syncengine.errors import (
    Exists,
    RateLimited,
    Rejected,
    SyncengineError,
    Unauthorized,
    Unknown,
    Unusable,
    VendorDown,
)

PAUSE: Final = 1.0
"""Seconds until the next try where a 429 names none; the first of several in a row."""

LONGEST_PAUSE: Final = 3600.0
"""Seconds; a vendor that asks for a longer pause is asked again after this one."""


class Kind(Enum):
    """What a request is for. CREATE, CHANGE and DELETE are writes."""

    TOKEN = auto()
    READ = auto()
    CREATE = auto()
    CHANGE = auto()
    DELETE = auto()

    @property
    def writes(self) -> bool:
        """Whether the request changes something at the vendor."""
        return self not in (Kind.TOKEN, Kind.READ)


class Hiccup(VendorDown):
    """A read failed in a way that often passes at once: worth a quick repeat."""

    passes = True


SHOWN: Final = 2000
"""Bytes of an answer that is given up which are kept, for people."""

MISFITS: Final = (
    ValueError, TypeError, LookupError, AttributeError, ArithmeticError, httpx.InvalidURL,
)  # fmt: skip
"""What our own code raises over a value that it did not expect from a vendor."""

_VALUELESS: Final = (KeyError, TypeError, AttributeError)
"""Those of them whose ``misfit`` quotes no value."""


@contextmanager
def fitting(what: str) -> Iterator[None]:
    """Whatever the block trips over in an answer makes that answer Unusable, in words that show no value of it, since
    they are logged. ``what``: method and route."""
    try:
        yield
    except MISFITS as error:
        why = (
            misfit(error)
            if isinstance(error, _VALUELESS)
            else f"a value does not fit ({type(error).__name__})"
        )
        raise Unusable(f"{what}: the answer has another shape: {why}") from error


def misfit(error: Exception) -> str:
    """What was tripped over, for people who may see the row: it may quote a value of it."""
    if isinstance(error, KeyError):
        return f"{error} is missing"
    if isinstance(error, (TypeError, AttributeError)):
        return "a part of it is of another type"
    return str(error) or type(error).__name__


_NEVER_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


def unanswered(error: Exception, kind: Kind, what: str) -> SyncengineError:
    """The verdict on a request that brought an exception. ``what``: method and route, without values."""
    name = type(error).__name__
    if isinstance(error, _NEVER_SENT):
        down = VendorDown if isinstance(error, httpx.TimeoutException) else Hiccup
        return down(f"{what}: not sent ({name}); is the vendor's base_url right and up?")
    if isinstance(error, httpx.TimeoutException) and not kind.writes:
        return VendorDown(f"{what}: no answer in time ({name})")
    return broken(f"no whole answer ({name})", kind, what)


def broken(why: str, kind: Kind, what: str) -> SyncengineError:
    """The verdict on no whole answer, although the request may have taken effect."""
    if kind.writes:
        return Unknown(f"{what}: {why}; it may have taken effect")
    return Hiccup(f"{what}: {why}")


def unusable(
    why: str, kind: Kind, what: str, answer: str = "", passes: bool = False
) -> SyncengineError:
    """The verdict on an answer that cannot be used, although the request may have taken effect. ``passes``: a
    repeat may bring a better one."""
    if kind is not Kind.READ:
        return broken(why, kind, what)
    return Unusable(f"{what}: {why}", answer, passes)


def answered(
    response: httpx.Response, kind: Kind, what: str, now: float, unsaid: float = PAUSE
) -> SyncengineError | None:
    """The verdict on a status; None for 2xx. ``now``: seconds since the epoch; ``unsaid``: see ``pause``."""
    status = response.status_code
    says = f"{what}: HTTP {status}"
    if 200 <= status < 300:
        return None
    if status == 401 or (kind is Kind.TOKEN and status in (400, 403)):
        return Unauthorized(f"{says}; the vendor refuses the credentials of this connection")
    if status == 429:
        return RateLimited(
            f"{says}; the vendor asks for a pause", now + pause(response, now, unsaid)
        )
    if not kind.writes and status >= 500:
        return Hiccup(says)
    if not kind.writes or status in (408, 425):
        hint = "; the key may lack this right" if status == 403 else ""
        return VendorDown(says + hint)
    if status >= 500:
        return Unknown(f"{says}; it may have taken effect")
    if status == 409 and kind is Kind.CREATE:
        return Exists(f"{says}; the vendor has such a row")
    return Rejected(f"{says}; the vendor refuses this write", status, response.text)


def used_up(response: httpx.Response, now: float) -> float:
    """Until when (epoch seconds) no call is left, by hakuna's ``X-RateLimit-Remaining``; 0 where one is."""
    none = response.headers.get("X-RateLimit-Remaining", "").strip() == "0"
    return now + pause(response, now) if none else 0.0


def pause(response: httpx.Response, now: float, unsaid: float = PAUSE) -> float:
    """Seconds to wait by ``Retry-After`` (seconds or a date), else by hakuna's ``X-RateLimit-Reset``; ``unsaid``
    where no answer says."""
    for name in ("Retry-After", "X-RateLimit-Reset"):
        text = response.headers.get(name, "").strip()
        if text.isdecimal():
            return min(float(text), LONGEST_PAUSE)
        if text and name == "Retry-After":
            try:
                until = parsedate_to_datetime(text).timestamp()
            except (ValueError, TypeError, OverflowError):
                continue
            return min(max(until - now, 0.0), LONGEST_PAUSE)
    return unsaid
