"""Compacting: deleted data is removed from the database files, too."""

from __future__ import annotations

import sqlite3

from sqlalchemy import Engine, text

from syncengine.ledger.tables import metadata


def compact(engine: Engine) -> bool:
    """Rewrite an SQLite file without its free pages, which still hold deleted rows; vacuum PostgreSQL. Returns False
    where somebody else was using the file."""
    if engine.dialect.name != "sqlite":
        tables = ", ".join(table.name for table in metadata.sorted_tables)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"VACUUM {tables}"))
        return True
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute("PRAGMA query_only=0")
        cursor.execute("VACUUM")
        busy = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.OperationalError:
        return False
    finally:
        raw.close()
    return not busy
