"""A form that is sent when the session is over is found again after signing in, by whoever sent it, for a while."""

from __future__ import annotations

import re
from html import unescape

import httpx
import pytest

from syncengine.flows.people import members
from syncengine.flows.people.kept_forms import KEPT
from syncengine.flows.people.signing_in import IDLE, LONGEST, hash_of
from syncengine.flows.views import queries
from syncengine.model.member import Role
from tests.support.bench import Bench
from tests.support.console import PASSWORD, Browser, stranger, token_of, with_password
from tests.unit.web.console.conftest import leavers
from tests.unit.web.console.test_questions import asking


def _enter(browser: Browser, name: str = "kim") -> httpx.Response:
    return browser.send("/sign-in?next=/kept", name=name, password=PASSWORD, next="/kept")


def _sent_late(made: Bench, browser: Browser, path: str, wait: float = IDLE, **form: object) -> str:
    """What is told to a member who opened a page, and sends its form so much later."""
    browser.send("/sign-in", name="kim", password=PASSWORD)
    token = token_of(browser.get(path).text)
    made.clock.sleep(wait)
    answer = browser.post(path, form_token=token, **form)
    assert answer.url.path == "/sign-in"
    return unescape(answer.text)


@pytest.mark.parametrize("wait", [IDLE, LONGEST])
def test_ticks_answer_and_reason_are_found_after_signing_in_again(wait: float) -> None:
    """They stand on a page with their people, nothing is done before its button, and then just that."""
    made = asking(3)
    with_password(made.engine, Role.ANSWERER)
    ids = [case.id for case in made.cases()]
    form = {"case": ids[:2], "answer": "ignore", "reason": "shared boxes", "kind": "identity"}
    with stranger(made.engine) as browser:
        told = _sent_late(made, browser, "/questions", wait, **form)
        assert "nothing is done before you say so" in told
        kept = _enter(browser)
        text = unescape(re.sub(r"<[^>]+>", "", kept.text))
        assert "2 questions are answered" in text
        assert "Leave alone" in text
        assert "shared boxes" in text
        assert text.count("Anna ") == 2
        assert [case.id for case in made.cases()] == ids
        assert "2 answered" in browser.go_on(kept).text
    assert [case.id for case in made.cases()] == ids[2:]


def test_the_ticked_part_of_held_writes_is_found_after_signing_in_again() -> None:
    """With the names of these, and no others; whoever has just signed in is not asked again who they are."""
    made = leavers()
    (case,) = made.cases()
    with_password(made.engine, Role.ANSWERER)
    document = queries.case(made.engine, case.id)
    shown, names = ([w[n] for w in document["writes"]] for n in ("id", "name"))
    form = {"answer": "approve", "shown": " ".join(shown), "link": shown[1:3], "reason": "they left",
            "digest": document["approvals"]["digest"]}  # fmt: skip
    with stranger(made.engine) as browser:
        _sent_late(made, browser, f"/questions/{case.id}", **form)
        kept = _enter(browser)
        text = unescape(kept.text)
        assert f"2 of {len(shown)} held writes in lms" in text
        assert [name in text for name in names[:4]] == [False, True, True, False]
        done = browser.go_on(kept)
    assert f"2 writes may be sent now; {len(shown) - 2} are still asked about" in unescape(
        done.text
    )


def test_a_kept_form_is_for_whoever_sent_it_and_lapses() -> None:
    """Somebody else at that browser does not see it, and after a while it is gone from the database, too."""
    made = asking()
    for name in ("kim", "lee"):
        with_password(made.engine, Role.ANSWERER, name=name)
    path = f"/questions/{made.cases()[0].id}"
    with stranger(made.engine) as browser:
        _sent_late(made, browser, path, answer="ignore")
        assert _enter(browser, "lee").url.path == "/"
        assert _enter(browser).url.path == "/kept"
        made.clock.sleep(KEPT)
        assert browser.get("/kept").url.path == "/"
        visit = hash_of(browser.client.cookies["syncengine-visit"])
        assert made.read(lambda tx: tx.kept_form(visit, 0.0))
        _enter(browser)
    assert not made.read(lambda tx: tx.kept_form(visit, 0.0))


def test_what_comes_from_elsewhere_or_of_nobody_is_not_kept() -> None:
    """A form without the token of that session; one of a member who is locked, or has signed out."""
    made = asking()
    cases = made.cases()
    with_password(made.engine, Role.ANSWERER)
    with stranger(made.engine) as browser:
        browser.send("/sign-in", name="kim", password=PASSWORD)
        token = token_of(browser.get("/questions").text)
        made.clock.sleep(IDLE)
        form = {"answer": "ignore", "case": cases[0].id}
        assert b"kept" not in browser.post("/questions", form_token="0" * 40, **form).url.query
        elsewhere = browser.post("/questions", "https://evil.example", form_token=token, **form)
        assert b"kept" not in elsewhere.url.query
        members.lock(made.engine, "kim", "test")
        assert b"kept" not in browser.post("/questions", form_token=token, **form).url.query
    assert made.cases() == cases
