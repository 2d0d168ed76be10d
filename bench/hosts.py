"""Two hosts over one: writes per second to three vendors that take 50 ms a call, and what a host loses that is cut off.

A host is a worker in a process group of its own; both share nothing but the database and the broker, which the second
one reaches through lines that can be cut.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from sqlalchemy import make_url

from bench.company import Company, running
from bench.result import Goal, Result, say
from bench.slow import slow_vendors
from syncengine.service import Service
from syncengine.settings import read_settings
from tests.integration.support import Output
from tests.support.proxy import Proxy

STACKS = ("postgresql-redis", "postgresql-rabbitmq")
VENDORS = 3
CUT = 30.0
"""Seconds for which the second host is cut off; longer than a lease."""


def options(parser: argparse.ArgumentParser) -> None:
    """Of the command."""
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--changes", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stacks", nargs="+", choices=STACKS, default=["postgresql-redis"])


def run(asked: argparse.Namespace) -> Result:
    """Both in turn, and then the cut."""
    result = Result("hosts", "Two hosts on one database and one broker", "writes/s", "one host")
    result.options = vars(asked)
    for stack in asked.stacks:
        with ExitStack() as undo:
            made = slow_vendors(undo, stack, asked.people, VENDORS)
            case = result.case(f"{stack}: two hosts", Goal(least=1.8))
            for number in range(asked.rounds):
                case.limit.append(rate(made, asked.changes, 1, f"A{number}x").a_second)
                case.engine.append(rate(made, asked.changes, 2, f"B{number}x").a_second)
                say(f"{case.name}: {case.engine[-1]:.0f}, one {case.limit[-1]:.0f} writes/s")
            told = rate(made, asked.changes, 2, "Cx", cut=True)
            for name, figure in (("lost", told.lost), ("written twice", told.twice)):
                named = f"{stack}: {name}, a host cut off for {CUT:.0f} s"
                result.case(named, Goal(most=0, absolute=True)).engine.append(figure)
    return result


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a round: writes a second; names that did not arrive at the first vendor; writes beyond one for each
    name."""

    a_second: float
    lost: int
    twice: int


def rate(made: Company, count: int, hosts: int, mark: str, cut: bool = False) -> Told:
    """Rename people and wait until all is settled. ``cut``: the second host is cut off in the middle."""
    before, arrived = made.applied(), _arrived(made)
    with running(made, 1, ("worker", "live", "beat")) as service, ExitStack() as undo:
        lines = undo.enter_context(second_host(made)) if hosts > 1 else ()
        names = made.rename(count, mark)
        service.send("capture", ["heavenhr", "employees", "poll"])
        began = time.monotonic()
        if cut:
            service.until_applied(before + count // 4)
            for line in lines:
                line.hang()
            time.sleep(CUT)
            for line in lines:
                line.go_on()
        service.until_applied(before + count * VENDORS)
        took = time.monotonic() - began
    return Told(
        count * VENDORS / took, count - made.arrived(names), _arrived(made) - arrived - count
    )


def _arrived(made: Company) -> int:
    """Writes that the first of the vendors has done."""
    return int(made.sandbox.counters()["weekly10"]["applied"])


@contextmanager
def second_host(made: Company) -> Iterator[Sequence[Proxy]]:
    """A worker elsewhere; its lines to database and broker."""
    environment, lines = dict(made.environment), list[Proxy]()
    with ExitStack() as undo:
        for name, port in (("SYNCENGINE_DATABASE_URL", 5432), ("SYNCENGINE_BROKER_URL", 0)):
            url = make_url(environment[name])
            known = url.port or port or (5672 if "amqp" in url.drivername else 6379)
            line = undo.enter_context(Proxy(url.host or "127.0.0.1", known))
            environment[name] = url.set(port=line.port).render_as_string(hide_password=False)
            lines.append(line)
        with Service(read_settings(environment), environment, ("worker",), 0, 0, 1, Output()):
            time.sleep(4)
            yield lines
