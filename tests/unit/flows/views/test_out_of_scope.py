"""What is out of scope is said to be so, and until when."""

from __future__ import annotations

import pytest

from syncengine.flows.views.queries import select_links
from syncengine.flows.views.status import status
from syncengine.model.link import LinkState
from tests.support.bench import Bench
from tests.support.people import HR, LMS, duo

FIELDS = """
  email: {type: email}
  name: {type: string}
  job: {type: string%s}
  start: {type: date}
  active: {type: boolean, formula: "start == null || start <= today"}
"""
COLUMNS = ("id", "email", "name", "job", "start")


def starts(scope: str = "active", sensitive: str = "", **values: str) -> Bench:
    """Somebody is entered who is not to have an account yet."""
    made = duo(
        hr={"columns": COLUMNS}, fields=FIELDS % sensitive,
        hr_system=HR.replace("job: job", "job: job, start: start"),
        lms_system=LMS.replace("create: out", f'create: out, scope: "{scope}"'),
    )  # fmt: skip
    made.vendors["hr"].add(email="a@x.de", name="Anna", **{"job": "dev", **values})
    made.sync()
    return made


def told(made: Bench) -> str | None:
    """What the one link in ``lms`` waits for, as it is listed."""
    (line,) = [d for d in select_links(made.engine, None, "lms", (), 9) if d["out_of_scope"]]
    words: str | None = line["waits_for"]
    return words


def test_who_starts_later_waits_until_then() -> None:
    """Not *creating*: the formula that says no, and the day on which it says yes. Nothing else waits."""
    made = starts(start="2026-12-01")
    assert told(made) == "active is no, until 2026-12-01"
    (line,) = status(made.engine)["out_of_scope"]
    assert (line["entity"], line["connection"], line["count"]) == ("person", "lms", 1)
    document = made.sync()
    assert (document["converged"], document["waiting"]) == (True, 0)
    made.clock.sleep(30 * 86400.0)
    made.sync()
    assert made.link("lms").state is LinkState.LINKED
    assert made.link("lms").wait is None
    assert not status(made.engine)["out_of_scope"]


@pytest.mark.parametrize(
    ("scope", "sensitive", "words"),
    [
        ("job == 'cook'", "", "out of scope by job"),
        ("job == 'cook' && active", "", "active is yes"),
        ("start != null && start < today", "", "out of scope by start, until 2026-12-02"),
        ("job == 'cook'", ", sensitive: true", "out of scope by job"),
    ],
)
def test_names_are_told_and_no_values(scope: str, sensitive: str, words: str) -> None:
    """Yes and no are told, and the day of a date that is not sensitive; of all else the name."""
    start = {"start": "2026-12-01"} if "start" in scope else {}
    assert told(starts(scope, sensitive, **start)) == words


def test_who_comes_into_scope_waits_no_more() -> None:
    """The record itself wakes its link."""
    made = starts("job == 'cook'")
    (mine,) = made.vendors["hr"].rows()
    made.vendors["hr"].edit(mine, job="cook")
    made.sync()
    assert made.link("lms").state is LinkState.LINKED
