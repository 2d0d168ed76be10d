"""What a person costs as there are more of them: time of a first pass and of one that finds nothing, memory, database.

The limit is what a person costs in the smallest company, so that a ratio of 1 is a cost that does not grow.
"""

from __future__ import annotations

import argparse

from bench.company import STACKS, company
from bench.processes import measured
from bench.result import Goal, Result, say

SLOPE = Goal(most=1.1)
MEMORY = Goal(most=250, absolute=True)


def options(parser: argparse.ArgumentParser) -> None:
    """Of the command."""
    parser.add_argument("--people", type=int, nargs="+", default=[1000, 10_000, 30_000])
    parser.add_argument("--rounds", type=int, default=2, help="passes that find nothing, of a size")
    parser.add_argument("--stack", choices=STACKS, default="sqlite-embedded")


def run(asked: argparse.Namespace) -> Result:
    """Measure each size, the smallest one first."""
    result = Result("scale", "What a person costs", "ms, MB or KB", "the smallest company")
    result.options, result.of_ratios = vars(asked), True
    for people in sorted(asked.people):
        with company(asked.stack, people) as made:
            first = measured(made.environment, "pass")
            records = made.scalar("SELECT count(*) FROM records")
            _note(result, "first pass, CPU ms a person", people, 1000 * first["cpu"] / records)
            for _ in range(asked.rounds):
                found = measured(made.environment, "pass")
                per_person = 1000 * found["cpu"] / records
                _note(result, "pass that finds nothing, CPU ms a person", people, per_person)
            peak = max(first["peak_mb"], found["peak_mb"])
            _note(result, "memory of the process, MB", people, peak, MEMORY)
            _note(result, "database, KB a person", people, made.size() / 1024 / records)
    return result


def _note(result: Result, what: str, people: int, figure: float, goal: Goal = SLOPE) -> None:
    case = result.case(f"{what}: {people:,} people", goal)
    smallest = next((c for c in result.cases if c.name.startswith(f"{what}:")), case)
    case.engine.append(figure)
    if not goal.absolute:
        rounds = smallest.engine
        case.limit.append(sorted(rounds)[len(rounds) // 2])
    say(f"{case.name}: {figure:.2f}")
