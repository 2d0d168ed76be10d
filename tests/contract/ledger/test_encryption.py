"""What is readable at rest, and what a rotation of keys leaves whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Engine, text

from syncengine.adapters.sql.ledger import SqlLedger
from syncengine.adapters.sql.tables import metadata
from syncengine.errors import ConfigInvalid
from syncengine.model.change import Change
from syncengine.model.key import KeyKind
from syncengine.model.link import Base
from syncengine.model.record import Record
from syncengine.ports import Ledger
from tests.contract.ledger.samples import a_case, a_link, an_operation, fill, key

NAME, SALARY = "Annabella", 98765.25
KEYS = [Fernet.generate_key().decode() for _ in range(2)]


def _fill_with_secrets(ledger: Ledger) -> None:
    told = {"name": NAME, "salary": SALARY}
    link = a_link("l1", "r1", row=told, noted=told, base=Base(told, told))
    operation = an_operation("o1", body=told, carried=told, expected=told, detail=NAME)
    case = replace(a_case("c1", evidence=told, answers={"yes": NAME}, reason=NAME), question=NAME)
    fill(ledger, link, operation, case, Record("r1", "person", told))
    with ledger.write() as tx:
        tx.take_keys([key(KeyKind.RECORD, "r1", NAME), key(KeyKind.ROW, "l1", NAME, SALARY)])
        tx.add_history([Change("r1", 1, "name", NAME, told, NAME)])
        tx.save_cases([case])


def _everything(engine: Engine) -> str:
    """All that is stored, as text: the tables, and the files where there are any."""
    with engine.begin() as connection:
        rows = [
            str(tuple(row))
            for table in metadata.sorted_tables
            for row in connection.execute(text(f'SELECT * FROM "{table.name}"'))
        ]
    path = engine.url.database or ""
    files = [Path(path + end) for end in ("", "-wal") if engine.dialect.name == "sqlite"]
    return "\n".join(
        [*rows, *(file.read_bytes().decode("latin-1") for file in files if file.is_file())]
    )


@pytest.mark.parametrize("keys", [(), (KEYS[0],)])
def test_nothing_personal_is_readable_at_rest(engine: Engine, keys: tuple[str, ...]) -> None:
    """With a key neither names nor salaries are in the database; without one they are."""
    _fill_with_secrets(SqlLedger(engine, keys))
    stored = _everything(engine)
    assert (NAME in stored, str(SALARY) in stored) == (not keys, not keys)


def test_a_rotation_loses_neither_values_nor_keys(engine: Engine) -> None:
    """After a new key was put in front, old values are read, old keys found, and both may be written."""
    _fill_with_secrets(SqlLedger(engine, KEYS[1:]))
    with SqlLedger(engine, KEYS).write() as tx:
        record = tx.records(["r1"])["r1"]
        assert record.values == {"name": NAME, "salary": SALARY}
        assert tx.take_keys([key(KeyKind.RECORD, "r2", NAME)])
        tx.save_records([record])
    with SqlLedger(engine, KEYS[:1]).read() as tx:
        assert tx.records(["r1"]) == {"r1": record}
        with pytest.raises(ConfigInvalid, match="SYNCENGINE_ENCRYPTION_KEYS"):
            tx.links(["l1"])


@pytest.mark.parametrize("keys", [(), KEYS[1:], KEYS])
def test_another_last_key_stops_all_writing(engine: Engine, keys: Sequence[str]) -> None:
    """A database whose keys could not be found any more is not written to."""
    _fill_with_secrets(SqlLedger(engine, KEYS[:1]))
    with pytest.raises(ConfigInvalid, match="last key"):
        fill(SqlLedger(engine, keys), a_link("l2"))
