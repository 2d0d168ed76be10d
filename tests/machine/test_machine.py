"""People, vendors and workers do anything in any order; when all is quiet, the promises hold."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from syncengine.flows.capture import capture, notice
from syncengine.flows.dispatch import dispatch, probe
from syncengine.flows.reconcile import reconcile
from syncengine.flows.refresh import refresh
from syncengine.flows.sweep import sweep
from tests.machine.runs import CALLS, EMAILS, LISTINGS, VALUES, Crash
from tests.machine.world import EDITED, Scene, Traits

NAMES = ("hr", "lms", "tm")
PLAIN = {name: st.sampled_from(values) for name, values in VALUES.items()}
TRAITS = st.builds(
    Traits,
    lms_ids=st.sampled_from(["chosen", "search", "marker", "none"]),
    lms_answers=st.sampled_from(["full", "empty", "sent"]),
    lms_leave=st.sampled_from(["keep", "delete"]),
    lms_missing=st.sampled_from(["flag", "keep", "recreate"]),
    lms_spells=st.booleans(),
    hr_lists=st.sampled_from(["all", "less", "late"]),
    tm_lists=st.sampled_from(["all", "less", "late"]),
    tm_missing=st.sampled_from(["flag", "keep", "delete"]),
    tm_spells=st.booleans(),
)
ANY_VENDOR = st.sampled_from(NAMES)
NUMBER = st.integers(0, 5)


class Machine(RuleBasedStateMachine):
    """What may happen."""

    scene: Scene

    @initialize(traits=TRAITS)
    def begin(self, traits: Traits) -> None:
        self.scene = Scene(traits)

    # people

    @rule(name=st.sampled_from(["hr", "tm"]), email=st.sampled_from(EMAILS), first=PLAIN["name"])
    def enter(self, name: str, email: str, first: str) -> None:
        if not any(
            r.get("email", "").lower() == email for r in self.scene.vendor(name).rows().values()
        ):
            self.scene.vendor(name).add(email=email, name=first, job="dev")

    @rule(name=ANY_VENDOR, number=NUMBER, data=st.data())
    def edit(self, name: str, number: int, data: st.DataObject) -> None:
        row = self.scene.pick(name, number)
        if row is None:
            return
        field = data.draw(st.sampled_from(EDITED))
        self.scene.edit(name, row, field, data.draw(PLAIN[field]))

    @rule(name=ANY_VENDOR, number=NUMBER)
    def remove(self, name: str, number: int) -> None:
        row = self.scene.pick(name, number)
        if row is not None:
            self.scene.vendor(name).remove(row)

    @rule(seconds=st.sampled_from([0.5, 2.0, 5.0, 9.0]))
    def wait(self, seconds: float) -> None:
        self.scene.made.clock.sleep(seconds)

    # vendors

    @rule(name=ANY_VENDOR, fault=st.sampled_from(LISTINGS))
    def bad_listing(self, name: str, fault: Any) -> None:
        self.scene.vendor(name).fault("scan", fault)

    @rule(
        name=ANY_VENDOR,
        verb=st.sampled_from(["create", "update", "delete", "get", "find"]),
        fault=st.sampled_from(CALLS),
    )
    def bad_call(self, name: str, verb: str, fault: Any) -> None:
        reads = verb in ("get", "find")
        self.scene.vendor(name).fault(verb, "fail" if reads else fault)

    # workers

    @rule(name=ANY_VENDOR)
    def scan(self, name: str) -> None:
        capture(self.scene.made.engine, name, "people", "scan")
        self.scene.look()

    @rule(name=ANY_VENDOR, number=NUMBER)
    def hook(self, name: str, number: int) -> None:
        row = self.scene.pick(name, number)
        if row is not None:
            event = f"{name}-{self.scene.made.clock.now()}-{number}"
            notice(self.scene.made.engine, name, "people", row, event)

    @rule(flow=st.sampled_from([refresh, reconcile, dispatch, probe, sweep]))
    def work(self, flow: Any) -> None:
        flow(self.scene.made.engine)
        self.scene.look()

    @rule()
    def work_all(self) -> None:
        self.scene.made.settle()
        self.scene.look()

    @rule(flow=st.sampled_from([refresh, reconcile, dispatch, probe]), at=st.integers(1, 6))
    def crash(self, flow: Any, at: int) -> None:
        def die() -> None:
            raise Crash

        with self.scene.made.between(at, die), contextlib.suppress(Crash):
            flow(self.scene.made.engine)
        self.scene.look()

    @rule(flow=st.sampled_from([reconcile, dispatch]), at=st.integers(1, 4), other=st.data())
    def both(self, flow: Any, at: int, other: st.DataObject) -> None:
        """Another worker does something between two transactions of this one."""
        engine = self.scene.made.engine
        second = other.draw(st.sampled_from([refresh, reconcile, dispatch, probe]))
        late = other.draw(st.sampled_from([0.0, 7.0]))

        def meanwhile() -> None:
            self.scene.made.clock.sleep(late)
            second(engine)

        with self.scene.made.between(at, meanwhile):
            flow(engine)
        self.scene.look()

    def teardown(self) -> None:
        if hasattr(self, "scene"):
            self.scene.calm()
            self.scene.check()


SHORT = settings(
    max_examples=25, stateful_step_count=25, deadline=None, database=None,
    suppress_health_check=list(HealthCheck), print_blob=False,
)  # fmt: skip
LONG = settings(SHORT, max_examples=500, stateful_step_count=50)


def test_the_promises_hold_when_all_is_quiet() -> None:
    """Whatever people, vendors and workers did, the end is agreement, single rows, no echo and no silent loss."""
    run_state_machine_as_test(Machine, settings=SHORT)


@pytest.mark.long
@pytest.mark.timeout(3000)
def test_the_promises_hold_in_many_runs() -> None:
    """The same, many times and longer."""
    run_state_machine_as_test(Machine, settings=LONG)
