"""Without one of its rules the engine breaks a promise, and a run of the simulation notices."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from syncengine.simulation.run import played, read_steps
from tests.machine.mutants import MUTANTS

PROTOCOL = Path(__file__).parents[2] / "docs" / "protocol.md"


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_killed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its run keeps all promises with the rule, and breaks one without it."""
    mutant = MUTANTS[name]
    steps = read_steps(mutant.steps)
    assert played(mutant.seed, steps)[1] == ""
    mutant.take_its_rule(monkeypatch)
    assert mutant.breaks in played(mutant.seed, steps)[1]


def test_each_mutant_takes_a_rule_of_the_protocol() -> None:
    """There are enough of them, and the number of each is that of a rule in docs/protocol.md."""
    rules = {int(n) for n in re.findall(r"^### (\d+)\.", PROTOCOL.read_text("utf-8"), re.M)}
    assert len(MUTANTS) >= 12
    assert {mutant.rule for mutant in MUTANTS.values()} <= rules
