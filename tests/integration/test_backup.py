"""The commands of docs/how-to/backup.md, as they stand there, on real databases."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from syncengine.bootstrap import open_ledger, still_at_work
from syncengine.ledger.encryption import new_key
from syncengine.model.member import Member
from syncengine.settings import Settings
from tests.support.pages import sections
from tests.support.places import DOCS

KIM = Member("m1", "kim", ("viewer",), "a hash", created_at=5.0)


def run(url: str, number: int, backup: Path) -> None:
    """One block of commands of the page: 0 backs up, 1 restores. Skipped where its tool is not installed, but not in
    CI."""
    on_sqlite = url.startswith("sqlite")
    tool = "sqlite3" if on_sqlite else "pg_dump"
    if shutil.which(tool) is None and not os.environ.get("CI"):
        pytest.skip(f"{tool} is not installed")
    text = sections((DOCS / "how-to" / "backup.md").read_text("utf-8"))
    part = text["SQLite" if on_sqlite else "PostgreSQL"]
    commands = re.findall(r"^```sh\n(.*?)^```", part, re.M | re.S)[number]
    database = url.removeprefix("sqlite:///") if on_sqlite else url.replace("+psycopg", "")
    environment = {**os.environ, "DATABASE": database, "BACKUP": str(backup)}
    done = subprocess.run(["sh", "-ec", commands], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def members(settings: Settings) -> list[str]:
    """Who is in the store."""
    with open_ledger(settings) as ledger, ledger.read() as tx:
        return [member.name for member in tx.members()]


def test_what_was_backed_up_is_there_again(url: str, tmp_path: Path) -> None:
    """Beside an open store, encrypted; what came after the backup is gone, and the file is for our own account."""
    backup = tmp_path / "backup"
    settings = Settings.model_validate({"database_url": url, "encryption_keys": new_key()})
    with open_ledger(settings) as ledger:
        with ledger.write() as tx:
            tx.add_member(KIM)
        run(url, 0, backup)
        assert backup.stat().st_mode & 0o077 == 0
        with ledger.write() as tx:
            tx.drop_plans()
            tx.add_member(Member("m2", "ada", ("viewer",), "a hash", created_at=6.0))
    assert members(settings) == ["ada", "kim"]
    run(url, 1, backup)
    assert members(settings) == ["kim"]
    assert still_at_work(settings) == []
