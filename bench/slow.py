"""Writes per second to vendors that take 50 ms a call: four worker processes and three vendors over one of each.

Everybody is renamed at one vendor, and the names go to each of the others: a read and a write a person and vendor, four
calls at once at each.
"""

from __future__ import annotations

import argparse
import shutil
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.company import PROJECT, STACKS, Company, company, running
from bench.result import Goal, Result, say
from syncengine.sandbox.process import SandboxProcess

LATENCY = 0.05
"""Seconds that each answer takes."""
FEW, MANY = (1, 1), (4, 3)
"""Worker processes and vendors that are written to."""


def options(parser: argparse.ArgumentParser) -> None:
    """Of the command."""
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--changes", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--stacks", nargs="+", choices=STACKS, default=["sqlite-embedded", "postgresql-redis"]
    )


def run(asked: argparse.Namespace) -> Result:
    """Measure both on each stack, in turn."""
    result = Result(
        "slow", "Writes to vendors that take 50 ms a call", "writes/s", "1 process, 1 vendor"
    )
    result.options = vars(asked)
    for stack in asked.stacks:
        case = result.case(f"{stack}, 4 processes, 3 vendors", Goal(least=3))
        with ExitStack() as undo:
            one, three = (
                slow_vendors(undo, stack, asked.people, vendors) for _, vendors in (FEW, MANY)
            )
            for number in range(asked.rounds):
                case.limit.append(_rate(one, asked.changes, *FEW, f"F{number}x"))
                case.engine.append(_rate(three, asked.changes, *MANY, f"M{number}x"))
                say(
                    f"{case.name}: {case.engine[-1]:.0f}, one of each {case.limit[-1]:.0f} writes/s"
                )
    return result


def slow_vendors(undo: ExitStack, stack: str, people: int, vendors: int) -> Company:
    """A company whose people get an account at so many slow vendors, each a process of its own."""
    folder = Path(undo.enter_context(TemporaryDirectory()))
    shutil.copytree(PROJECT, folder, dirs_exist_ok=True)
    made_by, told = list[SandboxProcess](), dict[str, str]()
    for number in range(2, vendors + 1):
        sandbox = undo.enter_context(SandboxProcess(people=people, seed=7))
        made_by.append(sandbox)
        told[f"WEEKLY10_{number}_BASE_URL"] = sandbox.env["WEEKLY10_BASE_URL"]
        _another_account(folder, number)
    made = undo.enter_context(company(stack, people, folder, **told))
    made.first_pass()
    for sandbox in (made.sandbox, *made_by):
        for vendor in ("heavenhr", "weekly10"):
            sandbox.fault(vendor, "slow", delay=LATENCY)
    return made


def _another_account(folder: Path, number: int) -> None:
    """The project with one more account of the vendor that is written to."""
    for name, indent in (("connections.yaml", "connections:\n"), ("person.yaml", "systems:\n")):
        file = folder / name
        before, _, after = file.read_text("utf-8").partition("  weekly10:\n")
        own = after.replace("${WEEKLY10_BASE_URL}", f"${{WEEKLY10_{number}_BASE_URL}}")
        first = own.partition("\n  weekly10_")[0].rstrip()
        assert indent in before
        text = f"{before}  weekly10:\n{after.rstrip()}\n  weekly10_{number}:\n{first}\n"
        file.write_text(text, "utf-8")


def _rate(made: Company, count: int, workers: int, vendors: int, mark: str) -> float:
    """Settled writes a second."""
    with running(made, workers) as service:
        names, before = made.rename(count, mark), made.applied()
        service.send("capture", ["heavenhr", "employees", "poll"])
        _, took = service.until_applied(before + len(names) * vendors)
    return len(names) * vendors / took
