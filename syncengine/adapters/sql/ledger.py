"""The ledger on SQL: transactions of one engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Engine

from syncengine.adapters.sql.aside import Aside
from syncengine.adapters.sql.compacting import compact
from syncengine.adapters.sql.connections import Connections
from syncengine.adapters.sql.encryption import Vault
from syncengine.adapters.sql.engine import reader
from syncengine.adapters.sql.erasures import Erasures
from syncengine.adapters.sql.journal import Journal
from syncengine.adapters.sql.keyring import Keyring
from syncengine.adapters.sql.links import Links
from syncengine.adapters.sql.operations import Operations
from syncengine.adapters.sql.records import Records
from syncengine.adapters.sql.retention import Retention
from syncengine.adapters.sql.times import Times
from syncengine.errors import ConfigInvalid, LostRace, Unreadable


class SqlTransaction(
    Links, Records, Operations, Journal, Connections, Times, Retention, Erasures, Keyring
):
    """One transaction: ``ports.Transaction`` on SQLAlchemy Core."""


class SqlLedger:
    """``ports.Ledger`` on an engine of ``make_engine`` whose schema is up to date (``migrations.upgrade``).

    ``keys``: encryption keys, newest first; see ``Vault``. Transactions of one thread do not nest. Any method may
    raise LostRace: another transaction took the place of a row, the database could not order the two, or what did not
    open was just set aside. The first transaction raises ConfigInvalid where none of the keys opens the database.
    """

    def __init__(self, engine: Engine, keys: Sequence[str] = ()) -> None:
        self._engine = engine
        self._vault = Vault(keys)

    @contextmanager
    def read(self) -> Iterator[SqlTransaction]:
        """A consistent snapshot; writing in it fails."""
        try:
            with reader(self._engine) as connection, connection.begin():
                transaction = SqlTransaction(connection, self._vault)
                transaction.follow_ring(writing=False)
                yield transaction
        except Unreadable as unreadable:
            raise self._aside(unreadable) from None

    @contextmanager
    def write(self) -> Iterator[SqlTransaction]:
        """A short write transaction; commits at the end, rolls back on an exception."""
        try:
            with self._engine.begin() as connection:
                transaction = SqlTransaction(connection, self._vault)
                transaction.follow_ring(writing=True)
                yield transaction
        except Unreadable as unreadable:
            raise self._aside(unreadable) from None

    def compact(self) -> bool:
        """As ``compacting.compact``."""
        return compact(self._engine)

    def _aside(self, unreadable: Unreadable) -> LostRace | ConfigInvalid:
        """One value that does not open keeps no others from their work: its row is set aside, and all is read again."""
        with self._engine.begin() as connection:
            # What is sealed with a key that somebody else was given meanwhile is not broken.
            SqlTransaction(connection, self._vault).follow_ring(writing=True)
            told = Aside(connection, self._vault).set_aside(unreadable)
        if not told:
            return ConfigInvalid([str(unreadable)])
        return LostRace(f"{unreadable}; it is set aside")
