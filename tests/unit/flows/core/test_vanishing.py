"""Records whose rows vanish by the dozen: a person is asked before they are deleted, and who comes back is linked."""

from __future__ import annotations

import pytest

from syncengine.model.case import CaseKind
from syncengine.model.link import LinkState
from tests.support.bench import Bench
from tests.support.people import HR_DELETES, LMS_DELETES, LMS_SCOPED
from tests.unit.flows.core.leavers import ANSWERS, crowd, deletes, people


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
    assert len(case.evidence["links"]) == 10
    assert len(made.records()) == 12
    assert made.sync()["converged"]
    assert not deletes(made)


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
    assert not deletes(made)
    assert not made.cases()
    assert {k.state for k in made.links("hr")} == {LinkState.LINKED, LinkState.GONE}
    made.answer("approve", case)
    made.sync()
    assert len(made.records()) == 2
    assert deletes(made) == 10
