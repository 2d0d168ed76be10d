"""What an answer, or the lack of one, says about a request: the only place that reads HTTP statuses.

======================  ==================  =====================  =================
what came back          token               read                   write
======================  ==================  =====================  =================
never sent              VendorDown          VendorDown             VendorDown
sent, no answer         VendorDown          VendorDown             Unknown
202, 206                fine                VendorDown             fine
other 2xx               fine                fine                   fine
400, 403                Unauthorized        VendorDown             Rejected
401                     Unauthorized        Unauthorized           Unauthorized
408, 425                VendorDown          VendorDown             VendorDown
409                     VendorDown          VendorDown             Exists (create)
429                     RateLimited         RateLimited            RateLimited
307, 308                Astray              Astray                 Astray
other 3xx               Astray              Astray                 Unknown
4xx with a web page     Astray              Astray                 Astray
4xx with Retry-After    RateLimited         RateLimited            RateLimited
other 4xx               VendorDown          VendorDown             Rejected
5xx with Retry-After    RateLimited         RateLimited            Unknown
5xx                     VendorDown          VendorDown             Unknown
======================  ==================  =====================  =================

A read that is refused is ``VendorDown`` and not ``Unauthorized`` unless the vendor says 401: one forbidden row
or resource must not halt a connection. A listing of which a part is shown is none. A vendor of an API answers neither
with redirects nor with web pages: these come from what stands before it (a login, a firewall, a notice that it is under
repair), prove nothing of a row, and pass.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from typing import Final

import httpx

from syncengine.adapters.rest.network import unreached
from syncengine.errors import (
    Astray,
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
"""Seconds until the next try where a 429 names none, or one that is over at once; the first of several in a row."""

LONGEST_PAUSE: Final = 3600.0
"""Seconds; a vendor that asks for a longer pause is asked again after this one."""

GONE: Final = (404, 410)
"""What a vendor says of a row that is not there, or not any more."""


PARTIAL: Final = (202, 206)
"""What a vendor says where the answer to a read is still to come, or is a part of what was asked for."""


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


ASTRAY: Final = (
    "not the vendor but something before it seems to have answered; is the base_url right?"
)

MISFITS: Final = (
    ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError, RuntimeError, OSError,
    SystemExit, httpx.InvalidURL,
)  # fmt: skip
"""What our own code, or that of a project's module, raises over a value that it did not expect from a vendor."""

_MEDIA: Final = re.compile(r"(application|text|image|audio|video|multipart)/[\w.+-]{1,40}")

_VALUELESS: Final = (TypeError, AttributeError)
"""Those of them whose ``misfit`` quotes no value. What a KeyError misses may be one: a table has no entry for it."""


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


def misfit(error: BaseException) -> str:
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
        return down(f"{what}: not sent: {unreached(error)}")
    if isinstance(error, httpx.TimeoutException) and not kind.writes:
        return VendorDown(f"{what}: no answer in time ({name})")
    return broken(f"no whole answer ({name})", kind, what)


def broken(why: str, kind: Kind, what: str) -> SyncengineError:
    """The verdict on no whole answer, although the request may have taken effect."""
    if kind.writes:
        return Unknown(f"{what}: {why}; it may have taken effect")
    return Hiccup(f"{what}: {why}")


def unusable(why: str, kind: Kind, what: str) -> SyncengineError:
    """The verdict on an answer that cannot be used, although the request may have taken effect; a repeat of a read may
    bring a better one."""
    if kind is not Kind.READ:
        return broken(why, kind, what)
    return Unusable(f"{what}: {why}", passes=True)


def outline(response: httpx.Response) -> str:
    """What an answer that is no JSON is like, without a word of it: its kind and length, and where it fails."""
    kind = _MEDIA.match(response.headers.get("Content-Type", ""))
    told = f"{len(response.content):,} bytes of {kind[0].lower() if kind else 'unknown kind'}"
    try:
        json.loads(response.text)
    except json.JSONDecodeError as error:
        return f"{told}, wrong at character {error.pos + 1:,}"
    except (ValueError, RecursionError):
        pass
    return told


def answered(
    response: httpx.Response, kind: Kind, what: str, now: float, unsaid: float = PAUSE
) -> SyncengineError | None:
    """The verdict on a status; None for 2xx. ``now``: seconds since the epoch; ``unsaid``: see ``pause``."""
    status, page = response.status_code, is_page(response)
    says = f"{what}: HTTP {status}"
    if kind is Kind.READ and status in PARTIAL:
        return Hiccup(f"{says}; that is not the whole answer")
    if 200 <= status < 300:
        return None
    if status == 401 or (kind is Kind.TOKEN and status in (400, 403) and not page):
        return Unauthorized(f"{says}; the vendor refuses the credentials of this connection")
    elsewhere = 300 <= status < 400
    if kind.writes and (status >= 500 or (elsewhere and status not in (307, 308))):
        return Unknown(f"{says}; it may have taken effect")
    if status == 409 and kind is Kind.CREATE and not page:
        return Exists(f"{says}; the vendor has such a row")
    if asks_pause(response):
        until = now + pause(response, now, unsaid)
        return RateLimited(f"{says}; the vendor asks for a pause", until)
    if status >= 500:
        return Hiccup(says)
    if page or elsewhere:
        return Astray(f"{says}; {ASTRAY}")
    if not kind.writes or status in (408, 425):
        hint = "; the key may lack this right" if status == 403 else ""
        return VendorDown(says + hint)
    return Rejected(f"{says}; the vendor refuses this write", status, response.text)


def is_page(response: httpx.Response) -> bool:
    """Whether an answer is a web page, by what it says of itself or by how it begins."""
    said = "html" in response.headers.get("Content-Type", "").lower()
    start = response.content[:100].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return said or start.startswith((b"<!doctype html", b"<html"))


def asks_pause(response: httpx.Response) -> bool:
    """Whether the vendor asks us not to call for a while."""
    status = response.status_code
    return status == 429 or (status >= 300 and "Retry-After" in response.headers)


def used_up(response: httpx.Response, now: float) -> float:
    """Until when (epoch seconds) no call is left, by hakuna's ``X-RateLimit-Remaining``; 0 where one is."""
    none = response.headers.get("X-RateLimit-Remaining", "").strip() == "0"
    return now + pause(response, now) if none else 0.0


def pause(response: httpx.Response, now: float, unsaid: float = PAUSE) -> float:
    """Seconds to wait by ``Retry-After`` (seconds or a date), else by hakuna's ``X-RateLimit-Reset`` (seconds, or the
    time as such); ``unsaid`` where no answer says, or says that the pause is over."""
    for name in ("Retry-After", "X-RateLimit-Reset"):
        told = _told(response.headers.get(name, "").strip(), now)
        if told is not None:
            return min(told if told >= PAUSE else unsaid or PAUSE, LONGEST_PAUSE)
    return unsaid


def _told(text: str, now: float) -> float | None:
    """Seconds from now; None for what is neither a number nor a date."""
    try:
        told = float(text) if _NUMBER.fullmatch(text) else parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return told - now if told > _A_DATE or not _NUMBER.fullmatch(text) else told


_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?")
_A_DATE: Final = 1e9
"""Seconds that are no pause but the time at which it ends."""
