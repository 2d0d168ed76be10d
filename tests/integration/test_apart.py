"""Plans are computed in a process of their own, by whoever asked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest

from syncengine.bootstrap import open_engine
from syncengine.errors import Halt
from syncengine.flows.views.stored_plan import newest_plan
from syncengine.flows.views.upcoming import newest_upcoming
from syncengine.model.stored_plan import TRIAL, UPCOMING
from syncengine.settings import Settings, read_settings
from syncengine.web.apart import Apart
from syncengine.web.console.planner import PLANNED
from tests.support.places import MAPPINGS


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """An empty database and a project of its own, as the environment names them."""
    for name in [n for n in os.environ if n.startswith("SYNCENGINE_")]:
        monkeypatch.delenv(name)
    copytree(MAPPINGS, tmp_path / "mappings")
    monkeypatch.setenv("SYNCENGINE_PROJECT", str(tmp_path / "mappings"))
    monkeypatch.setenv("SYNCENGINE_DATABASE_URL", f"sqlite:///{tmp_path / 'a.db'}")
    return read_settings()


def test_what_is_computed_apart_is_stored_and_on_record(settings: Settings) -> None:
    """Both a plan and what is upcoming, each as a run of whoever asked."""
    for kind in (PLANNED, UPCOMING):
        Apart()(kind, "kim")
    with open_engine(settings) as engine:
        assert newest_plan(engine) is not None
        assert newest_upcoming(engine) is not None
        with engine.ledger.read() as tx:
            runs = tx.select_runs()
    assert {(r.kind, r.resource, r.author, r.outcome) for r in runs} == {
        ("plan", "", "kim", "complete"), ("plan", "upcoming", "kim", "complete"),
    }  # fmt: skip


def test_files_that_are_not_valid_are_a_fault_of_a_plan_and_the_outcome_of_a_trial(
    settings: Settings,
) -> None:
    """What is wrong stands in both, with its line."""
    (settings.project / "rules.yaml").write_text("version: 1\nderive: nothing\n", "utf-8")
    with pytest.raises(Halt, match=r"rules\.yaml:2"):
        Apart()(PLANNED, "kim")
    Apart()(TRIAL, "kim")
    (settings.project / "rules.yaml").write_text("version: 1\nderive: []\n", "utf-8")
    with open_engine(settings) as engine:
        found = newest_plan(engine, TRIAL)
        assert newest_plan(engine) is None
    assert found is not None
    assert "rules.yaml:2" in found.document["faults"][0]
