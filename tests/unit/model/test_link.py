"""A link has a mirror, a tie and work that is due; each changes in one way, and only along the edges that are drawn."""

from __future__ import annotations

import ast
from dataclasses import fields, replace
from itertools import product

import pytest

from syncengine.errors import Bug
from syncengine.model.link import (
    FRESHNESS_EDGES,
    STATE_EDGES,
    Base,
    Doubt,
    Freshness,
    Link,
    LinkState,
    MirrorPart,
    TiePart,
)
from tests.house import ROOT, sources

LINK = Link("k1", "person", "lms", "people")
EXAMPLES: dict[Freshness, Link] = {
    Freshness.UNREAD: LINK,
    Freshness.DUE: replace(LINK, need_get=True),
    Freshness.RETRIED: replace(LINK, need_get=True, failures=1),
    Freshness.SET_ASIDE: replace(LINK, failures=8),
    Freshness.CURRENT: replace(LINK, row={"a": 1}, read_at=5.0),
    Freshness.SUSPECTED: replace(LINK, row={"a": 1}, read_at=5.0, suspected_at=7.0),
    Freshness.ABSENT: replace(LINK, read_at=5.0),
}
WORK = {"dirty", "version"}
PLACE = {"id", "entity", "connection", "resource"}
WRITERS = {
    "mirrored": {"flows/capture", "planning/observation.py", "flows/send", "planning/settle.py",
                 "planning/identity.py", "flows/naming", "flows/core/clock_setback.py",
                 "flows/reconcile/follow.py", "flows/run/restore.py", "flows/people/links.py"},
    "proved": {"planning/observation.py"},
    "tied": {"planning", "flows/reconcile", "flows/send", "flows/people", "flows/core/staging.py",
             "flows/core/clock_setback.py", "flows/naming"},
}  # fmt: skip
"""Part -> rooms and modules that write it."""
COPIES = {"model/link.py", "ledger/writing.py", "flows/run/rehearsal.py", "flows/run/planned.py",
          "flows/views/queries.py"}  # fmt: skip
"""Modules that may replace attributes of a link at will: its own, its writer, and those whose copies are never
stored."""


@pytest.mark.parametrize(("before", "after"), [*product(LinkState, repeat=2)])
def test_a_state_becomes_only_what_is_drawn(before: LinkState, after: LinkState) -> None:
    """Any other step is a fault of the program, and is refused before it can be stored."""
    link = replace(LINK, state=before)
    if after is before or after in STATE_EDGES[before]:
        assert link.tied(state=after).state is after
    else:
        with pytest.raises(Bug, match=f"k1 of lms cannot go from {before} to {after}"):
            link.tied(state=after)


@pytest.mark.parametrize(("before", "after"), [*product(Freshness, repeat=2)])
def test_a_row_is_as_fresh_as_a_drawn_step_makes_it(before: Freshness, after: Freshness) -> None:
    """Freshness follows from what is stored; a step that is not drawn is refused."""
    link, then = EXAMPLES[before], EXAMPLES[after]
    assert link.freshness is before
    seen = MirrorPart(
        row=then.row, read_at=then.read_at, need_get=then.need_get, failures=then.failures,
        suspected_at=then.suspected_at,
    )  # fmt: skip
    if after is before or after in FRESHNESS_EDGES[before]:
        assert link.mirrored(**seen).freshness is after
    else:
        with pytest.raises(Bug, match=f"cannot go from {before} to {after}"):
            link.mirrored(**seen)


def test_the_parts_are_the_whole() -> None:
    """Each attribute belongs to the mirror, to the tie, to the work that is due, or says which row it is."""
    parts = [PLACE, WORK, MirrorPart.__annotations__.keys(), TiePart.__annotations__.keys()]
    assert sorted(n for part in parts for n in part) == sorted(f.name for f in fields(Link))


def test_a_read_changes_doubts_and_no_agreed_value() -> None:
    """What both sides agreed on is a decision; a read holds only our unproved writes against what it shows."""
    doubted = replace(LINK, base=Base({"a": 1}, {"a": "1"}, doubts={"a": Doubt(None)}))
    assert doubted.proved(replace(doubted.base, doubts={})).base.doubts == {}
    with pytest.raises(Bug, match="changed what was agreed"):
        doubted.proved(replace(doubted.base, vendor={"a": "2"}))


def test_whoever_asks_for_work_adds_to_what_is_due() -> None:
    """A row without an id cannot be read on its own; the rest is asked for, never taken back."""
    assert LINK.woken().woken(2).dirty == 3
    assert not LINK.to_read().need_get
    assert replace(LINK, external_id="7").to_read().freshness is Freshness.DUE
    assert LINK.woken().at_rest().dirty == 0


def test_what_was_decided_keeps_reads_that_came_meanwhile() -> None:
    """Reads that left the row as it was are not undone by a decision that did not know them."""
    held = replace(LINK, version=4, read_at=9.0, need_get=True, foreign_values={"a": 1})
    kept = replace(LINK, state=LinkState.LINKED).beside_reads(held, 1)
    assert (kept.state, kept.version, kept.dirty) == (LinkState.LINKED, 4, 1)
    assert (kept.read_at, kept.need_get, kept.foreign_values) == (9.0, True, {"a": 1})


def test_each_part_is_written_in_its_own_rooms() -> None:
    """Who reads a row writes its mirror, who decides writes its tie, and nobody replaces attributes one by one."""
    owned = (MirrorPart.__annotations__.keys() | TiePart.__annotations__.keys() | WORK) - {
        "state", "failures", "external_id", "record_id", "version", "row", "parent", "listed_hash", "stamps",
    }  # fmt: skip
    astray = []
    for path in sources("flows", "planning", "ledger", "model"):
        place = path.relative_to(ROOT / "syncengine").as_posix()
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(call, ast.Call):
                continue
            name = getattr(call.func, "attr", getattr(call.func, "id", ""))
            if name in WRITERS and not place.startswith((*WRITERS[name], "model/link.py")):
                astray.append(f"{place}:{call.lineno} writes {name}")
            named = {k.arg for k in call.keywords}
            if name == "replace" and named & owned and place not in COPIES:
                astray.append(f"{place}:{call.lineno} replaces {named & owned}")
    assert astray == []
