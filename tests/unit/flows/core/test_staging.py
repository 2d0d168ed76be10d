"""A plan that writes too much waits as a whole, its answer is remembered, and what has gone by dissolves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from threading import Event, Thread
from time import sleep
from typing import Any, Literal

import pytest
from sqlalchemy import Engine as Database

from syncengine.flows.capture.capture import capture
from syncengine.flows.people.decisions import NotPossible
from syncengine.flows.reconcile.reconcile import reconcile
from syncengine.flows.send.dispatch import dispatch
from syncengine.flows.views.plan import plan
from syncengine.ledger import Ledger, Transaction
from syncengine.ledger.engine import make_engine
from syncengine.ledger.migrations import upgrade
from syncengine.model.case import CaseKind
from syncengine.model.link import LinkState
from syncengine.model.operation import OperationState
from syncengine.ports import Page
from syncengine.simulation.bench import LIMITS
from syncengine.simulation.traits import Fault
from tests.support.bench import Bench
from tests.support.people import HR, HR_DELETES, LMS, LMS_DELETES, LMS_SCOPED, duo, entity, remap
from tests.unit.ledger.databases import postgres_database

COMMIT = 2
"""The write transaction of a reconcile in which plans are committed (1: claiming)."""
SAFETY = "safety: {deletes: 10%, floor: 6, window: 1h}\n"
LEAVES = LMS.replace(
    "create: out", "create: out, scope: \"job != 'left'\", set: {leave: {name: gone}}"
)
ANSWERS = ("approve", "reject")


def crowd(
    size: int = 12, batch: int = 100, lms: str = LMS_SCOPED, hr: str = HR, more: str = SAFETY,
    database: Database | None = None,
) -> Bench:  # fmt: skip
    """Many people, linked in both."""
    made = duo(hr_system=hr, lms_system=lms, more=more, limits=replace(LIMITS, batch=batch))
    if database is not None:
        engine, vendors = made.engine, list(made.vendors.values())
        made = Bench.on(vendors, engine.project, database, made.clock, engine.limits)
    for n in range(size):
        made.vendors["hr"].add(email=f"p{n:02}@x.de", name=f"P{n}", job="dev")
    made.sync()
    assert len(made.vendors["lms"].rows()) == size
    return made


def people(made: Bench) -> list[str]:
    """Their ids in ``hr``."""
    return sorted(made.vendors["hr"].rows())


def edit(made: Bench, some: Sequence[str], **values: str) -> None:
    """People are changed in ``hr``."""
    for name in some:
        made.vendors["hr"].edit(name, **values)


def deletes(made: Bench) -> int:
    """How many deletes arrived in ``lms``."""
    return [verb for verb, _ in made.vendors["lms"].wrote()].count("delete")


def staged() -> Bench:
    """Ten of twelve leave, and the plan waits."""
    made = crowd()
    edit(made, people(made)[:10], job="left")
    made.sync()
    assert len(made.case().evidence["links"]) == 10
    return made


# one plan, one case


@pytest.mark.parametrize("batch", [1, 3, 5, 100])
def test_a_plan_over_the_limit_waits_whole_whatever_the_batches(batch: int) -> None:
    """Nothing of it is sent, however it was cut into batches; it is one case with the whole list."""
    made = crowd(batch=batch)
    edit(made, people(made)[:10], job="left")
    made.sync()
    assert not deletes(made)
    assert len(made.case().evidence["links"]) == 10
    assert not made.unsettled()


def test_the_rest_of_the_work_goes_on() -> None:
    """While deletes wait, other writes of the same entity and connection are sent."""
    made = staged()
    last = people(made)[-1]
    edit(made, [last], job="lead")
    made.sync()
    (row,) = [r for r in made.vendors["lms"].rows().values() if r["email"] == "p11@x.de"]
    assert row["job"] == "lead"
    assert not deletes(made)


def planned_in_parts(database: Database | None = None) -> Bench:
    """Ten leave; the links in ``lms`` are dirty, and no batch holds them all."""
    made = crowd(batch=5, database=database)
    edit(made, people(made)[:10], job="left")
    made.scan("hr")
    mine = [k.id for k in made.links("hr")]
    while reconcile(made.engine, ids=mine):
        pass
    assert len([k for k in made.links("lms") if k.dirty]) == 10
    return made


def test_batches_of_two_workers_that_interleave_are_one_plan() -> None:
    """A batch that is committed inside another one's round counts with it; nothing goes out between."""
    made = planned_in_parts()
    engine = made.engine
    with made.between(COMMIT, lambda: reconcile(engine)):
        reconcile(engine)
    assert made.send() == {}
    assert len(made.case().evidence["links"]) == 10
    assert {o.state for o in made.operations() if o.action == "delete"} == {
        OperationState.CANCELLED
    }


def test_the_first_batch_is_not_sent_while_the_second_is_to_be_planned() -> None:
    """Writes of a limited kind stay until everything is planned that may add to them."""
    made = planned_in_parts()
    reconcile(made.engine)
    assert len(made.unsettled()) == 5
    assert made.send() == {}
    made.settle()
    assert not deletes(made)
    assert len(made.case().evidence["links"]) == 10


@dataclass
class Lingers:
    """A ledger that stays in its write transaction number ``at`` for a while, after all was said."""

    ledger: Ledger
    at: int
    inside: Event
    count: int = 0

    def read(self) -> AbstractContextManager[Transaction]:
        """A snapshot."""
        return self.ledger.read()

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A write."""
        self.count += 1
        mine = self.count
        with self.ledger.write() as tx:
            yield tx
            if mine == self.at:
                self.inside.set()
                sleep(0.3)


def test_two_workers_at_once_are_one_plan() -> None:
    """Two batches that are committed at the same time, neither of which sees the other, are counted together."""
    with postgres_database() as url:
        here, there = make_engine(url), make_engine(url)
        upgrade(here)
        made = planned_in_parts(here)
        inside = Event()
        one = replace(made.engine, ledger=Lingers(made.engine.ledger, COMMIT, inside))
        other = replace(made.engine, ledger=Ledger(there))
        first = Thread(target=reconcile, args=(one,))
        first.start()
        assert inside.wait(10)
        reconcile(other)
        first.join(10)
        assert len(made.case().evidence["links"]) == 10
        assert not made.unsettled()
        for engine in (here, there):
            engine.dispose()


@pytest.mark.parametrize("kind", ["scan", "poll"])
def test_pages_of_a_listing_under_way_are_one_plan(
    monkeypatch: pytest.MonkeyPatch, kind: Literal["scan", "poll"]
) -> None:
    """What the first pages brought is not sent before the last page was read."""
    made = crowd()
    hr = made.vendors["hr"]
    edit(made, people(made)[:10], job="left")
    planned = []

    def slowly(*given: Any) -> Iterator[Page]:
        """A listing between the pages of which other workers do what is due."""
        for page in scan(*given):
            yield page
            made.think()
            assert dispatch(made.engine) == {}
            planned.append(len(made.unsettled()))

    scan = hr.scan
    monkeypatch.setattr(hr, kind, lambda resource, *_: slowly(resource))
    capture(made.engine, "hr", "people", kind)
    assert planned[0] == 3
    made.settle()
    assert not deletes(made)
    assert len(made.case().evidence["links"]) == 10


def test_a_listing_that_broke_off_holds_nothing() -> None:
    """After a failed listing there are no more pages to wait for."""
    made = crowd()
    edit(made, people(made)[:3], job="left")
    made.vendors["hr"].fault("scan", "partial")
    made.scan("hr")
    made.clock.sleep(2)
    made.settle()
    assert deletes(made) == 3


def test_a_plan_that_never_stops_growing_is_sent_after_a_while() -> None:
    """Where something is always left to be looked at, writes are held no longer than the window."""
    made = crowd()
    edit(made, people(made)[:1], job="left")
    made.scan("hr")
    made.think()
    last = made.links("lms")[-1].id
    with made.engine.ledger.write() as tx:
        tx.dirty_links([last])
    assert made.send() == {}
    made.clock.sleep(3601)
    assert made.send() == {"applied": 1}


def test_a_plan_within_the_limit_is_sent_at_once() -> None:
    """As soon as all is planned, what the limit allows goes out."""
    made = crowd()
    edit(made, people(made)[:6], job="left")
    made.sync()
    assert deletes(made) == 6
    assert not made.cases()


def test_a_write_that_had_no_effect_does_not_count() -> None:
    """What a vendor refused may be tried again without being counted twice."""
    made = crowd()
    refused: list[Fault] = ["refuse"] * 6
    made.vendors["lms"].fault("delete", *refused)
    edit(made, people(made)[:6], job="left")
    made.sync()
    for case in made.cases():
        made.answer("retry", case)
    made.sync()
    assert len(made.vendors["lms"].rows()) == 6
    assert not made.cases()


# the answer is remembered


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
    assert not [k for k in made.links("lms") if k.state is LinkState.LINKED and k.ruling]
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


# what has gone by dissolves


def test_a_case_whose_writes_nobody_wants_closes_itself() -> None:
    """All leavers come back: nobody is asked any more, and nothing is written."""
    made = staged()
    edit(made, people(made)[:10], job="dev")
    made.sync()
    assert not made.cases()
    assert not deletes(made)
    assert not [k for k in made.links() if k.wait or k.ruling]


def test_who_comes_back_leaves_the_case() -> None:
    """The case holds those who still want the write, and no others."""
    made = staged()
    edit(made, people(made)[:2], job="dev")
    made.sync()
    assert len(made.case().evidence["links"]) == 8
    made.answer("approve")
    made.sync()
    assert deletes(made) == 8


def test_what_was_asked_once_is_not_sent_without_an_answer() -> None:
    """Though so many come back that the rest is within the limit: half of an accident that was mended is still one."""
    made = staged()
    edit(made, people(made)[:5], job="dev")
    made.sync()
    assert len(made.case().evidence["links"]) == 5
    assert not deletes(made)
    assert {c["held"] for c in plan(made.engine)["changes"]} == {"waits for approval"}
    made.answer("approve")
    made.sync()
    assert deletes(made) == 5


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


# rows that vanish


def vanished(made: Bench, count: int) -> list[dict[str, str]]:
    """Rows of ``hr`` are deleted there; what they held."""
    hr, gone = made.vendors["hr"], []
    for name in people(made)[:count]:
        gone.append({k: v for k, v in hr.row(name).items() if k != "id"})
        hr.remove(name)
    made.sync()
    return gone


def test_records_are_not_deleted_before_a_person_has_said_so() -> None:
    """``on_missing: delete`` of too many records is staged where their rows vanished, and the records live on."""
    made = crowd(lms=LMS_DELETES, hr=HR_DELETES)
    vanished(made, 10)
    case = made.case()
    assert case.kind is CaseKind.STAGED
    assert case.subject == "staged:person:hr:delete"
    assert len(made.records()) == 12
    assert not deletes(made)
    assert made.sync()["converged"]


def test_vanishing_one_by_one_counts_too() -> None:
    """A slow drip of rows that vanish is limited like any other."""
    made = crowd(lms=LMS_DELETES, hr=HR_DELETES)
    for _ in range(8):
        vanished(made, 1)
    assert len(made.records()) == 6
    assert len(made.case().evidence["links"]) == 2


def test_approved_deletions_are_asked_about_once() -> None:
    """Who approved that the records go approved that they leave the other systems."""
    made = crowd(lms=LMS_DELETES, hr=HR_DELETES)
    vanished(made, 10)
    made.answer("approve")
    made.sync()
    assert len(made.records()) == 2
    assert deletes(made) == 10
    assert not made.cases()


@pytest.mark.parametrize("given", [None, *ANSWERS])
def test_people_who_come_back_are_linked_everywhere(given: str | None) -> None:
    """Whether nobody had answered, or how, people who return under new ids have one row in each system again."""
    made = crowd(lms=LMS_DELETES, hr=HR_DELETES)
    gone = vanished(made, 10)
    if given is not None:
        made.answer(given)
        made.sync()
    for values in gone:
        made.vendors["hr"].add(**values)
    made.sync()
    assert made.sync()["converged"]
    assert len(made.records()) == len(made.vendors["lms"].rows()) == 12
    assert not made.cases()
    live = {r.id for r in made.records()}
    linked = [k for k in made.links() if k.state is LinkState.LINKED and k.record_id in live]
    assert len(linked) == 24
    assert not [k for k in made.links() if k.wait and k.record_id in live]


@pytest.mark.parametrize("given", [None, *ANSWERS])
def test_people_who_come_back_take_over_rows_that_were_not_deleted(given: str | None) -> None:
    """Where the records went and their rows' deletes were staged, a new record takes the old one's row over, unless
    it was deleted."""
    few = LMS_SCOPED.replace("left", "temp")
    made = crowd(12, lms=few, hr=HR_DELETES, more="safety: {deletes: 50%, floor: 1, window: 1h}\n")
    temps = [made.vendors["hr"].add(email=f"t{n}@x.de", name=f"T{n}", job="temp") for n in range(8)]
    made.sync()
    assert temps
    gone = vanished(made, 8)
    assert made.case().subject == "staged:person:lms:delete"
    assert len(made.records()) == 12
    if given is not None:
        made.answer(given)
        made.sync()
    for values in gone:
        made.vendors["hr"].add(**values)
    made.sync()
    assert made.sync()["converged"]
    assert not made.cases()
    assert len(made.vendors["lms"].rows()) == 12
    live = {r.id for r in made.records() if r.values["job"] != "temp"}
    linked = [k for k in made.links("lms") if k.state is LinkState.LINKED]
    assert {k.record_id for k in linked} == live
    assert deletes(made) == (8 if given == "approve" else 0)
    assert not [k for k in made.links() if k.wait and k.record_id in live]


def test_a_rejected_deletion_of_records_may_still_be_approved() -> None:
    """Records that were kept without their rows can be let go later."""
    made = crowd(lms=LMS_DELETES, hr=HR_DELETES)
    vanished(made, 10)
    case = made.case()
    made.answer("reject")
    made.sync()
    assert len(made.records()) == 12
    assert {k.state for k in made.links("hr")} == {LinkState.LINKED, LinkState.GONE}
    made.answer("approve", case)
    made.sync()
    assert len(made.records()) == 2
    assert deletes(made) == 10
