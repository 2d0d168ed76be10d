"""People, vendors and workers do anything in any order; when all is quiet, the promises hold."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from syncengine.simulation.acts import ACTS
from syncengine.simulation.run import Run, Step

KINDS = [kind for kind, (weight, _) in ACTS.items() for _ in range(weight)]


class Machine(RuleBasedStateMachine):
    """The steps of the simulation, chosen by Hypothesis, which looks for the shortest run that breaks something."""

    run: Run

    @initialize(seed=st.integers(0, 9999), numbers=st.tuples(*[st.integers(0, 999)] * 2))
    def begin(self, seed: int, numbers: tuple[int, int]) -> None:
        """A company with people in it."""
        self.run = Run(seed)
        for number in numbers:
            self.run.do(Step("enter", number))

    @rule(kind=st.sampled_from(KINDS), number=st.integers(0, 999))
    def step(self, kind: str, number: int) -> None:
        """One thing happens."""
        self.run.do(Step(kind, number))

    def teardown(self) -> None:
        """All is quiet."""
        if hasattr(self, "run"):
            try:
                self.run.finish()
            finally:
                self.run.company.close()


SHORT = settings(
    max_examples=10, stateful_step_count=25, deadline=None, database=None,
    suppress_health_check=list(HealthCheck), print_blob=False,
)  # fmt: skip
LONG = settings(SHORT, max_examples=200, stateful_step_count=60)


def test_the_promises_hold_when_all_is_quiet() -> None:
    """Whatever people, vendors and workers did, the end is agreement, single rows, no echo and no silent loss."""
    run_state_machine_as_test(Machine, settings=SHORT)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_the_promises_hold_in_many_runs() -> None:
    """The same, many times and longer."""
    run_state_machine_as_test(Machine, settings=LONG)
