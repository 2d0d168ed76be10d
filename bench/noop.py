"""Seconds of a pass that finds nothing to do, over a bare client that fetches and decodes the same pages.

The shipped project on its simulated vendors. The bare client asks for what the vendors' own request log shows of the
pass right before, with the same number of calls at once.
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from bench.bare import CALLS_AT_ONCE, logins
from bench.company import company
from bench.processes import measured
from bench.result import Goal, Result, say
from syncengine.edition import starter
from syncengine.sandbox.process import SandboxProcess

GOALS = {10_000: 1.2, 100_000: 1.25}
"""Up to so many people: the most."""


def options(parser: argparse.ArgumentParser) -> None:
    """Of the command."""
    parser.add_argument("--people", type=int, nargs="+", default=[3000, 10_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--profile", type=Path, help="write a cProfile of one more pass to this file"
    )


def run(asked: argparse.Namespace) -> Result:
    """Measure each size: a first pass, then passes in turn with the bare client."""
    result = Result("noop", "A pass that finds nothing to do", "seconds", "bare client")
    result.options = vars(asked)
    for people in asked.people:
        goal = Goal(most=next((most for size, most in GOALS.items() if people <= size), 1.25))
        case = result.case(f"{people:,} people", goal)
        with (
            TemporaryDirectory() as folder,
            company("sqlite-embedded", people, starter(), SYNCENGINE_MODE="write") as made,
        ):
            measured(made.environment, "pass")
            for _ in range(asked.rounds):
                since = time.time()
                found = measured(made.environment, "pass")
                file = Path(folder) / "pages.json"
                file.write_text(json.dumps(replay(made.sandbox, since)), "utf-8")
                bare = measured(made.environment, "bare", str(file))
                case.engine.append(found["seconds"])
                case.limit.append(bare["seconds"])
                case.note(
                    **{
                        "CPU, s": found["cpu"],
                        "bare CPU, s": bare["cpu"],
                        "peak MB": found["peak_mb"],
                        "calls": found["calls"],
                        "writes": found["applied"],
                        "statements": found["statements"],
                        "most in a transaction": found["most_statements"],
                    }
                )
                say(f"{case.name}: {found['seconds']:.1f} s, bare {bare['seconds']:.1f} s")
            if asked.profile:
                measured({**made.environment, "BENCH_PROFILE": str(asked.profile)}, "pass")
    return result


def replay(sandbox: SandboxProcess, since: float) -> dict[str, Any]:
    """The reads that the vendors were asked since, as a plan for the bare client: the pages of a listing one after the
    other, what is listed once for each employee several at once, as the engine does it."""
    headers = logins(sandbox.env)
    asked = [r for r in sandbox.requests() if r["at"] >= since and r["method"] == "GET"]
    groups = []
    for (vendor, route), requests in groupby(asked, lambda r: (r["vendor"], r["route"])):
        if vendor not in headers or "oauth2" in route:
            continue
        base = urlsplit(sandbox.env[f"{vendor.upper()}_BASE_URL"])
        urls = [f"{base.scheme}://{base.netloc}{r['path']}" for r in requests]
        at_once = "{" in route or route == "/time_entries"
        groups.append(
            {"vendor": vendor, "headers": headers[vendor], "urls": urls, "at_once": at_once}
        )
    return {"width": CALLS_AT_ONCE, "groups": groups}
