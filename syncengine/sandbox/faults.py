"""Faults that can be put into a vendor's way, and what they do to an answer."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from random import Random
from typing import Any, Final, Literal, get_args

from syncengine.sandbox.claims import IDS, NOT_DONE, UNNAMED
from syncengine.sandbox.vendor import Reply

Kind = Literal[
    "refuse",
    "drop_before",
    "drop_after",
    "late",
    "status_429",
    "status_429_bare",
    "status_500",
    "status_503",
    "expire_tokens",
    "truncate",
    "wrong_type",
    "missing_id",
    "unknown_enum",
    "html",
    "redirect",
    "gone",
    "half_text",
    "huge",
    "repeat_row",
    "shrink",
    "empty_list",
    "small_pages",
    "slow",
    "slow_head",
    "slow_body",
]
KINDS: tuple[str, ...] = (*get_args(Kind), *NOT_DONE, *UNNAMED)
TWISTS = ("repeat_row", "shrink", "empty_list")
SMALL: Final = 3
"""Rows of a page of a vendor that serves fewer than it is asked for."""
HUGE: Final = 20 * 1024 * 1024
"""Bytes of an answer that is too large; it is good JSON."""

_ONE_OF_FEW: Final = re.compile(r"[A-Z]{3,}(_[A-Z]+)*|[a-z]+(_[a-z]+)+")


@dataclass(slots=True)
class Fault:
    """What goes wrong, and for which requests.

    ``route``: a template or a pattern of paths (``/employees/*``), below the vendor's prefix. The first
    ``skip`` matching requests pass; then each is hit with ``probability``, until ``count`` were hit (None:
    no end). ``delay``: seconds until the commit (late), before the answer (slow), over its head (slow_head) or
    body (slow_body), or to wait (status_429). ``field``: the member of the first row that is spoiled (wrong_type,
    missing_id, unknown_enum, half_text); without it one that is fit for that. ``status``: of a web page (html) or a
    redirect, instead of 200 and 302. ``retry_after``: that header, as it is written here, of any answer that a fault
    gives in the vendor's place. ``gone`` says 410 where the vendor says 404. Those of ``claims`` befall writes
    alone.
    """

    vendor: str
    kind: str
    method: str | None = None
    route: str | None = None
    count: int | None = None
    probability: float = 1.0
    seed: int = 0
    skip: int = 0
    delay: float = 1.0
    field: str | None = None
    status: int | None = None
    retry_after: str | None = None
    hits: int = 0
    _random: Random = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind: expected one of {', '.join(KINDS)}")
        self._random = Random(self.seed)

    def strikes(self, vendor: str, method: str, template: str, path: str) -> bool:
        if vendor != self.vendor or self.method not in (None, method):
            return False
        if self.route is not None and self.route != template and not fnmatchcase(path, self.route):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.count is not None and self.hits >= self.count:
            return False
        if self.probability < 1 and self._random.random() >= self.probability:
            return False
        self.hits += 1
        return True

    def shown(self) -> dict[str, Any]:
        names = (
            "vendor",
            "kind",
            "method",
            "route",
            "count",
            "probability",
            "seed",
            "skip",
            "delay",
            "field",
            "status",
            "retry_after",
        )
        return {name: getattr(self, name) for name in (*names, "hits")}


def instead(fault: Fault) -> Reply | None:
    """The answer that a fault gives in place of the vendor's, or None."""
    said = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
    if fault.kind == "status_429":
        wait = {"Retry-After": str(max(1, round(fault.delay))), **said}
        return Reply(429, {"error": "You sent too many requests, please try again later."}, wait)
    if fault.kind == "html":
        page = "<html><body><h1>Maintenance</h1></body></html>"
        return Reply(fault.status or 200, page, said, "text/html")
    if fault.kind == "redirect":
        return Reply(fault.status or 302, "", {"Location": "/login", **said}, "text/plain")
    statuses = {
        "status_429_bare": (429, "Too Many Requests"),
        "status_500": (500, "Internal Server Error"),
        "status_503": (503, "Service Unavailable"),
    }
    if fault.kind in statuses:
        status, message = statuses[fault.kind]
        return Reply(status, {"message": message}, said)
    return None


def spoil(fault: Fault, reply: Reply) -> Reply:
    """The vendor's answer after a fault has been at it; refusals stay as they are, but for what is gone."""
    if fault.kind == "gone" and reply.status == 404:
        return replace(reply, status=410)
    if reply.payload is None or isinstance(reply.payload, str) or reply.status >= 300:
        return reply
    text = json.dumps(reply.payload, ensure_ascii=False)
    if fault.kind == "truncate":
        return Reply(reply.status, text[: max(1, len(text) // 2)], reply.headers)
    if fault.kind == "huge":
        return Reply(reply.status, " " * HUGE + text, reply.headers)
    if fault.kind in _SPOILERS:
        payload = json.loads(text)
        for row in _rows(payload):
            if _SPOILERS[fault.kind](row, fault.field):
                break
        if fault.kind == "half_text":  # escaped, as it cannot be sent otherwise
            payload = json.dumps(payload)
        return Reply(reply.status, payload, reply.headers)
    return reply


def _rows(payload: Any) -> list[dict[str, Any]]:
    """The rows of an answer, or the one object that it is."""
    rows = payload
    if isinstance(payload, dict):
        held = (payload.get(name) for name in ("data", "results", "items"))
        rows = next((found for found in held if isinstance(found, list)), [payload])
    return [row for row in rows if isinstance(row, dict)]


def _wrong_type(row: dict[str, Any], name: str | None) -> bool:
    return _put(row, name, (str, int, float), lambda old: 12345 if isinstance(old, str) else "many")


def _unknown_enum(row: dict[str, Any], name: str | None) -> bool:
    def strange(old: Any) -> str | None:
        few = isinstance(old, bool) or name or _ONE_OF_FEW.fullmatch(str(old))
        return "UNHEARD_OF" if few else None

    return _put(row, name, str, strange) or _put(row, name, bool, strange)


def _half_text(row: dict[str, Any], name: str | None) -> bool:
    return _put(row, name, str, lambda old: f"{old}\ud83d")


def _missing_id(row: dict[str, Any], name: str | None) -> bool:
    found = next((n for n in ((name,) if name else IDS) if n in row), None)
    return found is not None and row.pop(found, ...) is not ...


_SPOILERS: Final[dict[str, Callable[[dict[str, Any], str | None], bool]]] = {
    "wrong_type": _wrong_type,
    "missing_id": _missing_id,
    "unknown_enum": _unknown_enum,
    "half_text": _half_text,
}
"""What each does to a row in place; whether it could."""


def _put(
    row: dict[str, Any],
    name: str | None,
    kinds: type | tuple[type, ...],
    make: Callable[[Any], Any],
) -> bool:
    """Give the member of that name, or the first of such a type, what ``make`` makes of it (None: not this one)."""
    for holder, key in _members(row):
        old, exact = holder[key], key == name
        fit = isinstance(old, kinds) and (kinds is bool or not isinstance(old, bool))
        if exact or (name is None and fit and not key.lower().endswith("id")):
            new = make(old)
            if new is not None:
                holder[key] = new
                return True
    return False


def _members(row: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """The members of a row, its own first, then those of what is in it."""
    yield from ((row, key) for key in list(row))
    for value in list(row.values()):
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict):
                yield from _members(inner)
