"""Faults that can be put into a vendor's way, and what they do to an answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from random import Random
from typing import Any, Literal, get_args

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
    "html",
    "repeat_row",
    "shrink",
    "empty_list",
    "slow",
]
KINDS: tuple[str, ...] = get_args(Kind)
TWISTS = ("repeat_row", "shrink", "empty_list")


@dataclass(slots=True)
class Fault:
    """What goes wrong, and for which requests.

    ``route``: a template or a pattern of paths (``/employees/*``), below the vendor's prefix. The first
    ``skip`` matching requests pass; then each is hit with ``probability``, until ``count`` were hit (None:
    no end). ``delay``: seconds until the commit (late), before the answer (slow), or to wait (status_429).
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
    hits: int = 0
    _random: Random = field(init=False, repr=False)

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
        )
        return {name: getattr(self, name) for name in (*names, "hits")}


def instead(fault: Fault) -> Reply | None:
    """The answer that a fault gives in place of the vendor's, or None."""
    if fault.kind == "status_429":
        wait = {"Retry-After": str(max(1, round(fault.delay)))}
        return Reply(429, {"error": "You sent too many requests, please try again later."}, wait)
    if fault.kind == "html":
        return Reply(200, "<html><body><h1>Maintenance</h1></body></html>", media="text/html")
    statuses = {
        "status_429_bare": (429, "Too Many Requests"),
        "status_500": (500, "Internal Server Error"),
        "status_503": (503, "Service Unavailable"),
    }
    if fault.kind in statuses:
        status, message = statuses[fault.kind]
        return Reply(status, {"message": message})
    return None


def spoil(fault: Fault, reply: Reply) -> Reply:
    """The vendor's answer after a fault has been at it."""
    if reply.payload is None or isinstance(reply.payload, str):
        return reply
    if fault.kind == "truncate":
        text = json.dumps(reply.payload, ensure_ascii=False)
        return Reply(reply.status, text[: max(1, len(text) // 2)], reply.headers)
    if fault.kind == "wrong_type":
        payload = json.loads(json.dumps(reply.payload))
        row = _first_row(payload)
        for name, value in row.items():
            if isinstance(value, str) and not name.lower().endswith("id"):
                row[name] = 12345
                break
        return Reply(reply.status, payload, reply.headers)
    return reply


def _first_row(payload: Any) -> dict[str, Any]:
    rows = payload
    if isinstance(payload, dict):
        rows = payload.get("data", payload.get("results", [payload]))
    return rows[0] if rows and isinstance(rows[0], dict) else {}
