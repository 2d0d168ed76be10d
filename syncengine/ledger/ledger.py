"""The ledger: the SQL store, and its transactions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import time

from sqlalchemy import Engine

from syncengine.errors import ConfigInvalid, LostRace, Unreadable
from syncengine.ledger.access import Access
from syncengine.ledger.compacting import compact
from syncengine.ledger.copying import a_copy
from syncengine.ledger.encryption import Vault
from syncengine.ledger.engine import reader
from syncengine.ledger.erasures import Erasures
from syncengine.ledger.figures import Standings
from syncengine.ledger.forms import Forms
from syncengine.ledger.keyring import Keyring
from syncengine.ledger.pages import Pages
from syncengine.ledger.quarantine import Quarantine
from syncengine.ledger.retention import Retention
from syncengine.ledger.runs import Runs
from syncengine.ledger.table_statistics import TableStatistics
from syncengine.ledger.times import Times
from syncengine.ledger.writing import Writing


class Transaction(
    Writing, Standings, Forms, Runs, Times, Retention, Erasures, Access, Pages, Keyring
):
    """One transaction. Every method is bulk and costs a constant number of statements. A ``lock=True`` read holds the
    rows until the end (ids in order), so that what is compared is what is set."""


class Ledger:
    """The store, on a database of ``make_engine`` whose schema is up to date (``migrations.upgrade``).

    ``keys``: encryption keys, newest first; see ``Vault``. ``clock``: tells the time at which something is stored;
    ``run``: in which run that happens.
    Transactions of one thread do not nest. Any method may raise LostRace: another transaction took the place of a row,
    the database could not order the two, or what did not open was just set aside. The first transaction raises
    ConfigInvalid where none of the keys opens the database.
    """

    def __init__(
        self, engine: Engine, keys: Sequence[str] = (), clock: Callable[[], float] = time
    ) -> None:
        self._engine = engine
        self._vault = Vault(keys)
        self._clock = clock
        self._statistics = TableStatistics(engine)
        self.run: str | None = None

    def now(self) -> float:
        """The time by which this store's entries are made: epoch seconds."""
        return self._clock()

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A consistent snapshot; writing in it fails."""
        try:
            with reader(self._engine) as connection, connection.begin():
                transaction = Transaction(connection, self._vault, self._clock, self.run)
                transaction.follow_keyring(writing=False)
                yield transaction
        except Unreadable as unreadable:
            raise self._quarantine(unreadable) from None

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A short write transaction; commits at the end, rolls back on an exception."""
        try:
            with self._engine.begin() as connection:
                transaction = Transaction(connection, self._vault, self._clock, self.run)
                transaction.follow_keyring(writing=True)
                yield transaction
            self._statistics.grew(transaction.added)
        except Unreadable as unreadable:
            raise self._quarantine(unreadable) from None

    @contextmanager
    def copy(self) -> Iterator[Ledger]:
        """A copy of what stands here now, in memory, for as long as the block lasts; see ``copying.copied``."""
        with a_copy(self._engine) as database:
            yield Ledger(database, self._vault.keys, self._clock)

    def compact(self) -> bool:
        """Remove deleted data from the database files; False where somebody else is using them."""
        return compact(self._engine)

    def _quarantine(self, unreadable: Unreadable) -> LostRace | ConfigInvalid:
        """Quarantine one value that cannot be decrypted, so that it does not block all other work; everything is read
        again."""
        with self._engine.begin() as connection:
            # It may be encrypted with a key that another process was given meanwhile: that is not broken.
            Transaction(connection, self._vault, self._clock).follow_keyring(writing=True)
            told = Quarantine(connection, self._vault, self._clock).set_aside(unreadable)
        if not told:
            return ConfigInvalid([str(unreadable)])
        return LostRace(f"{unreadable}; it is set aside")
