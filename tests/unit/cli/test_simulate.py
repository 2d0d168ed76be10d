"""The simulation as a command."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from syncengine.cli.app import app
from tests.machine.mutants import MUTANTS


def simulated(*arguments: str) -> tuple[int, str]:
    """Exit code and what was printed."""
    done = CliRunner().invoke(app, ["simulate", *arguments], env={"COLUMNS": "120"})
    return done.exit_code, done.output


def document(*arguments: str) -> dict[str, Any]:
    """What a machine is told."""
    told: dict[str, Any] = json.loads(simulated(*arguments, "--json")[1])
    return {name: value for name, value in told.items() if name != "duration_s"}


def test_runs_follow_from_their_seed() -> None:
    """The same seeds are the same runs, and other seeds are others."""
    one = document("--runs", "2", "--seed", "11")
    assert one == document("--runs", "2", "--seed", "11")
    assert (one["runs"], one["broken"]) == (2, None)
    assert one["steps"] > 20
    assert one["faults"] != document("--runs", "2", "--seed", "21")["faults"]


def test_what_breaks_is_shown_as_a_short_run_that_can_be_played_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the engine lacks a rule, the run that shows it is told in fewer steps, and the command fails."""
    mutant = MUTANTS["siblings are not told"]
    run = ("--seed", str(mutant.seed), "--steps")
    steps = f"wait.1 {mutant.steps} wait.2"
    assert simulated(*run, steps)[0] == 0
    mutant.take_its_rule(monkeypatch)
    code, printed = simulated(*run, steps)
    assert code == 1
    assert f"Seed {mutant.seed} breaks a promise: {mutant.breaks}" in printed
    assert f"Again: syncengine simulate --seed {mutant.seed} --steps '{mutant.steps}'" in printed


def test_a_step_that_is_none_is_refused() -> None:
    """A mistake in the steps names the word and says what may stand there."""
    code, printed = simulated("--steps", "enter.1 dance.2")
    assert code == 2
    assert "dance.2" in printed
    assert "enter" in printed
