"""Signing in, staying in, and being shut out."""

from __future__ import annotations

import re
import threading
from html import unescape

import pytest
from argon2 import PasswordHasher, Type, extract_parameters

from syncengine.flows.people import members, signing_in
from syncengine.flows.people.signing_in import FREE_FAILURES, IDLE, LONGEST, make_link
from syncengine.flows.views import queries
from syncengine.model.member import Role
from syncengine.web.console.doors import TRIES
from tests.support.bench import Bench
from tests.support.console import PASSWORD, Browser, at_console, stranger, token_of, with_password
from tests.unit.web.console.conftest import leavers


def _inside(browser: Browser) -> bool:
    return browser.get("/password").url.path == "/password"


def test_without_a_member_it_is_closed_and_says_how_it_is_opened(bench: Bench) -> None:
    """Every page leads to one that has the command."""
    with stranger(bench.engine) as browser:
        page = browser.get("/")
    assert page.url.path == "/sign-in"
    assert "syncengine members add NAME --role viewer" in page.text


def test_a_member_signs_in_with_a_password_and_out_again(bench: Bench) -> None:
    """The cookie is not for scripts, and what comes after is of no use without it."""
    with_password(bench.engine, Role.VIEWER)
    with stranger(bench.engine) as browser:
        answer = browser.send("/sign-in", name=" Kim ", password=PASSWORD)
        assert _inside(browser)
        cookie = next(
            c for r in answer.history for c in r.headers.get_list("set-cookie") if "session" in c
        )
        assert re.search(r"HttpOnly.*Path=/; SameSite=lax", cookie)
        browser.send("/sign-out", "/password")
        assert not _inside(browser)


def test_a_stolen_hash_is_expensive_to_guess(hasher: PasswordHasher) -> None:
    """argon2id, with the memory and time that its library recommends at least."""
    used = extract_parameters(hasher.hash(PASSWORD))
    assert used.type is Type.ID
    assert (used.memory_cost, used.time_cost) >= (65_536, 3)


def test_behind_tls_cookies_are_bound_to_this_host(bench: Bench) -> None:
    """Their name says so, which no other host of the domain can set."""
    with_password(bench.engine, Role.VIEWER)
    with stranger(bench.engine, hosts=("sync.example.com",)) as browser:
        there = "https://sync.example.com"
        page = browser.client.get(f"{there}/sign-in")
        assert "__Host-visit" in page.headers["set-cookie"]
        assert "Secure" in page.headers["set-cookie"]
        fields = {"form_token": token_of(page.text), "name": "kim", "password": PASSWORD}
        answer = browser.client.post(
            f"{there}/sign-in", data=fields, headers={"Origin": there}, follow_redirects=False
        )
    assert re.search(r"__Host-session=.*Secure", answer.headers["set-cookie"])


def test_a_link_signs_in_once(bench: Bench) -> None:
    """By its button, since what looks at links opens them, too; then it is used up."""
    members.add_member(bench.engine, "kim", [Role.VIEWER], "test")
    link = f"/link/{make_link(bench.engine, 'kim', 'test')}"
    with stranger(bench.engine) as browser:
        assert "Sign in as kim" in browser.get(link).text
        assert "Sign in as kim" in browser.get(link).text
        assert browser.send(link).url.path == "/password"
        assert browser.get(link).status_code == 404


def test_a_link_is_over_after_an_hour(bench: Bench) -> None:
    """Then it says so."""
    members.add_member(bench.engine, "kim", [Role.VIEWER], "test")
    link = f"/link/{make_link(bench.engine, 'kim', 'test')}"
    bench.clock.sleep(3601)
    with stranger(bench.engine) as browser:
        assert browser.get(link).status_code == 404


@pytest.mark.parametrize("name", ["kim", "nobody"])
def test_five_wrong_passwords_shut_a_name_whether_it_is_there_or_not(
    bench: Bench, name: str
) -> None:
    """For a minute first, then for longer; so nobody learns which names there are."""
    with_password(bench.engine, Role.VIEWER)
    with stranger(bench.engine) as browser:
        answers = [
            browser.send("/sign-in", name=name, password="wrong") for _ in range(FREE_FAILURES)
        ]
        assert [a.status_code for a in answers] == [401] * (FREE_FAILURES - 1) + [429]
        assert browser.send("/sign-in", name=name, password=PASSWORD).status_code == 429
        bench.clock.sleep(61)
        after = browser.send("/sign-in", name=name, password="wrong")
        assert after.status_code == 429
        bench.clock.sleep(61)
        assert browser.send("/sign-in", name=name, password="wrong").status_code == 429


@pytest.mark.parametrize("name", ["kim", "nobody"])
def test_tries_at_a_shut_name_shut_the_address_whether_it_is_there_or_not(
    bench: Bench, name: str
) -> None:
    """Then other names are shut there, too; this tells nobody which names there are."""
    with_password(bench.engine, Role.VIEWER)
    with stranger(bench.engine) as browser:
        for _ in range(TRIES):
            browser.send("/sign-in", name=name, password="wrong")
        assert browser.send("/sign-in", name="another", password="wrong").status_code == 429


def test_a_shut_address_shuts_out_no_session_and_no_link(bench: Bench) -> None:
    """Whoever is inside goes on and says again who they are; whoever has a link comes in."""
    with_password(bench.engine, Role.VIEWER)
    with stranger(bench.engine) as browser:
        browser.send("/sign-in", name="kim", password=PASSWORD)
        inside = dict(browser.client.cookies)
        browser.client.cookies.clear()
        bench.clock.sleep(700)
        for number in range(TRIES + 1):
            browser.send("/sign-in", name=f"nobody {number}", password="wrong")
            lost = browser.send(f"/link/wrong{number}", "/sign-in")
        assert lost.status_code == 429
        assert browser.send("/sign-in", name="kim", password=PASSWORD).status_code == 429
        browser.send(f"/link/{make_link(bench.engine, 'kim', 'test')}")
        assert _inside(browser)
        browser.client.cookies.clear()
        browser.client.cookies.update(inside)
        token = {"label": "a script", "right": "read", "days": "30"}
        asked = browser.send("/tokens", **token)
        assert "sync_" in browser.go_on(asked, proof=PASSWORD).text


def test_of_a_name_longer_than_any_no_more_is_remembered(bench: Bench) -> None:
    """Names that begin alike are one name at the door, so that strangers fill no memory."""
    with_password(bench.engine, Role.VIEWER)
    with stranger(bench.engine) as browser:
        for end in range(FREE_FAILURES):
            answer = browser.send("/sign-in", name="x" * 61 + f"{end}" * 50_000, password="wrong")
    assert answer.status_code == 429


def test_a_crowd_at_the_door_is_sent_away_and_keeps_no_member_waiting(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passwords are looked at by few threads, and wait for none; what was not looked at does not count as wrong."""
    with_password(bench.engine, Role.VIEWER)
    with stranger(bench.engine) as browser:
        with monkeypatch.context() as crowded:
            crowded.setattr(signing_in, "_places", threading.Semaphore(0))
            for _ in range(FREE_FAILURES):
                answer = browser.send("/sign-in", name="kim", password=PASSWORD)
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        browser.send("/sign-in", name="kim", password=PASSWORD)
        assert _inside(browser)


def test_a_name_is_known_however_its_accents_are_sent(bench: Bench) -> None:
    """As one letter or as a letter and an accent, which some systems send."""
    with_password(bench.engine, Role.VIEWER, name="zo\u00eb")
    with stranger(bench.engine) as browser:
        browser.send("/sign-in", name="Zoe\u0308", password=PASSWORD)
        assert _inside(browser)


def test_the_right_password_after_the_minute_opens_again(bench: Bench) -> None:
    """And wrong ones are counted anew."""
    with_password(bench.engine, Role.VIEWER)
    with stranger(bench.engine) as browser:
        for _ in range(FREE_FAILURES):
            browser.send("/sign-in", name="kim", password="wrong")
        bench.clock.sleep(61)
        browser.send("/sign-in", name="kim", password=PASSWORD)
        assert _inside(browser)


def test_a_session_ends_when_it_is_not_used_and_at_the_end_of_the_day(bench: Bench) -> None:
    """After eight hours without a page, and after twelve with some."""
    with at_console(bench.engine, Role.VIEWER) as browser:
        bench.clock.sleep(IDLE + 1)
        assert not _inside(browser)
    members.unlock(bench.engine, "kim", "test")
    with stranger(bench.engine) as browser:
        browser.send(f"/link/{make_link(bench.engine, 'kim', 'test')}")
        for _ in range(3):
            bench.clock.sleep(LONGEST / 3 - 60)
            assert _inside(browser)
        bench.clock.sleep(200)
        assert not _inside(browser)


def test_who_is_locked_is_out_at_once(bench: Bench) -> None:
    """In the browser that is open, by password and by link."""
    with at_console(bench.engine, Role.VIEWER) as browser:
        browser.send("/password", password=PASSWORD, again=PASSWORD)
        members.lock(bench.engine, "kim", "test")
        assert not _inside(browser)
        assert browser.send("/sign-in", name="kim", password=PASSWORD).status_code == 401


def test_a_new_password_ends_other_sessions(bench: Bench) -> None:
    """The browser in which it was chosen stays in."""
    with at_console(bench.engine, Role.VIEWER) as one, stranger(bench.engine) as other:
        other.send(f"/link/{make_link(bench.engine, 'kim', 'test')}")
        assert _inside(other)
        one.send("/password", password=PASSWORD, again=PASSWORD)
        assert _inside(one)
        assert not _inside(other)


def test_a_password_is_changed_with_the_present_one_later(bench: Bench) -> None:
    """An open screen is not enough once the sign-in is a while ago."""
    with_password(bench.engine, Role.VIEWER)
    with stranger(bench.engine) as browser:
        browser.send("/sign-in", name="kim", password=PASSWORD)
        bench.clock.sleep(700)
        new = {"password": "another good phrase", "again": "another good phrase"}
        assert browser.send("/password", present="wrong", **new).status_code == 422
        assert browser.send("/password", present=PASSWORD, **new).status_code in (200, 404)


def test_a_form_of_somebody_else_is_refused(bench: Bench) -> None:
    """Without the token, with another one, and from another origin."""
    with at_console(bench.engine, Role.VIEWER) as browser:
        token = token_of(browser.get("/password").text)
        assert browser.post("/sign-out").status_code == 403
        assert browser.post("/sign-out", form_token="0" * 40).status_code == 403
        evil = browser.post("/sign-out", "https://evil.example", form_token=token)
        assert evil.status_code == 403
        assert browser.post("/sign-out", "", form_token=token).status_code == 403
        assert browser.post("/sign-out", "http://[", form_token=token).status_code == 403
        assert _inside(browser)


def test_after_signing_in_one_goes_on_to_a_page_of_ours_alone(bench: Bench) -> None:
    """An address of somebody else is not gone to."""
    with_password(bench.engine, Role.ADMIN)
    for wanted in ("https://evil.example", "//evil.example", "/\\evil.example", "/\tevil"):
        with stranger(bench.engine) as browser:
            page = browser.get("/sign-in").text
            answer = browser.client.post(
                "/sign-in",
                data={
                    "form_token": token_of(page), "name": "kim", "password": PASSWORD, "next": wanted,
                },
                headers={"Origin": "http://127.0.0.1"}, follow_redirects=False,
            )  # fmt: skip
        assert answer.headers["location"] == "/access"


def test_pages_allow_nothing_from_elsewhere(bench: Bench) -> None:
    """No script, style, frame or form of others, no place in other pages' frames, no copy in caches."""
    with at_console(bench.engine, Role.VIEWER) as browser:
        answer = browser.get("/password")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert not re.search(r"<script>|\son\w+=|style=|javascript:", answer.text)


def test_deletes_are_approved_by_whoever_has_just_said_who_they_are() -> None:
    """Later the password is asked for again, and a wrong one opens nothing."""
    made = leavers()
    (case,) = made.cases()
    seen = queries.case(made.engine, case.id)["approvals"]["digest"]
    with_password(made.engine, Role.ANSWERER)
    with stranger(made.engine) as browser:
        browser.send("/sign-in", name="kim", password=PASSWORD)
        made.clock.sleep(700)
        asked = browser.send(f"/questions/{case.id}", answer="approve", digest=seen)
        assert "Say again who you are" in asked.text
        assert browser.go_on(asked, proof="wrong").status_code == 422
        assert made.cases() == [case]
        assert "Done:" in browser.go_on(asked, proof=PASSWORD).text
    assert made.cases() == []


def test_what_was_chosen_before_the_password_is_what_is_done_after_it() -> None:
    """Who was not ticked is not approved, the reason is kept, and the filters lead on: also after a wrong password.
    Nothing of it stands in an address."""
    made = leavers()
    (case,) = made.cases()
    document = queries.case(made.engine, case.id)
    shown = [write["id"] for write in document["writes"]]
    names = [write["name"] for write in document["writes"]]
    with_password(made.engine, Role.ANSWERER)
    with stranger(made.engine) as browser:
        browser.send("/sign-in", name="kim", password=PASSWORD)
        made.clock.sleep(700)
        asked = browser.send(
            f"/questions/{case.id}", answer="approve", digest=document["approvals"]["digest"],
            shown=" ".join(shown), link=shown[1:3], reason="they left", kind="staged",
        )  # fmt: skip
        assert f"2 of {len(shown)} held deletes in lms are approved" in asked.text
        assert [name in asked.text for name in names[:4]] == [False, True, True, False]
        wrong = browser.go_on(asked, proof="wrong")
        done = browser.go_on(wrong, proof=PASSWORD)
    assert f"2 writes may be sent now; {len(shown) - 2} are still asked about" in unescape(
        done.text
    )
    assert done.url.query == b"kind=staged"
    with made.engine.ledger.read() as tx:
        said = [k.approval for k in tx.links(shown).values() if k.approval]
    assert [a.reason for a in said if a.answer] == ["they left"] * 2


def test_a_first_password_is_chosen_while_the_link_is_fresh(bench: Bench) -> None:
    """Later a page says that a new link is needed, and so does the one that asks who one is: neither asks for a
    password that nobody has."""
    with at_console(bench.engine, Role.VIEWER) as browser:
        assert 'name="again"' in browser.get("/password").text
        bench.clock.sleep(700)
        late = browser.get("/password").text
        asked = browser.send("/tokens", label="a script", right="read", days="30").text
        form = {"password": PASSWORD, "again": PASSWORD}
        assert browser.send("/password", "/about", **form).status_code == 409
    for page in (late, asked):
        assert "syncengine members link kim" in page
        assert 'type="password"' not in page


def test_held_deletes_are_not_approved_among_many() -> None:
    """Each is looked at by itself."""
    made = leavers()
    (case,) = made.cases()
    with at_console(made.engine, Role.ANSWERER) as browser:
        answer = browser.send("/questions", case=case.id, answer="approve")
    assert "held writes are looked at one by one" in answer.text
    assert made.cases() == [case]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/nothing", 404),
        ("/records/person/none", 404),
        ("/sign-out", 405),
        ("/questions/none", 404),
    ],
)
def test_whoever_is_signed_in_keeps_the_menu_where_something_goes_wrong(
    bench: Bench, path: str, code: int
) -> None:
    """Whoever is not gets the page alone, which names nobody."""
    with at_console(bench.engine, Role.VIEWER) as browser:
        page = browser.get(path, accept="text/html")
        assert (page.status_code, 'href="/activity"' in page.text) == (code, True)
        browser.client.cookies.clear()
        page = browser.get(path, accept="text/html")
        assert 'href="/activity"' not in page.text


@pytest.mark.parametrize(("role", "first"), [(Role.ADMIN, "/access"), (Role.VIEWER, "/")])
def test_the_first_page_of_a_member_is_one_that_they_may_see(
    bench: Bench, role: Role, first: str
) -> None:
    """Whoever only says who may sign in has no use for how vendors stand."""
    with at_console(bench.engine, role) as browser:
        page = browser.get("/")
    assert (page.status_code, page.url.path) == (200, first)
