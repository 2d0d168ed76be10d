"""Signing in at a provider, which is a real one on a port of its own; and all that it must not be taken in by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from syncengine.flows.people.members import add_member, lock
from syncengine.mapping.ways_in import WaysIn
from syncengine.model.member import Member, Role
from tests.support.bench import Bench
from tests.support.console import HOME, PASSWORD, Browser, stranger, with_password
from tests.support.provider import SECRET, Login, login, unsigned

HR = {"groups": ["hr"]}


@pytest.fixture(scope="module")
def running() -> Iterator[Login]:
    """A provider that knows two people with a role here, and one without."""
    with login(kim=HR, lee={"groups": ["it", "hr"]}, mia={"groups": ["sales"]}) as made:
        yield made


@pytest.fixture
def provider(running: Login, bench: Bench) -> Login:
    """The same, keeping all rules; the console knows it."""
    running.claims.clear()
    running.metadata.clear()
    running.signed, running.userinfo, running.clock = None, None, bench.clock.now
    running.people |= {"kim": HR}
    ways = WaysIn(HOME, running.provider())
    bench.engine.project = replace(bench.engine.project, ways_in=ways)
    return running


def away(browser: Browser, who: str = "kim", path: str = "/sign-in/provider") -> str:
    """Where the provider sends somebody back to who was sent there by the console."""
    there = browser.client.get(path, follow_redirects=False)
    assert there.status_code == 303
    said = httpx.post(there.headers["location"], data={"who": who}, verify=False)
    return said.headers["location"].removeprefix(HOME)


def come(browser: Browser, who: str = "kim", path: str = "/sign-in/provider") -> httpx.Response:
    """Sign in there, and come back."""
    return browser.get(away(browser, who, path))


def members(bench: Bench) -> list[Member]:
    return bench.read(lambda tx: tx.members())


def is_in(browser: Browser) -> bool:
    """Whether somebody is signed in."""
    return browser.client.get("/password", follow_redirects=False).status_code == 200


def test_whoever_the_provider_knows_is_let_in_with_the_roles_of_their_groups(
    bench: Bench, provider: Login
) -> None:
    """As a member of their own, who comes back as the same one, to the page that they had asked for."""
    with stranger(bench.engine) as browser:
        assert "Sign in with Alpenblick" in browser.get("/sign-in").text
        page = come(browser, path="/sign-in/provider?next=/questions")
        assert page.url.path == "/questions"
        come(browser)
        assert is_in(browser)
    (kim,) = members(bench)
    assert (kim.name, kim.roles, kim.subject) == ("kim", ("answerer",), f"{provider.url} id of kim")
    line = bench.read(lambda tx: tx.select_audit())[0]
    assert (line.author, line.action, line.detail) == ("kim", "sign in", {"by": "provider"})


def test_whoever_has_no_role_is_refused_and_loses_what_they_had(
    bench: Bench, provider: Login
) -> None:
    """Nobody becomes a member by that; who was one before is out in all browsers."""
    with stranger(bench.engine) as browser:
        answer = come(browser, "mia")
        assert answer.status_code == 403
        assert "none of your groups has a role" in answer.text.lower()
        assert members(bench) == []
        come(browser)
        assert is_in(browser)
        provider.people["kim"] = {"groups": []}
        with stranger(bench.engine) as other:
            assert come(other).status_code == 403
        assert not is_in(browser)
    assert members(bench)[0].roles == ()


def test_roles_follow_the_groups(bench: Bench, provider: Login) -> None:
    """At the next sign-in; also where the groups are a text, or stand at the provider alone."""
    with stranger(bench.engine) as browser:
        come(browser)
        provider.people["kim"] = {"groups": "it"}
        come(browser)
        assert members(bench)[0].roles == ("operator", "admin")
        provider.people["kim"] = {}
        provider.userinfo = {"sub": "id of kim", "groups": ["hr"]}
        come(browser)
        assert members(bench)[0].roles == ("answerer",)
        provider.userinfo = {"sub": "id of lee", "groups": ["it"]}
        assert come(browser).status_code == 502


def test_nobody_is_taken_for_another_by_name_or_address(bench: Bench, provider: Login) -> None:
    """Who is called like a member here, or has her mail, is somebody else."""
    add_member(bench.engine, "kim", [Role.ADMIN], "test")
    provider.claims |= {"email": "kim@x.de"}
    with stranger(bench.engine) as browser:
        come(browser)
        provider.claims |= {"preferred_username": "lee", "email": "lee@x.de"}
        come(browser)
    assert [(m.name, m.roles) for m in members(bench)] == [
        ("kim", ("admin",)),
        ("kim 2", ("answerer",)),
    ]


@pytest.mark.usefixtures("provider")
def test_who_is_locked_here_stays_out(bench: Bench) -> None:
    """Whatever the provider says."""
    with stranger(bench.engine) as browser:
        come(browser)
        lock(bench.engine, "kim", "test")
        assert not is_in(browser)
        assert come(browser).status_code == 403
        assert not is_in(browser)


CLAIMS = [
    {"nonce": "another"}, {"nonce": None}, {"iss": "https://elsewhere.example"}, {"iss": None},
    {"aud": "another client"}, {"aud": ["another client"], "azp": "console"}, {"aud": None},
    {"aud": ["console", "other"], "azp": "other"}, {"exp": 1000}, {"exp": None}, {"sub": None}, {"sub": ""},
    {"sub": 5}, {"iat": 4_000_000_000}, {"nbf": 4_000_000_000}, {"groups": {"hr": 1}},
]  # fmt: skip


@pytest.mark.parametrize("claims", CLAIMS, ids=repr)
def test_a_token_that_says_something_else_lets_nobody_in(
    bench: Bench, provider: Login, claims: dict[str, object]
) -> None:
    """Of another sign-in, another provider, for another client, too old, too early, of nobody."""
    provider.claims |= claims
    with stranger(bench.engine) as browser:
        assert come(browser).status_code == 502
        assert not is_in(browser)
    assert members(bench) == []
    line = bench.read(lambda tx: tx.select_audit())[0]
    assert (line.action, line.outcome) == ("sign in", "refused")


def _by_another_key(header, claims):
    return jwt.encode(header, claims, RSAKey.generate_key(2048, {"kid": "one"}))


def _by_the_client_secret(header, claims):
    key = OctKey.import_key(SECRET)
    return jwt.encode({**header, "alg": "HS256"}, claims, key, algorithms=["HS256"])


@pytest.mark.parametrize(
    "signed", [unsigned, _by_another_key, _by_the_client_secret, lambda *_: "", lambda *_: "a.b.c"]
)
def test_a_token_that_the_provider_has_not_signed_lets_nobody_in(
    bench: Bench, provider: Login, signed: object
) -> None:
    """Without a signature, by another key, by the secret that the client knows itself, without a token."""
    provider.signed = signed
    with stranger(bench.engine) as browser:
        assert come(browser).status_code == 502
        assert not is_in(browser)
    assert members(bench) == []


@pytest.mark.parametrize(
    "metadata",
    [{"issuer": "https://elsewhere.example"}, {"id_token_signing_alg_values_supported": ["none", "HS256"]},
     {"token_endpoint": "http://elsewhere.example/token"}, {"jwks_uri": None}, {"authorization_endpoint": ""}],
    ids=repr,
)  # fmt: skip
def test_a_provider_that_is_another_one_is_not_asked(
    bench: Bench, provider: Login, metadata: dict[str, object]
) -> None:
    """Nobody is sent there, and it is told no secret."""
    provider.metadata |= metadata
    with stranger(bench.engine) as browser:
        there = browser.client.get("/sign-in/provider", follow_redirects=False)
    assert there.status_code == 502


@pytest.mark.usefixtures("provider")
def test_a_state_is_of_one_browser_and_one_time(bench: Bench) -> None:
    """The address with a code opens nothing in another browser, nothing with another state, and nothing twice."""
    with stranger(bench.engine) as browser, stranger(bench.engine) as other:
        back = away(browser)
        assert other.get(back).status_code == 502
        assert other.get(re.sub(r"state=[^&]+", "state=another", away(other))).status_code == 502
        away(other)
        assert other.get(back).status_code == 502
        assert not is_in(other)
        assert browser.get(away(browser)).status_code in (200, 403)
        assert is_in(browser)


@pytest.mark.usefixtures("provider")
def test_a_code_is_not_taken_twice(bench: Bench) -> None:
    """Neither with the cookie of before."""
    with stranger(bench.engine) as browser:
        back = away(browser)
        kept = browser.client.cookies["syncengine-away"]
        browser.get(back)
        browser.client.cookies.clear()
        browser.client.cookies.set("syncengine-away", kept, domain="127.0.0.1")
        assert browser.get(back).status_code == 502
        assert not is_in(browser)


@pytest.mark.usefixtures("provider")
@pytest.mark.parametrize(
    "said",
    [
        "?error=access_denied",
        "?code=x",
        "?state=x",
        "?x=1",
        "?code=&state=",
        "?code=a&code=b&state=x",
    ],
)
def test_who_comes_back_without_having_been_there_is_told(bench: Bench, said: str) -> None:
    """And what the provider, or somebody else, wrote into the address stands on no page."""
    with stranger(bench.engine) as browser:
        answer = browser.get(f"/sign-in/back{said}&error_description=<b>hello")
        assert answer.status_code == 502
        assert "hello" not in answer.text
        browser.client.cookies.set("syncengine-away", "e30=", domain="127.0.0.1")
        assert browser.get(f"/sign-in/back{said}").status_code == 502


@pytest.mark.usefixtures("provider")
@pytest.mark.parametrize(
    "next_",
    ["https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example", "javascript:x"],
)
def test_nobody_is_sent_elsewhere_afterwards(bench: Bench, next_: str) -> None:
    """Only to a page of ours."""
    with stranger(bench.engine) as browser:
        back = away(browser, path=f"/sign-in/provider?next={next_}")
        answer = browser.client.get(back, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


@pytest.mark.usefixtures("provider")
def test_the_provider_sends_people_back_to_the_address_of_the_project(bench: Bench) -> None:
    """Whatever name the request has; by PKCE, with a state and a nonce."""
    with stranger(bench.engine) as browser:
        there = browser.client.get(
            "/sign-in/provider", headers={"Host": "localhost"}, follow_redirects=False
        )
    asked = parse_qs(urlsplit(there.headers["location"]).query)
    assert asked["redirect_uri"] == [f"{HOME}/sign-in/back"]
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["state"][0]
    assert asked["nonce"][0]
    assert SECRET not in there.headers["location"]
    assert "httponly" in there.headers["set-cookie"].lower()


def test_who_came_by_the_provider_says_again_there_who_they_are(
    bench: Bench, provider: Login
) -> None:
    """It has to have asked them, just now, and to name the same person."""
    with stranger(bench.engine) as browser:
        come(browser)
        bench.clock.sleep(700)
        asked = browser.send("/tokens", label="a script", right="answer", days="30")
        again = unescape(re.findall(r'href="(/sign-in/provider[^"]+)"', asked.text)[0])
        assert "not said yet that it is you" in browser.go_on(asked).text
        provider.claims |= {"auth_time": int(bench.clock.now()) - 700}
        assert come(browser, path=again).status_code == 403
        provider.claims.clear()
        assert come(browser, "lee", again).status_code == 403
        provider.claims |= {"auth_time": int(bench.clock.now()) + 9000}
        assert come(browser, path=again).status_code == 403
        provider.claims.clear()
        assert "That was you" in come(browser, path=again).text
        assert "sync_" in browser.go_on(asked).text
    assert (provider.asked[-1]["prompt"], provider.asked[-1]["max_age"]) == ("login", "0")


@pytest.mark.usefixtures("provider")
def test_whom_the_provider_lets_in_needs_no_password_here(bench: Bench) -> None:
    """And chooses none, with which they would come in though the provider knows them no longer."""
    with stranger(bench.engine) as browser:
        come(browser)
        assert "need no password here" in browser.get("/password").text
        form = {"password": PASSWORD, "again": PASSWORD}
        assert browser.send("/password", "/about", **form).status_code == 409
    assert members(bench)[0].password == ""


def test_a_session_that_the_provider_remembered_proves_nothing(
    bench: Bench, provider: Login
) -> None:
    """Who was let in without being asked has to say who they are before something grave."""
    provider.claims |= {"auth_time": None}
    with stranger(bench.engine) as browser:
        come(browser)
        assert is_in(browser)
        (kim,) = members(bench)
        grant = bench.read(lambda tx: tx.grants_of(kim.id))[0]
    assert grant.proved_at == 0.0


@pytest.mark.usefixtures("provider")
def test_who_comes_back_in_vain_again_and_again_is_told_to_wait_and_nobody_else(
    bench: Bench,
) -> None:
    """From the same address others still come in: by the provider, with a password, by a session."""
    with_password(bench.engine, Role.VIEWER, name="ada")
    with stranger(bench.engine) as browser:
        codes = [browser.get("/sign-in/back?code=x&state=y").status_code for _ in range(31)]
        assert (set(codes[:30]), codes[30]) == ({502}, 429)
        come(browser)
        assert is_in(browser)
    with stranger(bench.engine) as browser:
        browser.send("/sign-in", name="ada", password=PASSWORD)
        assert is_in(browser)
