"""What a plan says, and what a pass then wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncengine.flows.views.plan import plan
from tests.support.bench import Bench


def told(made: Bench) -> list[tuple[str, str, str, dict[str, tuple[Any, Any]]]]:
    """Entity, connection, action, and what becomes of each field, of all that is planned."""
    return [
        (
            change["entity"], change["connection"], change["action"],
            {f["field"]: (f["old"], f["new"]) for f in change["fields"]},
        )
        for change in plan(made.engine)["changes"]
    ]  # fmt: skip


def writes(document: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Entity, connection and action of each row that is written."""
    return sorted(
        (c["entity"], c["connection"], c["action"])
        for c in document["changes"]
        if c["action"] != "learn"
    )


def wrote(made: Bench, **asked: Any) -> list[tuple[str, str]]:
    """Connection and verb of each write of the next pass."""
    for vendor in made.vendors.values():
        vendor.calls.clear()
    made.sync(**asked)
    return sorted((name, verb) for name, calls in made.written().items() for verb, _ in calls)
