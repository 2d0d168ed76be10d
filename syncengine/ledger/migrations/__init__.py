"""The schema, revision by revision, run by the program itself."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from syncengine.ledger.bounded import Bounded
from syncengine.ledger.encryption import Vault
from syncengine.ledger.engine import reader

_LOCK = 7_305_806_917
"""Any number that nobody else takes an advisory lock on."""


def upgrade(engine: Engine, keys: Sequence[str] = ()) -> None:
    """Bring the schema to the newest revision, in one transaction; two processes may do it at once. Where it is the
    newest already nothing is locked. ``keys``: encryption keys, newest first. Raises ConfigInvalid where rows have to
    be changed that other keys have sealed."""
    config = Config()
    config.set_main_option("script_location", "syncengine.ledger:migrations")
    newest = ScriptDirectory.from_config(config).get_current_head()
    with reader(engine) as connection, connection.begin():
        if MigrationContext.configure(connection).get_current_revision() == newest:
            return
    with engine.begin() as connection, ExitStack() as undo:
        driver = connection.connection.driver_connection
        # On SQLite the transaction began by locking the database.
        if isinstance(driver, Bounded):
            undo.enter_context(driver.unbound())
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        config.attributes |= {"connection": connection, "vault": Vault(keys)}
        command.upgrade(config, "head")
