"""The attacker may write into the folder in which somebody else starts the program, such as /tmp or a shared one: what
lies there is never run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from syncengine.process import free_port
from tests.support.places import MAPPINGS
from tests.support.web import listens, until

NAMES = (
    "alembic", "amqp", "asyncio", "billiard", "celery", "celeryconfig", "eventlet", "fakeredis", "flower",
    "flowerconfig", "gevent", "hiredis", "httpx", "json", "kombu", "librabbitmq", "logging", "lupa",
    "psycopg", "redis", "sitecustomize", "sqlalchemy", "structlog", "syncengine", "tornado", "usercustomize",
    "uvicorn", "uvloop", "vine", "workers", "yaml",
)  # fmt: skip
"""What is imported, what is imported if it is there, and what is read as code if it is there."""


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A folder with a module of each of these names, as a file and as a package, which tells if it is run."""
    folder = tmp_path / "trap"
    folder.mkdir()
    code = f"open({str(tmp_path)!r} + '/ran', 'a').write(__file__ + '\\n')\n"
    for number, name in enumerate(NAMES):
        if number % 2:
            (folder / f"{name}.py").write_text(code)
        else:
            (folder / name).mkdir()
            (folder / name / "__init__.py").write_text(code)
            (folder / name / "celery.py").write_text(code)
    for name in ("flowerconfig.py", "celeryconfig.py"):
        (folder / name).write_text(code)
    return folder


def environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {
        **kept,
        "SYNCENGINE_PROJECT": str(MAPPINGS),
        "SYNCENGINE_DATABASE_URL": f"sqlite:///{tmp_path}/kept.db",
        "SYNCENGINE_BROKER_URL": f"embedded:{free_port()}",
    }


@pytest.mark.long
@pytest.mark.ci
def test_the_service_runs_nothing_from_where_it_is_started(tmp_path: Path, trap: Path) -> None:
    """All five parts start and work in a folder full of traps, and none of these is run."""
    said = tmp_path / "said"
    syncengine = Path(sys.executable).with_name("syncengine")
    command = [str(syncengine), "run", "--port=0", "--flower-port=0"]
    with (
        said.open("w") as output,
        subprocess.Popen(command, cwd=trap, env=environment(tmp_path), stderr=output) as service,
    ):
        try:
            until(lambda: "worker ready" in said.read_text(), 60)
            address = re.search(r"Flower +(http\S+)", said.read_text())
            assert address
            port = int(address[1].rpartition(":")[2])
            until(lambda: listens(port), 60)
        finally:
            service.terminate()
            service.wait(30)
    ran = tmp_path / "ran"
    assert not ran.exists(), ran.read_text()


@pytest.mark.parametrize(
    "command",
    [
        ["syncengine", "check"],
        ["syncengine", "status"],
        ["python", "-P", "-m", "workers", "report"],
    ],
    ids=" ".join,
)
def test_commands_run_nothing_from_where_they_are_started(
    tmp_path: Path, trap: Path, command: list[str]
) -> None:
    """Neither do the commands that people type."""
    program = Path(sys.executable).with_name(command[0])
    given = environment(tmp_path) | {"SYNCENGINE_BROKER_PREFIX": "test."}
    ended = subprocess.run(
        [str(program), *command[1:]],
        cwd=trap, env=given, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert not (tmp_path / "ran").exists()
