"""Each pass, plan and listing is on record: by whom, when, what it read and wrote, and how it ended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncengine.errors import Stale, VendorDown
from syncengine.flows.capture.capture import capture
from syncengine.flows.core.runs import KEPT, QUIET_KEPT, prune_runs, running
from syncengine.flows.run.sync import observe
from syncengine.flows.views.runs import happened
from syncengine.model.run import BROKE_OFF, COMPLETE, FAILED, LISTING, LOST, ONE, PASS, PLAN, Run
from syncengine.simulation.bench import LIMITS
from tests.support.bench import Bench
from tests.support.notes import noted
from tests.support.people import anna, crowd, duo


def runs(made: Bench) -> list[Run]:
    """All, the oldest first."""
    return made.read(lambda tx: tx.select_runs())[::-1]


def test_a_pass_is_on_record_with_its_listings_and_all_that_it_did() -> None:
    """By whom, for how long, what was read and written, how often it was asked; its listings are parts of it."""
    made = duo()
    made.engine.author = "kim"
    crowd(made, 3)
    document = made.sync()
    whole, *parts = runs(made)
    calls = [c["calls"] for c in document["connections"].values()]
    assert (whole.kind, whole.author, whole.outcome, whole.quiet) == (PASS, "kim", COMPLETE, False)
    assert whole.ended_at is not None
    assert whole.ended_at > whole.started_at
    assert whole.counts == {
        "rows": 3, "moved": 3, "applied": 3,
        "reads": sum(c["reads"] for c in calls), "writes": sum(c["writes"] for c in calls),
    }  # fmt: skip
    assert {(p.kind, p.parent, p.connection) for p in parts} == {
        (LISTING, whole.id, "hr"), (LISTING, whole.id, "lms"),
    }  # fmt: skip
    with made.engine.ledger.read() as tx:
        assert {o.state for o in tx.select_operations()} == {"applied"}
    assert made.stored(whole.id)


def test_what_is_written_in_a_run_says_so_and_when_it_was_settled() -> None:
    """Writes, questions and changes; what a worker does besides belongs to none."""
    made = duo()
    anna(made)
    (run, *_) = runs(made)
    tables = {row.partition(":")[0] for row in made.stored(run.id)}
    assert tables == {"runs", "operations", "history"}
    settled = [row for row in made.stored("settled_at") if row.startswith("operations")]
    assert len(settled) == 1
    assert "'settled_at': None" not in settled[0]
    made.vendors["hr"].add(email="otto@x.de", name="Otto", job="dev")
    made.scan("hr")
    made.settle()
    listing = runs(made)[-1]
    assert {row.partition(":")[0] for row in made.stored(listing.id)} == {"runs"}


def test_a_listing_of_a_worker_is_a_run_of_its_own() -> None:
    """By the service; one that finds nothing is quiet, and one that fails says why."""
    made = duo()
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan("hr")
    made.scan("hr")
    made.vendors["hr"].fault("scan", "down")
    made.scan("hr")
    first, second, third = runs(made)
    assert (first.kind, first.author, first.parent) == (LISTING, "service", "")
    assert first.counts == {"rows": 1, "moved": 1, "reads": 1}
    assert (first.quiet, second.quiet, second.counts.get("moved")) == (False, True, None)
    assert (third.outcome, third.quiet, bool(third.fault)) == (FAILED, False, True)


def test_a_listing_that_shows_somebody_no_more_is_not_quiet() -> None:
    """How many it no longer shows stands in it, once: the next one says nothing new."""
    made = duo()
    anna(made)
    (mine,) = made.vendors["hr"].rows()
    made.vendors["hr"].remove(mine)
    made.clock.sleep(3600)
    made.scan("hr")
    made.scan("hr")
    first, second = runs(made)[-2:]
    assert (first.counts.get("gone"), first.quiet) == (1, False)
    assert (second.counts.get("gone"), second.quiet) == (None, True)


def test_a_pass_that_may_not_call_anybody_has_no_listing() -> None:
    """A connection that is blocked is not read, so nothing of it is on record."""
    made = duo()
    made.engine.note_failure("hr", VendorDown("HTTP 500"))
    made.scan("hr")
    assert runs(made) == []


def test_a_plan_is_one_run_whatever_it_reads() -> None:
    """Its pass over the vendors is no run of its own, its listings are parts of it."""
    made = duo()
    with running(made.engine, PLAN):
        observe(made.engine)
    whole, *parts = runs(made)
    assert (whole.kind, {p.parent for p in parts}, len(parts)) == (PLAN, {whole.id}, 2)


def test_a_pass_over_one_record_says_so() -> None:
    """It lists nothing."""
    made = duo()
    anna(made)
    before = len(runs(made))
    made.sync(record=made.record().id)
    (one,) = runs(made)[before:]
    assert one.kind == ONE


@pytest.mark.parametrize(
    ("error", "outcome", "fault"),
    [(Stale("another plan"), FAILED, "another plan"), (KeyboardInterrupt(), BROKE_OFF, "")],
)
def test_a_run_that_is_left_by_an_error_is_closed(
    error: BaseException, outcome: str, fault: str
) -> None:
    """Failed with what was said, or broken off."""
    made = duo()
    with pytest.raises(type(error)), running(made.engine, PASS):
        raise error
    (run,) = runs(made)
    assert (run.outcome, run.fault, run.quiet) == (outcome, fault, not fault)
    assert (made.engine.run, made.engine.ledger.run) == ("", None)


def test_a_run_without_a_sign_for_minutes_broke_off() -> None:
    """A process that was killed cannot say so; one that waits is touched."""
    made = duo()
    with running(made.engine, PASS):
        for _ in range(10):
            made.clock.sleep(60)
            made.engine.heartbeat()
        (run,) = runs(made)
        assert run.outcome_at(made.clock.now()) == ""
        assert run.outcome_at(made.clock.now() + LOST + 1) == BROKE_OFF


def test_a_listing_in_slices_is_one_run() -> None:
    """Its rows and calls are those of all slices."""
    made = noted(3, replace(LIMITS, slice=0.0))
    made.scan("hr")
    made.think()
    for whole in (False, False, True):
        assert capture(made.engine, "hr", "notes", "scan", sliced=True).complete is whole
        assert runs(made)[-1].outcome == (COMPLETE if whole else "")
    assert [run.resource for run in runs(made)] == ["people", "notes"]
    assert runs(made)[-1].counts == {"rows": 3, "moved": 3, "reads": 3}


def test_old_runs_go_and_quiet_ones_sooner() -> None:
    """400 days and 14 days."""
    made = duo()
    quiet = Run("q", PASS, started_at=made.clock.now(), ended_at=1.0, outcome=COMPLETE)
    loud = replace(quiet, id="l", quiet=False)
    with made.engine.ledger.write() as tx:
        tx.add_run(quiet)
        tx.add_run(loud)
    made.clock.sleep(QUIET_KEPT)
    assert prune_runs(made.engine) == 0
    made.clock.sleep(1)
    assert prune_runs(made.engine) == 1
    made.clock.sleep(KEPT - QUIET_KEPT)
    assert prune_runs(made.engine) == 1


@pytest.fixture
def night() -> tuple[Bench, dict[str, Any]]:
    """A pass that wrote, a listing that found nothing, and a question."""
    made = duo()
    began = made.clock.now()
    crowd(made, 2)
    made.sync()
    made.scan("hr")
    return made, happened(made.engine, began)


def test_what_happened_in_a_time_is_counted(night: tuple[Bench, dict[str, Any]]) -> None:
    """Runs, writes, questions, answers and changes; parts and quiet runs only where they are asked for."""
    made, told = night
    assert [run["kind"] for run in told["runs"]] == [PASS]
    assert told["writes"] == [
        {"connection": "lms", "action": "create", "state": "applied", "count": 2}
    ]
    assert {"kind": "listing", "outcome": "complete", "count": 3} in told["ran"]
    assert sum(line["count"] for line in told["changes"]) > 0
    assert len(happened(made.engine, told["since"], every=True)["runs"]) == 4
    nothing = happened(made.engine, made.clock.now() + 1)
    assert not any(nothing[name] for name in ("runs", "ran", "writes", "asked", "changes"))


def test_runs_name_nobody(night: tuple[Bench, dict[str, Any]]) -> None:
    """No value and no id of a record or row."""
    made, told = night
    ids = {k.id for n in made.vendors for k in made.links(n)} | {r.id for r in made.records()}
    assert not [word for word in (*ids, "P1", "x.de") if word in repr(told)]
