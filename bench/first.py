"""The first pass: everybody is imported from one vendor and gets an account at the other one.

The bare script reads the same rows one by one, four at once, and makes as many accounts; it keeps nothing.
"""

from __future__ import annotations

import argparse

from bench.bare import first_calls
from bench.company import STACKS, company
from bench.processes import measured
from bench.result import Goal, Result, say


def options(parser: argparse.ArgumentParser) -> None:
    """Of the command."""
    parser.add_argument("--people", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument(
        "--stacks", nargs="+", choices=STACKS, default=["sqlite-embedded", "postgresql-redis"]
    )


def run(asked: argparse.Namespace) -> Result:
    """Measure a first pass of each size on each database, in turn with the bare script."""
    result = Result("first", "First import and first provisioning", "people/s", "bare script")
    result.options = vars(asked)
    for people in asked.people:
        for _ in range(asked.rounds):
            for stack in asked.stacks:
                case = result.case(f"{people:,} people, {stack.partition('-')[0]}", Goal(least=0.5))
                with company(stack, people) as made:
                    bare = first_calls(made.environment)
                    made.sandbox.reset()
                    found = measured(made.environment, "pass")
                    size = made.scalar("SELECT count(*) FROM records")
                case.engine.append(size / found["seconds"])
                case.limit.append(size / bare["seconds"])
                case.note(
                    **{
                        "CPU, ms a person": 1000 * found["cpu"] / size,
                        "statements a person": found["statements"] / size,
                        "peak MB": found["peak_mb"],
                        "seconds": found["seconds"],
                    }
                )
                say(f"{case.name}: {case.engine[-1]:.0f}, bare {case.limit[-1]:.0f} people/s")
    return result
