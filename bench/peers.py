"""The same work done by programs that people use instead: dlt, vdirsyncer, and a script that goes row by row.

dlt imports everybody from one vendor into SQL, as the engine does when it is only to read that vendor. The script
brings renamed people to the other vendor, as a pass does. vdirsyncer keeps two folders of contacts in agreement: it has
files where the engine has vendors that are asked over HTTP, so that is no fair comparison, but the nearest there is.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import venv
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.bare import logins
from bench.company import company
from bench.processes import cpu_of_children, measured
from bench.result import Goal, Result, say

SCRIPTS = Path(__file__).parent / "peer_scripts"
PLACE = Path(__file__).parents[1] / ".build" / "peers"
"""Where they are installed, apart from the product."""
AHEAD = Goal(most=1.0)
SHARE = 100
"""One item of so many is changed."""


def options(parser: argparse.ArgumentParser) -> None:
    """Of the command."""
    parser.add_argument("--people", type=int, default=1000, help="of imports and changes")
    parser.add_argument("--items", type=int, default=10_000, help="of what is kept in agreement")
    parser.add_argument("--rounds", type=int, default=3)


def run(asked: argparse.Namespace) -> Result:
    """Install the peers if need be, and measure each in turn with the engine."""
    result = Result("peers", "The same work by others", "seconds", "the other one")
    result.options, result.of_ratios = vars(asked), True
    install()
    for _ in range(asked.rounds):
        _imports(result, asked.people)
        _changes(result, asked.people)
    _pair(result, asked.items, asked.rounds)
    return result


def install() -> None:
    """The locked versions, in an environment of their own."""
    stamp, lock = PLACE / ".installed", SCRIPTS / "requirements.txt"
    if stamp.exists() and stamp.stat().st_mtime >= lock.stat().st_mtime:
        return
    say("installing the peers")
    venv.create(PLACE, with_pip=True, clear=True)
    pip = [str(PLACE / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "install", "--require-hashes", "--only-binary", ":all:", "-r", str(lock)], check=True
    )
    stamp.touch()


def _theirs(environment: dict[str, str], script: str, *arguments: str) -> dict[str, Any]:
    command = [str(PLACE / "bin" / "python"), str(SCRIPTS / script), *arguments]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _note(result: Result, name: str, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    case = result.case(name, AHEAD)
    case.engine.append(ours["seconds"])
    case.limit.append(theirs["seconds"])
    case.note(**{"CPU, s": ours["cpu"], "their CPU, s": theirs["cpu"]})
    say(f"{name}: {ours['seconds']:.2f} s, the other one {theirs['seconds']:.2f} s")


def _imports(result: Result, people: int) -> None:
    with company("sqlite-embedded", people) as made, TemporaryDirectory() as folder:
        token = logins(made.environment)["heavenhr"]["Authorization"]
        theirs = _theirs(dict(made.environment), "dlt_import.py", folder, token)
        ours = measured(made.environment, "import", "heavenhr")
        if theirs["rows"] != ours["rows"]:
            raise RuntimeError(f"they imported {theirs['rows']} rows, we {ours['rows']}")
    _note(result, f"import of {people:,} people (dlt)", ours, theirs)


def _changes(result: Result, people: int) -> None:
    with company("sqlite-embedded", people) as made, TemporaryDirectory() as folder:
        made.first_pass()
        count, accounts = len(made.people), {row["id"]: row["account"] for row in made.people}
        made.rename(count, "E")
        ours = measured(made.environment, "pass")
        names, file = made.rename(count, "R"), Path(folder) / "changes.json"
        changes = [{"employee": e, "account": accounts[e]} for e in names]
        file.write_text(
            json.dumps({"headers": logins(made.environment), "changes": changes}), "utf-8"
        )
        theirs = _theirs(dict(made.environment), "row_by_row.py", str(file), f"{folder}/rows.db")
        if made.arrived(names) != count:
            raise RuntimeError("the script did not get through")
    _note(result, f"{count:,} changes (row by row)", ours, theirs)


def _pair(result: Result, items: int, rounds: int) -> None:
    """Nothing moved, and then a hundredth did: two folders of contacts, and two vendors of people."""
    with company("sqlite-embedded", items) as made, TemporaryDirectory() as folder:
        made.first_pass()
        pair = Pair(Path(folder), items)
        pair.sync()
        for number in range(rounds):
            _note(
                result,
                f"{items:,} items, none moved (vdirsyncer)",
                measured(made.environment, "pass"),
                pair.sync(),
            )
            few = max(1, items // SHARE)
            made.rename(few, f"P{number}x")
            pair.change(few, number)
            _note(
                result,
                f"{items:,} items, {few} moved (vdirsyncer)",
                measured(made.environment, "pass"),
                pair.sync(),
            )


class Pair:
    """Two folders of contacts that vdirsyncer keeps in agreement."""

    def __init__(self, folder: Path, items: int) -> None:
        self._folder = folder
        for side in ("a", "b"):
            (folder / side).mkdir()
        for number in range(items):
            self._write(number, "Anna")
        (folder / "config").write_text(
            f'[general]\nstatus_path = "{folder}/status"\n'
            '[pair both]\na = "a"\nb = "b"\ncollections = null\nconflict_resolution = "a wins"\n'
            + "".join(
                f'[storage {side}]\ntype = "filesystem"\npath = "{folder}/{side}"\nfileext = ".vcf"\n'
                for side in ("a", "b")
            ),
            "utf-8",
        )
        self._run("discover")

    def change(self, count: int, mark: int) -> None:
        """Another name for so many."""
        for number in range(count):
            self._write(number, f"Anna {mark}")

    def sync(self) -> dict[str, Any]:
        """``seconds`` and ``cpu`` of one run, the start of the program not counted: as of a pass."""
        started = self._run("--version")
        seconds, cpu = self._run("sync")
        return {"seconds": seconds - started[0], "cpu": cpu - started[1]}

    def _run(self, *arguments: str) -> tuple[float, float]:
        command = [
            str(PLACE / "bin" / "vdirsyncer"),
            "-c",
            str(self._folder / "config"),
            *arguments,
        ]
        before, started = cpu_of_children(), time.perf_counter()
        subprocess.run(command, stdout=sys.stderr, input="y\n" * 4, text=True, check=True)
        return time.perf_counter() - started, cpu_of_children() - before

    def _write(self, number: int, name: str) -> None:
        card = f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{number}\r\nFN:{name} {number}\r\nEND:VCARD\r\n"
        (self._folder / "a" / f"{number}.vcf").write_text(card, "utf-8")
