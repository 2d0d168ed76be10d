"""A vendor that cuts off what is written to it and does nothing: few tries, plain words, and then a question."""

from __future__ import annotations

from typing import Any

import pytest

from syncengine.flows.views.status import status
from syncengine.model.case import CaseKind
from syncengine.model.operation import Detail
from syncengine.planning.questions import not_taken
from tests.support.bench import Bench
from tests.support.people import HR_DELETES, LMS_DELETES, anna, duo


def wanted(action: str) -> Bench:
    """A write to lms that was not sent yet, and that lms cuts off from now on."""
    made = duo(hr_system=HR_DELETES, lms_system=LMS_DELETES)
    if action == "create":
        made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    else:
        mine, _ = anna(made)
        hr = made.vendors["hr"]
        hr.add(email="bo@x.de", name="Bo", job="dev")
        made.sync()
        if action == "delete":
            hr.remove(mine)
        else:
            hr.edit(mine, job="lead")
    made.vendors["lms"].fault(action, *["lost"] * 20)
    return made


def sent(made: Bench, action: str) -> int:
    """How often it arrived."""
    return sum(verb == action for verb, _ in made.vendors["lms"].wrote())


def waits(made: Bench) -> list[Any]:
    """For what links and writes wait, as ``status`` says."""
    return [line["waits_for"] for line in status(made.engine)["waiting"]]


@pytest.mark.parametrize("action", ["create", "update", "delete"])
def test_a_vendor_that_never_takes_a_write_is_a_question(action: str) -> None:
    """Rule 10: a pass sends it twice at most and says so, ``status`` too; the third time is the last, and a person is
    asked, at whose word it goes out again."""
    made = wanted(action)
    before = sent(made, action)
    for _ in range(2):
        began = made.clock.now()
        (fault,) = made.sync()["faults"]
        assert fault.startswith(f"lms: {Detail.LAST_TRY}, until ")
        assert fault.endswith("left: 1 × writes")
        assert made.clock.now() - began < 80
        assert sent(made, action) - before == 2
        assert waits(made) == [f"the last try: {Detail.LAST_TRY}"]
        assert not made.cases()
    made.clock.sleep(400)
    assert not made.sync()["faults"]
    case, what = made.case(), f"{'an' if action == 'update' else 'a'} {action} of people"
    assert case.kind is CaseKind.REJECTED
    assert case.question.startswith(f"lms does not take {what}: sent 3 times, never answered")
    assert waits(made) == [not_taken("lms").what]
    made.sync()
    assert sent(made, action) - before == 3
    made.vendors["lms"].faults.clear()
    made.answer("retry")
    made.sync()
    assert sent(made, action) - before == 4
    assert (made.cases(), waits(made)) == ([], [])


@pytest.mark.parametrize("lost", [1, 2])
def test_what_is_taken_in_the_end_asks_nobody(lost: int) -> None:
    """One cut is tried again in the same pass, two are after a rest; nothing is counted once the write took effect."""
    made = wanted("create")
    for _ in range(2):
        made.vendors["lms"].faults.clear()
        made.vendors["lms"].fault("create", *["lost"] * lost)
        made.sync()
        made.clock.sleep(400)
        assert not made.sync()["faults"]
        assert not made.cases()
        made.vendors["hr"].add(email=f"{sent(made, 'create')}@x.de", name="Bo", job="dev")
    assert len(made.vendors["lms"].rows()) == 2


def test_another_value_has_tries_of_its_own() -> None:
    """A write that is another one by now is not the one that was not taken."""
    made = wanted("update")
    made.sync()
    made.clock.sleep(400)
    mine = next(iter(made.vendors["hr"].rows()))
    made.vendors["hr"].edit(mine, job="chief")
    made.sync()
    assert not made.cases()
    made.vendors["lms"].faults.clear()
    made.clock.sleep(400)
    made.sync()
    assert [row["job"] for row in made.vendors["lms"].rows().values()] == ["chief", "dev"]
