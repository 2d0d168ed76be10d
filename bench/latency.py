"""Seconds from a webhook to the write at the other vendor: at rest, and while a backlog is worked off.

One person after another is renamed, and the vendor's notice posted to the service. Times are taken from the vendors'
own request log. The limit makes the same three calls, one person at a time.
"""

from __future__ import annotations

import argparse
import base64
import json
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import httpx
from standardwebhooks import Webhook

from bench.bare import BareScript
from bench.company import STACKS, Running, company, running
from bench.result import Goal, Result, say

SECRET = "whsec_" + base64.b64encode(b"a secret of the bench, 32 bytes.").decode()
BETWEEN = 0.25
"""Seconds between two fresh changes while a backlog is worked off."""


def options(parser: argparse.ArgumentParser) -> None:
    """Of the command."""
    parser.add_argument("--notices", type=int, default=40, help="fresh changes of a round")
    parser.add_argument("--backlog", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--stacks", nargs="+", choices=STACKS, default=["sqlite-embedded", "postgresql-redis"]
    )


def run(asked: argparse.Namespace) -> Result:
    """Measure each stack at rest and under a backlog, in turn with the bare calls."""
    result = Result("latency", "From a webhook to the write", "seconds", "bare calls")
    result.options = vars(asked)
    people = int((asked.backlog + asked.notices) * 1.25) + 20
    with BareScript(asked.notices * 2 + 20) as bare:
        for stack in asked.stacks:
            with company(stack, people, SYNCENGINE_WEBHOOK_SECRET=SECRET) as made:
                made.first_pass()
                backlog = min(asked.backlog, len(made.people) - asked.notices)
                for number in range(asked.rounds):
                    calls = bare.seconds(asked.notices, f"{stack}{number}x", at_once=1)["each"]
                    with running(made, asked.workers) as service:
                        idle = _at_rest(service, asked.notices, f"I{number}x")
                        _note(result, f"{stack}, at rest", idle, calls, Goal(most=2))
                        busy = _behind(service, backlog, asked.notices, f"L{number}x")
                        goal = Goal(most=2, absolute=True)
                        _note(result, f"{stack}, backlog of {backlog:,}", busy, calls, goal)
    return result


def _note(
    result: Result, name: str, found: Sequence[float], calls: Sequence[float], goal: Goal
) -> None:
    """A case for p50 and one for p95; the goal of a backlog is about p95, the one at rest about p50."""
    for share in (50, 95, 99):
        wanted = goal if share == (95 if goal.absolute else 50) else None
        case = result.case(f"{name}, p{share}", wanted)
        case.engine.append(_percentile(found, share))
        case.limit.append(_percentile(calls, share))
        say(f"{case.name}: {case.engine[-1]:.3f} s, bare {case.limit[-1]:.3f} s")


def _percentile(values: Sequence[float], share: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[share - 1]


def _at_rest(service: Running, notices: int, mark: str) -> list[float]:
    """Each change is made when the one before has arrived."""
    made, told = service.company, dict[str, float]()
    for number, row in enumerate(made.people[-notices:]):
        before = made.applied()
        told[row["account"]] = _notify(service, row["id"], f"{mark}{number}")
        service.until_applied(before + 1)
    return _written(service, told)


def _behind(service: Running, backlog: int, notices: int, mark: str) -> list[float]:
    """Fresh changes of others while everybody else's change is on its way."""
    made, told = service.company, dict[str, float]()
    made.rename(backlog, mark)
    before = made.applied()
    service.send("capture", ["heavenhr", "employees", "poll"])
    time.sleep(1)
    for number, row in enumerate(made.people[-notices:]):
        told[row["account"]] = _notify(service, row["id"], f"{mark}f{number}")
        time.sleep(BETWEEN)
    left = before + backlog + notices - made.applied()
    say(f"{left} of {backlog} changes were left when the last notice was given")
    service.until_applied(before + backlog + notices)
    return _written(service, told)


def _notify(service: Running, employee: str, name: str) -> float:
    """Rename somebody and post the notice; when it was posted."""
    service.company.sandbox.mutate("heavenhr", "employees", "update", employee, {"firstName": name})
    body, now = json.dumps({"resource": "employees", "id": employee}), datetime.now(UTC)
    headers = {
        "webhook-id": f"{employee}-{name}",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign(f"{employee}-{name}", now, body),
    }
    told = time.time()
    url = f"{service.service.web_url}/events/heavenhr"
    httpx.post(url, content=body, headers=headers, timeout=30).raise_for_status()
    return told


def _written(service: Running, told: dict[str, float]) -> list[float]:
    """Account -> when its change was told of; seconds from there to the vendor's PATCH."""
    asked = service.company.sandbox.requests()
    writes = [(r["path"], r["at"]) for r in asked if r["method"] == "PATCH"]
    return [
        min(
            when for path, when in writes if path.rstrip("/").endswith(f"/{account}") and when >= at
        )
        - at
        for account, at in told.items()
    ]
