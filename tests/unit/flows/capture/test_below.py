"""Listings below parents that take longer than the project asks for: what moved lately is read again in between."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncengine.cli.queries import _read
from syncengine.flows.capture import below
from syncengine.flows.capture.capture import capture
from syncengine.flows.views.standing import standing
from syncengine.flows.views.status import status
from syncengine.model.standing import Level
from tests.support.bench import MINUTE, Bench, within
from tests.support.notes import noted

PEOPLE, CALLS, SPAN = 40, 10, MINUTE
"""A round of all takes four times the span."""


@pytest.fixture
def made() -> Bench:
    """People with a note each, read once, and a vendor that now allows few calls."""
    bench = noted(PEOPLE)
    bench.sync()
    project = bench.engine.project
    hr = project.connections["hr"]
    notes = replace(hr.resources["notes"], scan=SPAN)
    hr = replace(hr, resources={**hr.resources, "notes": notes})
    bench.engine.project = replace(project, connections={**project.connections, "hr": hr})
    within(bench, "hr", CALLS, MINUTE)
    bench.clock.sleep(2 * below.LATELY)
    bench.vendors["hr"].calls.clear()
    return bench


def go_on(made: Bench, seconds: float) -> None:
    """Read slice after slice, as workers do, for so long."""
    until = made.clock.now() + seconds
    while made.clock.now() < until:
        capture(made.engine, "hr", "notes", "scan", sliced=True)
        made.think()
        made.clock.sleep(2.0)


def texts(made: Bench) -> set[object]:
    """What is known of all notes."""
    return {record.values["text"] for record in made.records("note")}


def test_what_moved_lately_is_seen_again_long_before_a_round_is_over(made: Bench) -> None:
    """A person whose note was changed in this round is read again within two spans, and who was changed last first."""
    hr = made.vendors["hr"]
    first, second, *_ = notes = sorted(
        hr.rows("notes"), key=lambda n: str(hr.rows("notes")[n]["_parent"])
    )
    hr.edit(first, "notes", text="once")
    go_on(made, 0.5 * SPAN)
    assert "once" in texts(made)
    hr.edit(first, "notes", text="twice")
    hr.edit(second, "notes", text="unforeseen")
    go_on(made, 2 * SPAN)
    assert "twice" in texts(made)
    assert "unforeseen" not in texts(made)
    go_on(made, 6 * SPAN)
    assert "unforeseen" in texts(made)
    assert len(notes) == PEOPLE


def test_a_round_ends_and_proves_what_is_gone_though_some_are_read_again(made: Bench) -> None:
    """Reading some again takes at most half of the calls, counts no row twice, and lets nobody be missed."""
    hr = made.vendors["hr"]
    rows = hr.rows("notes")
    for name in rows:
        hr.edit(name, "notes", text=f"new {name}")
    gone = max(rows, key=lambda n: str(rows[n]["_parent"]))
    began = made.clock.now()
    while made.read(lambda tx: tx.resource("hr", "notes")).scanned_at < began:
        hr.remove(gone, "notes") if gone in hr.rows("notes") else None
        go_on(made, SPAN / 2)
        assert made.clock.now() - began < 2 * PEOPLE / CALLS * MINUTE + 2 * SPAN
    state = made.read(lambda tx: tx.resource("hr", "notes"))
    assert state.rows == PEOPLE - 1
    go_on(made, PEOPLE / CALLS * MINUTE * 2 + SPAN)
    assert len(made.records("note")) == PEOPLE - 1
    assert texts(made) == {f"new {name}" for name in rows if name != gone}


def test_status_says_how_old_each_part_is(made: Bench) -> None:
    """While a round goes on: how many were read since when, when what moved was read again, and the rest."""
    hr = made.vendors["hr"]
    (some, *_) = sorted(hr.rows("notes"), key=lambda n: str(hr.rows("notes")[n]["_parent"]))
    hr.edit(some, "notes", text="moved")
    go_on(made, 1.5 * SPAN)
    seen = status(made.engine)["connections"]["hr"]["resources"]["notes"]
    going = seen["under_way"]
    assert going["parts"] == PEOPLE
    assert 5 <= going["read"] < PEOPLE
    assert going["reread"] == 1
    assert going["started"] < going["reread_at"]
    assert f"of {PEOPLE} parts since" in _read(seen)
    assert "what moved lately" in _read(seen)


def test_a_round_that_gets_on_is_no_fault_and_is_said(made: Bench) -> None:
    """A listing whose vendor allows too few calls for its span is a note; one that stands still is a fault."""
    made.clock.sleep(2 * below.LATELY)
    go_on(made, SPAN)
    (line,) = [x for x in standing(made.engine).lines if x.about.get("resource") == "notes"]
    assert (line.code, line.level, line.told["parts"]) == ("blind", Level.NOTE, str(PEOPLE))
    made.clock.sleep(3600.0)
    (line,) = [x for x in standing(made.engine).lines if x.about.get("resource") == "notes"]
    assert (line.code, line.level) == ("blind", Level.FAULT)


def test_calls_below_parents_are_taken_from_the_budget_together() -> None:
    """Also where each of them takes several: not one transaction for each call."""
    made = within(noted(4 * below.PARENTS_A_ROUND), "hr", 100_000)
    hr = made.vendors["hr"]
    for name in sorted(hr.rows("people")):
        for number in range(3):
            hr.add("notes", _parent=name, text=f"{number} of {name}")
    made.sync()
    hr.calls.clear()
    with made.writes() as writes:
        capture(made.engine, "hr", "notes", "scan")
    assert len(hr.calls) >= 8 * below.PARENTS_A_ROUND
    assert len(writes) < 2 * below.PARENTS_A_ROUND


def test_a_listing_that_is_done_within_its_span_reads_nobody_twice() -> None:
    """Where the calls are enough, each parent is read once."""
    made = noted(6)
    made.sync()
    made.vendors["hr"].calls.clear()
    go_on(made, 1.0)
    assert made.vendors["hr"].calls.count(("scan", "notes")) == 6
