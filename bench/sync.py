"""Changes per second of one pass, `syncengine sync`, over a bare script.

Everybody is renamed at one vendor; then a pass reads both vendors and brings the names to the other one. The bare
script reads the same listings and makes the same three calls a change, four changes at once.
"""

from __future__ import annotations

import argparse

from bench.bare import BareScript
from bench.company import STACKS, company
from bench.processes import measured
from bench.result import Goal, Result, say


def options(parser: argparse.ArgumentParser) -> None:
    """Of the command."""
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--changes", type=int, default=800, help="how many are renamed in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--stacks", nargs="+", choices=STACKS, default=["sqlite-embedded", "postgresql-redis"]
    )


def run(asked: argparse.Namespace) -> Result:
    """Measure a pass on each database, in turn with the bare script."""
    result = Result(
        "sync", "Changes from capture to settled write, in one pass", "changes/s", "bare script"
    )
    result.options = vars(asked)
    with BareScript(asked.people, lists_both=True) as bare:
        for stack in asked.stacks:
            case = result.case(stack.partition("-")[0], Goal(least=0.6))
            with company(stack, asked.people) as made:
                made.first_pass()
                count = min(asked.changes, len(made.people))
                for number in range(asked.rounds):
                    mark = f"{stack[0].upper()}{number}x"
                    case.limit.append(count / bare.seconds(count, mark)["seconds"])
                    names = made.rename(count, mark)
                    found = measured(made.environment, "pass")
                    if made.arrived(names) != count:
                        raise RuntimeError("not all changes arrived")
                    case.engine.append(count / found["seconds"])
                    case.note(
                        **{
                            "CPU, ms a change": 1000 * found["cpu"] / count,
                            "statements a change": found["statements"] / count,
                            "transactions a change": found["transactions"] / count,
                        }
                    )
                    say(f"{case.name}: {case.engine[-1]:.0f}, bare {case.limit[-1]:.0f} changes/s")
    return result
