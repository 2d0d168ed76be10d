"""Seconds of a plan: the first one of a company, one after the mapping changed, one after a hundred changes.

The shipped project on its simulated vendors. No vendor is called: a plan looks at what is known.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.company import Company, agreeing, company
from bench.processes import measured
from bench.result import Goal, Result, say
from syncengine.edition import starter

CHANGED = 100


def options(parser: argparse.ArgumentParser) -> None:
    """Of the command."""
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)


def run(asked: argparse.Namespace) -> Result:
    """Measure the three plans on a company."""
    result = Result("plan", f"A plan of {asked.people:,} people", "seconds", "")
    result.options = vars(asked)
    # The goals are those of 10,000 people; fewer have to take less.
    size = asked.people / 10_000
    with TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        shutil.copytree(starter(), project)
        with company("sqlite-embedded", asked.people, project, SYNCENGINE_MODE="write") as made:
            measured(made.environment, "observe")
            _plans(result, "first plan", 15 * size, made, asked.rounds)
            measured(made.environment, "pass")
            _plans(result, "nothing moved", 1, made, asked.rounds)
            _rename(made)
            _plans(result, f"{CHANGED} people changed", 1, made, asked.rounds)
            measured(made.environment, "pass")
            _change(project / "person.yaml")
            _plans(result, "another mapping of people", 4 * size, made, asked.rounds)
    return result


def _change(file: Path) -> None:
    """The mapping of a name: written, and no longer read."""
    text = file.read_text("utf-8")
    old, new = "first_name: first_name", "first_name: {field: first_name, flow: out}"
    file.write_text(text.replace(old, new), "utf-8")


def _rename(made: Company) -> None:
    """Some people at the source of people, read and not yet brought to others."""
    made.people = agreeing(made.sandbox)
    made.rename(CHANGED, "P")
    measured(made.environment, "observe")


def _plans(result: Result, name: str, most: float, made: Company, rounds: int) -> None:
    case = result.case(name, Goal(most=most))
    for _ in range(rounds):
        found = measured(made.environment, "plan")
        case.engine.append(found["seconds"])
        case.note(
            **{"changes": found["changes"], "CPU, s": found["cpu"], "peak MB": found["peak_mb"]}
        )
        say(f"{name}: {found['seconds']:.2f} s, {found['changes']} changes")
