"""Haekka's connector against answers written by hand."""

from __future__ import annotations

from typing import Any

import pytest

from syncengine.adapters.vendors.haekka import HAEKKA
from syncengine.errors import Unknown
from tests.unit.adapters.vendors.answers import DONE, response
from tests.unit.adapters.wire import Wire, connector


@pytest.mark.parametrize("form", [lambda rows: rows, lambda rows: {"employee_trainings": rows}])
def test_haekka_lists_arrive_bare_or_wrapped(form: Any) -> None:
    """Both shapes of an undocumented answer are read, with the key as bearer."""
    wire = Wire({"GET /employee_trainings": form([DONE])})
    (page,) = connector(HAEKKA, wire).scan("employee_trainings")
    assert [(i.external_id, i.row) for i in page.items] == [("etr_1", DONE)]
    assert wire.requests[0].headers["Authorization"] == "Bearer api_key-value"


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ({"completion_rate": 40}, [{"completion_rate": 40}]),
        ({"completion_status": True, "completion_rate": 40}, [{"completion_status": True}]),
        (
            {"completion_rate": 40, "completion_status": False},
            [{"completion_status": False}, {"completion_rate": 40}],
        ),
    ],
)
def test_haekka_gets_one_field_a_call(body: dict[str, Any], sent: list[Any]) -> None:
    """Two fields in one PATCH would override each other, so each has its own, the rate last."""
    wire = Wire({"PATCH /employee_trainings/etr_1": DONE})
    written = connector(HAEKKA, wire).update("employee_trainings", "etr_1", body, DONE, "k")
    assert written.row == DONE
    assert wire.bodies() == sent


def test_a_second_haekka_call_that_fails_leaves_the_update_unknown() -> None:
    """Nobody may call refused what was half accepted."""
    answers = iter([(200, DONE), (429, {})])
    wire = Wire({"PATCH /employee_trainings/etr_1": lambda _: response(next(answers))})
    with pytest.raises(Unknown):
        connector(HAEKKA, wire).update(
            "employee_trainings", "etr_1",
            {"completion_rate": 40, "completion_status": False}, DONE, "k",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "unread"),
    [((204, None), True), ({"id": "etr_1", "completion_rate": 100}, True), (DONE, False)],
)
def test_a_rate_of_100_is_read_back_where_the_answer_leaves_it_open(
    answer: Any, unread: bool
) -> None:
    """Whether a rate of 100 completes a training is open: unless the answer shows it, the row is to be read."""
    wire = Wire({"PATCH /employee_trainings/etr_1": answer})
    live = connector(HAEKKA, wire)
    written = live.update("employee_trainings", "etr_1", {"completion_rate": 100}, DONE, "k")
    assert written.unread is unread


def test_an_assignment_is_looked_for_and_both_reads_are_foretold() -> None:
    """The answer to an assignment tells no row, whatever it holds: the row is found by person and training."""
    whom = {"employee_id": "emp_1", "training_id": "trn_1"}
    wire = Wire({"POST /trainings/assign": {"id": "assigned"}, "GET /employee_trainings": [DONE]})
    live = connector(HAEKKA, wire)
    written = live.create("employee_trainings", {**whom, "alert_employees": False}, "k")
    assert written.external_id == "etr_1"
    assert wire.bodies() == [
        {"training_id": "trn_1", "employee_ids": ["emp_1"], "alert_employees": False}
    ]
    assert len(wire.requests) == live.calls_of("employee_trainings", whom) == 2
