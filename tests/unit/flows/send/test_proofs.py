"""Losing the answer, proving by reading."""

from __future__ import annotations

import pytest

from syncengine.flows.send.probe import expire
from syncengine.flows.send.settle import Settle
from syncengine.model.case import CaseKind
from syncengine.model.operation import Action, OperationState
from syncengine.ports import Item
from tests.support.bench import CHECK, Bench
from tests.support.people import LMS, LMS_KEYED, LMS_SCOPED, anna, duo, lead


def claim(made: Bench) -> None:
    """A worker claims what is due, and dies."""
    with made.engine.ledger.write() as tx:
        tx.claim_operations(made.clock.now(), made.engine.limits.lease, 10, ["hr", "lms"])


def test_a_claim_whose_lease_is_over_is_unknown_never_pending() -> None:
    """Rule 9: a dead worker may have sent it: it is proved by reading, not sent again."""
    made = duo()
    lead(made)
    claim(made)
    made.clock.sleep(made.engine.limits.lease + 1)
    assert made.send() == {}
    assert expire(made.engine) == 1
    (operation,) = made.unsettled()
    assert operation.state is OperationState.UNKNOWN
    made.sync()
    first, second = [o for o in reversed(made.operations("lms")) if o.action is Action.UPDATE]
    assert (first.id, first.state) == (operation.id, OperationState.STALE)
    assert second.key != first.key
    assert [key for verb, key in made.vendors["lms"].keys if verb == "update"] == [second.key]


def test_an_unknown_write_blocks_its_link() -> None:
    """Rule 10: nothing else is planned for a row while a write to it has no outcome."""
    made = duo()
    mine, _ = lead(made)
    made.vendors["lms"].fault("update", "late")
    made.send()
    made.vendors["hr"].edit(mine, job="head")
    made.scan("hr")
    made.think()
    assert len(made.unsettled()) == 1
    assert made.link("lms").dirty


@pytest.mark.parametrize("action", ["create", "update", "delete"])
def test_a_write_whose_answer_was_lost_is_adopted_not_repeated(action: str) -> None:
    """Rule 10: what a probe finds done is done, base values included; it is never sent again."""
    made = duo(lms_system=LMS_SCOPED)
    lms = made.vendors["lms"]
    if action == "create":
        lms.fault("create", "drop")
        made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    else:
        mine, _ = anna(made)
        lms.fault(action, "drop")
        made.vendors["hr"].edit(mine, job="lead" if action == "update" else "left")
    result = made.sync()
    assert result["converged"]
    assert result["operations"]["unknown"] == 0
    assert any("no answer came" in o.detail for o in made.operations("lms"))
    assert [verb for verb, _ in lms.keys].count(action) == 1
    made.sync()
    assert [verb for verb, _ in lms.keys].count(action) == 1


@pytest.mark.parametrize("keyed", [False, True])
def test_not_applied_is_concluded_only_after_the_horizon(keyed: bool) -> None:
    """Rule 10: before lease end, settle time and lag are over, not even a 404 says that a write did not happen."""
    made = (
        duo(lms={"chosen_id": "id", "search": ()}, lms_system=LMS_KEYED)
        if keyed
        else duo(lms={"list_lag": 7.0})
    )
    lms = made.vendors["lms"]
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan_all()
    made.think()
    lms.fault("create", "lost")
    made.send()
    (operation,) = made.unsettled()
    horizon = operation.lease_until + lms.spec.settle_time + (0.0 if keyed else 7.0)
    while made.clock.now() < horizon:
        made.prove()
        assert [o.state for o in made.unsettled()] == [OperationState.UNKNOWN]
        made.clock.sleep(1.0)
    made.clock.sleep(2.0)
    assert made.prove() == {"stale": 1}
    made.settle()
    first, second = [key for _, key in lms.keys]
    assert first != second
    assert len(lms.rows()) == 1


def test_a_late_commit_within_the_settle_time_is_adopted() -> None:
    """Rule 10: a create that the vendor did only later makes no second row."""
    made = duo()
    lms = made.vendors["lms"]
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    lms.fault("create", "late")
    assert made.sync()["converged"]
    assert len(lms.rows()) == 1
    assert len(lms.keys) == 1


def test_what_nothing_can_prove_stays_unknown_and_asks() -> None:
    """Rule 10: without a chosen id, a key or a marker a lost create is a question, and is not sent again."""
    made = duo(lms={"search": ()})
    lms = made.vendors["lms"]
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    lms.fault("create", "lost")
    made.sync()
    made.sync()
    assert made.case().kind is CaseKind.UNKNOWN
    assert len(lms.keys) == 1
    made.answer("not_applied")
    assert made.sync()["converged"]
    assert len(lms.rows()) == 1


def test_a_probe_that_cannot_compare_anything_proves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rule 10: a row that hides what was written is no evidence that it was."""
    made = duo(lms={"columns": ("id", "email", "name")}, lms_system=LMS.replace(", job: job", ""))
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, name="Anne")
    made.scan("hr")
    made.think()
    lms = made.vendors["lms"]
    lms.fault("update", "lost")
    made.send()
    good = lms.get

    def hides(resource: str, name: str) -> Item | None:
        item = good(resource, name)
        return item and Item(name, {k: v for k, v in item.row.items() if k != "name"})

    monkeypatch.setattr(lms, "get", hides)
    made.clock.sleep(60)
    assert made.prove() == {"stale": 1}
    monkeypatch.setattr(lms, "get", good)
    made.sync()
    assert lms.row(theirs)["name"] == "Anne"


def test_an_answer_that_comes_after_the_lease_is_still_heeded() -> None:
    """A worker that stalls between the vendor's answer and its settling settles what it knows."""
    made = duo()
    _, theirs = lead(made)

    def stalled() -> None:
        made.clock.sleep(60)
        expire(made.engine)

    with made.between(CHECK + 1, stalled):
        assert made.send() == {"applied": 1}
    made.sync()
    assert made.vendors["lms"].row(theirs)["job"] == "lead"
    assert len([verb for verb, _ in made.vendors["lms"].keys if verb == "update"]) == 1


def test_no_question_about_a_write_that_was_proved_meanwhile() -> None:
    """A worker that comes late to ask about a write leaves alone what another has settled."""
    made = duo()
    lead(made)
    made.vendors["lms"].fault("update", "late")
    made.send()
    (doubted,) = made.unsettled()
    assert made.sync()["converged"]
    Settle(made.engine).ask([doubted])
    assert not made.unsettled()
    assert not made.cases()
