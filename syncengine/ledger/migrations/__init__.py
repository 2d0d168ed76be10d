"""The schema, revision by revision, run by the program itself."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Engine, inspect, text

from syncengine.ledger.encryption import Vault
from syncengine.ledger.engine import reader, unbounded

NEWEST = "answered"
"""The last revision of ``versions``."""
_LOCK = 7_305_806_917
"""Any number that nobody else takes an advisory lock on."""


def upgrade(engine: Engine, keys: Sequence[str] = ()) -> None:
    """Bring the schema to the newest revision, in one transaction; two processes may do it at once. Where it is the
    newest already nothing is locked. ``keys``: encryption keys, newest first. Raises ConfigInvalid where rows have to
    be changed that other keys have sealed."""
    with reader(engine) as connection, connection.begin():
        if _revision(connection) == NEWEST:
            return
    # Loaded only where there is something to do, since each command of the program looks whether there is.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "syncengine.ledger:migrations")
    with engine.begin() as connection, unbounded(connection):
        # On SQLite the transaction began by locking the database.
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        config.attributes |= {"connection": connection, "vault": Vault(keys)}
        command.upgrade(config, "head")


def is_newest(engine: Engine) -> bool:
    """Whether the schema is that of this program, or there is none yet."""
    with reader(engine) as connection, connection.begin():
        return _revision(connection) in (NEWEST, None)


def _revision(connection: Connection) -> str | None:
    """Of the schema; None where there is none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found
