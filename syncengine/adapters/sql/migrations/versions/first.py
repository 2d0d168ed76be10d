"""The eight tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _connections()
    _links()
    _records()
    _keys()
    _operations()
    _events()
    _cases()
    _history()


def _connections() -> None:
    op.create_table(
        "connections",
        sa.Column("name", NAME, nullable=False),
        sa.Column("part", NAME, nullable=False),
        sa.Column("state", sa.Text()),
        sa.Column("holder", NAME),
        sa.Column("until", sa.Double(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("name", "part", name="connections_part"),
    )


def _links() -> None:
    op.create_table(
        "links",
        sa.Column("id", NAME, nullable=False),
        sa.Column("entity", NAME, nullable=False),
        sa.Column("connection", NAME, nullable=False),
        sa.Column("resource", NAME, nullable=False),
        sa.Column("external_id", NAME),
        sa.Column("parent", NAME),
        sa.Column("record_id", NAME),
        sa.Column("state", NAME, nullable=False),
        sa.Column("row", sa.Text()),
        sa.Column("listed_hash", NAME, nullable=False),
        sa.Column("row_version", sa.BigInteger(), nullable=False),
        sa.Column("stamps", sa.Text()),
        sa.Column("read_at", sa.Double(), nullable=False),
        sa.Column("need_get", sa.Boolean(), nullable=False),
        sa.Column("base", sa.Text()),
        sa.Column("noted", sa.Text()),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("dirty", sa.BigInteger(), nullable=False),
        sa.Column("nominated_at", sa.Double()),
        sa.Column("approved", sa.Boolean(), nullable=False),
        sa.Column("wait_key", NAME),
        sa.Column("wait_what", NAME),
        sa.Column("lease_until", sa.Double(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("id", name="links_id"),
    )
    _index("links_dirty", "links", ["id"], where="dirty > 0")
    _index("links_entity", "links", ["entity", "connection"])
    _index("links_need_get", "links", ["id"], where=sa.column("need_get").is_(sa.true()))
    _index(
        "links_place",
        "links",
        ["record_id", "connection", "resource"],
        unique=True,
        where="state IN ('creating', 'left', 'linked', 'missing', 'waiting')",
    )
    _index("links_record", "links", ["record_id"])
    _index(
        "links_ref",
        "links",
        ["connection", "resource", "external_id", "entity"],
        unique=True,
        where="external_id IS NOT NULL",
    )
    _index("links_wait", "links", ["wait_key"], where="wait_key IS NOT NULL")


def _records() -> None:
    op.create_table(
        "records",
        sa.Column("id", NAME, nullable=False),
        sa.Column("entity", NAME, nullable=False),
        sa.Column("fields", sa.Text()),
        sa.Column("stamps", sa.Text()),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("created_at", NAME, nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("derive_due", sa.BigInteger(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("id", name="records_id"),
    )
    _index("records_derive_due", "records", ["id"], where="derive_due > 0")
    _index(
        "records_entity", "records", ["entity", "id"], where=sa.column("deleted").is_(sa.false())
    )


def _keys() -> None:
    op.create_table(
        "keys",
        sa.Column("kind", NAME, nullable=False),
        sa.Column("scope", NAME, nullable=False),
        sa.Column("hash", NAME, nullable=False),
        sa.Column("owner", NAME, nullable=False),
        sa.PrimaryKeyConstraint("kind", "hash", "scope", "owner", name="keys_bearer"),
    )
    _index("keys_owner", "keys", ["owner", "kind"])
    _index(
        "keys_unique",
        "keys",
        ["kind", "hash", "scope"],
        unique=True,
        where="kind IN ('derived', 'record')",
    )


def _operations() -> None:
    op.create_table(
        "operations",
        sa.Column("id", NAME, nullable=False),
        sa.Column("link_id", NAME, nullable=False),
        sa.Column("record_id", NAME, nullable=False),
        sa.Column("entity", NAME, nullable=False),
        sa.Column("connection", NAME, nullable=False),
        sa.Column("resource", NAME, nullable=False),
        sa.Column("action", NAME, nullable=False),
        sa.Column("body", sa.Text()),
        sa.Column("carried", sa.Text()),
        sa.Column("expected", sa.Text()),
        sa.Column("leave", sa.Boolean(), nullable=False),
        sa.Column("key", NAME, nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("causes", sa.Text()),
        sa.Column("state", NAME, nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("token", NAME),
        sa.Column("lease_until", sa.Double(), nullable=False),
        sa.Column("next_at", sa.Double(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("external_id", NAME),
        sa.Column("detail", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="operations_id"),
    )
    _index("operations_claimed", "operations", ["lease_until"], where="state IN ('claimed')")
    _index(
        "operations_creates",
        "operations",
        ["connection", "resource", "external_id"],
        where="action IN ('create')",
    )
    _index("operations_made", "operations", ["entity", "connection", "created_at"])
    _index(
        "operations_one_unsettled",
        "operations",
        ["link_id"],
        unique=True,
        where="state IN ('claimed', 'pending', 'unknown')",
    )
    _index("operations_pending", "operations", ["next_at"], where="state IN ('pending')")
    _index("operations_unknown", "operations", ["next_at"], where="state IN ('unknown')")


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("connection", NAME, nullable=False),
        sa.Column("resource", NAME, nullable=False),
        sa.Column("external_id", NAME, nullable=False),
        sa.Column("event_id", NAME, nullable=False),
        sa.Column("source", NAME, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sqlite_autoincrement=True,
    )
    _index("events_at", "events", ["at"])
    _index("events_once", "events", ["connection", "event_id"], unique=True)


def _cases() -> None:
    op.create_table(
        "cases",
        sa.Column("id", NAME, nullable=False),
        sa.Column("kind", NAME, nullable=False),
        sa.Column("subject", NAME, nullable=False),
        sa.Column("told", sa.Text()),
        sa.Column("entity", NAME, nullable=False),
        sa.Column("record_id", NAME),
        sa.Column("link_id", NAME),
        sa.Column("operation_id", NAME),
        sa.Column("opened_at", sa.Double(), nullable=False),
        sa.Column("answer", NAME),
        sa.Column("reason", sa.Text()),
        sa.Column("closed_at", sa.Double()),
        sa.PrimaryKeyConstraint("id", name="cases_id"),
    )
    _index("cases_open", "cases", ["subject"], unique=True, where="closed_at IS NULL")


def _history() -> None:
    op.create_table(
        "history",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("record_id", NAME, nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("field", NAME, nullable=False),
        sa.Column("change", sa.Text()),
        sa.Column("lost_by", NAME, nullable=False),
        sa.Column("stamp", sa.BigInteger(), nullable=False),
        sa.Column("connection", NAME, nullable=False),
        sa.Column("rule", NAME, nullable=False),
        sa.Column("policy", NAME, nullable=False),
        sa.Column("author", NAME, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
    )
    _index("history_record", "history", ["record_id", "id"])


def _index(
    name: str,
    table: str,
    columns: list[str],
    where: str | sa.ColumnElement[bool] | None = None,
    unique: bool = False,
) -> None:
    part = sa.text(where) if isinstance(where, str) else where
    op.create_index(name, table, columns, unique=unique, sqlite_where=part, postgresql_where=part)
