"""One record, decided with all its links."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from syncengine.model.link import WHOLE, Base, Doubt, Link, LinkState
from syncengine.model.operation import Action
from syncengine.planning.aggregate import Aggregate, Decided, decide_record
from syncengine.planning.doubts import row_hashes
from tests.unit.planning.parts import ROW, TODAY, a_link, a_record, compiled

JOBS = st.sampled_from(["dev", "lead", "boss", None])


def aggregate(*links: Link, record: Any = None, **about: Any) -> Aggregate:
    """Anna with these links."""
    made = compiled().entities["person"]
    return Aggregate(made, a_record(**(record or {})), {k.id: k for k in links}, TODAY, **about)


def hr(**about: Any) -> Link:
    """Her row at the other vendor."""
    base = Base(
        ROW, ROW,
        rules={
            n: rule.fingerprint
            for n, rule in compiled().entities["person"].systems["hr"].rules.items()
        },
    )  # fmt: skip
    return a_link(**{"id": "k0", "connection": "hr", "external_id": "h1", "base": base, **about})


def written(decided: Decided) -> dict[str, dict[str, Any]]:
    """Link -> what is sent there."""
    return {i: dict(plan.operation.body) for i, plan in decided.plans.items() if plan.operation}


def test_what_one_row_teaches_is_written_to_the_others_in_the_same_decision() -> None:
    """A new job at one vendor is learned and sent to the other at once, though only one link was dirty."""
    decided = decide_record(aggregate(hr(row={**ROW, "job": "lead"}, dirty=1), a_link()))
    assert decided.learned is not None
    assert decided.learned.values["job"] == "lead"
    assert written(decided) == {"k1": {"job": "lead"}}


def test_where_nothing_is_dirty_nothing_is_decided() -> None:
    """Not even what differs."""
    decided = decide_record(aggregate(hr(row={**ROW, "job": "lead"}), a_link()))
    assert (decided.plans, decided.learned) == ({}, None)


def test_a_link_that_nobody_may_plan_is_left_for_later() -> None:
    """A write of its own is under way: what the record learned is not final for it."""
    changed = hr(row={**ROW, "job": "lead"}, dirty=1)
    decided = decide_record(aggregate(changed, a_link(dirty=1), closed={"k1"}))
    assert decided.plans.keys() == {"k0"}
    assert decided.learned is not None
    assert set(decided.final) == {"k0"}


def test_a_row_that_cannot_be_read_is_waited_for_and_keeps_no_other_from_being_planned() -> None:
    """The other row is written all the same."""
    lost = hr(row=None, failures=99, dirty=1)
    decided = decide_record(aggregate(lost, a_link(dirty=1), record={"values": {"job": "lead"}}))
    assert decided.plans["k0"].link.wait is not None
    assert written(decided) == {"k1": {"job": "lead"}}


@given(JOBS, JOBS, JOBS, st.booleans())
def test_the_same_facts_are_decided_alike_in_whatever_order_links_are_given(
    ours: Any, here: Any, there: Any, turned: bool
) -> None:
    """Nothing depends on which link was loaded first, or on a second call."""
    links = [
        hr(row={**ROW, "job": here}, dirty=1, stamps={"job": 3}),
        a_link(row={**ROW, "job": there}, dirty=1, stamps={"job": 5}),
    ]
    record = {"values": {"job": ours}}
    first = decide_record(aggregate(*links, record=record))
    again = decide_record(aggregate(*(links[::-1] if turned else links), record=record))
    assert again == first


@given(JOBS, JOBS, JOBS)
def test_a_decision_that_is_stored_is_decided_no_further(ours: Any, here: Any, there: Any) -> None:
    """On the links and the record as it left them a second look learns nothing more and sends the same."""
    links = [
        hr(row={**ROW, "job": here}, dirty=1, stamps={"job": 3}),
        a_link(row={**ROW, "job": there}, dirty=1, stamps={"job": 5}),
    ]
    first = decide_record(aggregate(*links, record={"values": {"job": ours}}))
    stored = [replace(first.plans[k.id].link, dirty=1) for k in links]
    record = first.learned or a_record(values={"job": ours})
    second = decide_record(replace(aggregate(*stored), record=record))
    assert second.learned is None
    assert written(second) == written(first)


def test_a_row_is_not_made_for_a_record_that_has_just_changed() -> None:
    """Nobody has looked up yet who has a row of what it says now: it is decided anew, with that known."""
    new = a_link(state=LinkState.CREATING, external_id=None, row=None, base=Base(), dirty=1)
    changed = hr(row={**ROW, "job": "lead"}, dirty=1)
    decided = decide_record(aggregate(changed, new, ready={"k1"}))
    assert (decided.plans.keys(), set(decided.final)) == ({"k0"}, {"k0"})
    assert decided.learned is not None
    made = decide_record(replace(aggregate(new, ready={"k1"}), record=decided.learned))
    operation = made.plans["k1"].operation
    assert operation is not None
    assert (operation.action, operation.body["job"]) == (Action.CREATE, "lead")


@given(JOBS, JOBS)
def test_a_row_that_is_there_again_wishes_for_nothing_that_it_showed_when_it_was_deleted(
    ours: Any, here: Any
) -> None:
    """The delete was accepted and not done, and somebody entered another name meanwhile: the old job of that row comes
    to nobody, whatever it was, and the record's is written."""
    row = {**ROW, "job": here}
    before = row_hashes(compiled().entities["person"].systems["lms"], row)
    gone = a_link(
        state=LinkState.GONE, row={**row, "name": "Eve"}, dirty=1,
        base=Base(doubts={WHOLE: Doubt(before, stage="undone")}),
    )  # fmt: skip
    decided = decide_record(aggregate(gone, record={"values": {"job": ours}}))
    learned = decided.learned or a_record(values={"job": ours})
    assert learned.values.get("job") == ours
    body = written(decided).get("k1", {})
    assert ("job" in body) == ((ours or None) != (here or None) and ours is not None)
