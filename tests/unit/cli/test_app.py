"""Errors, exit codes and help."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from syncengine import errors
from syncengine.cli import app as program
from syncengine.cli import passes, ui
from syncengine.demo import story

QUIET: dict[str, Any] = {"converged": True, "faults": [], "cases": {}, "left": 0}


@pytest.mark.parametrize(
    ("document", "held", "unsettled", "code"),
    [
        ({}, 0, 0, 0),
        ({"cases": {"identity": 1}}, 0, 0, 4),
        ({"converged": False}, 0, 2, 1),
        ({"converged": False}, 2, 2, 4),
        ({"converged": False, "cases": {"unknown": 1}}, 1, 1, 4),
        ({"converged": False, "cases": {"identity": 1}}, 0, 1, 1),
        ({"converged": False}, 0, 0, 1),
        ({"converged": False, "left": 2}, 0, 2, 4),
        ({"converged": False, "left": 2}, 0, 3, 1),
        ({"faults": ["hakuna users: down"]}, 0, 0, 1),
        ({"faults": ["hakuna users: down"], "cases": {"identity": 1}}, 0, 0, 1),
    ],
)
def test_sync_ends_with_the_code_of_the_worst(
    document: dict[str, Any], held: int, unsettled: int, code: int
) -> None:
    """A fault or a write that is stuck is 1, even where a person is asked too; only what a person holds is 4."""
    assert passes.verdict({**QUIET, **document}, held, unsettled) == code


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (errors.ConfigInvalid(["a.yaml:1:2: x: wrong", "a.yaml:3:4: y: wrong"]), 2, "a.yaml:3:4"),
        (errors.Stale("the plan has changed"), 1, "error: the plan has changed"),
        (errors.Bug("a link without a ref"), 1, "report it"),
        (OSError(98, "Address already in use"), 1, "Address already in use"),
    ],
)
def test_errors_become_lines_and_codes(
    monkeypatch: pytest.MonkeyPatch, error: Exception, code: int, told: str
) -> None:
    """An error of ours is told in lines on standard error with its exit code, never as a traceback."""

    def fail(**_: object) -> int:
        raise error

    monkeypatch.setattr(story, "run", fail)
    result = CliRunner().invoke(program.app, ["demo"])
    assert result.exit_code == code
    assert told in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.output


def test_a_stranger_is_told_by_class_and_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unexpected error ends with one line that names class and place and not the message, which may quote a
    row."""

    def fail(**_: object) -> int:
        raise KeyError("Anna Meier")

    monkeypatch.setattr(story, "run", fail)
    result = CliRunner().invoke(program.app, ["demo"])
    assert isinstance(result.exception, KeyError)
    program.unexpected(KeyError, result.exception, result.exception.__traceback__)
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "KeyError at test_app.py" in told
    assert "--debug" in told
    assert "Anna" not in told


def test_demo_hands_its_code_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """``demo`` ends with the code of the story, and tells it of people and keep."""
    seen: dict[str, object] = {}

    def tell(**given: object) -> int:
        seen.update(given)
        return 130

    monkeypatch.setattr(story, "run", tell)
    assert CliRunner().invoke(program.app, ["demo", "--people", "25", "--keep"]).exit_code == 130
    assert seen == {"people": 25, "keep": True}


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, (*path, name))
    if not hasattr(command, "commands"):
        yield path


@pytest.mark.parametrize("path", list(_commands(get_command(program.app))), ids=" ".join)
def test_every_command_shows_an_example(path: tuple[str, ...]) -> None:
    """The help of each command has an example of it."""
    result = CliRunner().invoke(program.app, [*path, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert f"syncengine {' '.join(path)}" in result.stdout.partition("Example")[2]


def test_no_command_is_help() -> None:
    """Without a command the program prints its help, and ``--version`` one line."""
    assert "cases" in CliRunner().invoke(program.app, []).output
    assert CliRunner().invoke(program.app, ["--version"]).stdout.count(".") == 2


def test_names_outside_of_the_project_are_refused() -> None:
    """A name that is not known is refused with those that are."""
    ui.known("--entity", None, ["a"])
    ui.known("--entity", "a", ["a", "b"])
    with pytest.raises(Exception, match="knows a, b; found 'c'"):
        ui.known("--entity", "c", ["a", "b"])


@pytest.mark.parametrize(("text", "code"), [("196", 1), ("#196", 1), ("##196", 2), ("x", 2)])
def test_a_change_is_named_as_history_prints_it(text: str, code: int, tmp_path: Path) -> None:
    """With the sign before its number, or without; what is no number is bad usage."""
    database = {"SYNCENGINE_DATABASE_URL": f"sqlite:///{tmp_path / 'engine.db'}"}
    told = CliRunner().invoke(program.app, ["undo", text], env=database)
    assert told.exit_code == code
    assert ("there is no change 196" in told.output) == (code == 1)


INTERRUPTED = """
import subprocess
import sys

class Interrupt:
    def find_spec(self, name, *_):
        if name == "typer":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
from syncengine.cli import main
main()
"""


def test_ctrl_c_while_the_program_loads_is_no_error() -> None:
    """Whoever changes his mind in the first second sees nothing but his prompt."""
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (130, "")
