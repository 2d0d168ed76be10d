"""What people come for, from beginning to end, in a real browser."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from syncengine.flows.core.engine import new_id
from syncengine.flows.people.cases import answer
from syncengine.flows.people.members import lock
from syncengine.flows.people.signing_in import set_password
from syncengine.model.case import CaseKind
from syncengine.model.changeset import Changeset
from syncengine.model.member import Role
from syncengine.model.process import Process
from syncengine.process import free_port
from tests.browser.conftest import Desk
from tests.browser.sight import wrong
from tests.support.console import PASSWORD
from tests.support.provider import SECRET, login
from tests.support.scene import monday, serving

pytestmark = [pytest.mark.long, pytest.mark.ci]


def _open(desk: Desk, kind: str = "identity") -> list[str]:
    with desk.scene.engine() as engine, engine.ledger.read() as tx:
        return [case.id for case in tx.cases(kind=kind)]


def test_a_question_is_answered_by_keys_alone(desk: Desk) -> None:
    """From home to the answer without a mouse, and on to the next question."""
    before = len(_open(desk))
    with desk.open(Role.ANSWERER) as page:
        page.goto("/")
        page.keyboard.press("g")
        page.keyboard.press("q")
        page.wait_for_url("**/questions")
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("/questions/[0-9a-f-]{36}"))
        labels = page.locator("label.choice strong").all_inner_texts()
        page.keyboard.press(str(labels.index("Leave alone") + 1))
        page.keyboard.press("Tab")
        page.keyboard.type("a test account")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text("Done: it stays as it is")
        assert re.search("/questions/[0-9a-f-]{36}", page.url)
    assert len(_open(desk)) == before - 1


def test_a_form_works_without_javascript(desk: Desk) -> None:
    """Signing in, narrowing a list, ticking and answering."""
    before = len(_open(desk))
    with desk.open(Role.ANSWERER, java_script_enabled=False) as page:
        page.goto("/questions")
        page.select_option("#kind", "identity")
        page.get_by_role("button", name="Show").click()
        page.locator("td.tick input").first.check()
        page.select_option("#answer", "ignore")
        page.get_by_role("button", name="Answer").click()
        expect(page.get_by_role("status")).to_contain_text("1 answered")
    assert len(_open(desk)) == before - 1


def test_two_who_answer_one_question_are_told(desk: Desk) -> None:
    """The second one by whom, when and what."""
    (case, *_) = _open(desk)
    with desk.open(Role.ANSWERER) as page:
        page.goto(f"/questions/{case}")
        with desk.scene.engine() as engine:
            answer(engine, case, "ignore", author="ada")
        page.locator("label.choice").last.click()
        page.get_by_role("button", name="Answer").click()
        expect(page.locator("main")).to_contain_text(
            re.compile(r"[Aa]da answered this at \d\d:\d\d: ignore")
        )


def test_many_are_answered_at_once(desk: Desk) -> None:
    """With one tick for all of a page."""
    ids = _open(desk)
    with desk.open(Role.ANSWERER) as page:
        page.goto("/questions?kind=identity")
        page.locator("input[data-pick-all]").check()
        expect(page.locator("[data-picked]")).to_have_text(str(len(ids)))
        page.select_option("#answer", "ignore")
        page.fill("#reason", "shared mailboxes")
        page.get_by_role("button", name="Answer").click()
        expect(page.locator("main")).to_contain_text(f"{len(ids)} answered")
        assert wrong(page) == []
    assert _open(desk) == []


def _ask(desk: Desk, count: int) -> None:
    with desk.scene.engine() as engine, engine.ledger.write() as tx:
        like = tx.cases(kind="conflict")[:1] or tx.cases(kind="identity")[:1] or tx.cases()[:1]
        asked = [
            replace(like[0], id=new_id(), kind=CaseKind.QUARANTINED, subject=f"{count}:{n}", link_id=None,
                    record_id=None, question=f"Row {n} does not fit.", answers={"retry": "go on"},
                    evidence={"external_id": str(n)})
            for n in range(count)
        ]  # fmt: skip
        tx.write(Changeset(raised=asked))


def test_forty_are_answered_at_once(desk: Desk) -> None:
    """Above twenty the number is typed; then all are answered, and said to be."""
    _ask(desk, 40)
    with desk.open(Role.ANSWERER) as page:
        page.goto("/questions?kind=quarantined")
        page.locator("input[data-pick-all]").check()
        count = page.locator("[data-picked]").inner_text()
        assert int(count) >= 40
        page.select_option("#answer", "retry")
        page.fill("#reason", "a new export")
        page.get_by_role("button", name="Answer").click()
        page.get_by_label(re.compile(f"Type {count}")).fill(count)
        assert wrong(page) == []
        page.get_by_role("button").last.click()
        expect(page.locator("main")).to_contain_text(f"{count} answered")


def test_it_sees_what_stands_still(desk: Desk) -> None:
    """A dead worker after a minute, a vendor that refuses our credentials, and a process with other files: the first
    lines of home say so, since when, and lead to the place."""
    now = time.time()
    # The files of the company are some seconds old; a process has two minutes to take them over.
    old = Process("p1", "worker", "host1", 71, "earlier", now - 86_400, now + 150)
    with desk.scene.engine() as engine, engine.ledger.write() as tx:
        tx.note_alive("worker", now - 61)
        tx.note_alive("beat", now)
        tx.save_process(old)
        before = tx.connection("weekly10")
        state = replace(before, halted="HTTP 401: bad password", halted_since=now - 300)
        tx.write(Changeset(connections=[state]))
    try:
        with desk.open(Role.OPERATOR) as page:
            page.goto("/")
            expect(page.locator("h1")).to_contain_text("Not in order")
            lines = page.locator(".lines").first
            expect(lines).to_contain_text("No worker since")
            expect(lines).to_contain_text("weekly10 refuses our credentials since")
            expect(lines).to_contain_text("1 process of the service works by")
            lines.locator("li", has_text="refuses our credentials").get_by_role("link").click()
            page.wait_for_url("**/connections/weekly10")
            expect(page.locator("main")).to_contain_text("HTTP 401")
    finally:
        with desk.scene.engine() as engine, engine.ledger.write() as tx:
            tx.forget_alive()
            tx.forget_process(old.id)
            tx.write(Changeset(connections=[before]))


def test_why_somebody_does_not_agree_is_found(desk: Desk) -> None:
    """By name, and with the reason in plain words."""
    with desk.open(Role.VIEWER) as page:
        page.goto("/")
        page.get_by_role("link", name="Records").click()
        page.get_by_role("searchbox").fill("sandra brön")
        page.keyboard.press("Enter")
        page.get_by_role("link", name=re.compile("Sandra Brönnimann")).first.click()
        expect(page.locator("h1")).to_contain_text("Sandra")
        expect(page.locator(".lines")).to_contain_text("waits for approval")


def test_a_connection_is_paused_and_resumed(desk: Desk) -> None:
    """And home says so."""
    with desk.open(Role.OPERATOR) as page:
        page.goto("/connections/weekly10")
        page.fill("#reason", "audit week")
        page.get_by_role("button", name="Pause writing").click()
        page.goto("/")
        expect(page.locator(".lines").first).to_contain_text("weekly10 is paused by")
        page.goto("/connections/weekly10")
        page.get_by_role("button", name="Resume").click()
        expect(page.get_by_role("status")).to_contain_text("resumed")


def test_a_session_that_is_over_in_mid_form_says_so(desk: Desk) -> None:
    """And nothing was done."""
    with desk.open(Role.OPERATOR, name="lee") as page:
        page.goto("/connections/heavenhr")
        with desk.scene.engine() as engine:
            lock(engine, "lee", "admin")
        page.get_by_role("button", name="Pause writing").click()
        expect(page.get_by_role("status")).to_contain_text("Your session is over")
    with desk.scene.engine() as engine, engine.ledger.read() as tx:
        assert not tx.connection("heavenhr").paused


def test_what_was_ticked_when_the_session_was_over_is_found_again(desk: Desk) -> None:
    """After signing in, on a page of its own; it is done by its button."""
    _ask(desk, 2)
    before = len(_open(desk, "quarantined"))
    desk.scene.link(Role.ANSWERER, name="nora")
    with desk.scene.engine() as engine:
        set_password(engine, "nora", PASSWORD, "admin")
    with desk.open() as page:
        _sign_in(page, "nora")
        page.goto("/questions?kind=quarantined")
        page.locator("td.tick input").first.check()
        page.select_option("#answer", "retry")
        page.fill("#reason", "a new export")
        _let_sessions_end(desk, "nora")
        page.get_by_role("button", name="Answer").click()
        expect(page.get_by_role("status")).to_contain_text("what you chose is kept")
        assert wrong(page) == []
        page.fill("#name", "nora")
        page.fill("#password", PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator("main")).to_contain_text("1 question is answered")
        expect(page.locator("main")).to_contain_text("a new export")
        assert wrong(page) == []
        assert len(_open(desk, "quarantined")) == before
        page.get_by_role("button", name="Answer").click()
        expect(page.get_by_role("status")).to_contain_text("1 answered")
    assert len(_open(desk, "quarantined")) == before - 1


def _let_sessions_end(desk: Desk, name: str) -> None:
    with desk.scene.engine() as engine, engine.ledger.write() as tx:
        (member,) = tx.members(names=[name])
        for grant in tx.grants_of(member.id):
            tx.save_grant(replace(grant, seen_at=0.0))


def test_whoever_guesses_is_shut_out(desk: Desk) -> None:
    """With the time after which the name is open again."""
    desk.scene.link(Role.VIEWER, name="mia")
    with desk.scene.engine() as engine:
        set_password(engine, "mia", PASSWORD, "admin")
    with desk.open() as page:
        page.goto("/sign-in")
        for _ in range(5):
            page.fill("#name", "mia")
            page.fill("#password", "wrong")
            page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("Too many wrong passwords")


def test_somebody_signs_in_at_a_provider(desk: Desk) -> None:
    """With one click there, and is back on the page that they had opened."""
    port, file = free_port(), desk.scene.folder / "mappings" / "console.yaml"
    with login(zoe={"groups": ["hr"]}) as provider:
        file.write_text(
            f'console:\n  address: http://127.0.0.1:{port}\n  oidc: {{name: Alpenblick, issuer: "{provider.url}", '
            f'client_id: console, client_secret: "{SECRET}", roles: {{hr: [answerer]}}}}\n'
        )
        with serving(desk.scene.settings, port) as url, replace(desk, url=url).open() as page:
            page.goto("/connections")
            page.get_by_role("link", name="Sign in with Alpenblick").click()
            page.get_by_role("button", name="zoe").click()
            page.wait_for_url("**/connections")
            expect(page.locator("header")).to_contain_text("zoe")
        file.unlink()


def test_two_people_approve_a_plan_of_leavers(desk: Desk) -> None:
    """The first one is refused as the second; somebody else sends it."""
    (case, *_) = _open(desk, "staged")
    with desk.open(Role.ANSWERER, name="ina") as page:
        _approve(page, case)
        expect(page.get_by_role("status")).to_contain_text("1 of 2 given")
        expect(page.locator("main")).to_contain_text("1 of 2 approvals given")
        expect(page.locator("main li").first).to_contain_text("ina")
        _approve(page, case)
        expect(page.locator("main")).to_contain_text("have approved this already")
        page.goto("/")
        expect(page.locator(".lines").first).to_contain_text("1 of 2 given")
    with desk.open(Role.ANSWERER, name="ben") as page:
        _approve(page, case)
        expect(page.get_by_role("status")).to_contain_text("12 writes may be sent now")


def _approve(page: Page, case: str) -> None:
    page.goto(f"/questions/{case}")
    page.get_by_text("Send the ticked ones", exact=True).click()
    page.get_by_role("button", name="Answer").click()


def test_a_plan_is_computed_and_its_deletes_approved(browser: Browser, tmp_path: Path) -> None:
    """The page looks again by itself until the plan is there; who is not ticked is left out, for the second one too."""
    with monday(tmp_path) as scene, serving(scene.settings) as url:
        desk = Desk(url, scene, browser)
        with desk.open(Role.ANSWERER) as page:
            page.goto("/plan")
            page.get_by_role("button", name="Compute a plan").click()
            page.get_by_text("Look at these first").wait_for(timeout=30_000)
            page.get_by_role("link", name="Look and decide").click()
            page.locator("input[data-pick]").first.uncheck()
            page.get_by_text("Send the ticked ones", exact=True).click()
            page.get_by_role("button", name="Answer").click()
            expect(page.get_by_role("status")).to_contain_text("1 of 2 given")
            expect(page.locator("input[data-pick]:checked")).to_have_count(11)


def test_what_the_coming_days_bring_is_computed_and_read(desk: Desk) -> None:
    """Beside the pages, on a button; then it says who starts and who leaves."""
    with desk.open(Role.ANSWERER) as page:
        page.goto("/upcoming")
        page.get_by_role("button", name=re.compile("Look ahead|Compute anew")).click()
        expect(page.locator("main")).to_contain_text("Tarek Aziz", timeout=30_000)
        expect(page.locator("main")).to_contain_text("leaves weekly10")
        page.goto("/")
        expect(page.locator("main")).to_contain_text("1 starts, 1 leaves")


def test_a_privacy_officer_exports_and_erases_a_person(browser: Browser, tmp_path: Path) -> None:
    """With the password asked for in between; afterwards nobody finds her, and others are refused."""
    with monday(tmp_path) as scene, serving(scene.settings) as url:
        desk = Desk(url, scene, browser)
        with desk.open(Role.PRIVACY_OFFICER, name="dora") as page:
            with scene.engine() as engine:
                set_password(engine, "dora", PASSWORD, "test")
            _sign_in(page, "dora")
            page.goto("/records/person?q=sandra")
            page.get_by_role("link", name=re.compile("Sandra Brönnimann")).first.click()
            place = page.url
            page.get_by_role("button", name="Uncover").click()
            expect(page.locator("main")).to_contain_text("That you looked is on record")
            assert wrong(page) == []
            page.goto(f"{place}/export")
            with page.expect_download() as found:
                page.get_by_role("button", name="A file for programs").click()
            assert "Brönnimann" in Path(found.value.path()).read_text("utf-8")
            page.goto(f"{place}/erase")
            expect(page.locator("main")).to_contain_text("is kept out by it")
            page.get_by_label(re.compile("Why, without a name")).fill("request 2026-17")
            page.get_by_label(re.compile("I am sure")).check()
            page.get_by_role("button", name="Erase for good").click()
            expect(page.get_by_role("status")).to_contain_text("are gone")
            assert wrong(page) == []
            page.goto("/records/person?q=sandra+brön")
            expect(page.locator("main")).to_contain_text("Nobody by that name")
        with desk.open(Role.VIEWER, Role.ANSWERER, Role.OPERATOR, Role.ADMIN) as page:
            page.goto("/records/person?q=a")
            page.locator("tbody a").first.click()
            expect(page.get_by_role("link", name="Erase")).to_have_count(0)
            for what in ("export", "erase"):
                assert page.request.get(f"{page.url}/{what}").status == 403


def test_a_change_is_undone_by_keys_alone(desk: Desk) -> None:
    """From home through the list of changes to what tells that it is done, without a mouse; each page on the way is in
    order, and the record has its earlier value."""
    with desk.open(Role.ANSWERER) as page:
        page.goto("/")
        page.keyboard.press("g")
        page.keyboard.press("a")
        page.wait_for_url("**/activity")
        _tab_to(page, "Changes of our records")
        page.keyboard.press("Enter")
        page.wait_for_url("**/activity?show=changes")
        assert wrong(page) == []
        _tab_to(page, "person")
        page.keyboard.type("weiss-adler")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("person=weiss-adler"))
        page.keyboard.press("j")
        _tab_to(page, "Undo")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.type("it was wrong")
        assert wrong(page) == []
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text("last_name has its earlier value again")
        assert wrong(page) == []
        row = page.locator("tr[data-row]").first
        expect(row).to_contain_text("it was wrong")
        expect(row).to_contain_text("Müller-Lüdenscheidt")


def _tab_to(page: Page, wanted: str) -> None:
    """Press Tab until what has this text or id has the focus, which has to be seen."""
    for _ in range(80):
        page.keyboard.press("Tab")
        told, seen = page.evaluate("""() => {
            const e = document.activeElement, s = getComputedStyle(e);
            return [[e.textContent.trim(), e.id], s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2];
        }""")
        if wanted in told:
            assert seen, f"nobody sees that {wanted} has the focus"
            return
    raise AssertionError(f"no Tab leads to {wanted}")


def _sign_in(page: Page, name: str) -> None:
    page.context.clear_cookies()
    page.goto("/sign-in")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button").last.click()
    page.wait_for_url("**/")
