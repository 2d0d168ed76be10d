"""The pages of what happened: runs, writes, changes, and the story of a record."""

from __future__ import annotations

import re
from datetime import datetime
from html import unescape
from zoneinfo import ZoneInfo

from syncengine.flows.views.runs import happened
from syncengine.model.member import Role
from syncengine.model.run import LOST, OUTCOMES, Run
from syncengine.web.console.screens.activity import times_of
from tests.support.bench import Bench
from tests.support.console import at_console
from tests.support.people import duo, row


def test_runs_say_what_happened_last_night(bench: Bench) -> None:
    """By whom, with what came of it; in the time that is asked for."""
    with at_console(bench.engine, Role.OPERATOR) as browser:
        page = browser.get("/activity?show=runs").text
        assert "sync" in page
        assert "written" in page
    bench.clock.sleep(10 * 86_400)
    with at_console(bench.engine, Role.OPERATOR, name="ada") as browser:
        assert "Nothing happened then" in browser.get("/activity?show=runs&span=night").text


def test_a_night_lies_between_evening_and_morning() -> None:
    """While it lasts it is the present one."""
    zone = ZoneInfo("Europe/Berlin")
    noon = datetime(2026, 11, 27, 12, tzinfo=zone).timestamp()
    evening = datetime(2026, 11, 26, 18, tzinfo=zone).timestamp()
    assert times_of("night", noon, zone) == (evening, noon - 4 * 3600)
    assert times_of("night", noon - 6 * 3600, zone) == (evening, None)


def test_what_happened_is_narrowed_by_day_and_person(bench: Bench) -> None:
    """Writes, changes and runs; what is of no such day or person is not shown."""
    today = datetime.fromtimestamp(bench.clock.now(), ZoneInfo("UTC")).date().isoformat()
    bench.vendors["hr"].add(**row(email="b@x.de", name="Bea"))
    bench.sync()
    with at_console(bench.engine, Role.VIEWER) as browser:
        for show in ("writes", "changes", "runs"):
            path = f"/activity?show={show}"
            assert "data-row" in browser.get(f"{path}&from={today}&to={today}").text
            assert "data-row" not in browser.get(f"{path}&to=2001-01-01").text
        for show in ("writes", "changes"):
            page = browser.get(f"/activity?show={show}&person=bea").text
            assert "Bea" in page
            assert ">Anna" not in page
            assert "data-row" not in browser.get(f"/activity?show={show}&person=nobody").text


def test_runs_have_pages_and_are_saved() -> None:
    """By whom and where; the next page goes on where the first one ended."""
    made = duo()
    for number in range(60):
        made.vendors["hr"].add(**row(email=f"a{number}@x.de", name=f"A{number}"))
        made.sync()
    with at_console(made.engine, Role.VIEWER) as browser:
        first = browser.get("/activity?show=runs&span=week").text
        (more,) = re.findall(r'rel="next" href="([^"]+)"', first)
        second = browser.get(unescape(more)).text
        saved = browser.get("/activity?show=runs&span=week&as=json").json()["runs"]
        assert "data-row" not in browser.get("/activity?show=runs&author=nobody").text
    assert first.count("data-row") + second.count("data-row") == len(saved) >= 60
    assert len({run["id"] for run in saved}) == len(saved)


def test_runs_are_narrowed_by_their_outcome(bench: Bench) -> None:
    """Failed ones, those that broke off and those under way, on the page, as a file, at a terminal and by the API."""
    now = bench.clock.now()
    with bench.engine.ledger.write() as tx:
        for id_, told in {
            "f": {"outcome": "failed", "ended_at": now, "fault": "503"},
            "b": {"outcome": "broke_off", "ended_at": now},
            "l": {"touched_at": now - LOST - 1},
            "u": {"touched_at": now},
        }.items():
            tx.add_run(Run(id_, "pass", started_at=now - 9, **{"quiet": False, **told}))
    seen = dict[str, list[str]]()
    with at_console(bench.engine, Role.OPERATOR) as browser:
        for outcome in OUTCOMES:
            path = f"/activity?show=runs&outcome={outcome}"
            page = browser.get(path).text
            seen[outcome] = [r["id"] for r in browser.get(f"{path}&as=json").json()["runs"]]
            assert page.count("data-row") == len(seen[outcome])
            assert f'value="{outcome}" selected' in page
            told = happened(bench.engine, 0.0, outcome=outcome)
            assert [run["id"] for run in told["runs"]] == seen[outcome]
        assert "data-row" in browser.get("/activity?show=runs&outcome=odd").text
    assert not {"f", "b", "l", "u"} & {*seen.pop("complete")}
    assert seen == {"failed": ["f"], "broke_off": ["l", "b"], "under_way": ["u"]}


def test_a_change_is_undone_from_the_list_of_changes(bench: Bench) -> None:
    """By whoever may, with a reason; the list then begins with it. Others see no button."""
    bench.vendors["hr"].edit(bench.links("hr")[0].external_id or "", job="lead")
    bench.sync()
    with at_console(bench.engine, Role.VIEWER) as browser:
        assert "/undo" not in browser.get("/activity?show=changes").text
    with at_console(bench.engine, Role.ANSWERER, name="lee") as browser:
        page = browser.get("/activity?show=changes").text
        path = re.findall(r'action="(/changes/\d+/undo)"', page)[0]
        done = browser.send(path, "/activity?show=changes", reason="a mistake")
    assert "has its earlier value again" in done.text
    assert "a mistake" in done.text


def test_the_story_of_a_record_is_narrowed_and_goes_on(bench: Bench) -> None:
    """By kind, and to what is older than its first page."""
    (record,) = bench.records()
    for number in range(70):
        bench.vendors["hr"].edit(bench.links("hr")[0].external_id or "", job=f"job {number}")
        bench.sync()
    path = f"/records/person/{record.id}"
    with at_console(bench.engine, Role.VIEWER) as browser:
        first = browser.get(f"{path}?steps=change").text
        (more,) = re.findall(r'rel="next" href="([^"#]+)', first)
        second = browser.get(unescape(more)).text
        writes = browser.get(f"{path}?steps=write").text
    assert "written to lms" not in first
    assert "job 69" in first.partition('id="story"')[2]
    assert "job 1<" in second.partition('id="story"')[2]
    assert "written to lms" in writes
