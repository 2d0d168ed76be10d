"""Rows and questions as people read them."""

from __future__ import annotations

from typing import Any

from syncengine.flows.views.queries import case, select_links
from syncengine.flows.views.questions import select_cases
from syncengine.model.case import CaseKind
from syncengine.model.link import LinkState
from tests.support.bench import Bench
from tests.support.people import FIELDS, HR, duo

MATCHED = "{resource: people, flow: match, fields: {email: email}}"
BOSS = "\n  boss: {type: ref, to: person}\n"


def asked(fields: str = FIELDS) -> tuple[Bench, dict[str, Any]]:
    """Two rows of ``lms`` that bear one address, of which the mapping reads nothing else; the first question."""
    made = duo(fields=fields, lms_system=MATCHED)
    made.vendors["hr"].add(email="desk@x.de", name="Ada", job="dev")
    for name in ("Ada", "Ben"):
        made.vendors["lms"].add(email="desk@x.de", name=name, job="dev")
    made.sync()
    first, *_ = select_cases(made.engine, CaseKind.IDENTITY)
    return made, case(made.engine, first["id"])


def test_rows_in_question_show_whose_they_are_though_no_rule_reads_it() -> None:
    """Whom to choose is seen at a glance: the names that a vendor has for a row stand beside each other."""
    _, shown = asked()
    mine, other = (side["values"] for side in shown["sides"] if "lms" in side["title"])
    assert {mine["name"], other["name"]} == {"Ada", "Ben"}
    assert shown["about"] == mine["name"]
    assert "job" not in mine


def test_a_sensitive_name_is_shown_in_no_question() -> None:
    """What is declared sensitive stays hidden where a vendor shows it under the same name."""
    _, shown = asked(
        FIELDS.replace("name: {type: string}", "name: {type: string, sensitive: true}")
    )
    text = str([s for s in shown["sides"] if "lms" in s["title"]]) + shown["about"]
    assert "Ada" not in text
    assert "Ben" not in text


def test_rows_that_belong_to_nobody_go_by_name() -> None:
    """The list of rows to be assigned says who they are."""
    made, _ = asked()
    found = select_links(made.engine, "person", "lms", [LinkState.SEEN, LinkState.UNLINKED], 10)
    assert {link["name"] for link in found} == {"Ada", "Ben"}


def test_rows_in_question_name_what_they_refer_to() -> None:
    """An id of the vendor's says nothing to people: the department, the boss are shown by name."""
    columns = ("id", "email", "name", "job", "boss")
    mapped = HR.replace("job: job}", "job: job, boss: boss}")
    made = duo(fields=FIELDS.rstrip() + BOSS, hr_system=mapped, hr={"columns": columns})
    boss = made.vendors["hr"].add(email="boss@x.de", name="Cleo", job="lead")
    made.sync()
    for name in ("Ada", "Ben"):
        made.vendors["hr"].add(email="desk@x.de", name=name, job="dev", boss=boss)
    made.sync()
    first, *_ = select_cases(made.engine, CaseKind.IDENTITY)
    rows = [s["values"] for s in case(made.engine, first["id"])["sides"] if "hr" in s["title"]]
    assert {row["boss"] for row in rows} == {"Cleo lead"}
