"""The attacker has another account on the host, whose owner was generous with the umask: what the program keeps on the
disk is for its own account alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncengine.edition import exposed_files
from syncengine.ledger.engine import make_engine
from syncengine.process import free_port
from syncengine.settings import Settings
from tests.support.places import MAPPINGS

SYNCENGINE = str(Path(sys.executable).with_name("syncengine"))


@pytest.fixture
def generous() -> Iterator[None]:
    """A shell that lets everybody do everything."""
    before = os.umask(0)
    yield
    os.umask(before)


def shared(folder: Path) -> list[str]:
    """What anybody but the owner may use below a folder."""
    return [
        f"{path.relative_to(folder)} {path.stat().st_mode & 0o777:o}"
        for path in folder.rglob("*")
        if path.stat().st_mode & 0o077
    ]


@pytest.mark.usefixtures("generous")
@pytest.mark.parametrize(
    "command",
    [
        ["init", "mine"], ["schema", "--out", "schemas"], ["db", "upgrade"], ["status"],
        ["sync", "--connection", "hakuna"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_commands_make_private_files(tmp_path: Path, command: list[str]) -> None:
    """What a command makes, and the folders for it, nobody else may use."""
    given = {**os.environ, "SYNCENGINE_PROJECT": str(MAPPINGS)}
    given = {k: v for k, v in given.items() if k != "SYNCENGINE_DATABASE_URL"}
    subprocess.run(
        [SYNCENGINE, *command], cwd=tmp_path, env=given, capture_output=True, check=False,
        timeout=60,
    )  # fmt: skip
    assert [*tmp_path.iterdir()]
    assert shared(tmp_path) == []


@pytest.mark.usefixtures("generous")
def test_the_database_is_private_whoever_opens_it(tmp_path: Path) -> None:
    """The file and those that SQLite keeps beside it, also where no command of ours has set the umask."""
    engine = make_engine(f"sqlite:///{tmp_path}/kept.db")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (x)")
        assert {p.name for p in tmp_path.iterdir()} >= {"kept.db", "kept.db-wal", "kept.db-shm"}
        assert shared(tmp_path) == []
    engine.dispose()


@pytest.mark.usefixtures("generous")
@pytest.mark.long
@pytest.mark.ci
def test_the_parts_of_the_service_make_private_files(tmp_path: Path) -> None:
    """The whole service, temporary files too."""
    (tmp_path / "tmp").mkdir(mode=0o700)
    given = {
        **os.environ,
        "TMPDIR": str(tmp_path / "tmp"),
        "SYNCENGINE_PROJECT": str(MAPPINGS),
        "SYNCENGINE_DATABASE_URL": "sqlite:///kept.db",
        "SYNCENGINE_BROKER_URL": f"embedded:{free_port()}",
    }
    command = [SYNCENGINE, "run", "--port=0", "--flower-port=0"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=given, stderr=subprocess.PIPE, text=True
    ) as service:
        try:
            assert service.stderr
            for line in service.stderr:
                if "worker ready" in line:
                    break
            assert (tmp_path / "kept.db").exists()
            assert shared(tmp_path) == []
        finally:
            service.terminate()
            service.communicate(timeout=30)


def test_what_is_wider_already_is_said(tmp_path: Path) -> None:
    """``check`` and ``run`` name a database that others may read, with what to do; they do not change it."""
    file = tmp_path / "kept.db"
    settings = Settings(database_url=f"sqlite:///{file}")
    file.touch(mode=0o600)
    assert exposed_files(settings) == []
    file.chmod(0o644)
    (warning,) = exposed_files(settings)
    assert warning == f"other accounts may read {file} (0644): chmod 600 {file}"
    file.chmod(0o666)
    assert "read and write" in exposed_files(settings)[0]
    given = {
        **os.environ,
        "SYNCENGINE_PROJECT": str(MAPPINGS),
        "SYNCENGINE_DATABASE_URL": settings.database_url,
    }
    told = subprocess.run(
        [SYNCENGINE, "check"], env=given, capture_output=True, text=True, check=True, timeout=60
    )
    assert f"chmod 600 {file}" in told.stderr
    assert file.stat().st_mode & 0o777 == 0o666
    assert exposed_files(Settings(database_url="postgresql://u@h/x")) == []
