"""What stands beside each other in a question: what decides first, the rest folded away."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from syncengine.flows.naming.masking import DOTS
from syncengine.web.console.words import NOTHING, plain

FIRST: Final = 8
"""Fields that are seen at once."""
PLACE: Final = re.compile(r" \((?P<place>[\w.-]+\.ya?ml[^()]*)\)")
"""Where in the mapping something stands, in a sentence."""


class Beside(NamedTuple):
    """``heads``: what each side is called, and its id; ``first``: the rows that are seen at once, ``more``: the others.
    ``weighs``: whether each difference is in question itself; of rows that may be somebody's, what is the same is."""

    heads: list[tuple[str, str]]
    first: list[dict[str, Any]]
    more: list[dict[str, Any]]
    weighs: bool


def beside(document: Mapping[str, Any], advice: Mapping[str, Any] | None) -> Beside:
    """The sides of the document of a question."""
    sides, shared = document["sides"], (advice or {}).get("shared", [])
    alike = (advice or {}).get("alike", [])
    fields = dict.fromkeys(name for side in sides for name in side["values"])
    rows = [row for row in (_row(n, sides, shared, alike) for n in fields) if row["told"]]
    weighs = document["kind"] != "identity"
    rows.sort(key=lambda row: (not row["shared"], not row["alike"], not row["differs"]))
    most = max(FIRST, len(shared), len(alike)) if len(sides) > 1 else FIRST + 4
    first = rows if len(rows) <= most + 1 else rows[:most]
    heads = [(_bare(side["title"], side["of"]), side["of"]) for side in sides]
    return Beside(heads, first, rows[len(first) :], weighs)


def split_place(sentence: str) -> tuple[str, str]:
    """A sentence without the places of the mapping in it, and these."""
    found = [f["place"] for f in PLACE.finditer(sentence)]
    return PLACE.sub("", sentence), ", ".join(found)


def _bare(title: str, id_: str) -> str:
    return title.removesuffix(id_).rstrip() if id_ else title


def _row(
    name: str, sides: Sequence[Mapping[str, Any]], shared: Sequence[str], alike: Sequence[str]
) -> dict[str, Any]:
    """A field, side by side."""
    given = [side["values"].get(name) for side in sides]
    shown = {plain(side["values"][name]).casefold() for side in sides if name in side["values"]}
    return {
        "name": name,
        "values": given,
        "differs": len(shown) > 1,
        "shared": name in shared,
        "alike": name in alike,
        "covered": DOTS in shown,
        "both": sum(name in side["values"] for side in sides) > 1,
        "told": any(map(_says, given)),
    }


def _says(value: Any) -> bool:
    return plain(value) != NOTHING
