"""What was asked of a plan: its answer is remembered, and what has gone by dissolves."""

from __future__ import annotations

import pytest

from syncengine.flows.people.decisions import NotPossible
from syncengine.flows.views import queries
from syncengine.flows.views.plan import plan
from syncengine.model.case import CaseKind
from syncengine.model.link import LinkState
from tests.support.people import HR, LMS_SCOPED, entity, remap
from tests.unit.flows.core.leavers import (
    ANSWERS,
    LEAVES,
    SAFETY,
    crowd,
    deletes,
    edit,
    people,
    staged,
)


@pytest.mark.parametrize("system", [LMS_SCOPED, LEAVES])
def test_a_rejected_plan_stays_rejected(system: str) -> None:
    """Whatever else moves, a rejected write is not sent, nor planned, nor asked about again."""
    made = crowd(lms=system)
    edit(made, people(made)[:10], job="left")
    made.sync()
    made.answer("reject")
    made.sync()
    before = made.written()["lms"]
    edit(made, people(made)[:3], name="Somebody")
    assert made.sync()["converged"]
    for row in list(made.vendors["lms"].rows())[3:5]:
        made.vendors["lms"].edit(row, name="Anybody")
    assert made.sync()["converged"]
    assert made.written()["lms"] == before
    assert not made.cases()
    assert not plan(made.engine)["changes"]
    left = [k for k in made.links("lms") if k.state is LinkState.LEFT]
    assert len(left) == 10
    assert {k.wait.what for k in left if k.wait} == {"rejected by admin"}


def test_who_comes_back_and_leaves_again_is_asked_about_anew() -> None:
    """A rejection is over when the write is not wanted any more."""
    made = staged()
    made.answer("reject")
    made.sync()
    edit(made, people(made)[:1], job="dev")
    made.sync()
    assert not [k for k in made.links("lms") if k.state is LinkState.LINKED and k.approval]
    edit(made, people(made)[:1], job="left")
    made.sync()
    assert deletes(made) == 1


UPDATES = "safety: {updates: 10%, floor: 3, window: 1h}\n"


def test_a_rejected_update_is_sent_once_it_says_something_else() -> None:
    """A rejection is of what would be written: another value is another write."""
    made = crowd(more=UPDATES)
    edit(made, people(made)[:5], job="lead")
    made.sync()
    made.answer("reject")
    made.sync()
    edit(made, people(made)[6:7], job="lead")
    made.sync()
    jobs = [r["job"] for r in made.vendors["lms"].rows().values()]
    assert jobs.count("lead") == 1
    edit(made, people(made)[:1], job="head")
    made.sync()
    assert [r["job"] for r in made.vendors["lms"].rows().values()].count("head") == 1
    assert len([k for k in made.links("lms") if k.wait]) == 4


def test_a_mind_may_be_changed() -> None:
    """What was rejected can still be approved, as long as it is wanted."""
    made = staged()
    case = made.case()
    made.answer("reject")
    made.sync()
    edit(made, people(made)[:2], job="dev")
    made.sync()
    made.answer("approve", case)
    made.sync()
    assert deletes(made) == 8
    assert not made.cases()
    with pytest.raises(NotPossible, match="closed"):
        made.answer("reject", case)


def test_nothing_is_approved_that_is_over() -> None:
    """Where none of the rejected writes is wanted any more, an approval says so."""
    made = staged()
    case = made.case()
    made.answer("reject")
    made.sync()
    edit(made, people(made)[:10], job="dev")
    made.sync()
    with pytest.raises(NotPossible, match="held"):
        made.answer("approve", case)


@pytest.mark.parametrize("given", ANSWERS)
def test_the_answer_is_in_each_history(given: str) -> None:
    """Who answered, why, and for which write is told with each record."""
    made = staged()
    made.answer(given)
    link = made.links("lms")[0]
    last = made.history(link.record_id or "")[-1]
    assert (last.policy, last.author) == (f"answer: {given}", "admin")
    assert str(last.new).startswith("delete in lms")


def test_a_case_whose_writes_nobody_wants_closes_itself() -> None:
    """All leavers come back: nobody is asked any more, and nothing is written."""
    made = staged()
    edit(made, people(made)[:10], job="dev")
    made.sync()
    assert not made.cases()
    assert not deletes(made)
    assert not [k for k in made.links() if k.wait or k.approval]


def test_who_comes_back_leaves_the_case() -> None:
    """The case holds those who still want the write, and no others."""
    made = staged()
    edit(made, people(made)[:2], job="dev")
    made.sync()
    assert len(made.case().evidence["links"]) == 8
    made.answer("approve")
    made.sync()
    assert deletes(made) == 8


@pytest.mark.parametrize(
    "safety", [SAFETY, SAFETY.replace("10%", "90%"), "safety: {deletes: 100%}\n"]
)
@pytest.mark.parametrize("how", ["edited", "a new mapping"])
def test_no_look_at_held_writes_sends_them(how: str, safety: str) -> None:
    """However many held writes are planned again in one batch, for whatever reason, and whatever is allowed by then:
    what was asked is not sent unanswered."""
    made = staged()
    edit(made, people(made)[:5], job="dev")
    made.sync()
    assert len(made.case().evidence["links"]) == 5
    assert not deletes(made)
    assert {c["held"] for c in plan(made.engine)["changes"]} == {"waits for approval"}
    if how == "edited":
        edit(made, people(made)[5:10], name="X")
    systems = {"hr": HR, "lms": LMS_SCOPED.replace("on_leave", "on_missing: keep, on_leave")}
    remap(made, entity(more=safety, **systems))
    made.sync()
    assert deletes(made) == 0
    assert len(made.case().evidence["links"]) == 5
    made.answer("approve")
    made.sync()
    assert deletes(made) == 5


def test_a_limit_that_is_taken_out_of_the_mapping_sends_nothing_that_was_asked() -> None:
    """Held updates wait for their answer, while new ones of the kind go out."""
    updates = "safety: {updates: 10%, floor: 1, window: 1h}\n"
    made = crowd(more=updates)
    edit(made, people(made)[:3], name="X")
    made.sync()
    before = len(made.vendors["lms"].wrote())
    remap(made, entity(hr=HR, lms=LMS_SCOPED))
    edit(made, people(made)[6:7], name="Y")
    made.sync()
    assert len(made.case().evidence["links"]) == 3
    assert "no limit since" in made.case().question
    assert len(made.vendors["lms"].wrote()) == before + 1


def test_later_leavers_are_not_counted_with_those_who_came_back() -> None:
    """After a case has dissolved, a single leaver leaves."""
    made = staged()
    edit(made, people(made)[:10], job="dev")
    made.sync()
    edit(made, people(made)[:1], job="left")
    made.sync()
    assert deletes(made) == 1
    assert not made.cases()


def test_later_leavers_join_the_case() -> None:
    """Whoever leaves while the case is open waits with the others."""
    made = staged()
    edit(made, people(made)[10:11], job="left")
    made.sync()
    assert len(made.case().evidence["links"]) == 11
    assert not deletes(made)


def test_a_row_that_vanishes_leaves_the_case() -> None:
    """What somebody deleted by hand is not waited for."""
    made = staged()
    by_mail = {r["email"]: i for i, r in made.vendors["lms"].rows().items()}
    made.vendors["lms"].remove(by_mail["p00@x.de"])
    made.sync()
    assert len(next(c for c in made.cases() if c.kind is CaseKind.STAGED).evidence["links"]) == 9


def test_the_case_lasts_while_its_links_learn_something_first() -> None:
    """A link that has to learn a vendor's change before it is planned again is no reason to send the others."""
    made = crowd(lms=LEAVES, more="safety: {deletes: 10%, floor: 3, window: 1h}\n")
    edit(made, people(made)[:4], job="left")
    made.sync()
    assert len(made.case().evidence["links"]) == 4
    by_mail = {r["email"]: i for i, r in made.vendors["lms"].rows().items()}
    made.vendors["lms"].edit(by_mail["p00@x.de"], email="new@x.de")
    made.sync()
    assert len(made.case().evidence["links"]) == 4
    assert [r["name"] for r in made.vendors["lms"].rows().values()].count("gone") == 0


def test_who_leaves_is_told_by_what_the_scope_reads() -> None:
    """What else was changed in the same minute is no reason, and is not written either."""
    made = staged()
    edit(made, people(made)[:1], name="Poet")
    made.sync()
    writes = queries.case(made.engine, made.case().id)["writes"]
    fields = {r["field"] for w in writes for r in w["because"] if r["code"] == "changed"}
    assert fields == {"job"}
