"""The schema as migrated is the schema as declared."""

from __future__ import annotations

import multiprocessing

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from syncengine.ledger.engine import make_engine
from syncengine.ledger.migrations import NEWEST, upgrade
from syncengine.ledger.tables import metadata

fork = multiprocessing.get_context("fork")
TABLES = {
    "connections", "links", "records", "keys", "operations", "events", "cases", "history", "erasures",
    "members", "grants", "audit", "plans", "runs",
}  # fmt: skip


def _schema(connection: Connection) -> set[str]:
    """Columns and indexes as the database tells them, conditions and collations included."""
    if connection.dialect.name == "sqlite":
        columns = (
            "SELECT m.name || ' ' || c.name || ' ' || c.type || c.\"notnull\" || c.pk || coalesce(c.dflt_value, '')"
            " FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'"
        )
        indexes = "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        indexes += " UNION SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%'"
    else:
        columns = (
            "SELECT concat_ws(' ', table_name, column_name, data_type, collation_name, is_nullable, column_default)"
            " FROM information_schema.columns WHERE table_schema = 'public'"
        )
        indexes = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'"
    found = [row[0] for part in (columns, indexes) for row in connection.execute(text(part))]
    return {line for line in found if "alembic_version" not in line}


def _dispose(engine: Engine) -> None:
    with engine.begin() as connection:
        metadata.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))


def test_the_newest_revision_is_known_without_reading_all() -> None:
    """The name that a database is compared with is that of the last revision."""
    config = Config()
    config.set_main_option("script_location", "syncengine.ledger:migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == NEWEST


def test_migrations_make_what_is_declared(url: str) -> None:
    """A migrated database and one made from the tables are alike, down to the conditions of indexes."""
    engine = make_engine(url)
    upgrade(engine)
    with engine.begin() as connection:
        migrated = _schema(connection)
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    _dispose(engine)
    with engine.begin() as connection:
        metadata.create_all(connection)
        assert _schema(connection) == migrated
    engine.dispose()


def test_there_are_these_tables(url: str) -> None:
    """The schema has the tables of the design and Alembic's own."""
    engine = make_engine(url)
    upgrade(engine)
    with engine.begin() as connection:
        names = set(connection.dialect.get_table_names(connection))
    assert names - {"sqlite_sequence"} == TABLES | {"alembic_version"}
    engine.dispose()


def _upgrade(url: str) -> None:
    upgrade(make_engine(url))


def test_two_processes_may_upgrade_at_once(url: str) -> None:
    """Processes that start together all find the schema ready, whoever made it."""
    starters = [fork.Process(target=_upgrade, args=(url,)) for _ in range(3)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    assert [starter.exitcode for starter in starters] == [0, 0, 0]


def test_a_second_upgrade_changes_nothing() -> None:
    """Upgrading at every start is harmless, in memory too."""
    engine = make_engine("sqlite://")
    upgrade(engine)
    with engine.begin() as connection:
        before = _schema(connection)
    upgrade(engine)
    with engine.begin() as connection:
        assert _schema(connection) == before
