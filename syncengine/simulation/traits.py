"""What a simulated vendor is told to be: its declaration, its spelling, and what befalls its calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Literal

from syncengine.errors import RateLimited, Rejected, SyncengineError, Unauthorized, VendorDown
from syncengine.model.resource import ConnectorSpec, FieldSpec, ResourceSpec
from syncengine.model.values import Json, TypeName

Shape = Callable[[dict[str, Json]], None]
"""Brings a row into the vendor's own spelling, in place."""

Fault = Literal[
    "refuse", "down", "limit", "locked_out",  # surely not done
    "lost",  # never arrives, no answer
    "drop",  # done, the answer is lost
    "late",  # no answer, done later
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


def surely_not(fault: Fault | None) -> SyncengineError | None:
    """The error of a call that a fault keeps from being done."""
    errors: dict[str, SyncengineError] = {
        "refuse": Rejected("that is not allowed", 422, "not allowed"),
        "down": VendorDown("refused the connection"),
        "fail": VendorDown("503"),
        "limit": RateLimited("429", 0.0),
        "locked_out": Unauthorized("401"),
    }
    return errors.get(fault or "")


class Open:
    """A gate that lets all pass."""

    def enter(self, write: bool) -> None:
        """Nothing is asked."""


@dataclass(slots=True)
class Table:
    """The rows of a resource, and what they were."""

    rows: dict[str, dict[str, Json]] = field(default_factory=dict)
    past: list[tuple[float, dict[str, dict[str, Json]]]] = field(default_factory=list)
    number: int = 0

    def remember(self, now: float) -> None:
        """Something has changed."""
        self.past.append((now, deepcopy(self.rows)))

    def at(self, when: float) -> dict[str, dict[str, Json]]:
        """The rows as they were."""
        return next((rows for at, rows in reversed(self.past) if at <= when), {})
