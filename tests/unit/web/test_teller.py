"""The web side tells people what a dead worker cannot, and serves a part of itself where it is told to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from starlette.testclient import TestClient

from syncengine.adapters.notify import open_channels
from syncengine.flows.core.engine import Engine
from syncengine.mapping.notify import Channel, Notify, NotifyRule
from syncengine.model.stored_plan import UPCOMING
from syncengine.planning.notifications import HEARTBEAT
from syncengine.planning.standing import SILENT
from syncengine.settings import Settings
from syncengine.web import make_app
from syncengine.web.console.planner import Planner, computed
from syncengine.web.teller import Teller
from tests.support.people import anna, duo
from tests.support.receivers import web_server
from tests.support.web import until
from tests.unit.web.conftest import web_app


def test_a_dead_worker_is_told_by_the_web_side(tmp_path: Path) -> None:
    """Within a look of its thread, by a real web hook."""
    with web_server() as hooks, web_app(tmp_path) as (_, engine, _, _):
        ops = Channel("ops", "slack", "en", (), hooks.url, b"", "")
        notify = Notify({"ops": ops}, (NotifyRule(frozenset({"worker"}), ("ops",)),))
        engine.project = replace(engine.project, notify=notify)
        engine.channels = open_channels(notify, HEARTBEAT, 5.0)
        with engine.ledger.write() as tx:
            tx.note_alive("worker", engine.clock.now() - 2 * SILENT)

        @contextmanager
        def work() -> Iterator[Engine]:
            yield engine

        teller = Teller(work, every=0.05)
        deadline = time.monotonic() + 10
        while not hooks.posted and time.monotonic() < deadline:
            time.sleep(0.02)
        teller.close()
        (body,) = hooks.bodies
        assert body["text"].splitlines()[:3:2] == [
            "Not in order.", next(x for x in body["text"].splitlines() if "No worker since" in x),
        ]  # fmt: skip


def test_intake_and_console_may_be_served_apart(tmp_path: Path) -> None:
    """Health and figures are there in each; what is served elsewhere is not found."""
    with web_app(tmp_path) as (_, engine, _, _):

        @contextmanager
        def work() -> Iterator[Engine]:
            yield engine

        settings = Settings()
        apart = {
            "intake": make_app(work, settings),
            "console": make_app(work, settings, pages=work, with_intake=False),
        }
        found: dict[str, list[int]] = {}
        for name, app in apart.items():
            with TestClient(app, base_url="http://127.0.0.1") as client:
                paths = ("/sign-in", "/healthz", "/metrics")
                found[name] = [client.get(path).status_code for path in paths]
                found[name].append(client.post("/events/hr", content="{}").status_code)
        assert found == {"intake": [404, 200, 200, 401], "console": [200, 200, 200, 404]}


class Computes:
    """Computes what is asked of it in this thread, and counts."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.asked = engine, list[str]()

    def __call__(self, kind: str, author: str) -> None:
        """Compute and store it."""
        self.asked.append(kind)
        computed(self.engine, kind, author)

    def stop(self) -> None:
        """Nothing is under way."""


def test_what_the_coming_days_bring_is_computed_at_night_and_once() -> None:
    """Before anybody opens a page, though several web sides look; anew on the next day."""
    made = duo()
    anna(made)

    @contextmanager
    def work() -> Iterator[Engine]:
        yield made.engine

    planners = [Planner(work, Computes(made.engine)) for _ in range(2)]
    for nights in (1, 2):
        for planner in planners:
            teller = Teller(work, every=0.01, looks=[planner.keep_up])
            until(lambda planner=planner: planner._ahead_of == made.engine.today)
            teller.close()
        with made.engine.ledger.read() as tx:
            found = tx.plan_summaries(9, UPCOMING)
        assert found[0].document["from"] == made.engine.today
        computes = [planner.compute for planner in planners]
        assert sum(len(c.asked) for c in computes if isinstance(c, Computes)) == nights
        made.clock.sleep(86_400.0)
    for planner in planners:
        planner.close()
