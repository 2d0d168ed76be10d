"""A create whose answer names no row, or another one, is proved by a read or asked about."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from syncengine.model.link import LinkState
from syncengine.model.operation import OperationState, Written
from tests.support.bench import Bench
from tests.support.people import (
    LMS,
    LMS_KEYED,
    duo,
)
from tests.unit.flows.send.doubts import asked, at_rest, passes


@pytest.mark.parametrize("ids", ["search", "chosen", "marker"])
def test_a_create_that_names_no_row_is_proved_by_a_read(ids: str) -> None:
    """Rule 20: where the row is there after all, it is found and tied, once."""
    made = creating(ids)
    made.vendors["lms"].fault("create", "unnamed")
    passes(made)
    assert len(made.vendors["lms"].rows()) == 1
    assert made.link("lms").state is LinkState.LINKED
    assert not made.cases()
    assert made.sync()["converged"]


@pytest.mark.parametrize("ids", ["search", "chosen", "marker"])
def test_a_create_that_made_nothing_is_a_question(ids: str) -> None:
    """Rule 20: it is not linked, not made again each pass, and a person is told; retried, it is made."""
    made = creating(ids)
    made.vendors["lms"].fault("create", "ignore")
    passes(made, 1)
    case = asked(made)
    assert made.link("lms").state is LinkState.CREATING
    assert [o.state for o in made.operations("lms")] == [OperationState.REJECTED]
    at_rest(made)
    made.answer("retry", case)
    passes(made, 2)
    assert len(made.vendors["lms"].rows()) == 1
    assert not made.cases()


@pytest.mark.parametrize(
    ("ids", "whose", "done"),
    [
        *product(["search"], ["bert", "nobody"], [True, False]),
        ("chosen", "bert", True),
        ("chosen", "nobody", False),
        ("marker", "bert", False),
        ("marker", "nobody", True),
    ],
)
def test_a_create_that_names_another_row_is_proved_by_a_read(
    ids: str, whose: str, done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule 20: nobody gets another's row because an answer names it, and what was not made is a question."""
    made = creating(ids)
    hr, lms = made.vendors["hr"], made.vendors["lms"]
    taken = lms.add(email="zoe@x.de", name="Zoe", job="admin")
    if whose == "bert":
        hr.add(email="zoe@x.de", name="Zoe", job="admin")
    made.scan("lms")
    before, create = dict(lms.rows()[taken]), lms.create

    def misnamed(resource: str, body: Any, key: str) -> Written:
        if done:
            create(resource, body, key)
        return Written(taken, dict(before))

    monkeypatch.setattr(lms, "create", misnamed)
    passes(made)
    assert lms.rows()[taken] == before
    assert [r["email"] for r in lms.rows().values()] == ["zoe@x.de", *["anna@x.de"] * done]
    anna = next(r for r in made.records() if r.values["email"] == "anna@x.de")
    (link,) = [k for k in made.links("lms") if k.record_id == anna.id]
    assert link.external_id != taken
    assert link.state is (LinkState.LINKED if done else LinkState.CREATING)
    if not done:
        asked(made)
    assert not made.sync()["operations"]["unknown"]


def creating(ids: str) -> Bench:
    """Anna is in hr; her account in lms is found again so."""
    abilities: dict[str, Any] = {"search": ("email",)}
    system = LMS
    if ids == "chosen":
        abilities = {"search": (), "chosen_id": "id"}
        system = LMS_KEYED
    if ids == "marker":
        abilities = {
            "search": (),
            "marker": "mark",
            "columns": ("id", "email", "name", "job", "mark"),
        }
    made = duo(lms=abilities, lms_system=system)
    made.vendors["hr"].add(email="anna@x.de", name="Anna", job="dev")
    return made
