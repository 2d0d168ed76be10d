"""The attacker has another account on the host, or got hold of a client of the embedded broker: he sends it commands,
looks for secrets in its process, or lies in wait where it will listen."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha1
from pathlib import Path

import pytest
import redis
from kombu.exceptions import ContentDisallowed
from kombu.serialization import loads, prepare_accept_content
from kombu.transport.redis import REFRESH_BINDING, SWEEP_BINDINGS
from redis.lock import Lock

from syncengine import broker
from syncengine.broker import BrokerUnusable, private_folder, round_trip, socket_of, wait_for_broker
from syncengine.process import free_port
from syncengine.service import Service
from syncengine.settings import read_settings
from tests.support.places import MAPPINGS
from workers.celery import make_app

NOBODY = 65534
SECRETS = {
    "HAKUNA_TOKEN": "seeded-token",
    "WEEKLY10_PASSWORD": "seeded-password",
    "SYNCENGINE_ENCRYPTION_KEYS": "pZbLJ9Eo1ILYQXH8kvv9W2yvZQyd6vJ7zA2xV8Wc9dI=",
    "SYNCENGINE_WEBHOOK_SECRET": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
}


@contextmanager
def running() -> Iterator[tuple[int, redis.Redis]]:
    """An embedded broker that is given secrets: its process, and a client."""
    number = free_port()
    command = [sys.executable, "-P", "-m", "syncengine.broker", str(number)]
    with subprocess.Popen(command) as process:
        wait_for_broker(number)
        client = redis.Redis(unix_socket_path=str(socket_of(number)))
        try:
            yield process.pid, client
        finally:
            client.close()
            process.terminate()


FORBIDDEN = [
    ["EVAL", "return 1", "0"], ["EVAL", "return python.eval('1')", "0"], ["EVAL_RO", "return 1", "0"],
    ["EVALSHA", "0" * 40, "0"], ["EVALSHA_RO", "0" * 40, "0"], ["SCRIPT", "LOAD", "return 1"],
    ["SCRIPT", "FLUSH"], ["FUNCTION", "LOAD", "#!lua name=x"], ["FCALL", "x", "0"], ["CONFIG", "GET", "*"],
    ["CONFIG", "SET", "dir", "/tmp"], ["SAVE"], ["BGSAVE"], ["DEBUG", "JMAP"], ["MODULE", "LOAD", "/tmp/x.so"],
    ["FLUSHALL"], ["SHUTDOWN"], ["REPLICAOF", "127.0.0.1", "1"], ["ACL", "LIST"], ["CLIENT", "KILL", "ID", "1"],
    ["CLIENT", "LIST"], ["MIGRATE", "h", "1", "k", "0", "1"], ["KEYS", "*"],
]  # fmt: skip


def test_there_is_no_scripting_and_nothing_that_is_not_needed() -> None:
    """No command runs code, reaches the disk or another host, or ends the broker; it answers afterwards."""
    with running() as (pid, client):
        for command in FORBIDDEN:
            with pytest.raises(redis.ResponseError):
                client.execute_command(*command)
        several = client.pipeline()
        several.execute_command("EVAL", "return 1", "0")
        with pytest.raises(redis.RedisError):
            several.execute()
        assert client.ping()
        if sys.platform == "linux":
            assert "lupa" not in Path(f"/proc/{pid}/maps").read_text()


def test_the_scripts_that_are_needed_are_those_that_are_known() -> None:
    """Another version of kombu or redis-py with other scripts would be noticed here."""
    texts = (Lock.LUA_RELEASE_SCRIPT, REFRESH_BINDING, SWEEP_BINDINGS)
    known = {sha1(text.encode()).hexdigest().encode() for text in texts}
    program = "from syncengine.lookalike import SCRIPTS; print(*[s.decode() for s in SCRIPTS])"
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert {digest.encode() for digest in told.stdout.split()} == known


def test_the_known_scripts_do_what_the_originals_do() -> None:
    """A lock is given back by its holder alone; a binding lives as long as it was told; alone and in a transaction."""
    with running() as (_, client):
        lock = client.lock("mutex", timeout=60)
        assert lock.acquire(blocking=False)
        assert not client.lock("mutex").acquire(blocking=False)
        client.set("mutex", "stolen")
        with pytest.raises(redis.exceptions.LockNotOwnedError):
            lock.release()
        client.delete("mutex")
        assert lock.acquire(blocking=False)
        lock.release()
        assert not client.exists("mutex")
        refresh, sweep = map(client.register_script, (REFRESH_BINDING, SWEEP_BINDINGS))
        refresh(keys=["table.a", "deadlines"], args=["queue", "a", -1])
        with client.pipeline() as several:
            refresh(keys=["table.b", "deadlines"], args=["queue", "b", 60000], client=several)
            refresh(keys=["table.c", "deadlines"], args=["queue", "c", -1], client=several)
            several.execute()
        client.sadd("for good.c", "queue")
        assert sweep(keys=["deadlines"], args=["table.", "for good.", 100]) == 2
        assert [client.exists(f"table.{name}") for name in "abc"] == [0, 1, 1]
        assert client.zcard("deadlines") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may be somebody else")
def test_another_account_does_not_get_in() -> None:
    """Neither the folder nor the socket lets anybody in but their owner."""
    program = "import os, socket, sys; os.setgid(65534); os.setuid(65534)\ns = socket.socket(socket.AF_UNIX)\n"
    with running() as (_, client):
        path = client.connection_pool.connection_kwargs["path"]
        ended = subprocess.run(
            [sys.executable, "-c", f"{program}s.connect({path!r})"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "PermissionError" in ended.stderr
        assert Path(path).stat().st_mode & 0o777 == 0o600
        assert Path(path).parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("kind", ["folder", "link"])
def test_a_folder_of_somebody_else_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Whoever made the folder first, or put a link in its place, would be given our messages: it is refused, with what
    to do."""
    place, other = tmp_path / "mine", tmp_path / "other"
    other.mkdir()
    if kind == "link":
        place.symlink_to(other)
    else:
        place.mkdir()
        os.chown(place, NOBODY, NOBODY)
    monkeypatch.setattr(broker, "socket_of", lambda number: place / f"{number}.sock")
    for use in (private_folder, round_trip):
        with pytest.raises(BrokerUnusable, match=r"not a folder of this account; remove it"):
            use(1)


@pytest.mark.skipif(sys.platform != "linux", reason="shows the environment of processes")
def test_secrets_are_where_they_are_needed(tmp_path: Path) -> None:
    """Broker, beat and Flower are started without a vendor's credentials, keys, or the database; workers get all."""
    given = {
        **os.environ,
        **SECRETS,
        "SYNCENGINE_PROJECT": str(MAPPINGS),
        "SYNCENGINE_DATABASE_URL": f"sqlite:///{tmp_path}/kept.db",
        "SYNCENGINE_BROKER_URL": f"embedded:{free_port()}",
    }
    parts = ("broker", "worker", "beat", "flower")
    with Service(read_settings(given), given, parts, flower_port=0) as service:
        time.sleep(1)
        seen = {part: environment_of(pid) for part, pid in service.pids.items()}
    for part in ("broker", "beat", "flower"):
        assert not [text for text in (*SECRETS.values(), *SECRETS, "kept.db") if text in seen[part]]
    assert all(value in seen["worker"] for value in SECRETS.values())


def environment_of(pid: int) -> str:
    return Path(f"/proc/{pid}/environ").read_text()


def test_a_broker_that_was_started_on_the_way_has_no_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither has one that a worker or the web side starts since it finds none."""
    if sys.platform != "linux":
        pytest.skip("shows the environment of processes")
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    settings = read_settings({"SYNCENGINE_BROKER_URL": f"embedded:{free_port()}"})
    broker.ensure_broker(settings)
    number = settings.broker_url.partition(":")[2]
    (pid,) = [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if f"syncengine.broker\0{number}" in read(path)
    ]
    assert not [value for value in SECRETS.values() if value in environment_of(pid)]
    os.kill(pid, signal.SIGTERM)


def read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


class Touches:
    """Once it is unpickled, a file is there."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self._path,)


@pytest.mark.parametrize("kind", ["application/x-python-serialize", "application/x-yaml"])
def test_a_message_runs_no_code(tmp_path: Path, kind: str) -> None:
    """The attacker writes to a shared broker: what workers take is JSON, and nothing is made of anything else."""
    accepted = prepare_accept_content(make_app(read_settings({})).conf.accept_content)
    with pytest.raises(ContentDisallowed):
        loads(pickle.dumps(Touches(tmp_path / "ran")), kind, "binary", accept=accepted)
    assert not (tmp_path / "ran").exists()
    assert loads(b'["a"]', "application/json", "utf-8", accept=accepted) == ["a"]
