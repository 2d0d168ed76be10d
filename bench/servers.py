"""Database and brokers of a bench's own, which it may stop, start again and freeze."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from syncengine.process import die_with_parent, free_port

HOST = "127.0.0.1"
PATIENCE = 60.0
"""Seconds within which a server has to answer, or to end."""


class NotInstalled(RuntimeError):
    """This machine has no such server. Says which."""


@dataclass(slots=True)
class Server:
    """One server, as a context. ``name``: what it is; ``url``: where it is; ``user``: whose process it is where the
    bench is run by root, which these servers refuse."""

    name: str
    folder: Path
    url: str
    port: int
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    ends_with: signal.Signals = signal.SIGTERM
    _process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it and wait until it answers."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.stop()

    def start(self) -> None:
        """Start it and wait until it listens. Raises RuntimeError with what it printed if it does not."""
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                list(self.command),
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                user=self.user,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        until = time.monotonic() + PATIENCE
        while not self._listens():
            if time.monotonic() > until or self._process.poll() is not None:
                printed = (self.folder / "output").read_text("utf-8", "replace")[-2000:]
                raise RuntimeError(f"{self.name} does not start: {printed}")
            time.sleep(0.2)

    def stop(self) -> None:
        """End it, gently at first, with all that it started."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(self.ends_with)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def freeze(self) -> None:
        """Let it stand still, with all that it started: connections stay open and nothing is answered."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGCONT)

    def _listens(self) -> bool:
        try:
            socket.create_connection((HOST, self.port), 1).close()
        except OSError:
            return False
        return True


def postgresql(folder: Path) -> Server:
    """An empty cluster; what a crash of the machine would lose is not guarded against. Raises NotInstalled."""
    user = _user("postgres", folder)
    bin_ = _place("postgres", *sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin"))))
    port, data = free_port(), folder / "data"
    made = [
        str(Path(bin_) / "initdb"),
        "-D",
        str(data),
        "-U",
        "postgres",
        "-A",
        "trust",
        "-N",
        "-E",
        "UTF8",
    ]
    subprocess.run(made, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)
    command = [
        str(Path(bin_) / "postgres"), "-D", str(data), "-p", str(port), "-h", HOST, "-k", str(folder),
        "-c", "fsync=off", "-c", "max_connections=200",
    ]  # fmt: skip
    url = f"postgresql+psycopg://postgres@{HOST}:{port}/postgres"
    return Server("PostgreSQL", folder, url, port, command, {}, user, signal.SIGINT)


def redis(folder: Path) -> Server:
    """A server that forgets everything when it ends. Raises NotInstalled."""
    place, port = _place("redis-server"), free_port()
    command = [
        str(Path(place) / "redis-server"), "--port", str(port), "--bind", HOST, "--save", "", "--appendonly", "no",
    ]  # fmt: skip
    return Server("Redis", folder, f"redis://{HOST}:{port}/0", port, command)


def rabbitmq(folder: Path) -> Server:
    """A node of its own, which keeps its queues. Raises NotInstalled."""
    user = _user("rabbitmq", folder)
    place = _place("rabbitmq-server", "/usr/lib/rabbitmq/bin")
    port, between = free_port(), free_port()
    told = {
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"bench{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": HOST,
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(between),
        "RABBITMQ_MNESIA_BASE": str(folder),
        "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_CONFIG_FILE": str(folder / "none"),
    }
    command = [str(Path(place) / "rabbitmq-server")]
    return Server(
        "RabbitMQ", folder, f"amqp://guest:guest@{HOST}:{port}//", port, command, told, user
    )


def _place(program: str, *folders: str) -> str:
    """The folder of a program. Raises NotInstalled."""
    found = shutil.which(program, path=os.pathsep.join([*folders, os.environ.get("PATH", "")]))
    if found is None:
        raise NotInstalled(f"{program} is not installed")
    return str(Path(found).parent)


def _user(name: str, folder: Path) -> str | None:
    """Who runs a server that root may not run; the folder becomes theirs."""
    if os.geteuid() != 0:
        return None
    shutil.chown(folder, name)
    folder.chmod(0o750)
    return name
