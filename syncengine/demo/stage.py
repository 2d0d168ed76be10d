"""The stage of the story: the simulated vendors, the whole service, and an engine that looks at its ledger."""

from __future__ import annotations

import os
import shlex
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
from cryptography.fernet import Fernet

from syncengine.bootstrap import open_engine, own_queue
from syncengine.edition import starter
from syncengine.flows.core.engine import Engine
from syncengine.flows.run.sweep import listed
from syncengine.model.operation import UNSETTLED
from syncengine.process import free_port
from syncengine.sandbox.process import Row, SandboxProcess
from syncengine.service import Service
from syncengine.settings import read_settings
from workers.celery import make_app
from workers.queue import NAMESPACE, CeleryQueue

T = TypeVar("T")
Place = tuple[str, str, str]
"""Connection, resource, and ``poll`` or ``scan``: what a capture is asked for."""

TIMINGS = {
    "SYNCENGINE_LEASE": "4",
    "SYNCENGINE_REQUEST_TIMEOUT": "1.5",
    "SYNCENGINE_SWEEP": "1",
}
"""Seconds. Short, so that nobody has to wait for what a dead process had leased."""
LOOK = 0.2
"""Seconds between two looks at what is waited for."""
REMIND = 3.0
"""Seconds after which a capture is announced again: one that finds its vendor busy returns at once."""


class NotSo(Exception):
    """A step of the story does not hold: what was expected, and what was found."""

    def __init__(self, expected: str, found: object) -> None:
        super().__init__(f"expected {expected}; found {found}")
        self.expected, self.found = expected, found


class Stage:
    """Everything the story needs, as a context: vendors and service run inside it, afterwards nothing does.

    ``broker_url``: a broker that runs already; one of its own if not given. ``folder`` holds the database and
    what the parts of the service print. Raises BrokerUnusable, ConfigInvalid, RuntimeError.
    """

    sandbox: SandboxProcess
    service: Service
    engine: Engine

    def __init__(self, people: int, broker_url: str | None = None) -> None:
        self.people = people
        self.folder = Path(tempfile.mkdtemp(prefix="syncengine-demo-"))
        self.log = self.folder / "service.log"
        self._broker_url = broker_url or f"embedded:{free_port()}"
        self._key = Fernet.generate_key().decode()
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            self.sandbox = opening.enter_context(SandboxProcess(people=self.people))
            opening.enter_context(_environment_of(self._outside() | self.inside()))
            settings = own_queue(read_settings(os.environ))
            self.output = opening.enter_context(self.log.open("a", encoding="utf-8"))
            # The schema is made before the parts that share the database start.
            self.app = make_app(settings)
            queue = CeleryQueue(self.app)
            self.engine = opening.enter_context(open_engine(settings, queue=queue))
            # A worker that is stopped while it starts leaves its temporary folder: it goes with ours.
            environment = {**os.environ, "TMPDIR": str(self.folder)}
            self.service = Service(
                settings, environment, web_port=0, flower_port=0, output=self.output
            )
            opening.enter_context(self.service)
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _outside(self) -> dict[str, str]:
        """What is set outside, but for what concerns the engine or a vendor."""
        ours = {name.split("_")[0] for name in (*self.sandbox.env, *self.inside())} | {
            "CELERY",
            "FLOWER",
        }
        return {name: v for name, v in os.environ.items() if name.split("_")[0] not in ours}

    def inside(self) -> dict[str, str]:
        """The environment of the service, on top of what is set outside."""
        return {
            **self.sandbox.env,
            **TIMINGS,
            "SYNCENGINE_PROJECT": str(starter()),
            "SYNCENGINE_DATABASE_URL": f"sqlite:///{self.folder / 'demo.db'}",
            "SYNCENGINE_AUTHOR": "guest",
            "SYNCENGINE_ENCRYPTION_KEYS": self._key,
            "SYNCENGINE_BROKER_URL": self._broker_url,
        }

    # asking the service

    def announce(self, places: Iterable[Place]) -> None:
        """Ask the workers to capture."""
        for place in places:
            self.engine.queue.announce("capture", place)

    def until(
        self, expected: str, look: Callable[[], T], holds: Callable[[T], object],
        ask: Sequence[Place] = (), seconds: float = 60,
    ) -> T:  # fmt: skip
        """Ask the workers to capture, then look again and again until it holds. Returns what was seen. Raises
        NotSo after ``seconds``."""
        deadline, remind = time.monotonic() + seconds, 0.0
        while True:
            if time.monotonic() > remind:
                self.announce(ask)
                remind = time.monotonic() + REMIND
            seen = look()
            if holds(seen):
                return seen
            if time.monotonic() > deadline:
                raise NotSo(f"{expected} within {seconds:.0f} s", seen)
            time.sleep(LOOK)

    def open_work(self) -> dict[str, int]:
        """What is still to be done, by kind; empty when all is quiet."""
        with self.engine.ledger.read() as tx:
            found = {
                "links to reconcile": tx.dirty_count(),
                "operations": len(tx.select_operations(UNSETTLED)),
                "derivations": len(tx.derivations_due(1)),
            }
        return {kind: count for kind, count in found.items() if count}

    def unlisted(self, since: float) -> list[Place]:
        """What was not listed completely since then (epoch seconds)."""
        places = [place for place in listed(self.engine) if place[0] in self.engine.connectors]
        with self.engine.ledger.read() as tx:
            seen = {place: tx.resource(*place) for place in places}
        return [
            (*place, "scan") for place, state in seen.items()
            if state.fault or state.scanned_at < since
        ]  # fmt: skip

    def list_everything(self, seconds: float = 60) -> None:
        """Ask for a listing of everything and wait for it; one at a time at each vendor, for a second one would
        find it busy. Raises NotSo."""
        began, deadline = time.time(), time.monotonic() + seconds
        asked: set[Place] = set()
        while left := self.unlisted(began):
            heads = {place[0]: place for place in reversed(left)}
            self.announce(place for place in heads.values() if place not in asked)
            asked.update(heads.values())
            if time.monotonic() > deadline:
                raise NotSo(f"every vendor to be listed within {seconds:.0f} s", left)
            time.sleep(LOOK)

    def settle(self, seconds: float = 60) -> None:
        """Wait until nothing is left to do. Raises NotSo."""
        self.until("nothing to be left to do", self.open_work, lambda found: not found, (), seconds)

    def busy(self, task: str) -> list[int]:
        """Ids of the worker processes that are at such a task now, as Celery's own inspection tells."""
        told = self.app.control.inspect(timeout=2, limit=1).active() or {}
        return [
            t["worker_pid"]
            for tasks in told.values()
            for t in tasks
            if t["name"] == f"{NAMESPACE}{task}"
        ]

    def write_exports(self) -> Path:
        """A file that puts a shell into the environment of the service."""
        path = self.folder / "environment.sh"
        inside = {**self.inside(), "SYNCENGINE_WEB_URL": self.service.web_url}
        lines = [f"export {name}={shlex.quote(v)}\n" for name, v in inside.items()]
        path.write_text("".join(lines), encoding="utf-8")
        return path

    # asking the vendors

    def rows(self, vendor: str, resource: str, **values: object) -> list[Row]:
        """The vendor's own rows that hold these values."""
        return [
            row for row in self.sandbox.state(vendor, resource)
            if all(row.get(name) == value for name, value in values.items())
        ]  # fmt: skip

    def writes(self) -> dict[str, int]:
        """Vendor -> requests that may change something, so far."""
        return {name: tally["writes"] for name, tally in self.sandbox.counters().items()}

    def flower(self, path: str) -> Any:
        """What Flower's HTTP API says. Raises httpx.HTTPError."""
        url, login = f"{self.service.flower_url}/api/{path}", self.service.flower_login
        answer = httpx.get(url, auth=login, timeout=10)
        answer.raise_for_status()
        return answer.json()


@contextmanager
def _environment_of(values: Mapping[str, str]) -> Iterator[None]:
    """This process lives in that environment for a while: the project is filled in from it."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
