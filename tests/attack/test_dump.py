"""The attacker has a copy of the database, as a file, a dump or a backup, and not its keys. He knows the company: its
people, their addresses and numbers, and when they were away."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from hashlib import blake2b, md5, sha1, sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from syncengine.flows.run.sync import sync
from syncengine.ledger.encryption import Vault, earlier_keyring, new_key
from syncengine.ledger.engine import make_engine
from syncengine.ledger.tables import metadata
from syncengine.model.values import digest
from syncengine.planning.observation import row_hash
from syncengine.sandbox.process import SandboxProcess
from tests.integration.support import opened
from tests.support.databases import POSTGRES_LONG
from tests.support.leaks import found_in, seeded

pytestmark = pytest.mark.parametrize("url", ["sqlite", POSTGRES_LONG], indirect=True)


@pytest.fixture
def stolen(sandbox: SandboxProcess, url: str, tmp_path: Path) -> list[str]:
    """All values that stand in the database after two passes, and its file."""
    sandbox.reset()
    keys = f"{new_key()},{new_key()}"
    for _ in range(2):
        with opened(
            sandbox, tmp_path, SYNCENGINE_DATABASE_URL=url, SYNCENGINE_ENCRYPTION_KEYS=keys
        ) as engine:
            told = sync(engine)
    assert told["converged"]
    database = make_engine(url)
    with database.begin() as connection:
        values = [
            str(value)
            for table in metadata.sorted_tables
            for row in connection.execute(text(f'SELECT * FROM "{table.name}"'))
            for value in row
            if value is not None
        ]
    database.dispose()
    files = [file.read_bytes().decode("latin-1") for file in tmp_path.glob("stolen.db*")]
    return [*values, *files]


def days(sandbox: SandboxProcess) -> set[str]:
    """Days that say something of a person: her birth, her first day, her absences."""
    rows = sandbox.state("heavenhr", "employees") + sandbox.state("hakuna", "absences")
    texts = json.dumps(rows + sandbox.state("heavenhr", "absences"))
    return {
        day
        for part in texts.split('"')
        if len(day := part[:10]) == 10 and day[4:5] == day[7:8] == "-"
    }


def test_a_stolen_database_says_nothing_of_anybody(
    stolen: list[str], sandbox: SandboxProcess
) -> None:
    """No name, address, number, day of a person, nor what kept her away stands in it."""
    wanted = seeded(sandbox) | days(sandbox)
    assert len(wanted) > 60
    whole = "\n".join(value for value in stolen)
    assert found_in(whole, wanted) == set()


def test_who_guesses_finds_nobody(stolen: list[str], sandbox: SandboxProcess) -> None:
    """Neither a hash of what he guesses, made in any way that needs no key, nor one of a row that he knows whole, is
    anywhere in it."""
    guesses: set[Any] = {
        *seeded(sandbox),
        *(word.title() for word in seeded(sandbox)),
        *days(sandbox),
    }
    rows: list[Any] = [
        row
        for vendor, resource in (
            ("heavenhr", "employees"), ("heavenhr", "absences"), ("hakuna", "users"),
            ("haekka", "employees"), ("weekly10", "users"),
        )
        for row in sandbox.state(vendor, resource)
    ]  # fmt: skip
    guesses |= {
        str(value) for row in rows for value in row.values() if isinstance(value, str | int)
    }
    hashes = (
        set(_hashes([*guesses])) | {row_hash(row) for row in rows} | {digest(row) for row in rows}
    )
    held = {value for value in stolen if len(value) < 200}
    assert len(hashes) > 1000
    assert not [
        value for value in held if value in hashes or any(h in value for h in hashes if len(h) > 30)
    ]


def _hashes(guesses: list[Any]) -> Iterator[str]:
    open_to_all = Vault((), earlier_keyring(()))
    for guess in guesses:
        forms = [guess, json.dumps(guess), json.dumps([guess], separators=(",", ":"))]
        for form, make in itertools.product(forms, (md5, sha1, sha256, blake2b)):
            yield make(form.encode()).hexdigest()
        for form, size in itertools.product(forms, (10, 12, 16, 20)):
            yield blake2b(form.encode(), digest_size=size).hexdigest()
        yield open_to_all.hash([guess])
        yield digest(guess)
