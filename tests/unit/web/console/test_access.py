"""Who may use the console is said in it, by admins; what they did is read by privacy officers."""

from __future__ import annotations

import csv
import io
import re
from html import unescape

import pytest

from syncengine.flows.people import members
from syncengine.flows.people.tokens import make_token
from syncengine.model.member import Member, Role, Scope
from tests.support.bench import Bench
from tests.support.console import PASSWORD, Browser, at_console, stranger, with_password


def the(bench: Bench, name: str) -> Member:
    return bench.read(lambda tx: tx.members(names=[name]))[0]


def change(browser: Browser, who: Member, do: str, **fields: object) -> str:
    """Send a form of the page of a member."""
    return unescape(browser.send(f"/access/{who.id}", do=do, **fields).text)


def test_an_admin_adds_a_member_who_comes_in_by_the_link_that_is_shown(bench: Bench) -> None:
    """Once; it stands in the audit who did it."""
    with at_console(bench.engine, Role.ADMIN) as browser:
        assert browser.send("/access", name="lee").status_code == 422
        page = browser.send("/access", name="Lee", role=["answerer", "nothing"]).text
        (link,) = re.findall(r"/link/[\w-]+", page)
        assert link not in browser.get(f"/access/{the(bench, 'lee').id}").text
        assert "already" in browser.send("/access", name="lee", role=["viewer"]).text
    assert the(bench, "lee").roles == ("answerer",)
    with stranger(bench.engine) as other:
        assert other.send(link).url.path == "/password"
    lines = bench.read(lambda tx: tx.select_audit())
    assert next((x.author, x.way) for x in lines if x.action == "add member") == ("kim", "console")


def test_an_admin_gives_and_takes_roles_and_limits(bench: Bench) -> None:
    """And nothing that there is not."""
    members.add_member(bench.engine, "lee", [Role.VIEWER], "test")
    with at_console(bench.engine, Role.ADMIN) as browser:
        change(browser, the(bench, "lee"), "roles", role=["answerer", "operator", "king"])
        assert the(bench, "lee").roles == ("answerer", "operator")
        assert "at least one role" in change(browser, the(bench, "lee"), "roles")
        change(browser, the(bench, "lee"), "limit", kinds=["staged", "x"], connections=["lms"])
        assert the(bench, "lee").limits == Scope((), ("lms",), ("staged",))
        change(browser, the(bench, "lee"), "limit")
        assert the(bench, "lee").limits == Scope()
        assert browser.send(f"/access/{the(bench, 'lee').id}", do="x").status_code == 422


def test_who_is_locked_out_is_out_at_once_and_let_in_again(bench: Bench) -> None:
    """In the browser and by tokens."""
    engine = bench.engine
    with (
        at_console(engine, Role.ADMIN) as browser,
        at_console(engine, Role.VIEWER, name="lee") as other,
    ):
        change(browser, the(bench, "lee"), "lock")
        assert other.get("/about").url.path == "/sign-in"
        change(browser, the(bench, "lee"), "unlock")
        assert not the(bench, "lee").locked


def test_sessions_and_tokens_are_ended_one_by_one_or_all(bench: Bench) -> None:
    """Sessions with all links; a token is named."""
    engine = bench.engine
    with (
        at_console(engine, Role.ADMIN) as browser,
        at_console(engine, Role.VIEWER, name="lee") as other,
    ):
        token, _ = make_token(bench.engine, "lee", "a script", ["read"], 30, "lee")
        page = browser.get(f"/access/{the(bench, 'lee').id}").text
        assert "a script" in page
        change(browser, the(bench, "lee"), "end", grant=token.id)
        assert other.get("/about").url.path == "/about"
        assert "over already" in change(browser, the(bench, "lee"), "end", grant=token.id)
        change(browser, the(bench, "lee"), "end")
        assert other.get("/about").url.path == "/sign-in"


@pytest.mark.parametrize(
    ("do", "fields"),
    [("lock", {}), ("roles", {"role": ["viewer"]}), ("limit", {"kinds": ["staged"]})],
)
def test_the_last_admin_stays_one(bench: Bench, do: str, fields: dict[str, object]) -> None:
    """Neither locked, nor without the role, nor limited, until there is another one."""
    with at_console(bench.engine, Role.ADMIN) as browser:
        before = the(bench, "kim")
        assert "the only admin" in change(browser, before, do, **fields)
        assert the(bench, "kim") == before
        members.add_member(bench.engine, "lee", [Role.ADMIN], "test")
        change(browser, before, do, **fields)
        assert the(bench, "kim") != before


def test_whoever_changes_members_has_just_said_who_they_are(bench: Bench) -> None:
    """What was ticked goes along."""
    members.add_member(bench.engine, "lee", [Role.VIEWER], "test")
    with_password(bench.engine, Role.ADMIN)
    with stranger(bench.engine) as browser:
        browser.send("/sign-in", name="kim", password=PASSWORD)
        bench.clock.sleep(700)
        page = f"/access/{the(bench, 'lee').id}"
        asked = browser.send(page, do="roles", role=["answerer", "operator"])
        assert the(bench, "lee").roles == ("viewer",)
        assert "lee" in asked.text
        browser.go_on(asked, proof=PASSWORD)
    assert the(bench, "lee").roles == ("answerer", "operator")


@pytest.mark.parametrize(
    "limits", [{"kinds": ("staged",)}, {"connections": ("lms",)}, {"entities": ("person",)}]
)
def test_who_is_limited_says_of_nobody_what_they_may(
    bench: Bench, limits: dict[str, tuple[str, ...]]
) -> None:
    """Least of all that they are limited no more."""
    with at_console(bench.engine, Role.ADMIN) as browser:
        members.limit(bench.engine, "kim", Scope(**limits), "test")
        assert (
            browser.send(f"/access/{the(bench, 'kim').id}", "/about", do="limit").status_code == 404
        )
        assert browser.send("/access", "/about", name="x", role=["admin"]).status_code == 404
    assert len(bench.read(lambda tx: tx.members())) == 1


def test_what_members_did_is_narrowed_and_saved(bench: Bench) -> None:
    """By who, what and day, as pages and files."""
    with at_console(bench.engine, Role.PRIVACY_OFFICER) as browser:
        for number in range(60):
            members.add_member(bench.engine, f"m{number}", [Role.VIEWER], "ada")
        first = browser.get("/access?author=ada&action=add+member").text
        (older,) = re.findall(r'rel="next" href="([^"]+)"', first)
        second = browser.get(unescape(older)).text
        assert [page.count("<td>") for page in (first, second)] == [50, 10]
        assert "Nothing like that" in browser.get("/access?to=2001-01-01").text
        assert browser.get("/access?from=tomorrow&to=2001-99-99").status_code == 200
        file = browser.get("/access?author=ada&as=csv").text
        lines = list(csv.DictReader(io.StringIO(file.removeprefix("\ufeff"))))
        assert len(lines) == 60
        assert {line["action"] for line in lines} == {"add member"}
        assert len(browser.get("/access?author=ada&as=json").json()["audit"]) == 60
    with at_console(bench.engine, Role.ADMIN, name="lee") as browser:
        assert "audit" not in browser.get("/access?as=json").headers.get("content-disposition", "")
