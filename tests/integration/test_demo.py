"""The told story, as ``make demo`` tells it."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from uuid import uuid4

import pytest
from rich.console import Console

from syncengine.demo import story
from syncengine.demo.cast import Story
from syncengine.demo.screen import Screen
from syncengine.demo.stage import NotSo, Stage
from syncengine.demo.steps import STEPS

MARK = "TEST_DEMO_MARK"
"""A variable that everything inherits which the story starts, but for what is told no secrets."""


class Demo:
    """The story in a process of its own, beside settings of another system that it must not touch."""

    def __init__(self, folder: Path, people: int) -> None:
        self.mark = uuid4().hex
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "syncengine.demo", f"--people={people}"],
            cwd=folder,
            env={
                **os.environ,
                MARK: self.mark,
                "TMPDIR": str(folder),
                "SYNCENGINE_DATABASE_URL": "sqlite:///other.db",
                "HAKUNA_TOKEN": "of another system",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def left(self) -> list[int]:
        """Ids of the processes that the story has started and that still run: those that know the mark, and those that
        are told less of the environment, in its folder."""
        wanted = f"{MARK}={self.mark}".encode()
        return [
            int(entry.name)
            for entry in Path("/proc").glob("[0-9]*")
            if wanted in _environment(entry) or _is_in(entry, self.folder)
        ]


def _environment(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""


def _is_in(process: Path, folder: Path) -> bool:
    try:
        return (process / "cwd").readlink().is_relative_to(folder)
    except OSError:
        return False


@pytest.mark.long
@pytest.mark.ci
@pytest.mark.timeout(280)
def test_the_story_holds_from_the_first_step_to_the_last(tmp_path: Path) -> None:
    """Every step is told and proved on the vendors' own rows, the end is converged, and nothing is left behind."""
    demo = Demo(tmp_path, people=50)
    told, _ = demo.process.communicate()
    assert demo.process.returncode == 0, told
    assert "✗" not in told
    for number, (title, _) in enumerate(STEPS, 1):
        assert f"{number}/{len(STEPS)}  {title}" in told
    assert told.count("✓") >= 2 * len(STEPS)
    assert "converged" in told
    assert not demo.left()
    assert not list(tmp_path.iterdir())


@pytest.mark.long
@pytest.mark.timeout(120)
def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    """Stopped in the middle, the story ends with 130, all its processes with it."""
    demo = Demo(tmp_path, people=20)
    assert demo.process.stdout is not None
    for line in demo.process.stdout:
        if "are up" in line:
            break
    assert len(demo.left()) > len(("story", "vendors", "broker", "worker", "beat", "web"))
    demo.process.send_signal(signal.SIGINT)
    told, _ = demo.process.communicate()
    assert demo.process.returncode == 130, told
    assert not demo.left()
    assert not list(tmp_path.iterdir())


def test_a_step_that_does_not_hold_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The screen says which step, what was expected and what was found, and the exit code is 1."""

    def wrong(told: Story) -> None:
        with told.screen.check("the moon is made of cheese"):
            raise NotSo("cheese", "rock")

    def never(told: Story) -> None:
        raise AssertionError(told)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("syncengine.demo.story.STEPS", (("The moon", wrong), ("Never", never)))
    shown = io.StringIO()
    assert story.tell(Stage(20), Screen(Console(file=shown, width=80))) == 1
    lines = [line.strip() for line in shown.getvalue().splitlines()]
    assert "✗ the moon is made of cheese" in lines
    assert "Step 1 (The moon) does not hold." in lines
    assert "expected: cheese" in lines
    assert "found:    rock" in lines
