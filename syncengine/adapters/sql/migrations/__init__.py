"""The schema, revision by revision, run by the program itself."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

_LOCK = 7_305_806_917
"""Any number that nobody else takes an advisory lock on."""


def upgrade(engine: Engine) -> None:
    """Bring the schema to the newest revision, in one transaction; two processes may do it at once."""
    config = Config()
    config.set_main_option("script_location", "syncengine.adapters.sql:migrations")
    with engine.begin() as connection:
        # On SQLite the transaction began by locking the database.
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
