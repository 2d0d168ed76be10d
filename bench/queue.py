"""Links per second that the service looks at and finds in order, over bare Celery tasks that do nothing.

All links are due, and none needs anything. They are announced in messages of so many ids; the bare tasks carry one id
each, through the same broker, to as many worker processes. Times run from the first message to the last result.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import sqlalchemy as sa

from bench.company import LONGEST, STACKS, Company, Running, TookTooLong, company, running
from bench.result import Goal, Result, say
from syncengine.service import Service
from workers.celery import make_app
from workers.queue import CeleryQueue

WORKERS = 2


def options(parser: argparse.ArgumentParser) -> None:
    """Of the command."""
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--tasks", type=int, default=2000, help="bare tasks of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--stacks", nargs="+", choices=STACKS,
        default=["sqlite-embedded", "sqlite-redis", "postgresql-rabbitmq"],
    )  # fmt: skip


def run(asked: argparse.Namespace) -> Result:
    """Measure each stack, in turn with the bare tasks."""
    result = Result("queue", "Links looked at that need nothing", "links/s", "bare tasks/s")
    result.options = vars(asked)
    for stack in asked.stacks:
        try:
            with company(stack, asked.people) as made:
                made.first_pass()
                for _ in range(asked.rounds):
                    _round(result, stack, made, asked.tasks)
        except pytest.skip.Exception as missing:
            result.skipped.append(f"{stack}: {missing}")
    return result


def _round(result: Result, stack: str, made: Company, tasks: int) -> None:
    bare = bare_tasks(made, tasks)
    goal = Goal(least=1.0) if stack.endswith("redis") else None
    with running(made, WORKERS) as service:
        for batch in (100, 1):
            case = result.case(
                f"{stack}, {batch} id{'s' * (batch > 1)} a message", goal if batch > 1 else None
            )
            case.limit.append(bare)
            case.engine.append(_looked_at(service, batch))
            say(f"{case.name}: {case.engine[-1]:.0f} links/s, bare {bare:.0f} tasks/s")


def _looked_at(service: Running, batch: int) -> float:
    """Links a second: all are due, and announced in messages of so many ids."""
    made = service.company
    with made.database.begin() as connection:
        ids = list(
            connection.execute(
                sa.text("SELECT id FROM links WHERE record_id IS NOT NULL")
            ).scalars()
        )
        connection.execute(
            sa.text("UPDATE links SET dirty = dirty + 1 WHERE record_id IS NOT NULL")
        )
    app, started = make_app(made.settings), time.monotonic()
    queue = CeleryQueue(app)
    for at in range(0, len(ids), batch):
        queue.announce("reconcile", ids[at : at + batch])
    while made.scalar("SELECT count(*) FROM links WHERE dirty > 0 AND record_id IS NOT NULL"):
        _in_time(started)
        time.sleep(0.02)
    app.close()
    return len(ids) / (time.monotonic() - started)


def bare_tasks(made: Company, count: int) -> float:
    """Tasks a second that do nothing but tell that they ran."""
    with ExitStack() as undo:
        folder = Path(undo.enter_context(TemporaryDirectory()))
        undo.enter_context(Service(made.settings, made.environment, ("broker",), output=sys.stdout))
        ran = folder / "ran"
        ran.touch()
        undo.enter_context(_bare_worker(made, ran))
        app = make_app(made.settings)
        app.send_task("bench.nothing", args=(["id"],))
        _until_size(ran, 1)
        started = time.monotonic()
        for _ in range(count):
            app.send_task("bench.nothing", args=(["id"],))
        _until_size(ran, count + 1)
        app.close()
        return count / (time.monotonic() - started)


@contextmanager
def _bare_worker(made: Company, ran: Path) -> Iterator[None]:
    command = [
        sys.executable,
        "-m",
        "celery",
        "--quiet",
        "-A",
        "bench.tasks",
        "worker",
        "--without-gossip",
    ]
    command += ["--without-mingle", "--concurrency", str(WORKERS), "--loglevel", "ERROR"]
    environment = {**os.environ, **made.environment, "BENCH_RAN": str(ran)}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def _until_size(ran: Path, size: int) -> None:
    started = time.monotonic()
    while ran.stat().st_size < size:
        _in_time(started)
        time.sleep(0.005)


def _in_time(started: float) -> None:
    if time.monotonic() - started > LONGEST:
        raise TookTooLong(f"not done after {LONGEST:g} s")
