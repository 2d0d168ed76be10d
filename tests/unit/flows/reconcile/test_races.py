"""Two workers at once: what is compared is what is set, and nothing is lost on the way."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from syncengine.errors import LostRace
from syncengine.flows.reconcile.reconcile import reconcile
from syncengine.model.changeset import Changeset, Wakes
from syncengine.model.link import LinkState
from syncengine.model.operation import Action, Operation, OperationState
from tests.support.bench import COMMIT, Bench
from tests.support.people import LMS_BOTH, LMS_NONE, anna, crowd, duo


def claimed(made: Bench) -> None:
    with made.engine.ledger.write() as tx:
        tx.claim_operations(made.clock.now(), made.engine.limits.lease, 10, ["lms"])


def dirty(made: Bench) -> dict[str, int]:
    return {k.connection: k.dirty for k in made.links() if k.dirty}


def test_two_changes_of_one_record_at_once_both_survive() -> None:
    """Rule 2: what was decided on a generation that has passed is dropped and decided anew."""
    made = duo()
    mine, theirs = anna(made)
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    hr.edit(mine, job="lead")
    lms.edit(theirs, name="Anne")
    made.scan_all()
    engine, other = made.engine, made.link("lms").id
    with made.between(COMMIT, lambda: reconcile(engine, ids=[other])):
        reconcile(engine, ids=[made.link("hr").id])
    both = {"email": "anna@x.de", "name": "Anne", "job": "lead"}
    assert (made.record().values, made.record().generation) == (both, 3)
    made.settle()
    assert (made.record().values, made.record().generation) == (both, 3)
    assert hr.row(mine)["name"] == "Anne"
    assert lms.row(theirs)["job"] == "lead"


def test_a_row_that_moved_while_it_was_planned_is_planned_anew() -> None:
    """Rule 2: a plan made on a row that has passed takes nothing back."""
    made = duo()
    mine, theirs = anna(made)
    hr = made.vendors["hr"]
    hr.edit(mine, job="lead")
    made.scan("hr")

    def meanwhile() -> None:
        hr.edit(mine, job="head")
        made.scan("hr")

    with made.between(COMMIT, meanwhile):
        reconcile(made.engine, ids=[made.link("hr").id])
    row = made.link("hr").row
    assert row is not None
    assert row["job"] == "head"
    assert made.record().values["job"] == "dev"
    made.settle()
    assert made.vendors["lms"].row(theirs)["job"] == "head"


def test_a_worker_that_stalled_beyond_its_lease_plans_no_second_write() -> None:
    """Rule 2: the lease saves work, the compare-and-set keeps truth."""
    made = duo()
    mine, _ = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.scan("hr")
    mine = made.link("hr").id

    def another() -> None:
        made.clock.sleep(made.engine.limits.lease + 1)
        assert reconcile(made.engine, ids=[mine]) == 1

    with made.between(COMMIT, another):
        reconcile(made.engine, ids=[mine])
    assert len(made.unsettled()) == 1
    made.settle()
    assert len(made.written()["lms"]) == 2


def test_an_unsettled_operation_keeps_every_other_plan_of_its_link_away() -> None:
    """Rule 2: no plan is committed to a link whose operation is under way, not even one made before it; what was
    decided with it waits as well."""
    made = duo()
    mine, _ = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.scan("hr")
    link = made.link("lms")

    def another() -> None:
        operation = Operation(
            "o1", link.id, link.record_id or "", "person", "lms", "people", Action.UPDATE,
            body={"job": "x"}, key="k1", state=OperationState.CLAIMED, lease_until=2e9,
        )  # fmt: skip
        with made.engine.ledger.write() as tx:
            tx.write(Changeset(new_operations=[operation]))

    with made.between(COMMIT, another):
        reconcile(made.engine)
    assert [o.id for o in made.unsettled()] == ["o1"]
    assert made.record().values["job"] == "dev"
    assert made.link("hr").dirty


def test_a_link_whose_operation_is_under_way_knows_later_of_a_change() -> None:
    """Rule 3: a record changes while a write of another link is under way: that link is looked at once it has ended."""
    made = duo()
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.scan("hr")
    reconcile(made.engine)
    claimed(made)
    made.vendors["hr"].edit(mine, name="Anne")
    made.scan("hr")
    reconcile(made.engine)
    assert made.record().values["name"] == "Anne"
    assert made.link("lms").dirty
    for _ in range(2):  # the write is proved not to have been done, and made anew
        made.clock.sleep(made.engine.limits.lease + 10)
        made.settle()
    assert made.vendors["lms"].row(theirs) == {**made.record().values, "id": theirs}


def test_in_a_batch_each_item_stands_or_falls_alone() -> None:
    """Rule 2: one link that moved meanwhile does not take its neighbours with it."""
    made = duo()
    hr = made.vendors["hr"]
    names = crowd(made, 3)
    made.sync()
    for name in names:
        hr.edit(name, job="lead")
    made.scan("hr")

    def meanwhile() -> None:
        hr.edit(names[1], job="head")
        made.scan("hr")

    with made.between(COMMIT, meanwhile):
        reconcile(made.engine)
    assert sorted(r.values["job"] for r in made.records()) == ["dev", "lead", "lead"]
    made.settle()
    assert sorted(r.values["job"] for r in made.records()) == ["head", "lead", "lead"]


def test_the_dirty_counter_is_lowered_to_what_was_read() -> None:
    """Rule 3: a reason to look again that came after the reading survives the commit."""
    made = duo()
    mine, _ = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.scan("hr")
    link = made.link("lms")
    assert link.dirty == 0

    def another() -> None:
        with made.engine.ledger.write() as tx:
            tx.write(Changeset(wakes=Wakes(links=[link.id])))

    with made.between(COMMIT, another):
        reconcile(made.engine)
    assert len(made.unsettled()) == 1
    assert made.link("lms").dirty == 1


def test_the_other_links_of_a_record_are_decided_with_it() -> None:
    """Rule 3: there is no moment in which the record has moved and its other links do not know."""
    made = duo()
    mine, _ = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.scan("hr")
    assert dirty(made) == {"hr": 1}
    assert reconcile(made.engine) == 1
    assert made.record().values["job"] == "lead"
    assert [o.body for o in made.unsettled()] == [{"job": "lead"}]
    assert not dirty(made)


def test_a_commit_locks_records_first() -> None:
    """Rule 18: in the commit the records come before the links."""
    made = duo()
    mine, theirs = anna(made)
    made.vendors["hr"].edit(mine, job="lead")
    made.vendors["lms"].edit(theirs, name="Anne")
    made.scan_all()
    assert dirty(made) == {"hr": 1, "lms": 1}
    with made.statements() as statements, made.between(COMMIT, statements.clear):
        assert reconcile(made.engine) == 2
    asked = [re.search("FROM (records|links)", statement) for statement in statements]
    tables = [found[1] for found in asked if found]
    assert tables[0] == "records"


@pytest.mark.parametrize("action", ["tie", "make"])
def test_two_workers_that_tell_who_a_row_is_agree(action: str) -> None:
    """Rule 12: two at once link a row once, and make one record of it."""
    made = duo(lms_system=LMS_NONE)
    lms = made.vendors["lms"]
    if action == "tie":
        made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
        made.scan("hr")
        made.think()
        lms.add(email="anna@x.de", name="Anna", job="dev")
        made.scan("lms")
    else:
        made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
        made.scan("hr")

    def another() -> None:
        made.clock.sleep(made.engine.limits.lease + 1)
        made.think()

    with made.between(COMMIT, another):
        reconcile(made.engine)
    made.settle()
    assert len(made.records()) == 1
    assert {k.state for k in made.links()} == {LinkState.LINKED}


def test_two_rows_of_two_vendors_that_are_one_person_make_one_record() -> None:
    """Rule 12: the second of two rows that show one key at the same time links to the first one's record."""
    made = duo(lms_system=LMS_BOTH)
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.vendors["lms"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan_all()
    other = made.link("lms").id
    with made.between(COMMIT, lambda: reconcile(made.engine, ids=[other])):
        reconcile(made.engine, ids=[made.link("hr").id])
    made.settle()
    assert len(made.records()) == 1
    assert {k.record_id for k in made.links()} == {made.record().id}
    assert not made.written()


def test_one_place_holds_one_link_of_a_record() -> None:
    """Rule 12: the store itself refuses a second link of a record in one place, and a second link of a row."""
    made = duo()
    anna(made)
    link = made.link("lms")

    twins = (
        replace(link, id="other", external_id="x"),
        replace(link, id="other", record_id=None, state=LinkState.SEEN),
    )
    for twin in twins:
        with pytest.raises(LostRace), made.engine.ledger.write() as tx:
            tx.write(Changeset(new_links=[twin]))
