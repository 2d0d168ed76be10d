"""The attacker reads the mails of cron and the logs of a pipeline: what commands print on stderr, and the faults in
their ``--json``. What a person asked to see is on stdout alone."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from syncengine.bootstrap import open_engine
from syncengine.cli import ui
from syncengine.cli.app import app
from syncengine.sandbox.faults import KINDS
from syncengine.sandbox.process import SandboxProcess
from tests.integration.support import VENDORS, Quick
from tests.support.leaks import found_in, seeded
from tests.support.places import MAPPINGS, SPINDEL
from tests.support.spindel import KEY, Spindel, spindel

NAME = "Ottilie Ungefunden"
ASKING = (("check", "--online"), ("plan", "--fresh"), ("sync",))
"""Commands that call vendors."""
LOOKING = (
    ("status",), ("operations",), ("events",), ("links", "list"), ("history",), ("cases", "list"),
    ("explain", "person", "1001"), ("pause", "hakuna", "--reason", "a test"), ("resume",), ("plan",),
)  # fmt: skip
FAULTS = {"fault", "faults", "halted", "off", "online", "refused", "warnings", "why"}
"""Members of documents that say what is wrong."""


def run(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """One command as somebody's cron runs it."""
    command = [sys.executable, "-P", "-c", "from syncengine.cli import main; main()", *arguments]
    return subprocess.run(command, env=dict(environment), capture_output=True, text=True)


def environment(folder: Path, project: Path, *vendors: Mapping[str, str]) -> dict[str, str]:
    """Nothing but what the command needs."""
    place = {
        "SYNCENGINE_PROJECT": str(project),
        "SYNCENGINE_DATABASE_URL": f"sqlite:///{folder / 'engine.db'}",
        "SYNCENGINE_REQUEST_TIMEOUT": "2",
        "PATH": os.environ["PATH"],
    }
    return {name: value for part in (*vendors, place) for name, value in part.items()}


def faults_in(document: Any) -> list[Any]:
    """Whatever a document says of what is wrong."""
    if isinstance(document, list):
        return [fault for part in document for fault in faults_in(part)]
    if not isinstance(document, dict):
        return []
    inner = [fault for part in document.values() for fault in faults_in(part)]
    return [value for name, value in document.items() if name in FAULTS and value] + inner


def here(environment: Mapping[str, str], *arguments: str) -> Result:
    """One command in this process, which is quicker."""
    unset = {name: None for name in os.environ if name.startswith("SYNCENGINE_")}
    return CliRunner().invoke(app, arguments, env={**unset, **environment})


def told(done: Result) -> str:
    """What a command with ``--json`` tells whoever did not ask for values."""
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.stderr + json.dumps(faults_in(json.loads(done.stdout)) if done.stdout else [])


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_commands_tell_faults_without_values(
    sandbox: SandboxProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Every command that asks vendors, while all of them fail in one way."""
    monkeypatch.setattr(ui, "open_engine", lambda found: open_engine(found, clock=Quick()))
    sandbox.reset()
    wanted, place = seeded(sandbox), environment(tmp_path, MAPPINGS, sandbox.env)
    for vendor in VENDORS:
        for method in ("GET", "POST", "PATCH"):
            sandbox.fault(vendor, kind, method=method, count=4, skip=1, delay=0.05)
    for command in ASKING:
        assert found_in(told(here(place, *command, "--json")), wanted) == set(), command


@pytest.mark.long
@pytest.mark.ci
def test_commands_that_look_tell_no_values_beside(sandbox: SandboxProcess, tmp_path: Path) -> None:
    """Every other command, after a pass in which rows were set aside; what was asked for is on stdout."""
    sandbox.reset()
    wanted, place = seeded(sandbox), environment(tmp_path, MAPPINGS, sandbox.env)
    sandbox.fault("heavenhr", "wrong_type", route="/employees", count=1, field="firstName")
    sandbox.fault("hakuna", "truncate", route="/users", count=9)
    sandbox.fault("weekly10", "half_text", route="/users", count=1)
    here(place, "sync", "--json")
    for command in LOOKING:
        assert found_in(told(here(place, *command, "--json")), wanted) == set(), command
        assert found_in(here(place, *command).stderr, wanted) == set(), command
    assert found_in(here(place, "explain", "person", "1002").stdout, wanted), "people see values"


TRIGGER = f"""
CREATE TRIGGER odd BEFORE INSERT ON records BEGIN SELECT RAISE(ABORT, '{NAME} is no row'); END
"""


@pytest.mark.long
@pytest.mark.ci
def test_a_database_that_quotes_a_row_is_not_repeated(
    sandbox: SandboxProcess, tmp_path: Path
) -> None:
    """A database whose own rule refuses a row, and says which."""
    sandbox.reset()
    place = environment(tmp_path, MAPPINGS, sandbox.env)
    assert run(place, "db", "upgrade").returncode == 0
    with sqlite3.connect(tmp_path / "engine.db") as database:
        database.execute(TRIGGER)
    done = run(place, "sync", "--json")
    assert done.returncode == 1
    assert "error: unexpected" in done.stderr
    assert found_in(done.stderr + done.stdout, {NAME.casefold()} | seeded(sandbox)) == set()


RAISED = [
    f"raise ValueError({NAME!r})",
    f"raise KeyError({NAME!r})",
    f"raise RuntimeError({NAME!r})",
    f"raise OSError({NAME!r})",
    f"raise SystemExit({NAME!r})",
    f"raise type('Own', (Exception,), {{}})({NAME!r})",
]


@pytest.fixture
def lockers() -> Iterator[Spindel]:
    with spindel() as server:
        server.change("m_1", {"first_name": "Ottilie", "last_name": "Ungefunden", "staff_no": "7"})
        yield server


@pytest.mark.long
@pytest.mark.parametrize("place", ["when it is loaded", "when it reads"])
@pytest.mark.parametrize("raised", RAISED)
def test_a_module_that_raises_with_a_value_is_not_repeated(
    sandbox: SandboxProcess, lockers: Spindel, tmp_path: Path, raised: str, place: str
) -> None:
    """A module of the project raises, with a row or with a variable in its text, each class that there is."""
    project = tmp_path / "project"
    project.mkdir(mode=0o700)
    for file in SPINDEL.iterdir():
        if file.suffix in (".yaml", ".py"):
            (project / file.name).write_text(file.read_text("utf-8"), "utf-8")
            (project / file.name).chmod(0o600)
    module = project / "spindel.py"
    text = module.read_text("utf-8")
    if place == "when it reads":
        text = text.replace("            answer = ask(url, query)\n", f"            {raised}\n")
    module.write_text(text if place == "when it reads" else f"{text}\n{raised}\n", "utf-8")
    outside = environment(tmp_path, project, sandbox.env, lockers.env)
    done = run(outside, "sync", "--json")
    said = done.stderr + done.stdout
    if place == "when it reads":
        said += here(outside, "status", "--json").output
    assert found_in(said, {NAME.casefold(), "ungefunden", KEY}) == set()
    assert "spindel" in said, "it is said where"
    assert done.returncode
