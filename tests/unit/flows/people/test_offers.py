"""What is offered as an answer about a row, and what each one does."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from syncengine.flows.people.cases import answers_now
from syncengine.flows.people.decisions import NotPossible
from syncengine.model.case import CaseKind
from syncengine.model.link import LinkState
from tests.support.bench import Bench
from tests.support.people import (
    FIELDS,
    HR_DELETES,
    LMS_BOTH,
    LMS_IN,
    anna,
    duo,
)

NAMED = FIELDS.replace("name: {type: string}", "name: {type: string, required: true}")


def namesakes() -> Bench:
    """Two rows of ``lms`` show the address of a person who has no row there."""
    made = duo(lms_system=LMS_IN)
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    for _ in range(2):
        made.vendors["lms"].add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    return made


def second_row(name: str | None = "Anna", lms: str = LMS_BOTH, fields: str = FIELDS) -> Bench:
    """A row of ``lms`` shows the address of a person who has another row there."""
    made = duo(lms_system=lms, fields=fields)
    anna(made)
    made.vendors["lms"].add(email="anna@x.de", name=name, job="lead")
    made.sync()
    return made


def shared_address() -> Bench:
    """Two people bear one address, one of them has a row, and another row shows it."""
    made = second_row()
    made.answer("new")
    made.sync()
    for case in made.cases():
        made.answer("ignore", case)
    made.vendors["lms"].add(email="anna@x.de", name="Anna", job="head")
    made.sync()
    return made


def first_of_two() -> Bench:
    """Of two rows of one address the first was linked."""
    made = namesakes()
    made.answer(f"link {made.record().id}", made.cases()[0])
    made.sync()
    return made


def record_that_went() -> Bench:
    """The person whose address a row shows was deleted while nobody had answered."""
    made = duo(
        hr_system=HR_DELETES,
        lms_system=LMS_IN,
    )
    mine = made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    for _ in range(2):
        made.vendors["lms"].add(email="anna@x.de", name="Anna", job="dev")
    made.sync()
    made.vendors["hr"].remove(mine)
    made.scan("hr")
    made.settle()
    return made


ASKED: dict[str, tuple[Callable[[], Bench], list[str]]] = {
    "two rows of somebody without one": (namesakes, ["link", "new", "ignore"]),
    "a second row": (second_row, ["replace", "new", "ignore"]),
    "a second row of which no record can be made": (
        partial(second_row, None, fields=NAMED), ["replace", "ignore"],
    ),
    "a third row of two people": (shared_address, ["replace", "replace", "new", "ignore"]),
    "the second of two rows": (first_of_two, ["replace", "new", "ignore"]),
    "a row of somebody who is deleted": (record_that_went, ["new", "ignore"]),
}  # fmt: skip


OFFERED = [
    (kind, number, verb) for kind, (_, verbs) in ASKED.items() for number, verb in enumerate(verbs)
]


@pytest.mark.parametrize(("kind", "number", "verb"), OFFERED)
def test_each_offered_answer_about_a_row_does_what_it_says(
    kind: str, number: int, verb: str
) -> None:
    """Identity: only what is possible now is offered, and each answer links the row, lets it take another one's place,
    makes a record of it, or leaves it alone."""
    make, verbs = ASKED[kind]
    made = make()
    case = next(c for c in made.cases() if c.kind is CaseKind.IDENTITY and c.link_id)
    offered = made.read(lambda tx: answers_now(made.engine, tx, case))
    assert [given.split()[0] for given in offered] == verbs
    given = list(offered)[number]
    before = {k.id: k for k in made.links("lms")}
    rows, people = made.vendors["lms"].rows(), {r.id for r in made.records()}
    made.answer(given, case)
    made.sync()
    links = {k.id: k for k in made.links("lms")}
    row = links[case.link_id or ""]
    if verb == "ignore":
        assert (row.record_id, row.state) == (None, LinkState.UNLINKED)
    elif verb == "new":
        assert row.record_id not in {None, *people}
        assert row.state is LinkState.LINKED
    else:
        record = given.split()[1]
        assert (row.record_id, row.state) == (record, LinkState.LINKED)
        others = [k for k in before.values() if k.record_id == record and k.external_id]
        assert bool(others) is (verb == "replace")
        assert {links[k.id].state for k in others} <= {LinkState.UNLINKED}
        assert {links[k.id].record_id for k in others} <= {None}
    assert case.subject not in {c.subject for c in made.cases()}
    assert made.vendors["lms"].rows().keys() == rows.keys()
    assert made.sync()["converged"]


def test_an_answer_that_is_no_longer_offered_is_refused() -> None:
    """What was possible when the question was asked and is not any more is refused with what is."""
    made = namesakes()
    first, second = made.cases()
    record = made.record().id
    made.answer(f"link {record}", first)
    with pytest.raises(NotPossible, match="replace"):
        made.answer(f"link {record}", second)
