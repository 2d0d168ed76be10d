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
from syncengine.planning.notifications import HEARTBEAT
from syncengine.planning.standing import SILENT
from syncengine.settings import Settings
from syncengine.web import make_app
from syncengine.web.teller import Teller
from tests.support.receivers import web_server
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
