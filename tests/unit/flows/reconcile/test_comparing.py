"""What two systems show and nobody writes is compared: that they differ is a question, as the policies say."""

from __future__ import annotations

import pytest

from syncengine.flows.people.undo import undo
from syncengine.flows.views.explain import explain
from syncengine.model.case import CaseKind
from syncengine.model.changeset import Changeset, Wakes
from tests.support.bench import Bench
from tests.support.company import company
from tests.support.people import duo

IN = "{resource: people, flow: in, create: in, on_missing: keep, fields: {email: email, name: name, job: job}}"
FIELDS = "\n  email: {type: email}\n  name: {type: string}\n  job: {type: %s}\n"


def compared(job: str = "string", start: str | int = "20") -> tuple[Bench, str, str]:
    """Anna is in both, which are only read, and both say the same."""
    made = duo(hr_system=IN, lms_system=IN, fields=FIELDS % job)
    rows = [v.add(email="anna@x.de", name="Anna", job=start) for v in made.vendors.values()]
    made.sync()
    assert not made.cases()
    return made, rows[0], rows[1]


def test_a_difference_that_nobody_writes_is_asked() -> None:
    """One of the two is changed, the other stays: which of them counts is a question, which ends once they agree."""
    made, mine, theirs = compared()
    made.vendors["lms"].edit(theirs, job="22")
    made.sync()
    case = made.case()
    assert case.kind is CaseKind.CONFLICT
    assert case.evidence["fields"] == {"job": {"record": "22", "hr": "20"}}
    assert "between hr and lms" in case.question
    made.vendors["hr"].edit(mine, job="22")
    made.sync()
    assert not made.cases()


def test_a_difference_goes_with_its_cause() -> None:
    """The one that was changed is changed back."""
    made, _, theirs = compared()
    made.vendors["lms"].edit(theirs, job="22")
    made.sync()
    made.vendors["lms"].edit(theirs, job="20")
    made.sync()
    assert not made.cases()


@pytest.mark.parametrize(("given", "value"), [("hr", "20"), ("record", "22")])
def test_which_counts_is_said_once(given: str, value: str) -> None:
    """The answer stands while both say what they said, and a further change is another question."""
    made, _, theirs = compared()
    made.vendors["lms"].edit(theirs, job="22")
    made.sync()
    made.answer(given)
    made.sync()
    again(made)
    assert made.record().values["job"] == value
    assert not made.cases()
    made.vendors["lms"].edit(theirs, job="23")
    made.sync()
    assert made.case().evidence["fields"]["job"] == {"record": "23", "hr": "20"}


def again(made: Bench) -> None:
    """Everything is looked at once more, and nothing changes."""
    before, lines = made.cases(), len(made.history(made.record().id))
    ids = [link.id for link in made.links()]
    with made.engine.ledger.write() as tx:
        tx.write(Changeset(wakes=Wakes(links=ids)))
    made.settle()
    assert made.cases() == before
    assert len(made.history(made.record().id)) == lines


def test_a_person_s_own_word_is_no_question() -> None:
    """A change that a person takes back is decided, though the systems say otherwise."""
    made, _, theirs = compared()
    made.vendors["lms"].edit(theirs, job="22")
    made.sync()
    line = next(c for c in made.history(made.record().id) if c.new == "22")
    undo(made.engine, line.id, "kim")
    made.sync()
    again(made)
    assert made.record().values["job"] == "20"
    assert not made.cases()


POLICIES = [
    ("string, on_conflict: newest", "20", "22", "22", None),
    ("string, on_conflict: hr", "20", "22", "20", None),
    ("integer, on_conflict: max", 20, 19, 20, None),
    ("integer, on_conflict: min", 20, 19, 19, None),
    ("string, owner: lms", "20", "22", "22", None),
    ("string, owner: lms, on_drift: flag", "20", "22", "22", CaseKind.DRIFT),
    ("string, owner: hr, on_drift: flag", "20", "22", "20", CaseKind.DRIFT),
    ("string, owner: hr", "20", "22", "20", None),
    ("string, on_conflict: flag", "20", "22", "22", CaseKind.CONFLICT),
]


@pytest.mark.parametrize(("policy", "start", "to", "value", "kind"), POLICIES)
def test_a_difference_is_judged_as_the_policy_says(
    policy: str, start: str | int, to: str | int, value: str | int, kind: CaseKind | None
) -> None:
    """Newest, the greater, a named system: no question; flag asks; an owner is right unless drift is flagged."""
    made, _, theirs = compared(policy, start)
    made.vendors["lms"].edit(theirs, job=to)
    made.sync()
    again(made)
    assert made.record().values["job"] == value
    assert [case.kind for case in made.cases()] == [kind] * (kind is not None)
    if kind is CaseKind.DRIFT:
        made.answer("revert")
        made.sync()
        again(made)
        assert not made.cases()


def test_absences_that_differ_do_not_count_as_agreed() -> None:
    """The shipped project: both have 16 to 20 November, hakuna is changed to 16 to 22. That is a question, and nothing
    says that they agree."""
    made = company()
    made.engine.shows_sensitive = True
    hr, hakuna = made.vendors["heavenhr"], made.vendors["hakuna"]
    hr.add(
        "absences", day=made.engine.today, employeeId="e-00000-", startDate="2026-11-16",
        endDate="2026-11-20", absenceType="HOLIDAY", status="APPROVED", numberOfDays=5,
    )  # fmt: skip
    row = hakuna.add(
        "absences", day=made.engine.today, _parent="h-00000-", user_id="h-00000-",
        start_date="2026-11-16", end_date="2026-11-20", first_half_day=True, second_half_day=True,
        absence_type={"is_vacation": True, "name": "Ferien"},
    )  # fmt: skip
    made.sync()
    told = explain(made.engine, made.record("absence").id, "agreed")
    assert told["fields"][0]["value"] is True
    hakuna.edit(row, "absences", end_date="2026-11-22")
    made.sync()
    told = explain(made.engine, made.record("absence").id)
    values = {field["field"]: field["value"] for field in told["fields"]}
    assert (values["agreed"], values["differences"]) == (False, "other days in one")
    assert made.case().kind is CaseKind.CONFLICT
