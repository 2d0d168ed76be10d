"""What work costs: calls, and statements of SQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from syncengine.flows.capture.refresh import refresh
from syncengine.flows.reconcile.derive import derive
from syncengine.flows.reconcile.reconcile import reconcile
from syncengine.flows.run.rehearsal import rehearse
from syncengine.flows.send.dispatch import dispatch
from syncengine.flows.views.status import status
from syncengine.ledger.statements import change, drop, find, put
from tests.support.bench import Bench
from tests.support.people import LIMITS_WIDE, anna, crowd, duo


def first_capture(made: Bench, _people: list[str]) -> Callable[[], object]:
    return lambda: made.scan("hr")


def linked(made: Bench, people: list[str]) -> None:
    """Everybody has a row in both, entered by people."""
    for name in people:
        row = made.vendors["hr"].row(name)
        made.vendors["lms"].add(**{k: v for k, v in row.items() if k != "id"})
    made.sync()


def unchanged_capture(made: Bench, people: list[str]) -> Callable[[], object]:
    linked(made, people)
    return lambda: made.scan("hr")


def first_reconcile(made: Bench, _people: list[str]) -> Callable[[], object]:
    made.scan("hr")
    return lambda: reconcile(made.engine)


def planning_of_creates(made: Bench, _people: list[str]) -> Callable[[], object]:
    made.scan_all()
    reconcile(made.engine)
    return lambda: reconcile(made.engine)


def merging_of_edits(made: Bench, people: list[str]) -> Callable[[], object]:
    linked(made, people)
    for name in people:
        made.vendors["hr"].edit(name, job="lead")
    made.scan("hr")
    return lambda: reconcile(made.engine)


WORK = [first_capture, unchanged_capture, first_reconcile, planning_of_creates, merging_of_edits]


@pytest.mark.parametrize("work", WORK)
def test_a_batch_costs_the_same_statements_whatever_its_size(
    work: Callable[[Bench, list[str]], Callable[[], object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Capture and reconcile take a constant number of SQL statements for 10 and for 200 links."""
    monkeypatch.setattr("syncengine.simulation.vendor.PAGE", 1000)
    monkeypatch.setattr("syncengine.simulation.vendor.LATENCY", 0.001)
    counts = []
    for size in (10, 200):
        made = duo(limits=LIMITS_WIDE)
        act = work(made, crowd(made, size))
        with made.statements() as statements:
            act()
        counts.append(len(statements))
    assert counts[0] == counts[1]
    assert counts[0] < 60


def test_a_second_pass_lists_and_does_nothing_else() -> None:
    """When nothing moved, a pass costs the listings alone, and writes nothing."""
    made = duo()
    crowd(made, 7)
    made.sync()
    for vendor in made.vendors.values():
        vendor.calls.clear()
    result = made.sync()
    assert result["converged"]
    assert result["events"] == 0
    assert {verb for v in made.vendors.values() for verb, _ in v.calls} <= {"scan", "page"}


def test_the_lower_bound_is_what_was_called() -> None:
    """Without faults the calls are exactly the lower bound that the document names."""
    made = duo(hr={"unlisted": ("job",)})
    crowd(made, 7)
    for _ in range(2):
        for about in made.sync()["connections"].values():
            calls = about["calls"]
            assert calls["reads"] + calls["writes"] == calls["lower_bound"]


def test_a_sync_of_one_record_reads_its_rows_and_lists_nothing() -> None:
    """``--record``: only that record's rows are read."""
    made = duo()
    people = crowd(made, 3)
    made.sync()
    hr = made.vendors["hr"]
    hr.edit(people[1], job="lead")
    hr.calls.clear()
    wanted = made.link("hr", people[1])
    made.sync(record=wanted.record_id)
    assert hr.calls == [("get", people[1])]
    assert "lead" in {r["job"] for r in made.vendors["lms"].rows().values()}


def test_who_comes_later_has_no_statement_built() -> None:
    """The statements that one company needs are those of the next: a process that runs for a year keeps no more."""
    counts = []
    for _ in range(2):
        made = duo()
        mine, _ = anna(made)
        made.vendors["hr"].edit(mine, job="lead")
        made.scan("hr")
        rehearse(made.engine)
        made.sync()
        status(made.engine)
        counts.append([built.cache_info().misses for built in (find, change, drop, put)])
    assert counts[0] == counts[1]


def work_off(made: Bench) -> Counter[str]:
    """Run what is announced, in order, as the workers do; task -> how often it found something to do."""
    sent, found = made.queue.sent, Counter[str]()
    flows = {"reconcile": reconcile, "dispatch": dispatch, "refresh": refresh}
    while sent:
        task, ids = sent.pop(0)
        done = derive(made.engine) if task == "derive" else flows[task](made.engine, ids or None)
        found[task] += bool(done)
    return +found


def test_one_renamed_person_costs_one_decision_and_few_transactions() -> None:
    """From the change feed to the settled write: one pass of reconcile, 11 write transactions, 70 statements."""
    made = duo(hr={"poll": True})
    mine, theirs = anna(made)
    made.sync()
    made.vendors["hr"].edit(mine, name="Anne")
    made.queue.sent.clear()
    with made.statements() as statements, made.writes() as writes:
        made.poll("hr")
        found = work_off(made)
    assert made.vendors["lms"].row(theirs)["name"] == "Anne"
    assert not made.unsettled()
    assert found == {"reconcile": 1, "dispatch": 1}
    assert len(writes) <= 11
    assert len(statements) <= 70
