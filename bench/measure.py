"""The processes that are measured: ``python -m bench.measure pass``, ``plan`` and ``bare FILE``. Each prints one JSON
document."""

from __future__ import annotations

import cProfile
import json
import os
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Engine as Database
from sqlalchemy import event

from syncengine.bootstrap import open_engine
from syncengine.flows.run.sync import sync
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
    """One ``plan`` of everything, for which no vendor is called."""
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


if __name__ == "__main__":
    what, *more = sys.argv[1:]
    if what == "bare":
        print(json.dumps(bare(Path(more[0]))))
    else:
        print(
            json.dumps(
                from_the_mirror() if what == "plan" else one_pass(os.environ.get("BENCH_PROFILE"))
            )
        )
