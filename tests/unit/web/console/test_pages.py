"""What the pages show, and to whom."""

from __future__ import annotations

import csv
import re
import time
from collections.abc import Callable
from html import unescape
from urllib.parse import quote, urlsplit

import pytest

from syncengine.flows.people.pausing import pause
from syncengine.flows.views.stored_plan import keep, refused_trial, store_plan
from syncengine.mapping.lenses import LensVerdict, Loss
from syncengine.model.member import Role
from syncengine.model.process import Process
from syncengine.model.ref import Position
from syncengine.model.standing import CODES
from syncengine.web.console import SCREENS
from syncengine.web.console.screens import home, mappings
from tests.support.bench import Bench
from tests.support.console import at_console
from tests.support.people import crowd, duo, lead, row
from tests.support.web import until
from tests.unit.web.console.conftest import leavers
from tests.unit.web.console.test_questions import _statements

HOSTILE = (
    "<script>alert(1)</script>", "\u202eAnna", "a\x07b", "=cmd|' /C calc'!A0", "N" * 10_000,
    '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "javascript:alert(1)",
)  # fmt: skip


def promote(bench: Bench) -> None:
    """Anna became lead in hr, and the write to lms is planned."""
    (mine,) = bench.vendors["hr"].rows()
    bench.vendors["hr"].edit(mine, job="lead")
    bench.scan("hr")
    bench.think()


def test_home_says_in_one_sentence_how_everything_stands(bench: Bench) -> None:
    """And under it each thing that waits, with a way to it."""
    pause(bench.engine, "lms", "payroll", "ada")
    with at_console(bench.engine, Role.VIEWER) as browser:
        page = browser.get("/").text
    assert re.search(r"<h1[^>]*>.*Waits for a person\.", page, re.DOTALL)
    assert "lms is paused by ada" in page
    assert 'href="/connections/lms"' in page


def test_somebody_is_found_by_part_of_a_name_address_or_id(bench: Bench) -> None:
    """Without accents too; whoever is not there is not found."""
    bench.vendors["hr"].add(**row(email="j.oez@x.de", name="Jürgen Özil"))
    bench.sync()
    (theirs,) = (k.external_id for k in bench.links("lms") if "Anna" in str(k.row))
    with at_console(bench.engine, Role.VIEWER) as browser:
        for text in ("anna", "ANNA@x", theirs or ""):
            page = browser.get(f"/records/person?q={quote(text)}").text
            assert "<bdi>Anna dev</bdi>" in page, text
            assert "zil" not in page, text
        for text in ("j.oez", "jurgen", "OZIL"):
            assert "<bdi>Jürgen Özil dev</bdi>" in browser.get(f"/records/person?q={text}").text
        assert "Nobody by that name" in browser.get("/records/person?q=Bob").text


def test_the_directory_follows_what_changes(bench: Bench) -> None:
    """A new name is found, the old one is not any more, and who is deleted is not."""
    with at_console(bench.engine, Role.VIEWER) as browser:
        assert "Anna dev" in browser.get("/records/person").text
        hr = bench.vendors["hr"]
        hr.add(**row(email="bea@x.de", name="Bea"))
        bench.sync()
        assert "Bea dev" in browser.get("/records/person?q=bea").text


def test_a_record_shows_each_side_and_why(bench: Bench) -> None:
    """Where a value comes from, by which rule, and that the sides agree."""
    (record,) = bench.records()
    with at_console(bench.engine, Role.VIEWER) as browser:
        page = browser.get(f"/records/person/{record.id}").text
    assert "anna@x.de" in page
    assert page.count("Agrees.") == 2
    assert "part0.yaml:" in page


def test_each_line_of_home_leads_somewhere() -> None:
    """Where one can do something about it, or see more."""
    assert {code for code in CODES if code not in home._PLACES} == set()
    paths = {urlsplit(place[0]).path for place in home._PLACES.values()}
    assert paths <= {screen.path for screen in SCREENS}


@pytest.mark.parametrize(("gone", "kept"), [("worker", "sweep"), ("beat", "worker")])
def test_whose_part_of_the_service_is_gone_is_led_to_what_is_to_be_done(
    bench: Bench, gone: str, kept: str
) -> None:
    """A page says who reported last and when, how the part is started again, and where its log is; in German, too."""
    now = bench.clock.now()
    with bench.engine.ledger.write() as tx:
        for name in ("worker", "sweep"):
            tx.note_alive(name, now - (0 if name == kept else 300.0))
        tx.save_process(Process("p", "worker", "host-7", 4711, "", 0.0, now - 300.0))
    with at_console(bench.engine, Role.OPERATOR) as browser:
        home_page = browser.get("/").text
        assert 'href="/about#service"' in home_page, gone
        page = browser.get("/about").text.partition('id="service"')[2]
        for told in (
            "syncengine run",
            "docker compose",
            "systemctl restart syncengine-worker",
            "4711 (host-7)",
        ):
            assert told in page
        german = browser.get("/about", **{"Accept-Language": "de"}).text
    assert "geht nichts verloren" in german


def test_the_page_of_mappings_says_what_is_lost_on_the_way(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `check` does; and about names the licences of all that is installed for it."""
    made, loss = bench, Loss("ours", "Lead", "lead", False, False)
    verdict = LensVerdict(
        "person", "lms", "job", "lossy", "capitals", loss, Position("p.yaml", 7, 1)
    )
    monkeypatch.setattr(mappings, "lens_report", lambda *_: [verdict])
    with at_console(made.engine, Role.VIEWER) as browser:
        page = browser.get("/mappings/person").text
        about = browser.get("/about").text
    assert "What is lost on the way" in page
    assert "capitals" in page
    for name in ("Starlette", "SQLAlchemy", "BSD-3-Clause", "MIT"):
        assert name.casefold() in about.casefold()


def test_sensitive_values_are_dots_on_every_page() -> None:
    """As in the terminal: on the record, in the plan and in what happened."""
    fields = (
        "\n  email: {type: email}\n  name: {type: string, sensitive: true}\n  job: {type: string}\n"
    )
    made = duo(fields=fields)
    lead(made)
    store_plan(made.engine, "kim")
    (record,) = made.records()
    paths = [f"/records/person/{record.id}", "/activity", "/activity?show=changes", "/plan"]
    with at_console(made.engine, Role.VIEWER) as browser:
        pages = [browser.get(path).text for path in paths]
    assert not [path for path, page in zip(paths, pages, strict=True) if ">Anna<" in page]
    assert "•••" in pages[0]


def test_an_operator_sees_no_name_and_no_value(bench: Bench) -> None:
    """On each page that is open to the role."""
    promote(bench)
    store_plan(bench.engine, "kim")
    paths = ["/", "/activity", "/activity?show=changes", "/plan", "/connections", "/connections/hr"]
    with at_console(bench.engine, Role.OPERATOR) as browser:
        for path in paths:
            answer = browser.get(path)
            assert answer.status_code == 200
            assert "anna" not in answer.text.casefold(), path
            assert ">lead<" not in answer.text, path
        assert browser.get("/plan?group=person.lms.update").status_code == 404


def test_a_plan_is_computed_beside_the_requests_and_kept(bench: Bench) -> None:
    """Its changes stand on pages of their own, with what is risky in front."""
    promote(bench)
    with at_console(bench.engine, Role.ANSWERER) as browser:
        assert "No plan is kept" in browser.get("/plan").text
        browser.send("/plan")
        page = _until(lambda: browser.get("/plan").text, "1 change")
        assert "changed in lms" in page
        group = browser.get("/plan?group=person.lms.update").text
    assert "lead" in group
    assert "part0.yaml:" in group


def _until(look: Callable[[], str], words: str) -> str:
    for _ in range(200):
        if words in (page := look()):
            return page
        time.sleep(0.03)
    raise AssertionError(f"never: {words}")


def test_deletes_stand_in_front_of_a_plan() -> None:
    """With the reason why they are looked at first."""
    made = leavers()
    store_plan(made.engine, "kim")
    with at_console(made.engine, Role.VIEWER) as browser:
        page = unescape(browser.get("/plan").text)
    assert page.index("rows are deleted or left") > page.index("Look at these first")
    assert "wait: safety allows" in page


def test_a_plan_says_that_it_is_old(bench: Bench) -> None:
    """Once something was read or changed since."""
    store_plan(bench.engine, "kim")
    lead_id = bench.vendors["hr"].add(**row(email="bea@x.de", name="Bea"))
    assert lead_id
    bench.sync()
    with at_console(bench.engine, Role.VIEWER) as browser:
        assert "read or changed since" in browser.get("/plan").text


def test_a_change_is_taken_back_by_a_new_one(bench: Bench) -> None:
    """With its author; what cannot be is said."""
    mine = next(k.external_id for k in bench.links("hr")) or ""
    bench.vendors["hr"].edit(mine, job="lead")
    bench.sync()
    (record,) = bench.records()
    change = next(c for c in bench.history(record.id) if c.new == "lead")
    with at_console(bench.engine, Role.ANSWERER) as browser:
        done = browser.send(f"/changes/{change.id}/undo", "/password", reason="a mistake")
        assert done.status_code == 200
        again = browser.send(f"/changes/{change.id}/undo", "/password")
        assert again.status_code == 409
    (record,) = bench.records()
    assert record.values["job"] == "dev"
    assert bench.history(record.id)[-1].author == "kim"


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_what_somebody_enters_at_a_vendor_is_text_on_pages(text: str) -> None:
    """No markup, no control character, no direction of its own, and no page of megabytes."""
    made = duo()
    made.vendors["hr"].add(**row(name=text, job=text))
    made.sync()
    store_plan(made.engine, "kim")
    records = made.records()
    paths = ["/", "/records/person", "/activity", "/activity?show=changes", "/plan", "/questions"]
    paths += [f"/records/person/{record.id}" for record in records]
    with at_console(made.engine, Role.VIEWER) as browser:
        for path in paths:
            answer = browser.get(path)
            assert answer.status_code == 200, path
            body = answer.text
            assert "<script>alert" not in body, path
            assert "<img src=x" not in body, path
            assert "49" not in re.findall(r"<bdi>(\d+)</bdi>", body), path
            assert not re.search(r'href="javascript', body), path
            assert not set("\u202e\x07") & set(body), path
            assert len(answer.content) < 100_000, path


def test_pages_cost_as_many_statements_however_much_there_is() -> None:
    """Of five people as of forty."""
    paths = ["/", "/records/person", "/activity", "/activity?show=changes", "/plan", "/connections"]
    counts = []
    for size in (5, 40):
        made = duo()
        crowd(made, size)
        made.sync()
        store_plan(made.engine, "kim")
        with at_console(made.engine, Role.VIEWER) as browser:
            for path in paths:
                browser.get(path)
            counts.append([_statements(made, lambda p=path: browser.get(p)) for path in paths])
    assert counts[0] == counts[1]


def test_a_page_that_there_is_not_is_told_as_a_page(bench: Bench) -> None:
    """To whoever asks for pages; programs get what they know."""
    with at_console(bench.engine, Role.VIEWER) as browser:
        page = browser.get("/nothing", Accept="text/html")
        assert page.status_code == 404
        assert "There is nothing here" in page.text
        assert browser.get("/nothing").headers["content-type"] == "application/problem+json"
        assert browser.get("/records/person/nobody", Accept="text/html").status_code == 404


def test_mappings_show_rules_and_where_they_stand(bench: Bench) -> None:
    """Field by field, and which edition is in use."""
    with at_console(bench.engine, Role.OPERATOR) as browser:
        page = browser.get("/mappings/person").text
    assert "part0.yaml:" in page
    assert bench.engine.edition in page


def test_the_privacy_officer_reads_what_members_did(bench: Bench) -> None:
    """An admin sees members alone."""
    with at_console(bench.engine, Role.PRIVACY_OFFICER) as browser:
        assert "What members did" in browser.get("/access").text
    with at_console(bench.engine, Role.ADMIN, name="ada") as browser:
        page = browser.get("/access").text
    assert "kim" in page
    assert "What members did" not in page


def test_lists_are_files_too(bench: Bench) -> None:
    """As CSV that no spreadsheet computes, and as JSON; in the audit."""
    bench.vendors["hr"].add(**row(email="b@x.de", name="=cmd|' /C calc'!A0"))
    bench.sync()
    with at_console(bench.engine, Role.VIEWER) as browser:
        told = browser.get("/records/person?as=json").json()["records"]
        table = browser.get("/records/person?as=csv")
        writes = browser.get("/activity?as=json").json()["writes"]
        changes = browser.get("/activity?show=changes&as=csv").text
    assert {line["name"].split()[0] for line in told} == {"Anna", "=cmd|'"}
    assert table.headers["content-disposition"].startswith('attachment; filename="records-')
    assert "'=cmd" in table.text
    assert ",=cmd" not in table.text
    assert len(writes) == 2
    assert changes.startswith("\ufeffchange,at,entity")
    (last,) = bench.read(lambda tx: tx.select_audit(limit=1))
    assert (last.action, last.about, last.author) == ("export changes", "csv", "kim")


@pytest.mark.parametrize("name", [" =1+1", "\t@SUM(A1)", "\uff1dcmd()"])
def test_no_cell_is_computed_however_its_formula_begins(bench: Bench, name: str) -> None:
    """Blanks in front of it and wide letters are seen through, as some spreadsheets do."""
    bench.vendors["hr"].add(**row(email="b@x.de", name=name))
    bench.sync()
    with at_console(bench.engine, Role.VIEWER) as browser:
        table = browser.get("/records/person?as=csv").text
    cells = [cell for line in csv.reader(table.splitlines()) for cell in line]
    assert any(name.strip() in cell for cell in cells)
    assert not any(cell.lstrip().startswith(("=", "@", "\uff1d")) for cell in cells)


def test_files_have_no_more_in_them_than_pages(bench: Bench) -> None:
    """An operator's neither."""
    with at_console(bench.engine, Role.OPERATOR) as browser:
        for path in ("/activity?as=json", "/activity?show=changes&as=csv"):
            assert "anna" not in browser.get(path).text.casefold()


def test_what_the_files_would_do_is_shown_beside_what_is_in_use(bench: Bench) -> None:
    """A trial is a plan of its own, by whoever asked; the plan of the page stays as it was."""
    with at_console(bench.engine, Role.OPERATOR) as browser:
        assert 'href="/trial"' in browser.get("/mappings").text
        assert "Nothing of them is used by that" in browser.get("/trial").text
        browser.send("/trial")
        until(lambda: "These files are those that are in use" in browser.get("/trial").text)
        assert "Everything agrees" in browser.get("/trial").text
        assert "No plan is kept" in browser.get("/plan").text


def test_files_that_are_not_valid_show_their_faults(bench: Bench) -> None:
    """With their lines; and that they would not be used."""
    with bench.engine.ledger.write() as tx:
        keep(tx, [refused_trial("other", ["person.yaml:3:1: no such key"], "kim", 1.0)])
    with at_console(bench.engine, Role.VIEWER) as browser:
        page = browser.get("/trial").text
    assert "person.yaml:3:1: no such key" in page
    assert "would not be used" in page
    assert "Everything agrees" not in page


def test_home_tells_what_happened_since_the_last_visit(bench: Bench) -> None:
    """Of the browser; a page that is loaded again belongs to the same visit."""
    with at_console(bench.engine, Role.VIEWER) as browser:
        assert "In the last 24 hours" in browser.get("/").text
        bench.clock.sleep(3 * 3600.0)
        for _ in range(2):
            page = browser.get("/").text
            assert "Since your last visit" in page
            bench.clock.sleep(60.0)
