"""One field of one link."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncengine.model.values import is_empty
from syncengine.planning.merge import Decision, Side, Verdict, merge_field

VALUES = st.sampled_from([None, "a", "b", "c"])
SETS = st.lists(st.integers(1, 12), unique=True).map(lambda s: sorted(s) or None)


@st.composite
def sides(draw: st.DrawFn, values: Any = VALUES, is_set: bool = False) -> Side:
    """Any side that can come about: without base values both count as moved, equal values agree."""
    ours, theirs = draw(values), draw(values)
    first = draw(st.booleans())
    return Side(
        here="hr",
        ours=ours,
        theirs=theirs,
        agrees=ours == theirs or draw(st.booleans()),
        ours_moved=first or draw(st.booleans()),
        theirs_moved=first or draw(st.booleans()),
        first=first,
        rule_changed="" if first else draw(st.sampled_from(["", "spelling", "place"])),
        given=not is_empty(ours) or draw(st.booleans()),
        can_in=draw(st.booleans()),
        can_out=draw(st.booleans()),
        owner=draw(st.sampled_from([None, "hr", "lms"])),
        on_conflict=draw(st.sampled_from(["flag", "newest", "max", "min", "hr", "lms"])),
        on_drift=draw(st.sampled_from(["revert", "flag"])),
        clear=draw(st.booleans()),
        is_set=is_set,
        before=draw(values) if is_set else None,
        stamp_ours=draw(st.integers(0, 3)),
        stamp_theirs=draw(st.integers(0, 3)),
    )


SIDES = sides()
SET_SIDES = sides(SETS, is_set=True)


@given(SIDES | SET_SIDES)
def test_every_combination_has_an_outcome_that_the_rule_allows(side: Side) -> None:
    """No combination raises; what may not flow in is never taken, what may not flow out is never written."""
    decision = merge_field(side)
    if decision.verdict in (Verdict.PATCH, Verdict.JOIN):
        assert side.can_in
    if decision.verdict in (Verdict.WRITE, Verdict.JOIN):
        assert side.can_out


@given(SIDES | SET_SIDES)
def test_what_agrees_moves_nothing(side: Side) -> None:
    """Same meaning, no write."""
    assert merge_field(replace(side, agrees=True)) == Decision(Verdict.AGREE)


@given(SIDES)
def test_nobody_loses_a_value_in_silence(side: Side) -> None:
    """Where both changed, the value decided against is named with its origin, or somebody is asked."""
    decision = merge_field(side)
    both = side.ours_moved and side.theirs_moved and not side.first and not side.agrees
    if not both or is_empty(side.ours) or is_empty(side.theirs):
        return
    if decision.verdict is Verdict.PATCH:
        assert (decision.lost, decision.lost_by) == (side.ours, "record")
    if decision.verdict is Verdict.WRITE:
        assert (decision.lost, decision.lost_by) == (side.theirs, "hr")


@given(SIDES)
def test_what_did_not_move_overrules_nobody(side: Side) -> None:
    """A side that did not move since they agreed never wins over the one that did, but for its owner."""
    decision = merge_field(side)
    if side.ours_moved and not side.theirs_moved and not is_empty(side.ours):
        assert decision.verdict is not Verdict.PATCH
    ownerless = side.owner in (None, "hr") and side.can_in and not is_empty(side.theirs)
    if side.theirs_moved and not side.ours_moved and ownerless and not side.agrees:
        assert decision.verdict is Verdict.PATCH


@given(SIDES)
def test_an_owner_s_word_stands(side: Side) -> None:
    """Nobody else's change of an owned field is taken over, once it has a value."""
    owned = replace(side, owner="lms")
    decision = merge_field(owned)
    if not is_empty(owned.ours) and decision.verdict is Verdict.PATCH:
        raise AssertionError(f"{owned} was overruled: {decision}")
    here = replace(side, owner="hr", can_in=True, ours_moved=True, theirs_moved=True)
    if not is_empty(here.theirs) and not here.agrees and not is_empty(here.ours):
        assert merge_field(here).verdict is Verdict.PATCH


@given(SIDES)
def test_a_changed_rule_asks_nobody_and_tells_the_owner_nothing(side: Side) -> None:
    """Where only the rule between the two is another, its owner's value is read, never overwritten, all else gets
    ours, and what would be lost stays on record."""
    still = replace(side, first=False, rule_changed="place", ours_moved=False, theirs_moved=False,
                    agrees=False)  # fmt: skip
    decision = merge_field(still)
    assert decision.verdict in (Verdict.KEEP, Verdict.PATCH, Verdict.WRITE)
    if is_empty(still.ours) or is_empty(still.theirs):
        return
    if still.can_in and still.owner == "hr":
        assert (decision.verdict, decision.value) == (Verdict.PATCH, still.theirs)
    elif still.can_out:
        assert (decision.verdict, decision.lost) == (Verdict.WRITE, still.theirs)
    told = merge_field(replace(still, rule_changed="spelling"))
    assert told == replace(decision, lost=None, lost_by="")


@given(SIDES)
def test_only_flags_ask(side: Side) -> None:
    """A conflict is asked only under ``flag`` without owner, drift only under ``on_drift: flag``."""
    verdict = merge_field(side).verdict
    if verdict is Verdict.CONFLICT:
        assert (side.on_conflict, side.owner) == ("flag", None)
    if verdict is Verdict.DRIFT:
        assert (side.on_drift, side.owner) == ("flag", "lms")


@given(SET_SIDES)
def test_sets_lose_no_addition_and_keep_no_removal(side: Side) -> None:
    """Joined, a set has what either side added, and nothing that either side removed; sorted, without repeats."""
    side = replace(
        side, agrees=False, first=False, ours_moved=True, theirs_moved=True, owner=None,
        can_in=True, can_out=True, clear=True, given=True,
    )  # fmt: skip
    if side.ours == side.theirs:
        return
    decision = merge_field(side)
    value = side.ours if decision.verdict is Verdict.WRITE else decision.value
    ours, theirs, before = (set(s or ()) for s in (side.ours, side.theirs, side.before))
    if side.ours is None or side.theirs is None:
        return
    assert set(value or ()) == (ours & theirs) | ((ours | theirs) - before)
    assert value is None or value == sorted(set(value))


@given(SET_SIDES)
def test_a_set_that_may_only_be_read_is_never_written(side: Side) -> None:
    """Item by item merging writes nothing where the rule only reads."""
    verdict = merge_field(replace(side, can_out=False)).verdict
    assert verdict not in (Verdict.WRITE, Verdict.JOIN)


@given(SIDES | SET_SIDES)
def test_empty_spreads_only_where_the_field_says_so(side: Side) -> None:
    """Without ``clear`` no value of a vendor is overwritten with nothing, nor ours replaced by nothing."""
    decision = merge_field(replace(side, clear=False, agrees=False, can_out=True))
    if decision.verdict is Verdict.WRITE:
        assert not is_empty(side.ours)
    if decision.verdict in (Verdict.PATCH, Verdict.JOIN):
        assert not is_empty(decision.value)


BOTH = Side("hr", "a", "b", agrees=False, ours_moved=True, theirs_moved=True)


@pytest.mark.parametrize(
    ("change", "verdict", "value"),
    [
        ({"on_conflict": "flag"}, Verdict.CONFLICT, None),
        ({"on_conflict": "newest", "stamp_theirs": 2, "stamp_ours": 1}, Verdict.PATCH, "b"),
        ({"on_conflict": "newest", "stamp_theirs": 1, "stamp_ours": 2}, Verdict.WRITE, None),
        ({"on_conflict": "max"}, Verdict.PATCH, "b"),
        ({"on_conflict": "min"}, Verdict.WRITE, None),
        ({"on_conflict": "hr"}, Verdict.PATCH, "b"),
        ({"on_conflict": "lms"}, Verdict.WRITE, None),
        ({"owner": "hr"}, Verdict.PATCH, "b"),
        ({"owner": "lms"}, Verdict.WRITE, None),
        ({"can_in": False}, Verdict.WRITE, None),
        ({"can_in": False, "can_out": False}, Verdict.KEEP, None),
        ({"ours_moved": False}, Verdict.PATCH, "b"),
        ({"ours_moved": False, "owner": "lms"}, Verdict.WRITE, None),
        ({"ours_moved": False, "owner": "lms", "on_drift": "flag"}, Verdict.DRIFT, None),
        ({"ours_moved": False, "owner": "lms", "can_out": False}, Verdict.KEEP, None),
        ({"theirs_moved": False}, Verdict.WRITE, None),
        ({"theirs_moved": False, "can_out": False}, Verdict.KEEP, None),
        ({"ours_moved": False, "theirs_moved": False}, Verdict.KEEP, None),
        ({"theirs": None}, Verdict.WRITE, None),
        ({"theirs": None, "clear": True, "ours_moved": False}, Verdict.PATCH, None),
        ({"theirs": None, "clear": True, "theirs_moved": False}, Verdict.WRITE, None),
        ({"ours": None, "theirs_moved": False}, Verdict.KEEP, None),
        ({"ours": None, "theirs_moved": False, "clear": True}, Verdict.WRITE, None),
        ({"ours": None, "given": False, "owner": "lms"}, Verdict.PATCH, "b"),
        ({"ours": None, "given": False, "theirs_moved": False}, Verdict.KEEP, None),
        ({"first": True, "ours": None}, Verdict.PATCH, "b"),
        ({"first": True, "ours": None, "can_in": False}, Verdict.KEEP, None),
        ({"first": True, "ours": None, "can_in": False, "clear": True}, Verdict.WRITE, None),
        ({"ours": [1], "theirs": [2], "before": [1, 2], "is_set": True}, Verdict.CONFLICT, None),
        ({"first": True, "theirs": None, "clear": True}, Verdict.WRITE, None),
        ({"first": True, "owner": "hr"}, Verdict.PATCH, "b"),
        ({"first": True, "owner": "lms"}, Verdict.WRITE, None),
        ({"first": True, "on_conflict": "lms"}, Verdict.WRITE, None),
        ({"first": True}, Verdict.CONFLICT, None),
    ],
)
def test_the_table(change: dict[str, Any], verdict: Verdict, value: Any) -> None:
    """The merge of one field, case by case."""
    decision = merge_field(replace(BOTH, **change))
    assert (decision.verdict, decision.value) == (verdict, value)
