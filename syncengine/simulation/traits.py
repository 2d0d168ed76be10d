"""What a simulated vendor is told to be: its declaration, its spelling, and what befalls its calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from syncengine.errors import (
    Astray,
    RateLimited,
    Rejected,
    SyncengineError,
    Unauthorized,
    VendorDown,
)
from syncengine.model.resource import ConnectorSpec, FieldSpec, ResourceSpec
from syncengine.model.values import Json, TypeName

LATENCY = 0.25
"""Seconds of each half of a call."""

Shape = Callable[[dict[str, Json]], None]
"""Brings a row into the vendor's own spelling, in place."""

Fault = Literal[
    "refuse", "down", "limit", "locked_out", "page",  # surely not done
    "lost",  # never arrives, no answer
    "drop",  # done, the answer is lost
    "late",  # no answer, done later
    "ignore", "mute",  # accepted and not done; the answer shows what stands there, or nothing of it
    "later",  # accepted, and done later
    "unnamed",  # a create that is done, and its answer names no row
    "fail", "partial", "empty", "short",  # listings
]  # fmt: skip


def as_it_is(row: dict[str, Json]) -> None:
    """The vendor keeps what it is given."""
    del row


def spec(
    name: str, *fields: str, resource: str = "people", types: Mapping[str, TypeName] | None = None,
    settle_time: float = 5.0, **abilities: Any,
) -> ConnectorSpec:  # fmt: skip
    """A vendor of one resource, all fields of which may be written; ``id`` may only be read."""
    chosen = abilities.get("chosen_id")
    made = {
        n: FieldSpec((types or {}).get(n, "string"), n != "id" or chosen == "id") for n in fields
    }
    unlisted = abilities.pop("unlisted", ())
    for n in unlisted:
        made[n] = FieldSpec(made[n].type, True, listed=False)
    able: dict[str, Any] = {"create": True, "update": True, "delete": True, **abilities}
    return ConnectorSpec(
        name, {resource: ResourceSpec(resource, made, **able)}, (), settle_time=settle_time,
        concurrency=1,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Front:
    """What a vendor's HTTP side is like. ``pages``: seconds for which a web page stands before it once it is down or
    fails. ``pause``: seconds that it asks for where it fails or is asked too much, by a Retry-After as we read it.
    ``hangs``: seconds after which a call without an answer is given up. ``gone``: what it says of a row that is not
    there. ``rows``: of a page, whatever it is asked for."""

    pages: float = 0.0
    pause: float | None = None
    hangs: float = LATENCY
    gone: int = 404
    rows: int = 0


def surely_not(fault: Fault | None, front: Front, now: float) -> SyncengineError | None:
    """The error of a call that a fault keeps from being done."""
    until = 0.0 if front.pause is None else now + front.pause
    failing = VendorDown("500") if front.pause is None else RateLimited("503", until)
    errors: dict[str, SyncengineError] = {
        "refuse": Rejected("that is not allowed", 422, "not allowed"),
        "down": VendorDown("refused the connection"),
        "fail": failing,
        "limit": RateLimited("429", until),
        "locked_out": Unauthorized("401"),
        "page": Astray("a web page"),
    }
    return errors.get(fault or "")


class Open:
    """A gate that lets all pass."""

    def enter(self, write: bool) -> None:
        """Nothing is asked."""
