"""Rows that are nobody's: those that are like somebody are a question, the others are counted."""

from __future__ import annotations

from typing import Any

import pytest

from syncengine.flows.people.cases import answer, answers_now
from syncengine.flows.people.decisions import Decision, NotPossible
from syncengine.flows.views.status import status
from syncengine.model.case import CaseKind
from syncengine.model.changeset import Changeset, Wakes
from syncengine.model.link import LinkState
from tests.support.bench import Bench
from tests.support.company import company, employee
from tests.support.people import duo

HOME = "ida.home@post.example"
NEW: dict[str, Any] = {
    "firstName": "Ida", "lastName": "Müller", "email": HOME, "professionalEmail": None,
    "employeeNumber": None,
}  # fmt: skip


def stranger(*users: dict[str, str]) -> Bench:
    """Somebody without work address or number in HeavenHR, and users of hakuna whom nothing ties to anybody."""
    made = company(0)
    made.vendors["heavenhr"].add("employees", **employee("-x-", **NEW))
    for number, shown in enumerate(users, 1):
        made.vendors["hakuna"].add(
            "users", **{"id": f"h{number}", "email": "", "name": "", **shown}
        )
    made.sync()
    return made


def asked(made: Bench) -> list[str]:
    """Connections whose rows are asked about."""
    rows = {k.id: k.connection for k in made.links()}
    return sorted(rows[c.link_id or ""] for c in made.cases() if c.kind is CaseKind.IDENTITY)


LIKE = [
    {"email": HOME},
    {"email": HOME.upper(), "name": "somebody"},
    {"name": "Ida Müller"},
    {"name": "MÜLLER, Ida"},
    {"name": "Ida Mu\u0308ller"},
]
UNLIKE = [
    {"name": "Ida"},
    {"name": "Ida Meier", "email": "ida@post.example"},
    {"name": "Müller"},
    {"email": "h1@x.de"},
]


def test_rows_that_are_like_somebody_without_one_are_asked() -> None:
    """The same whole name or the same address, in whichever field and spelling: asked with the record as candidate."""
    made = stranger(*LIKE)
    record = made.record().id
    assert asked(made) == ["hakuna"] * len(LIKE)
    for case in made.cases():
        offered = made.read(lambda tx, case=case: answers_now(made.engine, tx, case))
        assert list(offered) == [f"link {record}", "ignore"]


def test_a_row_that_is_said_to_be_somebodys_is() -> None:
    """It waits for the answer, and is at rest with it."""
    made = stranger(LIKE[0])
    record = made.record().id
    assert made.sync()["unlinked"] == 0
    made.answer(f"link {record}")
    made.sync()
    assert not made.cases()
    assert made.link("hakuna").record_id == record
    assert made.sync()["converged"]


def test_rows_that_are_like_nobody_are_counted() -> None:
    """Part of a name is no likeness: no question, one count in ``sync`` and ``status``."""
    made = stranger(*UNLIKE)
    assert not made.cases()
    assert made.sync()["unlinked"] == len(UNLIKE)
    assert status(made.engine)["unlinked"] == [
        {"entity": "person", "connection": "hakuna", "count": len(UNLIKE)}
    ]


def test_the_same_person_in_three_systems_is_two_questions() -> None:
    """Nobody wrote a work address: hakuna and Haekka are asked about, in whichever order things turn up."""
    made = company(0)
    made.vendors["hakuna"].add("users", id="h1", email=HOME, name="Ida Müller")
    made.vendors["haekka"].add(
        "employees", id="k1", email=HOME, first_name="Ida", last_name="Müller"
    )
    assert made.sync()["unlinked"] == 2
    made.vendors["heavenhr"].add("employees", **employee("-x-", **NEW))
    made.sync()
    assert asked(made) == ["haekka", "hakuna"]
    again(made)


def again(made: Bench) -> None:
    """Everything is looked at once more, and the same is asked."""
    before, ids = made.cases(), [link.id for link in made.links()]
    with made.engine.ledger.write() as tx:
        tx.write(Changeset(wakes=Wakes(links=ids)))
    made.settle()
    assert made.cases() == before


@pytest.mark.parametrize("ends", ["row", "renamed", "gone", "linked"])
def test_likeness_that_ends_ends_the_question(ends: str) -> None:
    """The row or the person has another name and address, the person is gone or has a row there: nobody is asked."""
    made = stranger({"email": HOME})
    hr, hakuna = made.vendors["heavenhr"], made.vendors["hakuna"]
    (mine,) = hr.rows("employees")
    if ends == "row":
        hakuna.edit("h1", "users", email="else@x.de")
    elif ends == "renamed":
        hr.edit(mine, "employees", email="other@post.example", lastName="Berg")
    elif ends == "gone":
        record = made.record()
        with made.engine.ledger.write() as tx:
            act = Decision(made.engine, tx, "kim")
            act.commit(act.delete(record, "by hand"))
    else:
        hr.edit(mine, "employees", professionalEmail="ida@x.de", jobStatus="HIRED")
        hakuna.add("users", id="h2", email="ida@x.de", name="Ida Müller")
    made.sync()
    made.sync()
    assert "hakuna" not in asked(made)
    again(made)


def test_an_answer_about_who_is_not_like_it_any_more_is_refused() -> None:
    """As for an identity: what is known by now counts."""
    made = stranger({"email": HOME})
    case, record = made.case(), made.record()
    with made.engine.ledger.write() as tx:
        values = {"private_email": "new@post.example", "last_name": "Berg"}
        act = Decision(made.engine, tx, "kim")
        act.commit(act.change(record, values, "by hand")[1])
    with pytest.raises(NotPossible, match="no longer"):
        answer(made.engine, case.id, f"link {record.id}")


def test_what_is_left_alone_is_asked_no_more() -> None:
    """A person said that it is somebody else."""
    made = stranger({"name": "Ida Müller"})
    made.answer("ignore")
    made.vendors["hakuna"].edit("h1", "users", name="Müller Ida")
    made.sync()
    assert not made.cases()
    assert made.link("hakuna").state is LinkState.UNLINKED


def test_names_of_one_word_are_no_likeness() -> None:
    """Where a name is one word, as of a department, it says nothing."""
    made = duo(lms_system="{resource: people, flow: match, fields: {email: email}}")
    made.vendors["hr"].add(email=None, name="Anna", job="dev")
    made.vendors["lms"].add(email="x@x.de", name="Anna", job="dev")
    made.sync()
    assert not made.cases()
