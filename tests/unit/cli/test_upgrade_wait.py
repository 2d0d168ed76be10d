"""A migration that waits for processes of before."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from syncengine.bootstrap import STILL_AT_WORK, open_ledger
from syncengine.cli.app import app
from syncengine.model.process import Process
from syncengine.settings import Settings


@pytest.mark.parametrize(
    ("newest", "ago", "code"),
    [(False, 0.0, 1), (False, STILL_AT_WORK + 1, 0), (True, 0.0, 0)],
    ids=["at work", "silent", "nothing to change"],
)
def test_nothing_is_changed_while_a_worker_of_before_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, newest: bool, ago: float, code: int
) -> None:
    """It is named, and the command fails after the time that it was given; one that is silent, or a schema that is up
    to date, keeps nobody waiting."""
    url = f"sqlite:///{tmp_path}/engine.db"
    with open_ledger(Settings(database_url=url)) as ledger, ledger.write() as tx:
        at = time.time() - ago
        tx.save_process(Process("p1", "worker", "host", 4711, "digest", at, at))
    monkeypatch.setattr("syncengine.bootstrap.is_newest", lambda _: newest)
    environment = {"SYNCENGINE_DATABASE_URL": url}
    done = CliRunner().invoke(app, ["db", "upgrade", "--wait", "1s"], env=environment)
    assert done.exit_code == code, done.output
    assert ("worker 4711 on host still works" in done.output) is (code == 1)


def test_a_span_that_is_none_is_refused(tmp_path: Path) -> None:
    """With what to write."""
    environment = {"SYNCENGINE_DATABASE_URL": f"sqlite:///{tmp_path}/engine.db"}
    done = CliRunner().invoke(app, ["db", "upgrade", "--wait", "soon"], env=environment)
    assert done.exit_code == 2
    assert "write for example 30s" in done.output
