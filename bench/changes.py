"""Changes per second of the running service, from the capture to the settled write, over a bare script.

Everybody is renamed at one vendor; the service is told to ask what changed there. Each change costs three calls: read
the employee, read the account, write the account. The bare script makes the same calls, four changes at once, against
vendors of its own, and keeps nothing.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack

import pytest

from bench.bare import BareScript
from bench.company import STACKS, Company, company, running
from bench.result import Goal, Result, say


def options(parser: argparse.ArgumentParser) -> None:
    """Of the command."""
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--changes", type=int, default=800, help="how many are renamed in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--workers", type=int, nargs="+", default=[1, 2, 4], help="processes of the worker"
    )
    parser.add_argument("--stacks", nargs="+", choices=STACKS, default=list(STACKS))


def run(asked: argparse.Namespace) -> Result:
    """Measure each stack with each number of workers, in turn with the bare script."""
    result = Result(
        "changes",
        "Changes from capture to settled write, by the service",
        "changes/s",
        "bare script",
    )
    result.options = vars(asked)
    for stack in asked.stacks:
        try:
            _on(stack, asked, result)
        except pytest.skip.Exception as missing:
            result.skipped.append(f"{stack}: {missing}")
    return result


def _on(stack: str, asked: argparse.Namespace, result: Result) -> None:
    with ExitStack() as undo:
        made = undo.enter_context(company(stack, asked.people))
        made.first_pass()
        count = min(asked.changes, len(made.people))
        bare = undo.enter_context(BareScript(asked.people))
        for number in range(asked.rounds):
            for workers in asked.workers:
                goal = Goal(least=0.5) if workers == 2 else None
                case = result.case(f"{stack}, {workers} worker{'s' * (workers > 1)}", goal)
                case.limit.append(count / bare.seconds(count, f"B{number}w{workers}x")["seconds"])
                figures = by_the_service(made, workers, count, f"R{number}w{workers}x")
                case.engine.append(figures.pop("rate"))
                case.note(**figures)
                say(
                    f"{case.name}: {case.engine[-1]:.0f}, bare {case.limit[-1]:.0f} changes/s {figures}"
                )


def by_the_service(made: Company, workers: int, count: int, mark: str) -> dict[str, float]:
    """One round: changes a second, seconds to the first write, CPU ms a change of workers and vendors."""
    with running(made, workers) as service:
        names, before = made.rename(count, mark), made.applied()
        used = service.cpu()
        service.send("capture", ["heavenhr", "employees", "poll"])
        first, took = service.until_applied(before + count)
        spent = {name: cpu - used[name] for name, cpu in service.cpu().items()}
    arrived = made.arrived(names)
    if arrived != count:
        raise RuntimeError(f"{arrived} of {count} changes arrived")
    return {
        "rate": count / took,
        "first write, s": first,
        "worker CPU, ms": 1000 * (spent["worker"] + spent["live"]) / count,
        "all CPU, ms": 1000 * sum(spent.values()) / count,
    }
