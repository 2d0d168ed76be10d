"""docs/life-of-a-change.md follows one change through the code, as it runs."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from syncengine.bootstrap import open_engine
from syncengine.flows.capture.capture import capture
from syncengine.flows.capture.refresh import refresh
from syncengine.flows.core.engine import Engine
from syncengine.flows.reconcile.derive import derive
from syncengine.flows.reconcile.reconcile import reconcile
from syncengine.flows.run.sync import sync
from syncengine.flows.send.dispatch import dispatch
from syncengine.sandbox.process import SandboxProcess
from syncengine.settings import Settings
from tests.support.pages import page, sections
from tests.support.places import MAPPINGS

_STEP = re.compile(r"^\d+\. `(syncengine\.[\w.]+)`", re.MULTILINE)


class Tracer:
    """Names of the engine's functions in the order of their calls, chapter by chapter, in this thread and all that
    begin within it."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.chapters: dict[str, list[str]] = {}

    def begin(self, chapter: str) -> None:
        """What is called from now on belongs to this chapter."""
        self.calls = self.chapters[chapter] = []

    def __enter__(self) -> Tracer:
        threading.setprofile(self._note)
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def _note(self, frame: FrameType, event: str, _: object) -> None:
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.startswith("syncengine."):
            self.calls.append(f"{module}.{frame.f_code.co_qualname}")


def until_quiet(engine: Engine) -> None:
    """Reconcile until nothing is due."""
    while reconcile(engine):
        pass


def _derived(engine: Engine) -> None:
    derive(engine)
    until_quiet(engine)


def _records(engine: Engine) -> None:
    until_quiet(engine)
    dispatch(engine)


def _echo(engine: Engine) -> None:
    until_quiet(engine)
    capture(engine, "weekly10", "users", "scan")
    assert reconcile(engine) == 0


CHAPTERS: dict[str, Callable[[Engine], object]] = {
    "Capture": lambda engine: capture(engine, "heavenhr", "employees", "poll"),
    "Refresh": refresh,
    "Reconcile": reconcile,
    "Derive": _derived,
    "Dispatch and settle": dispatch,
    "Her training records": _records,
    "The echo": _echo,
}


IDA = {
    "firstName": "Ida", "lastName": "Berg", "professionalEmail": "ida.berg@example.org",
    "employeeNumber": "9001", "jobStatus": "ACTIVE", "startDate": "2024-01-01",
}  # fmt: skip


def out_of_order(steps: list[str], calls: list[str]) -> list[str]:
    """Steps that were not called, or whose first call came before that of the step above."""
    first = {name: number for number, name in reversed(list(enumerate(calls)))}
    wrong, last = [], -1
    for step in steps:
        if first.get(step, -1) <= last:
            wrong.append(step)
        last = max(last, first.get(step, -1))
    return wrong


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, list[str]], Any]]:
    """Chapter -> calls, after Ida was entered into a company that was in agreement; and the sandbox."""
    file = tmp_path_factory.mktemp("life") / "syncengine.db"
    settings = Settings.model_validate({"project": MAPPINGS, "database_url": f"sqlite:///{file}"})
    with SandboxProcess(people=3, seed=1) as sandbox, pytest.MonkeyPatch.context() as patch:
        for name, value in sandbox.env.items():
            patch.setenv(name, value)
        with open_engine(settings) as engine:
            assert sync(engine)["converged"]
        sandbox.mutate("heavenhr", "employees", "create", values=IDA)
        with open_engine(settings) as engine, Tracer() as tracer:
            for chapter, run in CHAPTERS.items():
                tracer.begin(chapter)
                run(engine)
        yield tracer.chapters, sandbox


def test_life_of_a_change_runs_as_told(life: tuple[dict[str, list[str]], Any]) -> None:
    """The functions that the story names run, in each chapter in the order in which it names them."""
    told = {
        name: _STEP.findall(text) for name, text in sections(page("life-of-a-change.md")).items()
    }
    assert list(told) == list(CHAPTERS)
    traces, _ = life
    wrong = {name: out_of_order(steps, traces[name]) for name, steps in told.items()}
    assert all(len(steps) > 4 for steps in told.values())
    assert not {name: steps for name, steps in wrong.items() if steps}


def test_order_is_really_compared(life: tuple[dict[str, list[str]], Any]) -> None:
    """Two neighbours that change places, and a name that is not called, are both noticed."""
    traces, _ = life
    for name, text in sections(page("life-of-a-change.md")).items():
        steps = _STEP.findall(text)
        for number in range(len(steps) - 1):
            swapped = [*steps]
            swapped[number : number + 2] = reversed(swapped[number : number + 2])
            assert out_of_order(swapped, traces[name])
        assert out_of_order([*steps, "syncengine.flows.capture.capture.caught"], traces[name])


def test_life_of_a_change_ends_as_told(life: tuple[dict[str, list[str]], Any]) -> None:
    """At the end weekly10 has one account for Ida and one record for each mandatory training."""
    _, sandbox = life
    accounts = [r for r in sandbox.state("weekly10", "users") if r["api_id"] == "9001"]
    records = [
        r for r in sandbox.state("weekly10", "training_records") if r["person_api_id"] == "9001"
    ]
    assert [a["email"] for a in accounts] == ["ida.berg@example.org"]
    assert sorted(r["package_desc"] for r in records) == ["GDPR basics 2026", "SOC 2 basics"]
