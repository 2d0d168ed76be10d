"""What the coming days bring, on its page and on the first one."""

from __future__ import annotations

from syncengine.flows.views.upcoming import store_upcoming
from syncengine.model.member import Role
from tests.support.bench import Bench
from tests.support.console import at_console
from tests.support.web import until
from tests.unit.flows.run.test_ahead import dated, day, enter


def starter(people: int = 1) -> Bench:
    """So many start in two days."""
    made = dated()
    for number in range(people):
        enter(made, f"Anna{number}", start=2)
    made.sync()
    return made


def test_nothing_is_there_before_somebody_looks_ahead() -> None:
    """Who may have plans computed does so by a button, and finds the day."""
    made = starter()
    with at_console(made.engine, Role.ANSWERER) as browser:
        assert "Nobody has looked ahead yet" in browser.get("/upcoming").text
        browser.send("/upcoming")
        until(lambda: "Anna0" in browser.get("/upcoming").text)
        page = browser.get("/upcoming").text
    for text in ("in 2 days", "1 starts", "active", "gets a row in lms"):
        assert text in page, text


def test_home_says_what_the_week_brings() -> None:
    """And leads there."""
    made = starter(3)
    store_upcoming(made.engine, "kim")
    with at_console(made.engine, Role.VIEWER) as browser:
        page = browser.get("/").text
    assert "3 start" in page
    assert 'href="/upcoming"' in page


def test_a_day_of_many_has_pages() -> None:
    """The first ones are shown with all days, the others on the pages of the day; a day that is not there says so."""
    made = starter(60)
    store_upcoming(made.engine, "kim")
    then = day(made, 2)
    with at_console(made.engine, Role.VIEWER) as browser:
        assert browser.get("/upcoming").text.count("data-row") == 8
        assert browser.get(f"/upcoming?day={then}").text.count("data-row") == 50
        assert browser.get(f"/upcoming?day={then}&page=1").text.count("data-row") == 10
        assert browser.get("/upcoming?day=2020-01-01").status_code == 404


def test_an_operator_sees_how_many_and_not_who() -> None:
    """Without names and values."""
    made = starter()
    store_upcoming(made.engine, "kim")
    with at_console(made.engine, Role.OPERATOR) as browser:
        page = browser.get("/upcoming").text
        assert browser.get(f"/upcoming?day={day(made, 2)}").status_code == 404
    assert "1 starts" in page
    assert "Anna0" not in page


def test_days_that_bring_nothing_are_said_to() -> None:
    """Nobody starts or leaves."""
    made = dated()
    enter(made, "Anna")
    made.sync()
    store_upcoming(made.engine, "kim")
    with at_console(made.engine, Role.VIEWER) as browser:
        assert "No date changes anything" in browser.get("/upcoming").text
