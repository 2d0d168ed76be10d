"""What a pass costs that finds nothing to do: against a bare client that fetches the same pages.

``make bench``, or ``make bench ARGS="--people 500"``. Prints a table, then one JSON document; exits with 1 if a
target is missed. Nothing is written into the repository unless ``--save FILE`` names a file there.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from syncengine.sandbox.process import SandboxProcess

MAPPINGS = Path(__file__).parents[1] / "mappings"
RATIO, MEMORY, PLAN = 2.0, 300.0, 30.0
"""Targets: at most twice the time of a bare client; less than 300 MB; a plan in so many seconds."""
WIDTH = 4
"""Calls that a connector has under way at once."""
SMALL = 10
"""The size that SQL statements are compared with is this part of the whole."""

Figures = dict[str, Any]


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--passes", type=int, default=3, help="no-op passes; the fastest counts")
    parser.add_argument("--save", type=Path, help="write the table into this file")
    parser.add_argument("--profile", type=Path, help="write a cProfile of one more no-op pass")
    asked = parser.parse_args()
    small = measure(max(20, asked.people // SMALL), 1, None)
    large = measure(asked.people, asked.passes, asked.profile)
    figures = {"small": small, "large": large, "targets": targets(small, large)}
    table = as_table(figures)
    print(table)
    print(json.dumps(figures, indent=2))
    if asked.save:
        asked.save.write_text(table, "utf-8")
    return 0 if all(target["met"] for target in figures["targets"].values()) else 1


def measure(people: int, passes: int, profile: Path | None) -> Figures:
    """All figures of a company of this size."""
    with tempfile.TemporaryDirectory() as folder, SandboxProcess(people=people, seed=1) as sandbox:
        environment = {
            **os.environ,
            **sandbox.env,
            "SYNCENGINE_PROJECT": str(MAPPINGS),
            "SYNCENGINE_DATABASE_URL": f"sqlite:///{folder}/bench.db",
        }
        first = run(environment, "pass")
        say(f"{people} people: first pass {first['seconds']:.1f} s")
        plan, fast, noop = Path(folder) / "plan.json", list[Figures](), list[Figures]()
        for number in range(passes):
            since = time.time()
            noop.append(run(environment, "pass"))
            plan.write_text(json.dumps(replay(sandbox, since)), "utf-8")
            fast.append(run(environment, "bare", str(plan)))
            took = f"{noop[-1]['seconds']:.1f} s, bare {fast[-1]['seconds']:.1f} s"
            say(f"{people} people: no-op pass {number + 1} of {passes} {took}")
        planned = run(environment, "plan")
        say(f"{people} people: plan of everything {planned['seconds']:.1f} s")
        if profile:
            run({**environment, "BENCH_PROFILE": str(profile)}, "pass")
        return {
            "people": people,
            "first": first,
            "noop": min(noop, key=lambda figures: figures["seconds"]),
            "plan": planned,
            "bare": min(fast, key=lambda figures: figures["seconds"]),
        }


def say(text: str) -> None:
    """Progress, for people."""
    print(text, file=sys.stderr, flush=True)


def run(environment: Mapping[str, str], *arguments: str) -> Figures:
    """What a process of its own measured."""
    command = [sys.executable, "-m", "bench.measure", *arguments]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def replay(sandbox: SandboxProcess, since: float) -> Figures:
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
    return {"width": WIDTH, "groups": groups}


def logins(env: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Vendor -> headers with which its calls are made."""
    granted = httpx.get(
        f"{env['HEAVENHR_BASE_URL']}/oauth2/token",
        params={"grant_type": "client_credentials", "scope": "all"},
        auth=(env["HEAVENHR_CLIENT_ID"], env["HEAVENHR_CLIENT_SECRET"]),
    ).json()
    login = {"username": env["WEEKLY10_USERNAME"], "password": env["WEEKLY10_PASSWORD"]}
    given = httpx.post(f"{env['WEEKLY10_BASE_URL']}/obtainauthtoken/", json=login).json()
    return {
        "heavenhr": {"Authorization": f"Bearer {granted['access_token']}"},
        "haekka": {"Authorization": f"Bearer {env['HAEKKA_API_KEY']}"},
        "hakuna": {"X-Auth-Token": env["HAKUNA_TOKEN"]},
        "weekly10": {"Authorization": f"Token {given['token']}"},
    }


def targets(small: Figures, large: Figures) -> Figures:
    """What was promised, what was found."""
    ratio = large["noop"]["seconds"] / large["bare"]["seconds"]
    memory = max(large["first"]["peak_mb"], large["noop"]["peak_mb"])
    most = [figures["noop"]["most_statements"] for figures in (small, large)]
    return {
        "time, no-op pass : bare client": _target(f"{ratio:.2f}", f"<= {RATIO}", ratio <= RATIO),
        "peak memory, MB": _target(f"{memory:.0f}", f"< {MEMORY:.0f}", memory < MEMORY),
        "SQL statements of the longest transaction": _target(
            f"{most[1]}", f"as with {small['people']} people: {most[0]}", most[1] <= most[0]
        ),
        "seconds of a plan from the mirror": _target(
            f"{large['plan']['seconds']:.1f}", f"<= {PLAN:.0f}", large["plan"]["seconds"] <= PLAN
        ),
        "vendor calls of that plan": _target(
            str(large["plan"]["calls"]), "0", large["plan"]["calls"] == 0
        ),
        "the first pass converges": _target(
            str(large["first"]["converged"]), "True", large["first"]["converged"]
        ),
        "writes of the no-op pass": _target(
            str(large["noop"]["applied"]), "0", large["noop"]["applied"] == 0
        ),
    }


def _target(found: str, wanted: str, met: bool) -> Figures:
    return {"found": found, "wanted": wanted, "met": met}


def as_table(figures: Figures) -> str:
    """Markdown, for people."""
    lines = [
        "| people | pass | seconds | CPU s | calls | calls/s | peak MB | SQL statements | transactions | most |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for size in (figures["small"], figures["large"]):
        for name in ("first", "noop", "plan", "bare"):
            f = {**size["noop"], "statements": "", "transactions": "", "most_statements": ""}
            f = {**f, **size[name]}
            cells = (
                size["people"], name, f"{f['seconds']:.2f}", f"{f['cpu']:.2f}", f["calls"],
                f"{f['calls'] / f['seconds']:.0f}", f"{f['peak_mb']:.0f}",
                f["statements"], f["transactions"], f["most_statements"],
            )  # fmt: skip
            if name in ("plan", "bare"):
                cells = (*cells[:7], "", "", "")
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines += ["", "| target | found | wanted | met |", "|---|---|---|---|"]
    for name, target in figures["targets"].items():
        met = "yes" if target["met"] else "NO"
        lines.append(f"| {name} | {target['found']} | {target['wanted']} | {met} |")
    return "\n".join(lines) + "\n"
