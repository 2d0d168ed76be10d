"""What is decided follows from what is there, not from who was woken; looking again changes nothing."""

from __future__ import annotations

import pytest

from syncengine.flows.people.links import split
from syncengine.flows.send.dispatch import dispatch
from syncengine.model.case import CaseKind
from syncengine.model.changeset import Changeset, Wakes
from syncengine.model.link import LinkState
from tests.support.bench import Bench
from tests.support.people import HR, LMS, LMS_BOTH, anna, duo

OWNED = """
  email: {type: email}
  name: {type: string, owner: hr}
  job: {type: string}
"""


def people(on_missing: str, lms: str) -> Bench:
    """People whose names ``hr`` owns. What becomes of rows that are gone: there, and in ``lms``."""
    return duo(
        fields=OWNED,
        hr_system=HR.replace("flow: both", f"flow: both, on_missing: {on_missing}"),
        lms_system=LMS.replace("create: out", f"create: out, on_missing: {lms}"),
    )


def look_again(made: Bench) -> None:
    """Everything is looked at, and nothing else has happened."""
    with made.engine.ledger.write() as tx:
        tx.write(Changeset(wakes=Wakes(entities={("person", None)})))
    made.sync()


def states(made: Bench) -> dict[str, LinkState]:
    """Connection -> state of its one link."""
    return {link.connection: link.state for link in made.links()}


@pytest.mark.parametrize("on_missing", ["keep", "flag"])
def test_a_question_about_a_row_that_is_gone_is_answered_by_a_person(on_missing: str) -> None:
    """A record that somebody is asked about is not deleted because the row of its owner goes too."""
    made = people(on_missing, "delete")
    mine, theirs = anna(made)
    made.vendors["lms"].remove(theirs)
    made.sync()
    (first,) = made.cases()
    made.vendors["hr"].remove(mine)
    made.sync()
    look_again(made)
    assert first.id in {case.id for case in made.cases()}
    assert len(made.records()) == 1
    made.answer("delete", first)
    made.sync()
    assert not made.records()


@pytest.mark.parametrize("on_missing", ["keep", "flag"])
def test_nothing_is_made_again_for_a_record_whose_owner_has_lost_its_row(on_missing: str) -> None:
    """A person who is gone from both systems gets no new account, and what is waited for is said."""
    made = people(on_missing, "recreate")
    mine, theirs = anna(made)
    made.vendors["hr"].remove(mine)
    made.vendors["lms"].remove(theirs)
    made.sync()
    look_again(made)
    assert not made.vendors["lms"].rows()
    wait = made.link("lms").wait
    assert wait is not None
    assert wait.what == "its row in hr, which is gone or in question"


def test_the_order_in_which_rows_are_found_gone_makes_no_difference() -> None:
    """The owner's row is found gone after the account was planned anew, and before it was sent."""
    made = people("flag", "recreate")
    mine, theirs = anna(made)
    for name in ("hr", "lms"):
        made.vendors[name].add(email="other@x.de", name="Other", job="dev")
    made.sync()
    made.vendors["lms"].remove(theirs)
    for _ in range(2):
        made.clock.sleep(60)
        made.scan("lms")
        made.think()
    assert [o.action for o in made.unsettled()] == ["create"]
    made.vendors["hr"].remove(mine)
    made.scan("hr")
    made.sync()
    assert [row["name"] for row in made.vendors["lms"].rows().values()] == ["Other"]


def test_an_account_is_made_again_once_its_owner_has_a_row() -> None:
    """The row turns up again: the account follows by itself."""
    made = people("flag", "recreate")
    mine, theirs = anna(made)
    row = made.vendors["hr"].row(mine)
    made.vendors["hr"].remove(mine)
    made.vendors["lms"].remove(theirs)
    made.sync()
    made.vendors["hr"].add(**row)
    made.sync()
    assert states(made) == {"hr": LinkState.LINKED, "lms": LinkState.LINKED}
    assert len(made.vendors["lms"].rows()) == 1


def test_an_account_that_a_person_wants_again_is_made_without_an_owner() -> None:
    """``recreate``, answered by a person, counts more than the owner's row that is gone."""
    made = people("keep", "flag")
    mine, theirs = anna(made)
    made.vendors["hr"].remove(mine)
    made.vendors["lms"].remove(theirs)
    made.sync()
    assert made.case().kind is CaseKind.MISSING
    made.answer("recreate")
    made.sync()
    assert len(made.vendors["lms"].rows()) == 1


def test_a_new_account_waits_while_it_is_asked_whether_its_person_is_gone() -> None:
    """Who has no account yet gets none while the owner's row is in question, and one where the record is kept."""
    made = people("flag", "recreate")
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan_all()
    made.think()
    (mine,) = made.vendors["hr"].rows()
    made.vendors["hr"].remove(mine)
    made.sync()
    assert not made.vendors["lms"].rows()
    made.answer("keep")
    made.sync()
    assert len(made.vendors["lms"].rows()) == 1


def test_a_row_that_another_holds_is_waited_for_without_a_call() -> None:
    """Whoever waits for a row that another record holds plans nothing while that is so."""
    keyed = LMS.replace("flow: both", "flow: both, key: email")
    made = duo(lms={"chosen_id": "id", "search": ()}, lms_system=keyed)
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    mine, theirs = anna(made)
    hr.edit(mine, email="anne@x.de")
    made.sync()
    hr.add(email="other@x.de", name="Other", job="dev")
    hr.add(email="anna@x.de", name="Another", job="dev")
    made.sync()
    assert [k.state for k in made.links("lms")].count(LinkState.WAITING) == 1
    before, calls = made.operations(), len(lms.calls)
    with made.engine.ledger.write() as tx:
        tx.write(Changeset(wakes=Wakes(entities={("person", None)})))
    made.settle()
    assert (made.operations(), len(lms.calls)) == (before, calls)
    lms.remove(theirs)
    made.sync()
    made.answer("keep")
    made.sync()
    assert sorted(row["name"] for row in lms.rows().values()) == ["Another", "Other"]


def test_of_several_rows_in_the_way_the_one_is_waited_for_that_was_found_first() -> None:
    """Another row of the same address changes nothing for whoever waits for the first, while that one has its place."""
    made = duo(
        hr={"search": ("email",)},
        hr_system=HR.replace("create: in", "create: both"),
        lms_system=LMS_BOTH,
    )
    mine, _ = anna(made)
    split(made.engine, made.link("lms").id, True, "kim")
    made.sync()
    made.vendors["hr"].remove(mine)
    made.sync()
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    before = [k.wait for k in made.links() if k.state is LinkState.WAITING]
    assert before
    look_again(made)
    assert [k.wait for k in made.links() if k.state is LinkState.WAITING] == before


def test_what_would_be_planned_anew_costs_no_call() -> None:
    """A create whose link has news before it goes out is planned anew; its vendor is asked for the last plan alone."""
    made = duo()
    made.scan_all()
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    made.scan("hr")
    made.think()
    before = len(made.vendors["lms"].calls)
    link = made.link("lms")
    with made.engine.ledger.write() as tx:
        tx.write(Changeset(wakes=Wakes(links=[link.id])))
    assert dispatch(made.engine) == {"cancelled": 1}
    assert len(made.vendors["lms"].calls) == before
    made.settle()
    states = [o.state.value for o in made.operations("lms")]
    assert sorted(states) == ["applied", "cancelled"]
    assert [call[0] for call in made.vendors["lms"].calls[before:]] == ["find", "create"]


def test_a_row_that_went_before_it_was_ever_compared_is_made() -> None:
    """A search that lags shows a row that is gone already: nobody has lost it, so one is made, at once and once."""
    made = duo(
        lms={"list_lag": 5.0},
        lms_system=LMS.replace("create: out", "create: out, on_missing: keep"),
    )
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    made.sync()
    hr.add(email="anna@x.de", name="Anna", job="dev")
    made.scan("hr")
    made.think()
    theirs = lms.add(email="anna@x.de", name="Anna", job="dev")
    made.clock.sleep(6.0)
    lms.remove(theirs)
    made.settle()
    made.clock.sleep(6.0)
    made.sync()
    assert [row["email"] for row in lms.rows().values()] == ["anna@x.de"]
    before = len(made.operations())
    look_again(made)
    assert len(made.operations()) == before
