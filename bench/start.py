"""Seconds until a command of the program has done its work: `--help`, `check`, `status`.

The limit is the interpreter that does nothing. `check` and `status` run on the shipped project and a ledger that knows
its people.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.company import company
from bench.processes import cpu_of_children
from bench.result import Goal, Result
from syncengine.edition import starter

COMMANDS = {"--help": 0.3, "check": 0.8, "status": 0.8}
"""Arguments -> the most seconds."""
PROGRAM = Path(sys.executable).with_name("syncengine")


def options(parser: argparse.ArgumentParser) -> None:
    """Of the command."""
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=7)


def run(asked: argparse.Namespace) -> Result:
    """Measure each command, in turn with the bare interpreter."""
    result = Result("start", "A command from its start to its end", "seconds", "python -c pass")
    result.options = vars(asked)
    with company("sqlite-embedded", asked.people, starter()) as made:
        made.first_pass()
        # Nothing is loaded from the disk for the first time, and no byte code is compiled, while it is measured.
        for command in COMMANDS:
            spent([str(PROGRAM), command], made.environment)
        for _ in range(asked.rounds):
            for command, most in COMMANDS.items():
                case = result.case(f"syncengine {command}", Goal(most=most, absolute=True))
                case.limit.append(spent([sys.executable, "-c", "pass"], made.environment)[0])
                seconds, cpu = spent([str(PROGRAM), command], made.environment)
                case.engine.append(seconds)
                case.note(**{"CPU, s": cpu})
    return result


def spent(command: Sequence[str], environment: Mapping[str, str]) -> tuple[float, float]:
    """Seconds by the clock and of CPU that a command takes. Raises CalledProcessError."""
    before, started = cpu_of_children(), time.perf_counter()
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True)
    took = time.perf_counter() - started
    if done.returncode not in (0, 3):
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    return took, cpu_of_children() - before
