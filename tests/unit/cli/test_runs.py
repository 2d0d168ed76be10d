"""``runs``, as it is typed and printed."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pytest

from syncengine.cli import ui
from syncengine.cli.runs import runs
from syncengine.model.run import Run
from tests.support.people import anna, duo


def test_runs_are_narrowed_by_their_outcome(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only those that ended so are listed; where there is none, it says so."""
    made = duo()
    anna(made)
    now = made.clock.now()
    with made.engine.ledger.write() as tx:
        told = {"outcome": "failed", "fault": "503", "quiet": False}
        tx.add_run(Run("f", "pass", started_at=now - 1, ended_at=now, **told))

    @contextmanager
    def opened():
        yield made.engine

    monkeypatch.setattr(ui, "engine", opened)
    runs(outcome="failed", as_json=True)
    assert [run["id"] for run in json.loads(capsys.readouterr().out)["runs"]] == ["f"]
    runs(outcome="complete", as_json=True)
    assert "f" not in [run["id"] for run in json.loads(capsys.readouterr().out)["runs"]]
    runs(outcome="broke_off")
    assert "No run of that time broke off." in capsys.readouterr().out
