"""Chaos: changes flow while vendors fail, workers are killed, the broker and the database go away and a clock is wrong.

At the end the vendors must have what they have after the same changes in peace: nothing lost, nothing made twice, and
questions only about what cannot be proved. The plot shows the backlog and what arrived, over time.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import sqlalchemy as sa
from kombu.exceptions import OperationalError

from bench.company import PROJECT, Company
from bench.entered import SEED, Entered
from bench.peace import Found, held_against_peace
from bench.plot import Line, over_time
from bench.processes import family
from bench.result import Goal, Result, say
from bench.servers import NotInstalled, Server, postgresql, rabbitmq, redis
from syncengine.bootstrap import open_ledger, own_queue
from syncengine.sandbox.process import SandboxProcess
from syncengine.service import Service
from tests.integration.support import Output
from tests.support.faults import strike
from workers.celery import make_app

STACKS: dict[str, Callable[[Path], Server]] = {
    "postgresql-redis": redis,
    "postgresql-rabbitmq": rabbitmq,
}
VENDORS = ("heavenhr", "weekly10")
TIMES = {
    "SYNCENGINE_LEASE": "10",
    "SYNCENGINE_REQUEST_TIMEOUT": "3",
    "SYNCENGINE_SWEEP": "1",
}
"""Shorter than one would set them, so that what a dead worker held is free soon."""
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
WRONG = 7200
"""Seconds by which one worker's clock is wrong, to either side."""
LONGEST = 1800.0
"""Seconds after which what is not at rest is given up."""


def options(parser: argparse.ArgumentParser) -> None:
    """Of the command."""
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--changes", type=int, default=10_000)
    parser.add_argument("--share", type=float, default=0.1, help="of the calls that fail")
    parser.add_argument("--every", type=float, default=2.0, help="seconds between two kills")
    parser.add_argument(
        "--frozen", type=float, default=30.0, help="seconds of a database that hangs"
    )
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--stacks", nargs="+", choices=STACKS, default=list(STACKS))


def run(asked: argparse.Namespace) -> Result:
    """A storm over each stack."""
    result = Result("chaos", "Changes in a storm", "", "")
    result.options = vars(asked)
    for stack in asked.stacks:
        try:
            told = storm(stack, asked)
        except NotInstalled as missing:
            result.skipped.append(f"{stack}: {missing}")
            continue
        for name, figure in told.figures().items():
            most = 0 if name in ("lost", "made twice", "written twice") else None
            goal = None if most is None else Goal(most=most, absolute=True)
            result.case(f"{stack}: {name}", goal).engine.append(figure)
        result.plots[stack] = told.plot(stack)
    return result


@dataclass(slots=True)
class Storm:
    """What a storm did and left. ``seen``: seconds since its begin, backlog, writes that were settled. ``marks``:
    seconds since its begin, and what began then. ``written``: writes that the service settled until it was at rest."""

    began: float = field(default_factory=time.monotonic)
    seen: list[tuple[float, int, int]] = field(default_factory=list)
    marks: list[tuple[float, str]] = field(default_factory=list)
    struck: Counter[str] = field(default_factory=Counter)
    changes: int = 0
    took: float = 0.0
    written: int = 0
    found: Found = field(default_factory=Found)

    def mark(self, what: str) -> None:
        """Something begins now."""
        self.struck[what] += 1
        self.marks.append((time.monotonic() - self.began, what))
        say(f"{self.marks[-1][0]:6.0f} s: {what}")

    def figures(self) -> dict[str, float]:
        """By name."""
        return {
            "changes": self.changes,
            "seconds until all was at rest": round(self.took),
            **{
                f"times: {what}": count
                for what, count in sorted(self.struck.items())
                if what != OVER
            },
            "writes of the service": self.written,
            **self.found.figures(),
        }

    def plot(self, stack: str) -> str:
        """Backlog and writes over time, as SVG."""
        at = [second for second, _, _ in self.seen]
        lines = [
            Line("rows and writes that wait", at, [float(n) for _, n, _ in self.seen]),
            Line("writes settled", at, [float(n) for _, _, n in self.seen]),
        ]
        told = [(at, what) for at, what in self.marks if what != KILLED]
        return over_time(f"Changes in a storm: {stack}", lines, told)


KILLED = "a worker is killed"
OVER = "all is entered, and nothing is in the way any more"
LED = 0.15
"""Of the kills, those of a process that leads others."""


def storm(stack: str, asked: argparse.Namespace) -> Storm:
    """One storm, from a company at peace to one at rest again. Raises NotInstalled."""
    with ExitStack() as undo:
        database, broker = (
            undo.enter_context(make(undo.enter_context(_folder())))
            for make in (postgresql, STACKS[stack])
        )
        sandbox = undo.enter_context(SandboxProcess(people=asked.people, seed=SEED))
        made = undo.enter_context(_company(sandbox, database, broker))
        made.first_pass()
        storm = Storm()
        entered, before = Entered(made.people), made.applied()
        with _service(made, asked.workers) as service:
            strike(sandbox, VENDORS, asked.share)
            with _watched(made, storm):
                with _killed(service, storm, asked.every):
                    _weather(storm, entered, made, database, broker, asked)
                storm.mark(OVER)
                sandbox.clear_faults()
                storm.changes = len(entered.acts)
                _until_rest(made)
            storm.took = time.monotonic() - storm.began
            storm.written = made.applied() - before
        storm.found = held_against_peace(made, entered, asked.people)
    return storm


@contextmanager
def _folder() -> Iterator[Path]:
    with TemporaryDirectory() as name:
        # A server's own user has to come through.
        Path(name).chmod(0o755)
        inner = Path(name) / "server"
        inner.mkdir()
        yield inner


@contextmanager
def _company(sandbox: SandboxProcess, database: Server, broker: Server) -> Iterator[Company]:
    environment = {
        **os.environ,
        **sandbox.env,
        **TIMES,
        "SYNCENGINE_PROJECT": str(PROJECT),
        "SYNCENGINE_DATABASE_URL": database.url,
        "SYNCENGINE_BROKER_URL": broker.url,
    }
    engine = sa.create_engine(database.url, pool_pre_ping=True, connect_args={"connect_timeout": 5})
    try:
        yield Company(sandbox, environment, engine)
    finally:
        engine.dispose()


@contextmanager
def _service(made: Company, workers: int, **more: str) -> Iterator[Service]:
    """The service without its pages; a part of it where ``more`` variables make it another host."""
    parts = ("worker",) if more else ("worker", "live", "beat")
    with Service(
        made.settings, {**made.environment, **more}, parts, 0, 0, workers, Output()
    ) as service:
        yield service


def _weather(
    storm: Storm, entered: Entered, made: Company, database: Server, broker: Server,
    asked: argparse.Namespace,
) -> None:  # fmt: skip
    """Enter the changes, and let happen what happens at its part of the way."""
    shares: list[tuple[float, Callable[[], None]]] = [
        (0.15, lambda: _away(storm, broker, "the broker is stopped", 5)),
        (0.30, lambda: _wrong_clock(storm, made, f"+{WRONG}")),
        (0.40, lambda: _away(storm, database, "the database is restarted", 1)),
        (0.50, lambda: _frozen(storm, database, asked.frozen)),
        (0.60, lambda: _away(storm, broker, "the broker is stopped", 5)),
        (0.70, lambda: _wrong_clock(storm, made, f"-{WRONG}")),
        (0.80, lambda: _away(storm, database, "the database is restarted", 1)),
    ]
    for number in range(asked.changes):
        entered.one(made.sandbox)
        while shares and number >= shares[0][0] * asked.changes:
            shares.pop(0)[1]()
        if number % 100 == 99:
            _poll(made)


PLACES = (("heavenhr", "employees"), ("weekly10", "users"))


def _poll(made: Company, *kinds: str) -> None:
    """What a web hook would tell: both vendors have news."""
    try:
        with make_app(own_queue(made.settings)) as app:
            for place, kind in zip(PLACES, kinds or ("poll", "scan"), strict=True):
                app.send_task("syncengine.capture", args=([*place, kind],), retry=False)
    except OperationalError:
        say("not told: the broker is away")


def _away(storm: Storm, server: Server, what: str, seconds: float) -> None:
    storm.mark(what)
    server.stop()
    time.sleep(seconds)
    server.start()


def _frozen(storm: Storm, server: Server, seconds: float) -> None:
    storm.mark("the database hangs")
    server.freeze()
    time.sleep(seconds)
    server.thaw()


def _wrong_clock(storm: Storm, made: Company, by: str) -> None:
    """Another host joins for a while whose clock is wrong."""
    if not FAKETIME.exists():
        say("no libfaketime: apt-get install libfaketime")
        return
    storm.mark(f"a worker's clock is wrong by {by} s")
    wrong = {"LD_PRELOAD": str(FAKETIME), "FAKETIME": by, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    with _service(made, 1, **wrong):
        time.sleep(15)


@contextmanager
def _killed(service: Service, storm: Storm, every: float) -> Iterator[None]:
    """Every so often a process of a worker is killed, now and then the one that leads the others. One that still comes
    up is left alone: nothing is under way in it."""
    over, drawn = threading.Event(), random.Random(SEED)

    def kill() -> None:
        while not over.wait(every):
            leaders = [pid for name, pid in service.pids.items() if name in ("worker", "live")]
            up = {leader: sorted(family(leader) - {leader}) for leader in leaders}
            up = {leader: children for leader, children in up.items() if children}
            if not up:
                continue
            leader = drawn.choice(sorted(up))
            try:
                os.kill(
                    leader if drawn.random() < LED else drawn.choice(up[leader]), signal.SIGKILL
                )
            except ProcessLookupError:
                continue
            storm.mark(KILLED)

    yield from _thread(kill, over)


@contextmanager
def _watched(made: Company, storm: Storm) -> Iterator[None]:
    """Twice a second the backlog is counted."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.5):
            try:
                waiting, settled = _waiting(made), made.applied()
            except sa.exc.DBAPIError:
                continue
            storm.seen.append((time.monotonic() - storm.began, waiting, settled))

    yield from _thread(watch, over)


def _thread(work: Callable[[], None], over: threading.Event) -> Iterator[None]:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _waiting(made: Company) -> int:
    """Rows that are due to be read or decided, and writes that are not settled."""
    return made.scalar(
        "SELECT (SELECT count(*) FROM links WHERE dirty > 0 OR need_get)"
        " + (SELECT count(*) FROM operations WHERE state IN ('pending', 'claimed', 'unknown')"
        "    AND link_id NOT IN (SELECT link_id FROM cases WHERE closed_at IS NULL AND link_id IS NOT NULL))"
    )


def _until_rest(made: Company) -> None:
    """Wait until the service has listed both vendors once more and has nothing left to do. Raises RuntimeError."""
    since, until, calm, asked = time.time(), time.monotonic() + LONGEST, 0, 0.0
    while calm < 5:
        if time.monotonic() > until:
            raise RuntimeError(f"{_waiting(made)} rows and writes wait after {LONGEST:.0f} s")
        listed = all(at > since for at in _listed_at(made))
        if not listed and time.monotonic() > asked + 20:
            _poll(made, "scan", "scan")
            asked = time.monotonic()
        time.sleep(1)
        calm = calm + 1 if listed and _waiting(made) == 0 else 0


def _listed_at(made: Company) -> list[float]:
    """When the last complete listing of each vendor began."""
    with (
        patch.dict(os.environ, made.environment),
        open_ledger(made.settings) as ledger,
        ledger.read() as tx,
    ):
        return [tx.resource(*place).scanned_at for place in PLACES]
