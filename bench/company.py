"""A company of a bench: simulated vendors, a ledger that knows all people, and the service on it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import sqlalchemy as sa

from bench.processes import cpu_of, measured
from syncengine.bootstrap import open_ledger
from syncengine.sandbox.process import Row, SandboxProcess
from syncengine.service import PARTS, Service
from syncengine.settings import Settings, read_settings
from tests.integration.support import Output, broker_url
from tests.support.databases import empty_database
from workers.celery import make_app

PROJECT = Path(__file__).parent / "project"
STACKS = {
    "sqlite-embedded": ("sqlite", "embedded"),
    "sqlite-redis": ("sqlite", "redis"),
    "postgresql-redis": ("postgresql", "redis"),
    "postgresql-rabbitmq": ("postgresql", "rabbitmq"),
}
"""Name -> database and broker."""
LONGEST = 600.0
"""Seconds after which a bench gives up."""


class TookTooLong(RuntimeError):
    """The engine did not get done. Says what its processes printed last."""


@dataclass(slots=True)
class Company:
    """Vendors and a ledger that agree. ``environment``: that of each process of the engine."""

    sandbox: SandboxProcess
    environment: Mapping[str, str]
    database: sa.Engine
    people: list[Row] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        """Of the environment."""
        return read_settings(self.environment)

    def scalar(self, statement: str, **values: object) -> int:
        """What SQL answers, for which no process of the engine is asked."""
        with self.database.connect() as connection:
            found: int = connection.execute(sa.text(statement), values).scalar_one()
        return found

    def size(self) -> int:
        """Bytes of the database."""
        if self.database.dialect.name == "postgresql":
            return self.scalar("SELECT pg_database_size(current_database())")
        return self.scalar(
            "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
        )

    def applied(self) -> int:
        """Writes that are settled, since ever."""
        return self.scalar("SELECT count(*) FROM operations WHERE state = 'applied'")

    def first_pass(self) -> None:
        """Read everybody, and make the accounts that are missing."""
        measured(self.environment, "pass")
        self.people = agreeing(self.sandbox)

    def rename(self, count: int, mark: str) -> dict[str, str]:
        """Enter other first names for this many people; employee -> the new name."""
        names = {row["id"]: f"{mark}{number}" for number, row in enumerate(self.people[:count])}
        for employee, name in names.items():
            self.sandbox.mutate("heavenhr", "employees", "update", employee, {"firstName": name})
        return names

    def arrived(self, names: Mapping[str, str]) -> int:
        """How many of the new names stand at the other vendor."""
        accounts = {row["account"]: row["id"] for row in self.people}
        users = {u["api_id"]: u["first_name"] for u in self.sandbox.state("weekly10", "users")}
        by_employee = {employee: account for account, employee in accounts.items()}
        return sum(users.get(by_employee[e]) == name for e, name in names.items())


def agreeing(sandbox: SandboxProcess) -> list[Row]:
    """Whoever is known for certain at both vendors: ``id`` of the employee, ``account`` of the other vendor."""
    employees = sandbox.state("heavenhr", "employees")
    emails = [(e["professionalEmail"] or "").casefold() for e in employees]
    users = {(u["email"] or "").casefold(): u for u in sandbox.state("weekly10", "users")}
    return [
        {"id": e["id"], "account": users[email]["api_id"]}
        for e, email in zip(employees, emails, strict=True)
        if email
        and email in users
        and emails.count(email) == 1
        and e["jobStatus"] != "LEFT"
        and users[email]["first_name"] == e["firstName"]
    ]


@contextmanager
def company(stack: str, people: int, project: Path = PROJECT, **more: str) -> Iterator[Company]:
    """A company of so many on this stack, that nobody has read yet; gone afterwards. ``more``: variables."""
    database, broker = STACKS[stack]
    prefix = f"bench-{uuid4().hex[:8]}."
    with ExitStack() as undo:
        folder = Path(undo.enter_context(TemporaryDirectory()))
        url = undo.enter_context(empty_database(database, folder))
        sandbox = undo.enter_context(SandboxProcess(people=people, seed=7))
        environment = {
            **os.environ,
            **sandbox.env,
            "SYNCENGINE_PROJECT": str(project),
            "SYNCENGINE_DATABASE_URL": url,
            "SYNCENGINE_BROKER_URL": undo.enter_context(broker_url(broker, prefix)),
            "SYNCENGINE_BROKER_PREFIX": prefix,
            **more,
        }
        engine = sa.create_engine(url)
        undo.callback(engine.dispose)
        yield Company(sandbox, environment, engine)


@dataclass(slots=True)
class Running:
    """A service that is ready for work."""

    company: Company
    service: Service
    output: Output

    def send(self, task: str, arguments: Sequence[str]) -> None:
        """A message for any worker."""
        app = make_app(self.company.settings)
        app.send_task(f"syncengine.{task}", args=(list(arguments),))
        app.close()

    def until_applied(self, count: int) -> tuple[float, float]:
        """Wait until so many writes are settled in all; seconds to the first new one, and to the last. Raises
        TookTooLong."""
        before, started, first = self.company.applied(), time.monotonic(), 0.0
        while (now := self.company.applied()) < count:
            took = time.monotonic() - started
            first = first or took * (now > before)
            if took > LONGEST:
                printed = "\n".join(self.output.getvalue().splitlines()[-20:])
                raise TookTooLong(f"{now} of {count} writes after {took:.0f} s\n{printed}")
            time.sleep(0.05)
        took = time.monotonic() - started
        return first or took, took

    def cpu(self) -> dict[str, float]:
        """Part -> CPU seconds of all its processes so far; of the vendors, too."""
        parts = {**self.service.pids, "vendors": self.company.sandbox.pid}
        return {name: cpu_of(pid) for name, pid in parts.items()}


@contextmanager
def running(made: Company, workers: int, parts: Sequence[str] = PARTS) -> Iterator[Running]:
    """The service on a company, once all its worker processes have told of themselves."""
    output, settings = Output(), made.settings
    started = time.time()
    with open_ledger(settings) as ledger:
        service = Service(
            settings,
            made.environment,
            parts,
            web_port=0,
            flower_port=0,
            concurrency=workers,
            output=output,
        )
        with service:
            while True:
                with ledger.read() as tx:
                    there = [
                        p
                        for p in tx.processes()
                        if p.kind in ("worker", "live") and p.since >= started - 60
                    ]
                    awaited = workers + ("live" in parts)
                    ready = len([p for p in there if p.seen_at >= started]) >= awaited
                if ready:
                    break
                if time.time() - started > 60:
                    raise TookTooLong(f"no {workers} workers after a minute\n{output.getvalue()}")
                time.sleep(0.1)
            time.sleep(2)
            yield Running(made, service, output)
