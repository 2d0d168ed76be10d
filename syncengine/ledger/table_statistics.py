"""What PostgreSQL knows of its tables, by which it chooses indexes: renewed while an empty ledger fills, since its own
look comes a minute later, and until then it goes through all rows of a kind for each batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from syncengine.errors import SyncengineError

log = structlog.get_logger(__name__)
FIRST: Final = 500
"""Rows that were added before the first look; then twice as many each time."""
_SOON: Final = text("SET LOCAL lock_timeout = '100ms'")
"""Another process, or the database itself, may be looking just now."""
_LOOK: Final = text("ANALYZE records, links, keys, operations, history, events")


@dataclass(slots=True)
class TableStatistics:
    """Counts the rows that one process adds; SQLite has no such statistics, and is left alone."""

    database: Engine
    added: int = 0
    looks_at: int = FIRST

    def grew(self, rows: int) -> None:
        """So many rows were added and committed."""
        self.added += rows
        if self.added < self.looks_at or self.database.dialect.name != "postgresql":
            return
        self.looks_at = 2 * self.added
        try:
            with self.database.begin() as connection:
                connection.execute(_SOON)
                connection.execute(_LOOK)
        except (DBAPIError, SyncengineError) as error:
            log.info(
                "PostgreSQL was not told how large its tables are; it is slower until it looks itself",
                error=type(error).__name__, next_after_rows=self.looks_at,
            )  # fmt: skip
