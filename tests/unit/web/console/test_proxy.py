"""A proxy that the project believes says who somebody is, and nobody else does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_network

import httpx
import pytest
from starlette.testclient import TestClient

from syncengine.flows.people.members import add_member, lock
from syncengine.mapping.ways_in import TrustedProxy, WaysIn
from syncengine.model.member import Role
from tests.support.bench import Bench
from tests.support.console import HOME, Browser, console_app, stranger
from tests.support.web import serving


def by_proxy(bench: Bench, *addresses: str, proves: bool = False) -> None:
    """The project believes a proxy at these addresses."""
    networks = tuple(ip_network(address) for address in addresses)
    ways = WaysIn(proxy=TrustedProxy("X-Forwarded-User", networks, proves))
    bench.engine.project = replace(bench.engine.project, ways_in=ways)
    add_member(bench.engine, "kim", [Role.VIEWER], "test")
    add_member(bench.engine, "lee", [Role.ADMIN], "test")


@contextmanager
def at_proxy(bench: Bench) -> Iterator[Browser]:
    """Somebody behind that proxy."""
    app = console_app(bench.engine)
    with TestClient(app, HOME, client=("10.9.9.9", 1)) as client:
        yield Browser(client)


HEADER = {"X-Forwarded-User": "kim"}


def test_a_header_of_nobody_in_particular_says_nothing(bench: Bench) -> None:
    """Without a proxy in the project, and from another address than its."""
    add_member(bench.engine, "mia", [Role.VIEWER], "test")
    with stranger(bench.engine) as browser:
        assert browser.get("/about", **{"X-Forwarded-User": "mia"}).url.path == "/sign-in"
        by_proxy(bench, "10.9.9.9")
        assert browser.get("/about", **HEADER).url.path == "/sign-in"
        forwarded = {**HEADER, "X-Forwarded-For": "10.9.9.9"}
        assert browser.get("/about", **forwarded).url.path == "/sign-in"


def test_a_proxy_says_who_somebody_is(bench: Bench) -> None:
    """A member by that name; another name is another session, none is let in who is no member, and two names are
    nobody."""
    by_proxy(bench, "10.9.9.9")
    with at_proxy(bench) as browser:
        assert browser.get("/about", **HEADER).status_code == 200
        assert browser.get("/access", **HEADER).status_code == 403
        assert browser.get("/access", **{"X-Forwarded-User": "Lee"}).status_code == 200
        assert browser.get("/access", **{"X-Forwarded-User": "nobody"}).url.path == "/sign-in"
        assert browser.get("/access", **{"X-Forwarded-User": ""}).url.path == "/sign-in"
        lock(bench.engine, "kim", "test")
        assert browser.get("/about", **HEADER).url.path == "/sign-in"
        twice = [("X-Forwarded-User", "lee"), ("X-Forwarded-User", "kim")]
        assert browser.client.get("/access", headers=twice).url.path == "/sign-in"


@pytest.mark.parametrize("proves", [False, True])
def test_what_a_proxy_says_is_proof_where_the_project_says_so(bench: Bench, proves: bool) -> None:
    """At any time; otherwise a page says what to do, and asks for no password that there is not."""
    by_proxy(bench, "10.9.9.9", proves=proves)
    with at_proxy(bench) as browser:
        browser.client.headers.update(HEADER)
        browser.get("/about")
        bench.clock.sleep(7000)
        page = browser.send("/tokens", label="a script", right="read", days="30").text
        assert ("sync_" in page) == proves
        assert ("proves: true" in page) == (not proves)
        assert 'type="password"' not in page


def test_whom_a_proxy_asks_for_is_not_the_proxy(bench: Bench) -> None:
    """What counts is the other end of the connection: not whom the request was forwarded for, and though it was."""
    by_proxy(bench, "10.9.9.9")
    with serving(console_app(bench.engine)) as url:
        forwarded = {**HEADER, "X-Forwarded-For": "10.9.9.9"}
        assert httpx.get(f"{url}/about", headers=forwarded, verify=False).status_code == 303
        proxy = TrustedProxy("X-Forwarded-User", (ip_network("127.0.0.1"),))
        bench.engine.project = replace(bench.engine.project, ways_in=WaysIn(proxy=proxy))
        assert httpx.get(f"{url}/about", headers=forwarded, verify=False).status_code == 200
    assert bench.read(lambda tx: tx.select_audit())[0].address == "10.9.9.9"
