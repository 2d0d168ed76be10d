"""Every route of the web side, with every method, for every role and limit, drawn from its own routing table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.testclient import TestClient

from syncengine.model.member import Role, Scope
from syncengine.model.rights import ROLES, Right
from syncengine.web.api.call import ROOT
from tests.support.asked import all_stored, asking_and_held
from tests.support.bench import Bench
from tests.support.console import console_app
from tests.unit.web.console.matrix import (
    MATRIX,
    METHODS,
    OWN,
    behind,
    every,
    routes,
    trying,
)

WHO: list[tuple[Role, ...]] = [(), *((role,) for role in Role), tuple(Role)]
LIMITS = {
    "entities": Scope(entities=("course",)),
    "connections": Scope(connections=("elsewhere",)),
    "kinds": Scope(kinds=("drift",)),
}
"""Limits outside of which all is that the company has."""

at_matrix = contextmanager(trying)


@pytest.fixture
def company() -> Bench:
    """Something is asked, something is held, and something was done."""
    return asking_and_held()


def test_every_route_stands_in_the_matrix(bench: Bench) -> None:
    """With each of its methods; and the matrix has none that is not there."""
    app = console_app(bench.engine)
    found: dict[str, set[str]] = {}
    with TestClient(app, "http://127.0.0.1", raise_server_exceptions=False) as client:
        for route in routes(bench):
            assert route.path not in found, f"two routes have the path {route.path}"
            tried = {m: client.request(m, _plain(route.path)).status_code for m in METHODS}
            there = {m for m, code in tried.items() if code != 405 and m in (route.methods or ())}
            found[route.path] = there - {"HEAD"}
    assert found == {path: {*methods} for path, methods in MATRIX.items()}


def _plain(path: str) -> str:
    names = {"id": "0", "entity": "person", "name": "hr", "token": "x", "connection": "hr"}
    return path.replace("{rest:path}", "x").format_map(names)


@pytest.mark.parametrize("who", WHO, ids=lambda who: "+".join(who) or "nobody")
def test_every_route_lets_in_whom_it_says(company: Bench, who: tuple[Role, ...]) -> None:
    """With each method: somebody with a role gets in where the right of the route has it, and is refused elsewhere."""
    with at_matrix(company, *who) as tried:
        for method, path, right in sorted(every(company), key=lambda each: each[0]):
            if path == "/sign-out" or right is Right.PUBLIC:
                continue
            for each in (method, "HEAD") if method == "GET" else (method,):
                _is_as_declared(tried.ask(each, path), (each, path, who), right, who)


def _is_as_declared(answer: Any, place: tuple[Any, ...], right: Right, who: Any) -> None:
    code, called = answer.status_code, place[1].startswith(ROOT)
    if (right is Right.SIGNED_IN and who) or any(role in ROLES[right] for role in who):
        # A change of the password without the one of before is refused by what it does, not by a right.
        assert code not in (401, 403, 405, 500), (place, answer.text)
    elif who and place[1] == "/":
        # Whoever may not see how everything stands begins elsewhere.
        assert (code, answer.headers["location"]) == (303, "/access"), place
    elif who:
        assert code == 403, (place, code)
    elif called:
        assert code == 401, (place, code)
    else:
        assert (code, answer.headers["location"][:8]) == (303, "/sign-in"), place


@contextmanager
def unchanged(company: Bench) -> Iterator[None]:
    """What is stored, and announced, is afterwards what it was."""
    before, announced = all_stored(company), list(company.queue.sent)
    yield
    assert all_stored(company) == before
    assert company.queue.sent == announced


def test_whoever_only_reads_changes_nothing(company: Bench) -> None:
    """On no route, by no method: what is stored is afterwards what it was, to the letter; one's own password, tokens
    and session aside."""
    with at_matrix(company, Role.VIEWER) as tried, unchanged(company):
        for method, path, right in every(company):
            if method == "GET":
                for query in behind(path):
                    tried.ask(method, path, query)
            elif right not in OWN:
                answer = tried.ask(method, path)
                assert answer.status_code == 403, (method, path, answer.status_code)


@pytest.mark.parametrize("limits", LIMITS)
def test_whoever_is_limited_changes_nothing_outside(company: Bench, limits: str) -> None:
    """With all roles, on no route, by no method: what is outside is as if it were not there."""
    with at_matrix(company, *Role, limits=LIMITS[limits]) as tried, unchanged(company):
        for method, path, right in every(company):
            if method == "GET" or right in OWN:
                continue
            answer = tried.ask(method, path)
            # Of many, each is answered by itself: the page says of which nothing was done.
            if path != "/questions":
                assert answer.status_code == 404, (method, path, answer.status_code)


@pytest.mark.parametrize("limits", LIMITS)
def test_whoever_is_limited_sees_nothing_outside(company: Bench, limits: str) -> None:
    """With all roles, on no route: no name, no value and no id of anybody, no question and no run."""
    with at_matrix(company, *Role, limits=LIMITS[limits]) as tried:
        marks = [tried.names["question"], tried.names["held"]]
        if limits != "kinds":
            marks += [
                "Bea Vogel",
                "bea@x.de",
                "anna.one",
                "P11",
                tried.names["record"],
                tried.names["link"],
            ]
        if limits == "connections":
            marks += ["/connections/hr", '"connection":"hr"', "<option>hr<"]
        shown = []
        for method, path, _ in every(company):
            if method != "GET":
                continue
            for query in behind(path):
                text = tried.ask(method, path, query).text.replace('": "', '":"')
                shown += [(path + query, mark) for mark in marks if mark in text]
        assert shown == []


DOES = [
    ("POST", "/questions"), ("POST", "/questions/{id}"), ("POST", "/records/{entity}/{id}/sync"),
    ("POST", "/records/{entity}/{id}/links"), ("POST", "/records/{entity}/{id}/erase"),
    ("POST", "/changes/{id}/undo"), ("POST", "/connections/{name}"), ("POST", "/access"),
    ("POST", "/access/{id}"), ("POST", f"{ROOT}/questions/{{id}}/answer"),
    ("POST", f"{ROOT}/records/{{entity}}/{{id}}/sync"), ("POST", f"{ROOT}/changes/{{id}}/undo"),
    ("POST", f"{ROOT}/plans/{{id}}/vote"), ("POST", f"{ROOT}/connections/{{name}}/pause"),
]  # fmt: skip


@pytest.mark.parametrize("route", DOES, ids=" ".join)
def test_what_is_tried_would_do_something(company: Bench, route: tuple[str, str]) -> None:
    """Whoever has all roles and no limit changes what is stored, so that it means something that others do not."""
    with at_matrix(company, *Role) as tried:
        before = all_stored(company)
        tried.ask(*route)
        assert all_stored(company) != before


def test_what_is_looked_for_is_shown_to_others(company: Bench) -> None:
    """Each mark that must not be seen outside of a limit is seen by whoever has none."""
    with at_matrix(company, *Role) as tried:
        texts = "".join(
            tried.ask(method, path, query).text
            for method, path, _ in every(company)
            if method == "GET"
            for query in behind(path)
        )
        names = tried.names
        marks = [
            "Bea Vogel",
            "bea@x.de",
            "anna.one",
            "P11",
            *(names[n] for n in ("record", "question", "held")),
        ]
        marks += [names["link"], "/connections/hr", "<option>hr<"]
        assert [mark for mark in marks if mark not in texts] == []
