"""The whole thing for tests: simulated vendors, a store and a broker of their own, and the service's processes."""

from __future__ import annotations

import io
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import redis
from kombu import Connection, Exchange, Queue
from ruamel.yaml import YAML

from syncengine.adapters.vendors import CATALOG
from syncengine.bootstrap import open_engine, open_ledger
from syncengine.flows.core.engine import Engine
from syncengine.ledger import Ledger
from syncengine.model.operation import UNSETTLED
from syncengine.ports import Clock
from syncengine.process import free_port
from syncengine.sandbox.process import Row, SandboxProcess
from syncengine.service import Service
from syncengine.settings import Settings, read_settings
from tests.support.databases import empty_database, migrated_file
from tests.support.places import MAPPINGS
from workers.queue import LANES, queue_name

REDIS = os.environ.get("SYNCENGINE_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")
RABBITMQ = os.environ.get("SYNCENGINE_TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//")
VENDORS = tuple(CATALOG)
QUICK = {"SYNCENGINE_LEASE": "3", "SYNCENGINE_REQUEST_TIMEOUT": "1.5", "SYNCENGINE_SWEEP": "0.5"}
"""Timings under which a test does not wait long."""


class Quick:
    """Real time, of which waiting takes a twentieth; ``ahead`` by so many seconds."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        return time.time() + self.ahead

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / 20)
        self.ahead += seconds * 19 / 20


@contextmanager
def opened(
    sandbox: SandboxProcess, folder: Path, clock: Clock | None = None, **other: str
) -> Iterator[Engine]:
    """An engine on the shipped project and an empty store, its environment with ``other`` values."""
    place = {
        "SYNCENGINE_PROJECT": str(MAPPINGS),
        "SYNCENGINE_DATABASE_URL": migrated_file(folder / "engine.db"),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**sandbox.env, **place, **other}.items():
            patch.setenv(name, value)
        with open_engine(read_settings(), clock=clock) as engine:
            yield engine


class Output(io.StringIO):
    """What the processes print, written by several threads."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def write(self, text: str) -> int:
        with self._lock:
            return super().write(text)


@dataclass
class Stack:
    """A running service and its vendors. ``output`` has what its processes print."""

    sandbox: SandboxProcess
    settings: Settings
    environment: Mapping[str, str]
    service: Service
    output: Output
    ledger: Ledger

    def rows(self, vendor: str, resource: str, **wanted: Any) -> list[Row]:
        """The vendor's final rows that have these values."""
        rows = self.sandbox.state(vendor, resource)
        return [r for r in rows if all(r.get(name) == value for name, value in wanted.items())]

    def quiet(self) -> bool:
        """Whether nothing is under way in the engine: all rows were seen, all changes written."""
        with self.ledger.read() as tx:
            return (
                all(tx.resource(*place).scanned_at for place in PLACES)
                and not tx.dirty_count()
                and not tx.derivations_due(1)
                and not tx.select_operations(UNSETTLED, limit=1)
            )

    def until(
        self, true: Callable[[], bool], what: str, seconds: float = 60, pause: float = 0.1
    ) -> float:
        """Wait for something; seconds that it took. Fails with what the processes printed last."""
        started = time.monotonic()
        while time.monotonic() - started < seconds:
            if true():
                return time.monotonic() - started
            time.sleep(pause)
        printed = "\n".join(self.output.getvalue().splitlines()[-40:])
        return pytest.fail(f"not so after {seconds:g} s: {what}\n{printed}")


PLACES = tuple(
    (account, resource)
    for account, connection in YAML(typ="safe")
    .load(MAPPINGS / "connections.yaml")["connections"]
    .items()
    for resource in connection["resources"]
)
"""Everything that the shipped project lists."""


def quick_project(folder: Path, spans: Mapping[str, str]) -> Path:
    """The shipped project with other spans between its listings: ``{"scan: 15m": "scan: 2s"}``."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in MAPPINGS.glob("*.yaml"):
        text = path.read_text("utf-8")
        for old, new in spans.items():
            text = re.sub(rf"\b{old}\b", new, text)
        (folder / path.name).write_text(text, "utf-8")
    return folder


@contextmanager
def stack(
    folder: Path,
    spans: Mapping[str, str],
    database: str = "sqlite",
    broker: str = "embedded",
    people: int = 12,
    seed: int = 1,
    more: tuple[str, ...] = (),
) -> Iterator[Stack]:
    """A service with worker and beat over vendors of its own; everything is gone afterwards. ``database``:
    sqlite or postgresql; ``broker``: embedded, redis or rabbitmq; ``more``: parts besides these."""
    with ExitStack() as undo:
        url = undo.enter_context(empty_database(database, folder))
        prefix = f"test-{uuid4().hex}."
        sandbox = undo.enter_context(SandboxProcess(people=people, seed=seed))
        environment = {
            **os.environ,
            **sandbox.env,
            **QUICK,
            "SYNCENGINE_PROJECT": str(quick_project(folder / "mappings", spans)),
            "SYNCENGINE_DATABASE_URL": url,
            "SYNCENGINE_BROKER_URL": undo.enter_context(broker_url(broker, prefix)),
            "SYNCENGINE_BROKER_PREFIX": prefix,
        }
        settings, output = read_settings(environment), Output()
        ledger = undo.enter_context(open_ledger(settings))
        parts = ("broker", "worker", "beat", *more)
        made = Service(settings, environment, parts, web_port=0, flower_port=0, output=output)
        service = undo.enter_context(made)
        yield Stack(sandbox, settings, environment, service, output, ledger)


@contextmanager
def broker_url(kind: str, prefix: str) -> Iterator[str]:
    """The URL of a broker; on a shared one everything under the prefix is deleted afterwards."""
    if kind == "embedded":
        yield f"embedded:{free_port()}"
        return
    url = there(REDIS if kind == "redis" else RABBITMQ)
    yield url
    if kind == "redis":
        client = redis.Redis.from_url(url)
        if keys := list(client.scan_iter(f"{prefix}*")):
            client.delete(*keys)
        client.close()
        return
    with Connection(url) as connection, connection.channel() as channel:
        lanes = [queue_name("", lane) for lane in LANES]
        for name in lanes:
            Queue(f"{prefix}{name}")(channel).delete()
        for name in (*lanes, "celeryev", "celery.pidbox", "reply.celery.pidbox"):
            Exchange(f"{prefix}{name}")(channel).delete()


def there(url: str) -> str:
    """The URL, if a server is there; without one the test is skipped, and with CI set it fails."""
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 0), 2).close()
    except OSError:
        reason = f"no server at {parts.hostname}:{parts.port}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return url


def new_person(number: int) -> Row:
    """Values of an employee who is entered in HeavenHR, unlike anybody else for each number."""
    return {
        "firstName": f"Wilma{number}",
        "lastName": f"Probst{number}",
        "email": f"wilma{number}@post.example",
        "professionalEmail": f"wilma{number}@alpenblick.example",
        "employeeNumber": str(50000 + number),
        "jobTitle": "Driver",
        "jobStatus": "CREATED_EXISTING",
        "startDate": "2024-01-01",
    }
