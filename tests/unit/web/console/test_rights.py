"""Each route declares the right that it asks for, and nobody gets past it."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from syncengine.errors import Bug
from syncengine.model.member import Role
from syncengine.model.rights import ROLES, Right
from syncengine.settings import Settings
from syncengine.web.console import SCREENS
from syncengine.web.console.console import Console, Screen
from syncengine.web.console.planner import Planner
from syncengine.web.console.shared import Shared
from tests.support.bench import Bench
from tests.support.console import at_console, token_of

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
WHO: list[tuple[Role, ...]] = [(), *((role,) for role in Role), tuple(Role)]


def _address(screen: Screen) -> str:
    names = {"id": "0" * 8, "entity": "person", "name": "hr", "token": "nothing"}
    return screen.path.format_map(names)


@pytest.mark.parametrize("who", WHO, ids=lambda who: "+".join(who) or "nobody")
def test_every_route_lets_in_whom_it_says(bench: Bench, who: tuple[Role, ...]) -> None:
    """With each method, somebody with a role gets in where the right of the route has it, and is refused elsewhere."""
    with at_console(bench.engine, *who) as browser:
        page = browser.get("/password" if who else "/sign-in").text
        for screen in SCREENS:
            for method in METHODS:
                if screen.path == "/sign-out" and method == "POST":
                    continue
                _try(browser.client, screen, method, token_of(page), who)


def _try(client, screen: Screen, method: str, token: str, who: tuple[Role, ...]) -> None:
    data = {"form_token": token} if method == "POST" else None
    answer = client.request(
        method, _address(screen), data=data, headers={"Origin": "http://127.0.0.1"},
        follow_redirects=False,
    )  # fmt: skip
    found = screen.methods.get("GET" if method == "HEAD" else method)
    place = (method, screen.path, who)
    if found is None:
        assert answer.status_code == 405, place
        return
    right = found[1]
    if right is Right.PUBLIC or any(role in ROLES[right] for role in who):
        assert answer.status_code not in (401, 403, 405, 500) or right is Right.PUBLIC, place
        return
    if who:
        assert answer.status_code == 403, place
    else:
        assert (answer.status_code, answer.headers["location"][:8]) == (303, "/sign-in"), place


def test_a_route_without_a_right_does_not_start() -> None:
    """Neither one that shows something nor one that does something."""
    for broken in (
        Screen("/x", None, lambda ask: ask.to("/")),
        Screen("/x", Right.READ, act=lambda ask: ask.to("/")),
        Screen("/x", Right.READ),
    ):
        with pytest.raises(Bug, match="/x"):
            Console(Shared(Settings(), Planner(nullcontext)), (broken,)).routes()


def test_whoever_may_not_is_told_which_role_may(bench: Bench) -> None:
    """The page names the role that is lacking, and the audit has who tried."""
    with at_console(bench.engine, Role.ADMIN) as browser:
        answer = browser.get("/")
        assert answer.status_code == 403
        assert "viewer or answerer or operator or privacy officer" in answer.text
    with bench.engine.ledger.read() as tx:
        line = tx.select_audit(limit=1)[0]
    assert (line.author, line.action, line.about, line.outcome) == (
        "kim", "open", "GET /", "refused",
    )  # fmt: skip


def test_no_path_that_a_database_cannot_take_gets_that_far(bench: Bench) -> None:
    """PostgreSQL takes no text with a zero byte: such a page is not there, whoever asks."""
    with at_console(bench.engine, Role.ADMIN) as browser:
        token = token_of(browser.get("/password").text)
        for path in ("/questions/%00", "/records/a%00b", "/records/person/%00"):
            assert browser.get(path).status_code == 404
        assert browser.post("/questions/%00", form_token=token).status_code == 404
    assert "\x00" not in "".join(e.about for e in bench.read(lambda tx: tx.select_audit()))
