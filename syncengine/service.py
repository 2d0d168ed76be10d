"""The whole service on one machine: broker, worker, beat, web and Flower as child processes of one supervisor.

``syncengine run``, the demo and the kill tests use it::

    with Service(settings, os.environ) as service:
        service.wait()
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Self

from syncengine.bootstrap import own_queue
from syncengine.broker import (
    HOST,
    BrokerUnusable,
    broker_url,
    embedded_number,
    round_trip,
    wait_for_broker,
)
from syncengine.errors import Halt
from syncengine.process import PortTaken, die_with_parent, free_port, lean, require_port
from syncengine.settings import FLOWER_USER, Settings, draw_password

PARTS = ("broker", "worker", "live", "beat", "web", "flower")
"""In the order of starting; stopped in the opposite one. ``live`` is a worker of one process that takes what was just
changed and nothing else, so that no backlog keeps it waiting."""
GRACE = 15.0
"""Seconds that a part gets to end what it is doing."""
LOOK = 0.2
"""Seconds between looks at the children."""
QUICK = 2.0
"""Seconds that lie between two starts of a part at least, so that a fault does not burn a core."""


@dataclass(slots=True)
class Child:
    """One part and its process at present."""

    name: str
    process: subprocess.Popen[str]
    started: float
    restarts: int = 0
    hindered: bool = False


class Service:
    """The supervisor, as a context: inside it the parts run and are started again when they die; afterwards none
    is left. Enter it from a thread that outlives it.

    ``parts``: which to run; the broker only where the settings say ``embedded``. A port of 0 means a free one.
    Flower listens on loopback, cannot change anything, and asks for the user and password of ``FLOWER_BASIC_AUTH``
    (``user:password``) in the environment, or else for ``flower_login``, drawn here. ``output`` gets what the parts
    print, each line with the part's name; stderr if not given.
    """

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        parts: Sequence[str] = PARTS,
        web_port: int = 8080,
        flower_port: int = 5555,
        concurrency: int = 2,
        output: IO[str] | None = None,
    ) -> None:
        self.web_port = web_port or free_port()
        self.flower_port = flower_port or free_port()
        self._broker_number = embedded_number(settings.broker_url)
        # Children never start a broker of their own: they are told where it is.
        told = {
            "SYNCENGINE_BROKER_URL": broker_url(settings),
            "SYNCENGINE_BROKER_PREFIX": own_queue(settings).broker_prefix,
            "SYNCENGINE_LOG_FORMAT": settings.log_format,
            "SYNCENGINE_SWEEP": str(settings.sweep),
        }
        self.flower_login = _flower_login(environment)
        watched = {"SYNCENGINE_HOSTS": ",".join(settings.hosts)}
        if self.flower_login:
            watched["FLOWER_BASIC_AUTH"] = ":".join(self.flower_login)
        # Who works with vendors and database gets all; the others what any program needs, and where messages go.
        self._environments = {
            "broker": lean(environment) | {"SYNCENGINE_LOG_FORMAT": settings.log_format},
            "beat": lean(environment) | told,
            "flower": lean(environment, "FLOWER_") | told | watched,
            "worker": {**environment, **told},
            "live": {**environment, **told},
            "web": {"SYNCENGINE_FLOWER_URL": self.flower_url, **environment, **told},
        }
        self._parts = [name for name in PARTS if name in parts]
        if self._broker_number is None and "broker" in self._parts:
            self._parts.remove("broker")
        self._concurrency = concurrency
        self._output = output or sys.stderr
        self._children: dict[str, Child] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._stopped = threading.Event()
        self._monitor = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    @property
    def pids(self) -> dict[str, int]:
        """Part -> process id at present."""
        with self._lock:
            return {name: child.process.pid for name, child in self._children.items()}

    @property
    def restarts(self) -> dict[str, int]:
        """Part -> how often it was started again."""
        with self._lock:
            return {name: child.restarts for name, child in self._children.items()}

    @property
    def web_url(self) -> str:
        """Where the web side listens."""
        return f"http://{HOST}:{self.web_port}"

    @property
    def flower_url(self) -> str:
        """Where Flower listens."""
        return f"http://{HOST}:{self.flower_port}"

    def __enter__(self) -> Self:
        """Start all parts; the broker answers before the others start. Raises BrokerUnusable and PortTaken."""
        for name in self._parts:
            self._require_port(name)
        try:
            for name in self._parts:
                self._children[name] = self._start(name)
                if name == "broker" and self._broker_number is not None:
                    wait_for_broker(self._broker_number)
        except (Halt, OSError):
            self.close()
            raise
        self._monitor.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop all parts."""
        self.close()

    def wait(self) -> None:
        """Until SIGTERM or SIGINT. Call it from the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        self._stop.wait()

    def close(self) -> None:
        """Stop the parts, the broker last: first gently, then surely, with everything that they started."""
        self._stop.set()
        with self._lock:
            children = [child for child in self._children.values() if child.name != "broker"]
            brokers = [child for child in self._children.values() if child.name == "broker"]
        for group in (children, brokers):
            _end([child.process for child in group])
        self._stopped.set()

    def _require_port(self, name: str) -> None:
        """Raises BrokerUnusable or PortTaken if what a part listens on is somebody else's; a broker is shared."""
        if name == "broker" and self._broker_number is not None:
            round_trip(self._broker_number)
        if name == "web":
            require_port(
                self.web_port, HOST, "the web side", "stop that, or name another port: --port"
            )
        if name == "flower":
            require_port(
                self.flower_port, HOST, "Flower", "stop that, or name another port: --flower-port"
            )

    def _command(self, name: str) -> list[str]:
        # Isolated (-P, and as ``workers.__main__`` says): nothing is run from the folder that we are started in.
        celery = [sys.executable, "-P", "-m", "workers", "--quiet"]
        alone = ["--without-gossip", "--without-mingle"]
        word = secrets.token_hex(3)
        return {
            "broker": [sys.executable, "-P", "-m", "syncengine.broker", str(self._broker_number)],
            "worker": [
                *celery, "worker", "--concurrency", str(self._concurrency), *alone,
                "--hostname", f"{word}@%h",
            ],
            "live": [
                *celery, "worker", "--concurrency", "1", *alone, "--queues", "live",
                "--hostname", f"live-{word}@%h",
            ],
            "beat": [*celery, "beat"],
            "web": [sys.executable, "-P", "-m", "syncengine.web", HOST, str(self.web_port)],
            "flower": [
                *celery, "flower", f"--address={HOST}", f"--port={self.flower_port}", "--read-only",
                "--logging=warning", f"--conf={os.devnull}",
            ],
        }[name]  # fmt: skip

    def _start(self, name: str, restarts: int = 0) -> Child:
        process = subprocess.Popen(
            self._command(name),
            env=self._environments[name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        threading.Thread(target=self._copy, args=(name, process), daemon=True).start()
        return Child(name, process, time.monotonic(), restarts)

    def _copy(self, name: str, process: subprocess.Popen[str]) -> None:
        """Hand on what a part prints."""
        for line in process.stdout or ():
            self._output.write(f"{name:>6} | {line}")
            self._output.flush()

    def _watch(self) -> None:
        """Start again what has died. The thread stays until all have ended, for those that it started die with
        it."""
        while not self._stop.wait(LOOK):
            for child in list(self._children.values()):
                if child.process.poll() is None or time.monotonic() - child.started < QUICK:
                    continue
                _end([child.process])
                if not self._may_start(child):
                    continue
                code = child.process.returncode
                self._output.write(f"{child.name:>6} | ended with {code}; starting it again\n")
                with self._lock:
                    if not self._stop.is_set():
                        self._children[child.name] = self._start(child.name, child.restarts + 1)
        self._stopped.wait()

    def _may_start(self, child: Child) -> bool:
        """Not while somebody else has its port, which is said once."""
        try:
            self._require_port(child.name)
        except (BrokerUnusable, PortTaken) as taken:
            if not child.hindered:
                self._output.write(f"{child.name:>6} | {taken}. It starts once the port is free.\n")
            child.hindered = True
            return False
        return True


def _flower_login(environment: Mapping[str, str]) -> tuple[str, str] | None:
    """User and a random password; None where the environment says how people log in."""
    if environment.get("FLOWER_BASIC_AUTH") or environment.get("FLOWER_AUTH"):
        return None
    return FLOWER_USER, draw_password()


def _end(processes: Sequence[subprocess.Popen[str]]) -> None:
    """End processes and whatever they have started and left."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + GRACE
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.1, deadline - time.monotonic()))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
