"""The simulation as a command."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from syncengine.cli.app import app
from syncengine.planning import fields
from syncengine.planning.merge import Decision


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
    """Where the engine forgets what lost, the run that shows it is told in few steps, and the command fails."""
    right = fields.merge_field

    def forgetful(side: Any) -> Decision:
        decided = right(side)
        return Decision(decided.verdict, decided.value, decided.policy, seen=decided.seen)

    monkeypatch.setattr(fields, "merge_field", forgetful)
    code, printed = simulated("--runs", "40", "--seed", "3000")
    assert code == 1
    assert "breaks a promise: lost in silence" in printed
    (again,) = [line for line in printed.splitlines() if line.startswith("Again: ")]
    seed, steps = again.split("--seed ")[1].split(" ")[0], again.split("'")[1]
    assert len(steps.split()) < 15
    assert simulated("--seed", seed, "--steps", steps)[0] == 1
    monkeypatch.setattr(fields, "merge_field", right)
    assert simulated("--seed", seed, "--steps", steps)[0] == 0


def test_a_step_that_is_none_is_refused() -> None:
    """A mistake in the steps names the word and says what may stand there."""
    code, printed = simulated("--steps", "enter.1 dance.2")
    assert code == 2
    assert "dance.2" in printed
    assert "enter" in printed
