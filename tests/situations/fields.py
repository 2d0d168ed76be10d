"""Fields of a row and its record: who changed what, who owns it, how it flows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from syncengine.model.link import Base
from tests.situations.scenes import field_scene, outcome, remade, the_one
from tests.situations.tables import Given

Values = tuple[Any, Any]
"""Our value and the one here."""

FLOWS: Final = {
    "`both`, in scope": (("both", True),),
    "`both`, out of scope": (("both", False),),
    "`in`": (("in", True), ("in", False)),
    "`out`, in scope": (("out", True),),
    "`out`, out of scope": (("out", False),),
    "`match`": (("match", True), ("match", False)),
}
"""How the rule flows, and whether the record is in scope; several that must end alike."""
OWNERS: Final = {
    "nobody, `flag`": "on_conflict: flag",
    "nobody, here wins": "on_conflict: lms",
    "nobody, ours wins": "on_conflict: hr",
    "this system": "owner: lms",
    "another, `revert`": "owner: hr",
    "another, `flag`": "owner: hr, on_drift: flag",
}
AGREED: Final = Base({"job": "m"}, {"job": "m"})
MOVES: Final[Mapping[str, Values]] = {
    "nothing changed": ("m", "m"),
    "changed here": ("m", "h"),
    "emptied here": ("m", None),
    "changed in our record": ("r", "m"),
    "emptied in our record": (None, "m"),
    "both changed, alike": ("h", "h"),
    "both changed, differently": ("r", "h"),
    "emptied here, changed in our record": ("r", None),
    "changed here, emptied in our record": (None, "h"),
    "both emptied": (None, None),
}
SIGHTS: Final[Mapping[str, Values]] = {
    "equal": ("h", "h"),
    "only here": (None, "h"),
    "only in our record": ("r", None),
    "different": ("r", "h"),
}
WINNERS: Final = {
    "`flag`": "flag", "`newest`": "newest", "`max`": "max", "`min`": "min",
    "this system": "lms", "another system": "hr",
}  # fmt: skip
SET: Final = Base({"job": ["m", "n"]}, {"job": ["m", "n"]})
SETS: Final[Mapping[str, Values]] = {
    "item added here": (["m", "n"], ["h", "m", "n"]),
    "item removed here": (["m", "n"], ["m"]),
    "item added in our record": (["m", "n", "r"], ["m", "n"]),
    "item removed in our record": (["m"], ["m", "n"]),
    "both added other items": (["m", "n", "r"], ["h", "m", "n"]),
    "item removed here, added in our record": (["m", "n", "r"], ["m"]),
    "item added here, removed in our record": (["m"], ["h", "m", "n"]),
    "both removed other items, none is left": (["m"], ["n"]),
}
CHANCES: Final[Mapping[str, tuple[Values, Base]]] = {
    "first link, only here": (SIGHTS["only here"], Base()),
    "first link, only in our record": (SIGHTS["only in our record"], Base()),
    "first link, different": (SIGHTS["different"], Base()),
    "changed here": (MOVES["changed here"], AGREED),
    "changed in our record": (MOVES["changed in our record"], AGREED),
    "emptied here": (MOVES["emptied here"], AGREED),
    "both changed, differently": (MOVES["both changed, differently"], AGREED),
}


def _field(given: Given, values: Values, base: Base, declared: str, changed: str = "") -> str:
    clear = ", clear: true" if given["`clear`"] == "yes" else ""
    found = []
    for flow, inside in FLOWS[given["`flow`"]]:
        start = field_scene(
            *values, base, declared + clear, f"{{field: job, flow: {flow}}}", inside
        )
        found.append(outcome(remade(start, changed) if changed else start))
    return the_one(found)


def agreed_before(given: Given) -> str:
    """A field of a linked row and its record."""
    values = MOVES[given["since they agreed"]]
    return _field(given, values, AGREED, f"string, {OWNERS[given['owner']]}")


def first_link(given: Given) -> str:
    """A field of a row and a record that were just found to be one."""
    values = SIGHTS[given["at first sight"]]
    return _field(given, values, Base(), f"string, {OWNERS[given['owner']]}")


def who_wins(given: Given) -> str:
    """Which side an ``on_conflict`` prefers."""
    clash = given["the clash"]
    first = clash == "first link, different"
    ours, here = SIGHTS["different"] if first else MOVES[clash]
    low, high = "a", "z"
    ours = ours and (high if given["larger"] == "ours" else low)
    here = here and (low if given["larger"] == "ours" else high)
    declared = f"string, clear: true, on_conflict: {WINNERS[given['`on_conflict`']]}"
    base = Base() if first else AGREED
    made = outcome(field_scene(ours, here, base, declared, "job", seen_last=given["seen last"]))
    wins = {"learned": "here wins", "written": "ours wins", "asked: conflict": "asked: conflict"}
    return wins[made.split(";")[0]]


def rule_changed(given: Given) -> str:
    """A field at rest whose rule is another one than when both agreed."""
    values = SIGHTS[given["now they are"]]
    base = Base({"job": values[0]}, {"job": values[1]})
    return _field(given, values, base, f"string, {OWNERS[given['owner']]}", given["in the rule"])


def sets(given: Given) -> str:
    """A set, item by item."""
    return _field(given, SETS[given["since they agreed"]], SET, "set, of: string")


def applied(given: Given) -> str:
    """``apply`` of a rule that reads and writes."""
    values, base = CHANCES[given["so it stands"]]
    rule = f"{{field: job, apply: {given['`apply`'].strip('`')}}}"
    return outcome(
        field_scene(*values, base, "string, on_conflict: newest", rule, seen_last="here")
    )
