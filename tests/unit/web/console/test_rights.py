"""Each route declares the right that it asks for, and nobody gets past it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest
from starlette.testclient import TestClient

from syncengine.errors import Bug
from syncengine.flows.core.engine import Engine
from syncengine.model.member import Role
from syncengine.model.rights import Right
from syncengine.process import free_port
from syncengine.settings import Settings
from syncengine.web import make_app
from syncengine.web.console.console import Console, Screen
from syncengine.web.console.planner import Planner
from syncengine.web.console.shared import Shared
from tests.support.bench import Bench
from tests.support.console import HOME, at_console, token_of


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
        answer = browser.get("/plan")
        assert answer.status_code == 403
        assert "viewer or answerer or operator or privacy officer" in answer.text
    with bench.engine.ledger.read() as tx:
        line = tx.select_audit(limit=1)[0]
    assert (line.author, line.action, line.about, line.outcome) == (
        "kim", "open", "GET /plan", "refused",
    )  # fmt: skip


def test_no_path_that_a_database_cannot_take_gets_that_far(bench: Bench) -> None:
    """PostgreSQL takes no text with a zero byte: such a page is not there, whoever asks."""
    with at_console(bench.engine, Role.ADMIN) as browser:
        token = token_of(browser.get("/password").text)
        for path in ("/questions/%00", "/records/a%00b", "/records/person/%00"):
            assert browser.get(path).status_code == 404
        assert browser.post("/questions/%00", form_token=token).status_code == 404
    assert "\x00" not in "".join(e.about for e in bench.read(lambda tx: tx.select_audit()))


def test_an_app_without_pages_asks_nobody_who_they_are(bench: Bench) -> None:
    """What takes notices from outside looks up no session, whatever cookie comes with an address that is not there."""
    asked = list[str]()

    @contextmanager
    def work() -> Iterator[Engine]:
        asked.append("work")
        yield bench.engine

    app = make_app(work, Settings(broker_url=f"embedded:{free_port()}"))
    cookies = {"syncengine-session": "made up"}
    with TestClient(app, base_url=HOME, cookies=cookies) as client:
        answer = client.get("/nothing", headers={"Accept": "text/html"})
    assert (answer.status_code, asked) == (404, [])
