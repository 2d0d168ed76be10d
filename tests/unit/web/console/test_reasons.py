"""Why a record does not agree with a vendor, as its page says."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from syncengine.flows.views.why import Seen, _all_seen, reason_of
from syncengine.model.case import Case, CaseKind
from syncengine.model.member import Role
from tests.support.bench import Bench
from tests.support.console import at_console
from tests.support.people import LMS_BOTH, LMS_IN, anna, duo, lead, row


def test_what_is_only_observed_is_said_of_the_record() -> None:
    """The first reason that fits stands beside the connection."""
    made = duo(modes={"lms": "observe"})
    made.vendors["hr"].add(**row())
    made.sync()
    (record,) = made.records()
    with at_console(made.engine, Role.VIEWER) as browser:
        page = browser.get(f"/records/person/{record.id}").text
    assert "A change is not sent, since the connection is only observed." in page


def test_a_change_that_is_only_observed_says_which_fields_it_is_about() -> None:
    """Of a row that is there."""
    made = duo()
    lead(made)
    observed = replace(made.engine.project.connections["lms"], mode="observe")
    made.engine.project = replace(
        made.engine.project, connections={**made.engine.project.connections, "lms": observed}
    )
    made.vendors["hr"].edit(made.links("hr")[0].external_id or "", name="Anna Other")
    made.sync()
    (record,) = made.records()
    with at_console(made.engine, Role.VIEWER) as browser:
        page = browser.get(f"/records/person/{record.id}").text
    assert "It is about: name, job." in page


def known(made: Bench, connection: str) -> Seen:
    """What is known of the only record in a connection."""
    (record,), entity = made.records(), made.engine.project.entities["person"]
    with made.engine.ledger.read() as tx:
        found = list(_all_seen(made.engine, tx, record, entity))
    return next(seen for seen in found if seen.system.connection == connection)


@pytest.mark.parametrize("kind", [CaseKind.IDENTITY, CaseKind.REJECTED])
@pytest.mark.parametrize("what", [{"halted": "no"}, {"failures": 3, "why": "gone"}])
def test_a_question_is_hidden_by_no_vendor_that_does_not_answer(
    bench: Bench, kind: CaseKind, what: dict[str, Any]
) -> None:
    """What a person can decide comes first; a refused write is called so."""
    case = Case("c", kind, "s", "Which one?")
    seen = known(bench, "hr")
    broken = replace(seen, state=replace(seen.state, **what), case=case)
    reason = reason_of(broken)
    assert reason.code == ("refused" if kind is CaseKind.REJECTED else "asked")
    assert reason.told == "Which one?"


def test_a_row_that_the_rule_where_does_not_take_is_said_to_be_so() -> None:
    """It does not agree: it is not looked at."""
    made = duo(
        lms_system=LMS_BOTH.replace("flow: both", "flow: both, where: \"row.job != 'robot'\"")
    )
    made.vendors["hr"].add(**row())
    made.sync()
    made.sync()
    seen = known(made, "lms")
    assert seen.link is not None
    assert reason_of(seen).code == "agrees"
    robot = replace(seen.link, row={**(seen.link.row or {}), "job": "robot"})
    assert reason_of(replace(seen, link=robot)).code == "not_taken"


def test_a_question_whose_row_it_is_stands_beside_a_connection_without_one() -> None:
    """It is not said that no row is to be made while somebody is asked about one."""
    made = duo(identity="[[name]]", lms_system=LMS_IN)
    made.vendors["lms"].add(**row(email="a@x.de", name="Anna"))
    for n in (1, 2):
        made.vendors["hr"].add(**row(email=f"a{n}@x.de", name="Anna"))
    made.sync()
    (record,) = made.records()
    assert made.links("hr")[0].record_id is None
    with at_console(made.engine, Role.ANSWERER) as browser:
        page = browser.get(f"/records/person/{record.id}").text
    assert "none is to be made" not in page
    assert any(f"/questions/{case.id}" in page for case in made.cases())


def test_a_value_that_is_otherwise_and_left_so_is_said_to_be() -> None:
    """``Agrees`` alone would deny what stands below it."""
    made = duo(
        lms_system="{resource: people, flow: both, create: both, fields: {email: email, job: job, "
        "name: {field: name, flow: match}}}"
    )
    anna(made)
    (theirs,) = made.vendors["lms"].rows()
    made.vendors["lms"].edit(theirs, name="Anna Moser")
    made.sync()
    (record,) = made.records()
    with at_console(made.engine, Role.VIEWER) as browser:
        page = browser.get(f"/records/person/{record.id}").text
    assert "otherwise there, and left so: name." in re.sub(r"<[^>]+>", "", page)
