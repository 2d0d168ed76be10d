"""What was deleted is not in the files of the database."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy import create_engine, text

from syncengine.ledger import Ledger
from syncengine.ledger.engine import make_engine
from syncengine.ledger.migrations import upgrade
from syncengine.model.changeset import Changeset
from syncengine.model.record import Record
from tests.support.databases import postgres_database

NAME = "Ottilie Ungefunden"


def files(folder: Path) -> bytes:
    """All that lies on the disk."""
    return b"".join(path.read_bytes() for path in folder.iterdir())


def test_a_file_has_nothing_of_a_deleted_row(tmp_path: Path) -> None:
    """A record that was written, changed and erased is in the file before, and after compacting in none beside it
    either; while somebody reads from the file that is not said to be done."""
    engine = make_engine(f"sqlite:///{tmp_path}/kept.db")
    upgrade(engine)
    ledger = Ledger(engine)
    with ledger.write() as tx:
        tx.write(
            Changeset(
                new_records=[Record(f"r{n}", "person", {"name": f"{NAME} {n}"}) for n in range(200)]
            )
        )
    with ledger.write() as tx:
        tx.write(
            Changeset(records=[Record(f"r{n}", "person", {"name": "short"}) for n in range(100)])
        )
        tx.erase([f"r{n}" for n in range(200)], [], [], [], [])
    assert NAME.encode() in files(tmp_path)
    reader = sqlite3.connect(f"{tmp_path}/kept.db")
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM records").fetchone() == (0,)
    assert not ledger.compact()
    reader.close()
    assert ledger.compact()
    assert NAME.encode() not in files(tmp_path)
    engine.dispose()


def test_dead_rows_of_postgresql_are_freed() -> None:
    """After compacting no dead row is left."""
    with postgres_database() as url:
        engine = make_engine(url)
        upgrade(engine)
        ledger = Ledger(engine)
        with ledger.write() as tx:
            tx.write(
                Changeset(
                    new_records=[Record(f"r{n}", "person", {"name": NAME}) for n in range(50)]
                )
            )
        with ledger.write() as tx:
            tx.erase([f"r{n}" for n in range(50)], [], [], [], [])
        assert ledger.compact()
        engine.dispose()
        other = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
        with other.connect() as connection:
            size = connection.execute(text("SELECT pg_relation_size('records')")).scalar_one()
        other.dispose()
        assert size == 0
