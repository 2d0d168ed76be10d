"""What is over is forgotten after a while, and nothing that anything rests on."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from syncengine.flows.capture.notices import notice
from syncengine.flows.forget import retention
from syncengine.flows.forget.retention import EVERY, forget
from syncengine.flows.people.cases import answer
from syncengine.flows.people.undo import undo
from syncengine.flows.run.sweep import sweep
from syncengine.flows.views.explain import explain
from syncengine.mapping import Retention
from syncengine.model.event import Event
from syncengine.model.operation import OperationState
from tests.support.bench import Bench
from tests.support.people import (
    FIELDS,
    anna,
    crowd,
    duo,
)
from tests.unit.flows.forget.parts import DAY, later, leavers, leavers_with_limit, sizes, told

NO_WALK = ("runs", "passes")
"""What is deleted without being looked at one by one."""


def a_month(made: Bench, chance: Random, number: int, question: bool) -> None:
    """One leaves, one comes, four change, and perhaps both sides disagree and somebody answers."""
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    hr.add(email=f"p{number}@x.de", name=f"P{number}", job="dev")
    hr.remove(chance.choice(sorted(hr.rows())[:-1]))
    for row in chance.sample(sorted(hr.rows())[:-1], 4):
        hr.edit(row, job=chance.choice("abcdefgh"))
    made.clock.sleep(28 * DAY)
    made.sync()
    if question:
        asked, _ = sorted(hr.rows())[:2]
        there = next(i for i, r in lms.rows().items() if r["email"] == hr.row(asked)["email"])
        hr.edit(asked, job="here")
        lms.edit(there, job="there")
        made.sync()
        made.answer("record")
        made.sync()


@pytest.mark.long
@pytest.mark.ci
def test_years_of_churn_do_not_grow_tables() -> None:
    """Of 8 people one leaves and one comes each month, four change, and questions are asked and answered: after 26
    months no table holds more than after 14, nothing that is over is older than its span, and all is in agreement."""
    made = leavers(fields=FIELDS.replace("on_conflict: newest", "on_conflict: flag"))
    hr, lms, chance = made.vendors["hr"], made.vendors["lms"], Random(5)
    crowd(made, 8)
    made.sync()
    held = []
    for month in range(26):
        a_month(made, chance, 100 + month, question=month % 4 == 1)
        held.append(sizes(made))
    first, last = held[14], held[25]
    assert all(last[name] <= first[name] * 1.2 + 3 for name in last), (first, last)
    live = len(made.records())
    assert last["records"] <= live + 180 / 28 + 1
    assert last["links"] <= 2 * last["records"]
    assert last["events"] <= 90 / 28 * 30 + 30
    assert last["history"] <= 3 * live + 365 / 28 * 10
    assert last["cases"] <= 365 / 112 + 1
    forgotten = {
        kind: line["forgotten"] for kind, line in told(made).items() if kind not in NO_WALK
    }
    assert all(n >= 2 for kind, n in forgotten.items() if kind != "rows"), forgotten
    assert made.sync()["converged"]
    assert {r["email"] for r in hr.rows().values()} == {r["email"] for r in lms.rows().values()}


def test_a_notice_is_known_again_for_its_whole_span() -> None:
    """What a vendor delivers again days later is told by its event id; only then is the id forgotten."""
    made = duo()
    mine, _ = anna(made)
    assert notice(made.engine, "hr", "people", mine, "n1")
    made.vendors["hr"].edit(mine, job="lead")
    made.sync()
    later(made, 89)
    assert not notice(made.engine, "hr", "people", mine, "n1")
    assert later(made, 2)["events"]
    assert notice(made.engine, "hr", "people", mine, "n1")


def test_what_explains_and_undoes_stays() -> None:
    """After three years the last change of a field can be undone and explained, and ``explain`` says from when on it
    knows all."""
    made = duo()
    mine, theirs = anna(made)
    for job in ("lead", "head", "boss"):
        made.vendors["hr"].edit(mine, job=job)
        made.sync()
    record = made.record()
    before = explain(made.engine, record.id, "job")
    assert before["forgotten_before"] is None
    assert len(before["fields"][0]["changes"]) == 4
    assert later(made, 1100)["history"] == 2
    document = explain(made.engine, record.id, "job")
    assert document["forgotten_before"] == made.clock.now() - 365 * DAY
    (change,) = document["fields"][0]["changes"]
    assert (change["old"], change["new"]) == ("head", "boss")
    undo(made.engine, change["change"], "kim")
    made.sync()
    assert made.vendors["lms"].row(theirs)["job"] == "head"


def test_a_formula_does_not_say_since_when_if_that_is_forgotten() -> None:
    """It says so as long as all changes since then are on record."""
    fields = FIELDS + "  head: {type: boolean, formula: \"job == 'head'\"}\n"
    made = duo(fields=fields)
    mine, _ = anna(made)
    for job in ("head", "lead", "head"):
        made.vendors["hr"].edit(mine, job=job)
        made.sync()
    made.vendors["hr"].edit(mine, name="Anne")
    made.sync()

    def since() -> float | None:
        found = explain(made.engine, made.record().id, "head")["fields"][0]["formula"]["since"]
        assert found is None or isinstance(found, float)
        return found

    turned = since()
    assert turned == [c.at for c in made.history(made.record().id) if c.field == "job"][-1]
    later(made, 700)
    assert since() in (turned, None)
    made.vendors["hr"].edit(mine, name="Anna")
    made.sync()
    later(made, 700)
    assert since() is None


def test_a_write_that_proves_its_link_stays() -> None:
    """Untied after years, a row that we made is told to be ours by the create that made it, and nothing is written
    twice."""
    made = duo()
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.sync()
    made.vendors["hr"].edit(mine, job="head")
    made.sync()
    assert later(made, 1000)["operations"] == 1
    with made.engine.ledger.read() as tx:
        assert tx.creates("lms", "people", [theirs])
    assert not made.sync()["operations"]["applied"]


def test_a_question_whose_answer_still_holds_may_be_answered_the_other_way() -> None:
    """A rejected plan stays revisable for as long as its writes are kept back; one that is only answered goes."""
    made = leavers()
    made.engine.project = leavers_with_limit(made)
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    crowd(made, 12)
    made.sync()
    for row in list(hr.rows())[:6]:
        hr.remove(row)
    made.sync()
    staged = made.case()
    made.answer("reject")
    later(made, 800)
    assert told(made)["cases"]["needed"] == 1
    answer(made.engine, staged.id, "approve")
    made.sync()
    assert len(lms.rows()) == 6
    later(made, 800)
    with made.engine.ledger.read() as tx:
        assert not tx.cases(open_only=False)


def test_a_sweep_looks_at_a_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much is over, one sweep looks at one slice; two that run at once do no harm; the walk goes on until it is
    through, and rests a day."""
    monkeypatch.setattr(retention, "SLICE", 10)
    made = duo()
    sweep(made.engine)
    with made.engine.ledger.write() as tx:
        tx.add_events(
            [Event("hr", "people", "1", f"e{n}", "scan", made.clock.now()) for n in range(45)]
        )
    made.clock.sleep(91 * DAY)
    left = []
    for _ in range(5):
        with made.statements() as seen:
            sweep(made.engine)
        assert len([s for s in seen if s.startswith("DELETE")]) <= 4
        left.append(sizes(made)["events"])
    assert left == [35, 25, 15, 5, 1]
    with made.statements() as seen:
        assert not forget(made.engine)
    assert not [s for s in seen if "DELETE" in s or "BEGIN IMMEDIATE" in s]
    made.clock.sleep(EVERY)
    assert not forget(made.engine)


def test_what_safety_counts_stays_for_its_window() -> None:
    """A window that is longer than the span of operations is counted to its end."""
    made = duo(more="safety: {deletes: 10%, window: 400d}\n")
    mine, _ = anna(made)
    for job in ("lead", "head"):
        made.vendors["hr"].edit(mine, job=job)
        made.sync()
    assert not later(made, 390)["operations"]
    assert told(made)["operations"]["kept_s"] == 400 * DAY
    assert later(made, 20)["operations"] == 1


def test_what_waits_is_never_forgotten() -> None:
    """A write that is not settled and an open question outlast everything."""
    made = duo(fields=FIELDS.replace("newest", "flag"))
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.vendors["lms"].edit(theirs, job="head")
    made.sync()
    case = made.case()
    made.vendors["hr"].edit(mine, name="Anne")
    made.scan("hr")
    made.think()
    (waits,) = made.unsettled()
    later(made, 5000)
    assert made.case() == case
    assert made.unsettled() == [waits]
    assert waits.state is OperationState.PENDING


def test_status_says_what_is_kept_how_long_and_what_goes_next() -> None:
    """Of each kind the span, what was forgotten, what stays although it is older, and when the next one goes."""
    made = duo()
    anna(made)
    lines = told(made)
    assert {k: line["kept_s"] / DAY for k, line in lines.items()} == {
        "events": 90, "operations": 180, "cases": 365, "history": 365, "left": 180, "rows": 180,
        "runs": 900 / DAY, "passes": 400,
    }  # fmt: skip
    with made.engine.ledger.read() as tx:
        (_, at), *_ = tx.aged("events", None, 9)
    assert lines["events"]["next_at"] == at + 90 * DAY
    assert lines["left"]["next_at"] is None
    later(made, 100)
    lines = told(made)
    assert lines["events"]["forgotten"] > 0
    assert lines["events"]["walked_at"] == made.clock.now()
    made.engine.project = replace(made.engine.project, retention=Retention(operations=DAY))
    later(made, 2)
    assert told(made)["operations"]["needed"] == 1
