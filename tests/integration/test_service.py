"""The service as a whole: real processes over the vendors' simulators."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis
from kombu import Connection
from standardwebhooks import Webhook

from syncengine.bootstrap import open_ledger, own_queue
from syncengine.edition import files_digest
from syncengine.process import free_port
from syncengine.service import Service
from syncengine.settings import read_settings
from tests.integration.support import RABBITMQ, REDIS, Output, there
from tests.support.places import MAPPINGS
from workers.celery import make_app

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"

pytestmark = pytest.mark.timeout(240)


@contextmanager
def _sandbox() -> Iterator[dict[str, str]]:
    """The simulators; yields the variables that point at them."""
    command = [sys.executable, "-m", "syncengine.sandbox", "--people", "5", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            exports: dict[str, str] = {}
            for line in process.stdout or ():
                exports |= dict(re.findall(r"export (\w+)='(.*)'", line))
                if line.strip() == "ready":
                    break
            yield exports
        finally:
            process.terminate()


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment with a database, a broker port and simulators of its own."""
    with _sandbox() as exports:
        yield {
            **os.environ,
            **exports,
            "SYNCENGINE_PROJECT": str(MAPPINGS),
            "SYNCENGINE_DATABASE_URL": f"sqlite:///{tmp_path}/service.db",
            "SYNCENGINE_BROKER_URL": f"embedded:{free_port()}",
            "SYNCENGINE_BROKER_PREFIX": f"test-{uuid4().hex}.",
            "SYNCENGINE_WEBHOOK_SECRET": SECRET,
            "SYNCENGINE_SWEEP": "1",
        }


def _get(url: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> str:
    request = urllib.request.Request(url, body, headers or {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        text: str = answer.read().decode()
        return text


def _until(true: Callable[[], bool], seconds: float = 90) -> None:
    """Wait for something; a server that is not there yet does not count."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if true():
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        time.sleep(0.2)
    pytest.fail(f"{true.__name__} is not so after {seconds} s")


def _agreed(service: Service) -> Callable[[], bool]:
    def people_are_linked() -> bool:
        linked = re.findall(
            r'syncengine_links{connection="(\w+)",entity="person",state="linked"}',
            _get(f"{service.web_url}/metrics"),
        )
        return len(set(linked)) >= 4

    return people_are_linked


def _notify(service: Service, external_id: str) -> None:
    """Send a signed notice that an employee of HeavenHR moved."""
    body = json.dumps({"resource": "employees", "id": external_id})
    now, event = datetime.now(UTC), uuid4().hex
    headers = {
        "webhook-id": event,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign(event, now, body),
    }
    _get(f"{service.web_url}/events/heavenhr", headers, body.encode())


def _was_read(environment: dict[str, str], external_id: str) -> Callable[[], bool]:
    def the_row_was_read() -> bool:
        asked: list[dict[str, Any]] = json.loads(
            _get(f"{environment['SYNCENGINE_SANDBOX_URL']}/requests")
        )
        return any(request["path"].endswith(f"/employees/{external_id}") for request in asked)

    return the_row_was_read


def _alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def _descendants(pid: int) -> set[int]:
    """All processes below one."""
    listing = subprocess.run(
        ["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True
    )
    parents = dict(tuple(map(int, line.split())) for line in listing.stdout.splitlines())
    below = {pid}
    while more := {child for child, parent in parents.items() if parent in below} - below:
        below |= more
    return below - {pid}


@pytest.mark.long
@pytest.mark.ci
def test_the_service_works_and_survives_kills(environment: dict[str, str]) -> None:
    """On nothing but Python the service brings the systems into agreement, goes on after worker, broker and web
    were killed, and leaves no process behind."""
    settings = read_settings(environment)
    parts = ("broker", "worker", "beat", "web")
    with Service(settings, environment, parts, web_port=0) as service:
        _until(_agreed(service))
        before = service.pids
        assert set(before) == set(parts)
        pool = _descendants(before["worker"])
        assert pool
        for name in ("worker", "broker", "web"):
            os.kill(before[name], signal.SIGKILL)
        killed = time.monotonic()
        _until(lambda: all(service.pids[n] != before[n] for n in ("worker", "broker", "web")), 10)
        assert time.monotonic() - killed < 4
        assert service.restarts == {"broker": 1, "worker": 1, "beat": 0, "web": 1}
        assert not any(map(_alive, pool))
        _until(lambda: json.loads(_get(f"{service.web_url}/healthz"))["broker"] == "ok")
        _notify(service, "424242")
        _until(_was_read(environment, "424242"))
        family = {*service.pids.values()}.union(*map(_descendants, service.pids.values()))
    assert not any(map(_alive, family))


@pytest.mark.parametrize("part", ["web", "flower"])
def test_a_taken_port_is_one_line_and_no_service(tmp_path: Path, part: str) -> None:
    """``run`` on a port that something else has ends with 1 and one line that names the port; it shows no address, and
    no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        threading.Thread(target=_hang_up, args=(other,), daemon=True).start()
        ports = {name: port if name == part else free_port() for name in ("web", "flower")}
        ended = subprocess.run(
            [
                sys.executable, "-c", "from syncengine.cli import main; main()", "run",
                f"--port={ports['web']}", f"--flower-port={ports['flower']}",
            ],
            cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
            env={
                **os.environ,
                "SYNCENGINE_PROJECT": str(MAPPINGS),
                "SYNCENGINE_BROKER_URL": f"embedded:{free_port()}",
            },
        )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (1, "")
    assert re.fullmatch(rf"error: .*port {port} .*; .*\n", ended.stderr), ended.stderr


@pytest.mark.long
@pytest.mark.ci
def test_an_edited_project_is_in_use_without_a_restart(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """Workers and the web side take a valid new project by themselves; an invalid one is refused, in ``status`` and in
    the log, and also a worker process that begins meanwhile goes on with the valid one."""
    folder = Path(shutil.copytree(MAPPINGS, tmp_path / "project"))
    environment["SYNCENGINE_PROJECT"] = str(folder)
    settings, output = read_settings(environment), Output()
    parts = ("broker", "worker", "beat", "web")
    with (
        Service(settings, environment, parts, web_port=0, output=output) as service,
        open_ledger(settings) as ledger,
    ):

        def on(digest: str, refused: bool = False) -> bool:
            _get(f"{service.web_url}/healthz")
            with ledger.read() as tx:
                told = tx.processes()
            # A worker process looks before it works: one that gets nothing to do tells what it knew.
            return {"worker", "web"} == {
                p.kind
                for p in told
                if p.pid in alive() and p.digest == digest and bool(p.refused) == refused
            }

        def alive() -> set[int]:
            return {*service.pids.values()}.union(*map(_descendants, service.pids.values()))

        first = files_digest(folder)
        _until(lambda: on(first))
        _edit(folder, "timezone: Europe/Berlin", "timezone: Europe/Lisbon")
        second = files_digest(folder)
        assert second != first
        _until(lambda: on(second), 60)
        time.sleep(3)  # until the main process of the workers, which has no task, has looked too
        _edit(folder, "timezone: Europe/Lisbon", "timezone: Europe/Nowhere")
        _until(lambda: on(second, refused=True), 60)
        for pid in _descendants(service.pids["worker"]):
            os.kill(pid, signal.SIGKILL)
        _until(lambda: on(second, refused=True), 60)
    assert service.restarts == dict.fromkeys(parts, 0)
    assert output.getvalue().count("stays in use") == 2
    assert "connections.yaml:" in output.getvalue()


def _edit(folder: Path, old: str, new: str) -> None:
    file = folder / "connections.yaml"
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")


def _hang_up(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
            connection.recv(100)
            connection.close()
        except OSError:
            return


@pytest.mark.long
@pytest.mark.ci
def test_a_port_that_is_lost_is_said_once(environment: dict[str, str]) -> None:
    """Who takes the port of a part that died is named once; the part starts as soon as the port is free again."""
    output = Output()
    with Service(read_settings(environment), environment, ("web",), 0, output=output) as service:
        _until(lambda: "broker" in _get(f"{service.web_url}/healthz"))
        with _seized(service, "web", service.web_port):
            time.sleep(4)
        _until(lambda: "broker" in _get(f"{service.web_url}/healthz"))
    assert output.getvalue().count(f"cannot listen on port {service.web_port}") == 1
    assert "Traceback" not in output.getvalue()


def _seized(service: Service, part: str, port: int) -> socket.socket:
    """The port of a part, taken by us when that is killed, before it is started again."""
    for _ in range(20):
        os.kill(service.pids[part], signal.SIGKILL)
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            with suppress(OSError):
                return socket.create_server(("127.0.0.1", port))
            time.sleep(0.005)
    return pytest.fail(f"{part} keeps its port")


ON_REDIS = pytest.param(REDIS, marks=pytest.mark.long, id="redis")
"""It speaks as the embedded broker does, which CI has already."""
ON_RABBITMQ = pytest.param(RABBITMQ, marks=[pytest.mark.long, pytest.mark.ci], id="rabbitmq")
EMBEDDED = pytest.param("embedded", marks=[pytest.mark.long, pytest.mark.ci], id="embedded")


@pytest.mark.parametrize("broker", [EMBEDDED, ON_REDIS, ON_RABBITMQ])
def test_two_projects_share_a_broker_without_seeing_each_other(
    environment: dict[str, str], tmp_path: Path, broker: str
) -> None:
    """Two services on one broker each reach their own workers alone, and both work; the name of a queue is drawn with
    the database and stays, whatever process asks."""
    url = f"embedded:{free_port()}" if broker == "embedded" else there(broker)
    with ExitStack() as undo:
        prefixes = []
        for number in range(2):
            given = {
                **environment,
                "SYNCENGINE_BROKER_URL": url,
                "SYNCENGINE_DATABASE_URL": f"sqlite:///{tmp_path}/{number}.db",
            }
            del given["SYNCENGINE_BROKER_PREFIX"]
            settings = own_queue(read_settings(given))
            assert own_queue(read_settings(given)) == settings
            prefixes.append(settings.broker_prefix)
            undo.enter_context(Service(read_settings(given), given, ("broker", "worker", "beat")))
            app = make_app(settings)
            _until(lambda app=app: len(app.control.ping(timeout=2)) == 1)
            _until(lambda given=given: _was_swept(given))
        assert len(set(prefixes)) == 2
        assert len(app.control.ping(timeout=3)) == 1
    if broker != "embedded":
        for prefix in prefixes:
            _forget(url, prefix)


def _was_swept(environment: dict[str, str]) -> bool:
    """Whether workers have begun to list something, or have done so already."""
    with open_ledger(read_settings(environment)) as ledger, ledger.read() as tx:
        state = tx.resource("heavenhr", "employees")
        return bool(state.scan_started or state.scanned_at)


def test_flower_shows_and_changes_nothing(environment: dict[str, str]) -> None:
    """Flower asks for user and password, and refuses to control workers."""
    environment["FLOWER_BASIC_AUTH"] = "anna:hush"
    known = {"Authorization": "Basic YW5uYTpodXNo"}
    settings = read_settings(environment)
    with Service(settings, environment, ("broker", "flower"), flower_port=0) as service:
        _until(lambda: _get(f"{service.flower_url}/healthcheck") == "OK")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            _get(service.flower_url)
        assert "Flower" in _get(service.flower_url, known)
        with pytest.raises(urllib.error.HTTPError, match="403"):
            _get(f"{service.flower_url}/api/worker/shutdown/x", known, b"")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_child_outlives_its_supervisor(tmp_path: Path, number: signal.Signals) -> None:
    """A supervisor that is told to stop does so in good order; one that is killed takes its children with it."""
    program = (
        "import os, threading; from syncengine.service import Service;"
        "from syncengine.settings import read_settings\n"
        "with Service(read_settings(), os.environ, ('broker',)) as s:\n"
        "    tell = lambda: print(s.pids['broker'], flush=True)\n"
        "    threading.Timer(0.5, tell).start(); s.wait()\n"
        "print('ended')"
    )
    broker = {"SYNCENGINE_BROKER_URL": f"embedded:{free_port()}"}
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, **broker},
    ) as supervisor:
        assert supervisor.stdout
        child = int(supervisor.stdout.readline())
        assert _alive(child)
        supervisor.send_signal(number)
        assert supervisor.stdout.read() == ("" if number == signal.SIGKILL else "ended\n")
        _until(lambda: not _alive(child), 5)


@pytest.mark.parametrize("url", [ON_REDIS, ON_RABBITMQ])
def test_the_service_works_on_a_real_broker(environment: dict[str, str], url: str) -> None:
    """On Redis and on RabbitMQ the service brings the systems into agreement, and goes on after its worker was
    killed."""
    environment["SYNCENGINE_BROKER_URL"] = there(url)
    prefix = environment["SYNCENGINE_BROKER_PREFIX"]
    settings = read_settings(environment)
    with Service(settings, environment, web_port=0, flower_port=0) as service:
        assert "broker" not in service.pids
        _until(_agreed(service))
        os.kill(service.pids["worker"], signal.SIGKILL)
        _notify(service, "424242")
        _until(_was_read(environment, "424242"))
    _forget(url, prefix)


def _forget(url: str, prefix: str) -> None:
    """Leave a shared broker as it was."""
    if url.startswith("redis"):
        client = redis.Redis.from_url(url)
        client.delete(*client.scan_iter(f"{prefix}*"))
        return
    with Connection(url) as connection, connection.channel() as channel:
        channel.queue_delete(f"{prefix}syncengine")
        for name in ("syncengine", "celeryev", "celery.pidbox"):
            channel.exchange_delete(f"{prefix}{name}")
