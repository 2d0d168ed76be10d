"""Tokens of programs: what they open, how long, who has them, and that nobody guesses one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.testclient import TestClient

from syncengine.flows.people import members
from syncengine.flows.people.decisions import NotPossible
from syncengine.flows.people.signing_in import set_password
from syncengine.flows.people.tokens import make_token, revoke_token
from syncengine.model.member import Role
from syncengine.model.rights import GIVEN
from syncengine.web.api import ENDPOINTS
from syncengine.web.api.call import ROOT
from tests.support.bench import Bench
from tests.support.console import HOME, PASSWORD, at_console, console_app
from tests.unit.web.console.callers import ALL, Caller, address, calling


@pytest.mark.parametrize("right", GIVEN)
def test_a_token_does_no_more_than_it_was_given(bench: Bench, right: Any) -> None:
    """Whatever its member may."""
    with calling(bench, *Role, rights=[right.value]) as caller:
        for endpoint in ENDPOINTS:
            answer = caller.ask(endpoint.method, address(endpoint), {})
            assert (answer.status_code == 403) == (endpoint.right is not right), endpoint.path


def test_a_cookie_opens_no_call_and_a_token_no_page(bench: Bench) -> None:
    """Each to its own."""
    with calling(bench, *Role) as caller:
        page = caller.client.get("/", headers=caller.headers, follow_redirects=False)
        assert (page.status_code, page.headers["location"]) == (303, "/sign-in")
    with at_console(bench.engine, *Role, name="lee") as browser:
        assert browser.get("/").status_code == 200
        answer = browser.get(f"{ROOT}/standing")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_token_is_over_when_it_is(bench: Bench) -> None:
    """After its days, when it is revoked, when its member is locked; and its member's roles are those of now."""
    members.add_member(bench.engine, "ada", [Role.ADMIN], "test")
    with calling(bench, Role.VIEWER) as caller:
        assert caller.get("/standing").status_code == 200
        members.set_roles(bench.engine, "kim", [Role.ADMIN], "test")
        assert caller.get("/standing").status_code == 403
        members.set_roles(bench.engine, "kim", [Role.VIEWER], "test")
        bench.clock.sleep(31 * 86_400)
        assert caller.get("/standing").status_code == 401
    for name, end in (("lee", members.lock), ("mia", _revoke)):
        with calling(bench, Role.VIEWER, name=name) as caller:
            assert caller.get("/standing").status_code == 200
            end(bench.engine, name, "test")
            assert caller.get("/standing").status_code == 401


def _revoke(engine: Any, name: str, author: str) -> None:
    with engine.ledger.read() as tx:
        (grant,) = tx.grants_of(tx.members(names=[name])[0].id)
    revoke_token(engine, name, grant.id, author)


@pytest.mark.parametrize(
    ("days", "rights", "label"),
    [(0, ALL, "x"), (366, ALL, "x"), (30, (), "x"), (30, ALL, ""), (30, ALL, "a\nb")],
)
def test_a_token_has_an_end_a_right_and_a_name(
    bench: Bench, days: int, rights: Sequence[str], label: str
) -> None:
    """A year at most."""
    members.add_member(bench.engine, "kim", [Role.VIEWER], "test")
    with pytest.raises(NotPossible):
        make_token(bench.engine, "kim", label, rights, days, "test")


def test_a_secret_is_nowhere_in_the_database(bench: Bench) -> None:
    """Only its hash."""
    members.add_member(bench.engine, "kim", [Role.VIEWER], "test")
    _, secret = make_token(bench.engine, "kim", "a script", ALL, 30, "test")
    assert bench.stored(secret, secret.removeprefix("sync_")) == []


HEADERS = [
    {"Authorization": ""}, {"Authorization": "Bearer"}, {"Authorization": "Bearer sync_x"},
    {"Authorization": "Basic sync_x"}, {"Authorization": "Bearer \x7f"}, {"Cookie": "syncengine-session=x"},
]  # fmt: skip


@pytest.mark.parametrize("headers", HEADERS, ids=repr)
def test_whatever_is_no_token_opens_nothing(bench: Bench, headers: dict[str, str]) -> None:
    """Told how it is done."""
    with TestClient(console_app(bench.engine), HOME) as client:
        answer = client.get(f"{ROOT}/standing", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


def test_who_guesses_tokens_is_told_to_wait_and_nobody_else(bench: Bench) -> None:
    """A good token opens also where others from the same address have guessed."""
    with TestClient(console_app(bench.engine), HOME) as client:
        codes = [
            client.get(
                f"{ROOT}/standing", headers={"Authorization": f"Bearer sync_{n}"}
            ).status_code
            for n in range(31)
        ]
        assert (set(codes[:30]), codes[30]) == ({401}, 429)
        members.add_member(bench.engine, "kim", [Role.VIEWER], "test")
        _, secret = make_token(bench.engine, "kim", "a script", ["watch"], 30, "test")
        assert Caller(client, secret).get("/standing").status_code == 200


def test_a_member_makes_a_token_on_a_page(bench: Bench) -> None:
    """Which shows it once; only with rights of their own, and after they have said who they are."""
    with at_console(bench.engine, Role.VIEWER) as browser:
        bench.clock.sleep(700)
        asked = browser.send("/tokens", label="a script", right="read", days="30")
        assert "sync_" not in asked.text
        set_password(bench.engine, "kim", PASSWORD, "test")
        browser.send("/sign-in", name="kim", password=PASSWORD)
        assert browser.send("/tokens", label="x", right="operate", days="30").status_code == 422
        assert browser.send("/tokens", label="x", right="read", days="366").status_code == 422
        page = browser.send("/tokens", label="<b>mine", right=["read", "operate"], days="30").text
        (secret,) = re.findall(r"sync_[\w-]{43}", page)
        assert "&lt;b&gt;mine" in page
        again = browser.get("/tokens").text
        assert secret not in again
        (token,) = re.findall(r'name="revoke" value="([\w-]+)"', again)
        caller = Caller(browser.client, secret)
        assert caller.get("/questions").status_code == 200
        assert caller.get("/standing").status_code == 403
        browser.send("/tokens", revoke=token)
        assert caller.get("/questions").status_code == 401


def test_nobody_ends_the_token_of_another(bench: Bench) -> None:
    """Its id names one's own alone."""
    with calling(bench, Role.VIEWER, name="lee") as caller:
        with bench.engine.ledger.read() as tx:
            (grant,) = tx.grants_of(tx.members(names=["lee"])[0].id)
        with at_console(bench.engine, Role.ADMIN) as browser:
            assert browser.send("/tokens", revoke=grant.id).status_code == 409
            assert browser.send("/tokens", revoke=grant.id[-1:]).status_code == 409
        assert caller.get("/questions").status_code == 200


def test_a_new_password_leaves_programs_at_work(bench: Bench) -> None:
    """It ends sessions, not tokens."""
    with calling(bench, Role.VIEWER) as caller:
        set_password(bench.engine, "kim", PASSWORD, "test")
        assert caller.get("/questions").status_code == 200
