"""The processes that are measured: ``python -m bench.measure NAME [FILE]``. Each prints one JSON document."""

from __future__ import annotations

import cProfile
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Engine as Database
from sqlalchemy import event

from syncengine.bootstrap import open_engine
from syncengine.flows.run.sync import observe, sync
from syncengine.flows.views.plan import plan
from syncengine.settings import read_settings


@dataclass
class Statements:
    """Counts SQL statements by transaction. ``most``: in the transaction that had most of them."""

    total: int = 0
    transactions: int = 0
    most: int = 0
    _now: int = field(default=0, repr=False)

    def watch(self) -> None:
        """Count on all engines of this process, from now on."""
        event.listen(Database, "begin", self._begin)
        event.listen(Database, "before_cursor_execute", self._execute)

    def _begin(self, *_: Any) -> None:
        self.transactions += 1
        self._now = 0

    def _execute(self, *_: Any) -> None:
        self.total += 1
        self._now += 1
        self.most = max(self.most, self._now)


def peak() -> float:
    """The most memory that this process held, in MB."""
    status = Path("/proc/self/status").read_text("utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def one_pass(profile: str | None) -> dict[str, Any]:
    """One ``sync`` as the environment says. ``profile``: a file for what cProfile saw."""
    statements, profiler = Statements(), cProfile.Profile()
    with open_engine(read_settings()) as engine:
        statements.watch()
        started, worked = time.perf_counter(), time.process_time()
        if profile:
            profiler.enable()
        document = sync(engine)
        profiler.disable()
        took, cpu = time.perf_counter() - started, time.process_time() - worked
    if profile:
        profiler.dump_stats(profile)
    return {
        "seconds": took,
        "cpu": cpu,
        "peak_mb": peak(),
        "statements": statements.total,
        "transactions": statements.transactions,
        "most_statements": statements.most,
        "converged": document["converged"],
        "applied": document["operations"]["applied"],
        "calls": sum(
            c["calls"]["reads"] + c["calls"]["writes"] for c in document["connections"].values()
        ),
    }


def from_the_mirror() -> dict[str, Any]:
    """One ``plan`` of what is known, for which no vendor is called."""
    with open_engine(read_settings()) as engine:
        started, worked = time.perf_counter(), time.process_time()
        document = plan(engine)
        took, cpu = time.perf_counter() - started, time.process_time() - worked
        sent = [connector.tally for connector in engine.connectors.values()]
    return {
        "seconds": took,
        "cpu": cpu,
        "peak_mb": peak(),
        "changes": len(document["changes"]),
        "calls": sum(tally.reads + tally.writes for tally in sent),
    }


def listed_only() -> dict[str, Any]:
    """Everything is read and told apart, and nothing is written: what a first plan rests on."""
    with open_engine(read_settings()) as engine:
        started = time.perf_counter()
        observe(engine)
        return {"seconds": time.perf_counter() - started}


def bare(told_in: Path) -> dict[str, Any]:
    """The same requests by an httpx client and nothing else: fetched and decoded, with the same concurrency.
    ``told_in`` holds ``{"width": 4, "groups": [{"headers": {...}, "urls": [...], "at_once": true}]}``."""
    told = json.loads(told_in.read_text("utf-8"))
    started, worked, bytes_read = time.perf_counter(), time.process_time(), 0
    clients: dict[str, httpx.Client] = defaultdict(lambda: httpx.Client(timeout=30))
    with ThreadPoolExecutor(told["width"]) as pool:
        for group in told["groups"]:
            client = clients[group["vendor"]]

            def fetch(
                url: str, client: httpx.Client = client, headers: Any = group["headers"]
            ) -> int:
                answer = client.get(url, headers=headers)
                json.loads(answer.content)
                return len(answer.content)

            each = pool.map(fetch, group["urls"]) if group["at_once"] else map(fetch, group["urls"])
            bytes_read += sum(each)
    took, cpu = time.perf_counter() - started, time.process_time() - worked
    for client in clients.values():
        client.close()
    return {"seconds": took, "cpu": cpu, "peak_mb": peak(), "bytes": bytes_read}


def bare_changes(told_in: Path) -> dict[str, Any]:
    """The calls that changed people cost, by an httpx client and nothing else: list what changed, then for each person
    read both rows and write one, so many people at once. ``told_in``: ``width``, ``headers`` by vendor, ``lists_both``,
    and ``changes`` with ``employee`` and ``account``."""
    told = json.loads(told_in.read_text("utf-8"))
    here, there = (os.environ[f"{name}_BASE_URL"] for name in ("HEAVENHR", "WEEKLY10"))
    mine, theirs = (
        httpx.Client(timeout=30, headers=told["headers"][v]) for v in ("heavenhr", "weekly10")
    )

    def one(change: dict[str, str]) -> float:
        began = time.perf_counter()
        account = f"{there}/users/{change['account']}/"
        row = mine.get(f"{here}/employees/{change['employee']}").raise_for_status().json()
        theirs.get(account).raise_for_status().json()
        theirs.patch(account, json={"first_name": row["firstName"]}).raise_for_status().json()
        return time.perf_counter() - began

    started, worked = time.perf_counter(), time.process_time()
    page, unseen = 0, {change["employee"] for change in told["changes"]}
    while unseen:
        query = {"page": str(page), "pageSize": "200"}
        answer = mine.get(f"{here}/employees", params=query).raise_for_status().json()
        unseen -= {row["id"] for row in answer["data"]}
        page += 1
    url = f"{there}/users/" if told["lists_both"] else None
    while url:
        url = theirs.get(url).raise_for_status().json()["next"]
    with ThreadPoolExecutor(told["width"]) as pool:
        each = list(pool.map(one, told["changes"]))
    took, cpu = time.perf_counter() - started, time.process_time() - worked
    mine.close()
    theirs.close()
    return {"seconds": took, "cpu": cpu, "each": each}


def bare_first(told_in: Path) -> dict[str, Any]:
    """The calls of a first pass, by an httpx client and nothing else: list both vendors, read each employee, look for
    each account that is missing, and make it. ``told_in``: ``width`` and ``headers`` by vendor."""
    told = json.loads(told_in.read_text("utf-8"))
    here, there = (os.environ[f"{name}_BASE_URL"] for name in ("HEAVENHR", "WEEKLY10"))
    mine, theirs = (
        httpx.Client(timeout=30, headers=told["headers"][v]) for v in ("heavenhr", "weekly10")
    )

    def read(employee: str) -> dict[str, Any]:
        row: dict[str, Any] = mine.get(f"{here}/employees/{employee}").raise_for_status().json()
        return row

    def make(row: dict[str, Any]) -> None:
        account = row["employeeNumber"] or row["id"]
        if theirs.get(f"{there}/users/{account}/").status_code == 404:
            body = {
                "api_id": account, "first_name": row["firstName"], "last_name": row["lastName"],
                "email": row["professionalEmail"], "language": "en_gb", "is_active": True,
            }  # fmt: skip
            theirs.post(f"{there}/users/", json=body)

    started, worked = time.perf_counter(), time.process_time()
    page, employees = 0, list[str]()
    while len(employees) == 200 * page:
        query = {"page": str(page), "pageSize": "200"}
        answer = mine.get(f"{here}/employees", params=query)
        if answer.status_code == 404:
            break
        employees += [row["id"] for row in answer.json()["data"]]
        page += 1
    known, url = set[str](), f"{there}/users/"
    while url:
        answer = theirs.get(url).raise_for_status().json()
        known |= {row["email"] for row in answer["results"]}
        url = answer["next"]
    with ThreadPoolExecutor(told["width"]) as pool:
        rows = list(pool.map(read, employees))
        left = [r for r in rows if r["professionalEmail"] not in known and r["jobStatus"] != "LEFT"]
        list(pool.map(make, left))
    took, cpu = time.perf_counter() - started, time.process_time() - worked
    mine.close()
    theirs.close()
    return {"seconds": took, "cpu": cpu, "people": len(rows), "made": len(left)}


def imported(connection: str) -> dict[str, Any]:
    """One vendor is read into an empty ledger, and nothing is written to any."""
    with open_engine(read_settings()) as engine:
        started, worked = time.perf_counter(), time.process_time()
        sync(engine, connection)
        took, cpu = time.perf_counter() - started, time.process_time() - worked
        with engine.ledger.read() as tx:
            rows = tx.resource(connection, "employees").rows
    return {"seconds": took, "cpu": cpu, "rows": rows}


MEASURES: dict[str, Callable[..., dict[str, Any]]] = {
    "pass": lambda: one_pass(os.environ.get("BENCH_PROFILE")),
    "observe": listed_only,
    "import": imported,
    "plan": from_the_mirror,
    "bare": lambda file: bare(Path(file)),
    "first": lambda file: bare_first(Path(file)),
    "changes": lambda file: bare_changes(Path(file)),
}

if __name__ == "__main__":
    what, *more = sys.argv[1:]
    print(json.dumps(MEASURES[what](*more)))
