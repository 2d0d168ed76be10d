"""A question ends with its reason, on whichever side the reason ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from syncengine.flows.people.cases import answer, answers_now
from syncengine.flows.people.decisions import Decision, NotPossible
from syncengine.flows.people.links import join, point, split
from syncengine.flows.people.undo import undo
from syncengine.model.case import CaseKind
from syncengine.model.link import LinkState
from tests.support.bench import Bench
from tests.support.people import HR, HR_DELETES, LMS_IN, duo

MATCH = "{resource: people, flow: match, on_missing: keep, fields: {email: email}}"


def hired(hr: str = HR) -> tuple[Bench, str, str]:
    """Anna has an account; a new hire is entered with her address, and that is asked."""
    made = duo(hr_system=hr)
    rows = made.vendors["hr"]
    anna = rows.add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    bert = rows.add(email="anna@x.de", name="Bert", job="cook")
    made.sync()
    assert made.case().kind is CaseKind.IDENTITY
    assert "replace" in " ".join(answers(made))
    return made, anna, bert


def answers(made: Bench) -> dict[str, str]:
    """What may be answered now to the one open question."""
    case = made.case()
    return made.read(lambda tx: answers_now(made.engine, tx, case))


def another_address(made: Bench, anna: str, _: str) -> None:
    made.vendors["hr"].edit(anna, email="anna.b@x.de")


def address_of_his_own(made: Bench, _: str, bert: str) -> None:
    made.vendors["hr"].edit(bert, email="bert@x.de")


def swapped(made: Bench, anna: str, bert: str) -> None:
    made.vendors["hr"].edit(anna, email="bert@x.de")
    made.vendors["hr"].edit(bert, email="anna@x.de", job="head")


def gone(made: Bench, anna: str, _: str) -> None:
    made.vendors["hr"].remove(anna)


def split_off(made: Bench, anna: str, _: str) -> None:
    row = made.link("hr", anna)
    made.vendors["hr"].remove(anna)
    split(made.engine, row.id, False, "kim")


def undone(made: Bench, anna: str, _: str) -> None:
    made.vendors["hr"].edit(anna, email="anna.b@x.de")
    made.scan("hr")
    made.settle()
    assert len(made.records()) == 2


ENDS = [another_address, address_of_his_own, swapped, undone]


@pytest.mark.parametrize("ends", ENDS)
def test_a_new_hire_is_no_question_once_the_address_is_free(
    ends: Callable[[Bench, str, str], None],
) -> None:
    """Whose address it was has another one: the next pass makes the person and the account, and nobody is asked."""
    made, anna, bert = hired()
    ends(made, anna, bert)
    made.sync()
    assert not made.cases()
    assert len(made.records()) == 2
    assert {r["name"] for r in made.vendors["lms"].rows().values()} == {"Anna", "Bert"}
    assert made.sync()["converged"]


@pytest.mark.parametrize("ends", [gone, split_off])
@pytest.mark.parametrize("hr", [HR.replace("both", "both, on_missing: keep", 1), HR_DELETES])
def test_a_row_takes_the_place_that_is_free(
    ends: Callable[[Bench, str, str], None], hr: str
) -> None:
    """The row that stood in its place is gone or split off: the other one is told who it is, and nobody is asked."""
    made, anna, bert = hired(hr)
    ends(made, anna, bert)
    made.sync()
    made.sync()
    assert CaseKind.IDENTITY not in {case.kind for case in made.cases()}
    row = made.link("hr", bert)
    assert row.state is LinkState.LINKED
    assert made.sync()["converged"]


def test_a_thing_renamed_beside_a_new_one_of_its_old_name() -> None:
    """A department is renamed and a new one gets its old name, in one listing or in two: two departments, no
    question."""
    for together in (True, False):
        made = duo(identity="[[name]]", lms={"search": ("name",)})
        hr = made.vendors["hr"]
        old = hr.add(name="Sales", email="a@x.de", job="1")
        made.sync()
        hr.add(name="Sales", email="b@x.de", job="2")
        if not together:
            made.sync()
            assert made.case().kind is CaseKind.IDENTITY
        hr.edit(old, name="Sales DACH")
        made.sync()
        assert not made.cases()
        assert {r.values["name"] for r in made.records()} == {"Sales", "Sales DACH"}
        assert len(made.vendors["lms"].rows()) == 2
        assert made.sync()["converged"]


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("single_get", [True, False])
def test_an_account_made_again_with_the_same_address(together: bool, single_get: bool) -> None:
    """An account that only tells who is who is made again: the new one is linked once the old one is gone."""
    made = duo(lms_system=MATCH, lms={"single_get": single_get})
    lms = made.vendors["lms"]
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    old = lms.add(email="anna@x.de", name="Anna")
    made.sync()
    new = lms.add(email="anna@x.de", name="Anna")
    if not together:
        made.sync()
        assert made.case().kind is CaseKind.IDENTITY
    lms.remove(old)
    made.sync()
    made.sync()
    assert not made.cases()
    states = {k.external_id: k.state for k in made.links("lms")}
    assert states == {old: LinkState.GONE, new: LinkState.LINKED}


def test_of_two_alike_the_other_is_told_once_one_is_let_be() -> None:
    """Two rows show one address; one is left alone, gets another address, or is gone: the other is nobody's question
    any more."""
    for ends in ("ignore", "edit", "remove"):
        made = duo(lms_system=LMS_IN)
        lms = made.vendors["lms"]
        made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
        rows = [lms.add(email="anna@x.de", name="Anna", job="dev") for _ in range(2)]
        made.sync()
        assert len(made.cases()) == 2
        first = made.link("lms", rows[0])
        if ends == "ignore":
            made.answer("ignore", next(c for c in made.cases() if c.link_id == first.id))
        elif ends == "edit":
            lms.edit(rows[0], email="else@x.de")
        else:
            lms.remove(rows[0])
        made.sync()
        assert not made.cases(), ends
        other = made.link("lms", rows[1])
        assert other.record_id == made.record(email="anna@x.de").id


def twice() -> tuple[Bench, str, str]:
    """Two people of whom one gets the address of the other."""
    made = duo(hr_system=HR_DELETES)
    hr = made.vendors["hr"]
    anna = hr.add(email="anna@x.de", name="Anna", job="dev")
    bert = hr.add(email="bert@x.de", name="Bert", job="cook")
    made.sync()
    hr.edit(bert, email="anna@x.de")
    made.sync()
    assert made.case().subject.startswith("shared:")
    return made, anna, bert


@pytest.mark.parametrize("who", ["anna", "bert", "gone", "join", "undo"])
def test_an_identity_borne_twice_is_no_question_once_it_is_borne_once(who: str) -> None:
    """One of the two gets another address, goes, or both become one: nobody is asked any more, and the address is held
    as any other."""
    made, anna, bert = twice()
    hr = made.vendors["hr"]
    if who == "undo":
        line = next(
            c for c in made.history(made.record(name="Bert").id) if c.field == "email" and c.old
        )
        undo(made.engine, line.id, "kim")
    elif who == "join":
        hr.remove(bert)
        join_rows(made)
    elif who == "gone":
        hr.remove(anna)
    else:
        hr.edit({"anna": anna, "bert": bert}[who], email="other@x.de")
    made.sync()
    made.sync()
    assert not made.cases()
    hr.add(email="anna@x.de", name="Cleo", job="boss")
    made.sync()
    assert made.cases()


def join_rows(made: Bench) -> None:
    """Bert's rows are split off, and his record goes into Anna's."""
    kept, lost = made.record(name="Anna").id, made.record(name="Bert").id
    for link in [k for k in made.links() if k.record_id == lost and k.external_id]:
        split(made.engine, link.id, False, "kim")
    join(made.engine, kept, lost, "kim")


def test_that_two_are_two_is_said_once() -> None:
    """Somebody said that both bear the identity: it is not asked again at each change of theirs."""
    made, anna, bert = twice()
    made.answer("ignore")
    made.vendors["hr"].edit(bert, job="head")
    made.vendors["hr"].edit(anna, job="lead")
    made.sync()
    assert not made.cases()


def test_an_answer_that_fits_no_longer_is_refused_with_what_changed() -> None:
    """The person was right when the question was shown, and has another address by now, as we know already: their row
    is not handed over."""
    made, anna, _ = hired()
    case, record = made.case(), made.record(name="Anna").id
    made.vendors["hr"].edit(anna, email="anna.b@x.de")
    made.scan("hr")
    made.think()
    with pytest.raises(NotPossible, match="closed"):
        answer(made.engine, case.id, f"replace {record}")
    owner = made.link("hr", anna)
    assert owner.record_id == record


def test_an_answer_is_checked_against_what_is_known_not_what_was_asked() -> None:
    """Between a change and the next look at the row the question stands with what may be answered now."""
    made, _, bert = hired()
    case, record = made.case(), made.record(name="Anna")
    with made.engine.ledger.write() as tx:
        act = Decision(made.engine, tx, "kim")
        act.commit(act.change(record, {"email": "anna.b@x.de"}, "by hand")[1])
    with pytest.raises(NotPossible, match="no longer") as refused:
        answer(made.engine, case.id, f"replace {record.id}")
    assert "new" in str(refused.value)
    assert answer(made.engine, case.id, "new")
    assert made.link("hr", bert).record_id != record.id


def test_a_row_that_is_pointed_elsewhere_frees_its_place() -> None:
    """A row was linked wrongly and is pointed at whom it belongs to: who asked for its place has it."""
    made = duo(lms_system=MATCH)
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    hr.add(email="anna@x.de", name="Anna", job="dev")
    hr.add(email="bert@x.de", name="Bert", job="cook")
    wrong = lms.add(email="anna@x.de", name="Bert")
    made.sync()
    right = lms.add(email="anna@x.de", name="Anna")
    made.sync()
    assert made.case().kind is CaseKind.IDENTITY
    link = made.link("lms", wrong)
    point(made.engine, link.id, made.record(name="Bert").id, "kim")
    made.sync()
    assert not made.cases()
    assert made.link("lms", right).record_id == made.record(name="Anna").id
