"""The pages of connections: what an operator sees and does there."""

from __future__ import annotations

import re
from dataclasses import replace

from syncengine.model.changeset import Changeset
from syncengine.model.member import Role
from tests.support.bench import Bench, within
from tests.support.console import at_console


def test_an_operator_pauses_and_resumes_and_lists(bench: Bench) -> None:
    """Each by name, in the audit; others see it and cannot."""
    with at_console(bench.engine, Role.OPERATOR) as browser:
        paused = browser.send("/connections/lms", do="pause", reason="payroll")
        assert "payroll" in paused.text
        assert bench.read(lambda tx: tx.connection("lms")).paused == "payroll"
        assert bench.read(lambda tx: tx.connection("lms")).paused_by == "kim"
        browser.send("/connections/lms", do="resume")
        assert not bench.read(lambda tx: tx.connection("lms")).paused
        browser.send("/connections/lms", do="list")
    assert bench.queue.sent[-1] == ("capture", ["lms", "people", "scan"])
    actions = [line.action for line in bench.read(lambda tx: tx.select_audit(limit=3))]
    assert actions == ["list connection", "resume connection", "pause connection"]


def test_rows_that_belong_to_nobody_are_named(bench: Bench) -> None:
    """To whoever may read names; home leads to them."""
    bench.vendors["lms"].add(email="zoe@x.de", name="Zoe", job="guest")
    bench.sync()
    with at_console(bench.engine, Role.VIEWER) as browser:
        assert "zoe@x.de" in browser.get("/connections/lms").text
        assert 'href="/connections/lms#nobody"' in browser.get("/").text
    with at_console(bench.engine, Role.OPERATOR, name="ada") as browser:
        assert "zoe" not in browser.get("/connections/lms").text.casefold()


def test_calls_that_are_left_of_a_budget_are_shown(bench: Bench) -> None:
    """On home and on the page of the connection."""
    within(bench, "lms", 60, 3600.0)
    with bench.engine.ledger.write() as tx:
        tx.take_calls("lms", 6, 60, 3600.0, bench.clock.now())
    with at_console(bench.engine, Role.VIEWER) as browser:
        assert "54 of 60" in browser.get("/").text
        assert "54 of 60" in browser.get("/connections/lms").text


def test_a_listing_that_takes_long_shows_how_old_its_parts_are(bench: Bench) -> None:
    """As `status` does: how many were read in turn and since when, and what moved lately."""
    now = bench.clock.now()
    with bench.engine.ledger.write() as tx:
        seen = tx.resource("hr", "people")
        progress = {
            "parents": 40,
            "started": now - 7200,
            "at": now,
            "turned": 12,
            "reread": 3,
            "chosen_at": now - 60,
        }
        tx.write(Changeset(resources=[replace(seen, scanned_at=now - 90_000, progress=progress)]))
    with at_console(bench.engine, Role.OPERATOR) as browser:
        page = " ".join(re.sub(r"<[^>]+>", " ", browser.get("/connections/hr").text).split())
    assert "under way: 12 of 40 parts since 2 h ago ; what moved lately 1 min ago" in page
