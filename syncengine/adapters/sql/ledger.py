"""The ledger on SQL: transactions of one engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Engine

from syncengine.adapters.sql.connections import Connections
from syncengine.adapters.sql.encryption import Vault
from syncengine.adapters.sql.engine import reader
from syncengine.adapters.sql.journal import Journal
from syncengine.adapters.sql.links import Links
from syncengine.adapters.sql.operations import Operations
from syncengine.adapters.sql.records import Records


class SqlTransaction(Links, Records, Operations, Journal, Connections):
    """One transaction: ``ports.Transaction`` on SQLAlchemy Core."""


class SqlLedger:
    """``ports.Ledger`` on an engine of ``make_engine`` whose schema is up to date (``migrations.upgrade``).

    ``keys``: encryption keys, newest first; see ``Vault``. Transactions of one thread do not nest. Any method may
    raise LostRace: another transaction took the place of a row, or the database could not order the two. The first
    write raises ConfigInvalid where the last key is not the one that the database was begun with.
    """

    def __init__(self, engine: Engine, keys: Sequence[str] = ()) -> None:
        self._engine = engine
        self._vault = Vault(keys)
        self._checked = False

    @contextmanager
    def read(self) -> Iterator[SqlTransaction]:
        """A consistent snapshot; writing in it fails."""
        with reader(self._engine) as connection, connection.begin():
            yield SqlTransaction(connection, self._vault)

    @contextmanager
    def write(self) -> Iterator[SqlTransaction]:
        """A short write transaction; commits at the end, rolls back on an exception."""
        with self._engine.begin() as connection:
            transaction = SqlTransaction(connection, self._vault)
            if not self._checked:
                transaction.check_keys()
                self._checked = True
            yield transaction
