"""Flower against whoever reaches its port. The attackers have no password, or a page that a browser here has open."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncengine.process import free_port
from syncengine.service import Service
from syncengine.settings import read_settings
from tests.integration.support import Output
from tests.support.places import MAPPINGS
from tests.support.web import ask, until

pytestmark = pytest.mark.timeout(120)


@contextmanager
def flower(folder: Path, **more: str) -> Iterator[tuple[Service, Output]]:
    """A broker, and Flower as ``syncengine run`` starts it."""
    given = {
        **{name: value for name, value in os.environ.items() if not name.startswith("FLOWER_")},
        "SYNCENGINE_PROJECT": str(MAPPINGS),
        "SYNCENGINE_DATABASE_URL": f"sqlite:///{folder}/kept.db",
        "SYNCENGINE_BROKER_URL": f"embedded:{free_port()}",
        "SYNCENGINE_BROKER_PREFIX": "own.",
        **more,
    }
    output, parts = Output(), ("broker", "flower")
    with Service(read_settings(given), given, parts, flower_port=0, output=output) as service:
        until(lambda: is_up(service.flower_port), 60)
        yield service, output


def is_up(port: int) -> bool:
    try:
        return ask(port, "/healthcheck").status == 200
    except OSError:
        return False


def basic(login: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()}


PAGES = (
    "/", "/tasks", "/broker", "/metrics", "//metrics", "/metrics/", "/api/workers", "/api/tasks",
    "/api/task/types", "/static/css/flower.css", "/x/healthcheck", "/login", "/nowhere",
)  # fmt: skip


def test_flower_asks_everybody(tmp_path: Path) -> None:
    """The attacker asks Flower without a password, with wrong ones, and with what has no letters; the password is drawn
    anew for each start, and neither the list of processes nor the log has it."""
    with flower(tmp_path) as (service, output):
        port, login = service.flower_port, service.flower_login
        assert login is not None
        wrong = ({}, basic("syncengine:"), basic(f"syncengine:{login[1]}x"), basic("a:ü"),
                 {"Authorization": "Basic \xff"}, {"Authorization": f"Bearer {login[1]}"})  # fmt: skip
        for page in PAGES:
            for given in wrong:
                answer = ask(port, page, **given)
                assert answer.status == 401, (page, given)
                assert b"flower" not in answer.read().lower()
        mine = basic(":".join(login))
        assert {ask(port, page, **mine).status for page in ("/", "/metrics", "/tasks")} == {200}
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                assert login[1] not in path.read_text()
        assert login[1] not in output.getvalue()
        for host, status in (("evil.example", 400), ("localhost", 200), ("", 400)):
            assert ask(port, "/", Host=host, **mine).status == status
            assert ask(port, "/healthcheck", Host=host).status == status
    other = Service(read_settings({}), {}, ()).flower_login
    assert other is not None
    assert other[1] != login[1]
    assert len(login[1]) >= 20


def test_the_password_that_was_named_counts(tmp_path: Path) -> None:
    """The attacker tries what would have been drawn; the user's own password and names are in force."""
    named = {"FLOWER_BASIC_AUTH": "kim:hush,lee:hush", "SYNCENGINE_HOSTS": "flower.example"}
    with flower(tmp_path, **named) as (service, _):
        assert service.flower_login is None
        for login in ("kim:hush", "lee:hush"):
            assert ask(service.flower_port, "/metrics", **basic(login)).status == 200
        assert ask(service.flower_port, "/metrics", **basic("syncengine:hush")).status == 401
        host = {"Host": "flower.example:5555"}
        assert ask(service.flower_port, "/metrics", **host, **basic("kim:hush")).status == 200


@contextmanager
def alone(folder: Path, limit: int = 1024) -> Iterator[tuple[int, Path]]:
    """A Flower that was started by hand, without a password, and may open so many files: its port and what it said."""
    port, said = free_port(), folder / "said"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("FLOWER_")},
        "SYNCENGINE_BROKER_URL": "redis://127.0.0.1:1/0",
        "SYNCENGINE_BROKER_PREFIX": "own.",
    }
    command = [
        sys.executable, "-P", "-m", "workers", "--quiet", "flower", "--read-only",
        "--address=127.0.0.1", f"--port={port}", f"--conf={os.devnull}",
    ]  # fmt: skip
    with (
        said.open("w") as output,
        subprocess.Popen(
            command, env=environment, cwd=folder, stderr=output,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)),
        ) as process,
    ):  # fmt: skip
        try:
            until(lambda: is_up(port), 60)
            yield port, said
        finally:
            process.kill()


def test_flower_alone_is_closed_too(tmp_path: Path) -> None:
    """The attacker finds a Flower that was started by hand and without a password: one was drawn, and told to whoever
    started it."""
    with alone(tmp_path) as (port, said):
        (found,) = re.findall(r"user (\S+), password (\S+),", said.read_text())
        assert ask(port, "/metrics").status == 401
        assert ask(port, "/metrics", **basic(":".join(found))).status == 200


@pytest.mark.long
@pytest.mark.ci
def test_a_flower_without_descriptors_fills_no_log(tmp_path: Path) -> None:
    """The attacker opens connections to Flower until it may open nothing more, and says nothing on them: it says so in
    a few lines, closes them, and answers again."""
    with alone(tmp_path, 64) as (port, said), contextlib.ExitStack() as held:
        begun = len(said.read_text().splitlines())
        for _ in range(120):
            held.enter_context(socket.create_connection(("127.0.0.1", port), 5))
        until(lambda: is_up(port), 60)
        lines = said.read_text().splitlines()[begun:]
    assert len(lines) < 25, lines


@pytest.mark.long
@pytest.mark.ci
def test_run_prints_the_password_once(tmp_path: Path) -> None:
    """Whoever starts the service learns the password; nobody else does, for it is in no other line."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("FLOWER_")},
        "SYNCENGINE_PROJECT": str(MAPPINGS),
        "SYNCENGINE_DATABASE_URL": f"sqlite:///{tmp_path}/kept.db",
        "SYNCENGINE_BROKER_URL": f"embedded:{free_port()}",
    }
    command = [str(Path(sys.executable).with_name("syncengine")), "run", "--port=0"]
    said = tmp_path / "said"
    with (
        said.open("w") as output,
        subprocess.Popen(
            [*command, "--flower-port=0"], cwd=tmp_path, env=environment, stderr=output
        ) as run,
    ):
        try:
            until(lambda: "password" in said.read_text(), 60)
            found = re.search(
                r"Flower +http://127.0.0.1:(\d+)  user (\S+), password (\S+)\n", said.read_text()
            )
            assert found
            until(lambda: is_up(int(found[1])), 60)
            assert ask(int(found[1]), "/metrics").status == 401
            assert ask(int(found[1]), "/metrics", **basic(f"{found[2]}:{found[3]}")).status == 200
        finally:
            run.terminate()
            run.wait(60)
    assert said.read_text().count(found[3]) == 1
