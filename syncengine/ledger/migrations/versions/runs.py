"""Runs, in which of them something was done, and when a write was settled."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import MetaData, text

from syncengine.ledger.columns import index, table

revision = "runs"
down_revision = "standing"
made = MetaData()

_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_INDEXES = (
    ("operations", "settled", "settled_at", "settled_at IS NOT NULL"),
    ("operations", "run", "run_id", "run_id IS NOT NULL"),
    ("cases", "opened", "opened_at", ""),
    ("cases", "run", "run_id", "run_id IS NOT NULL"),
    ("history", "at", "at", ""),
    ("history", "by", "author at", "author != ''"),
    ("history", "from", "connection at", ""),
    ("history", "run", "run_id", "run_id IS NOT NULL"),
)


def upgrade() -> None:
    """What was settled before is taken to have been settled when it was planned."""
    made.create_all(op.get_bind())
    for name in ("operations", "cases", "history"):
        op.add_column(name, sa.Column("run_id", _NAME))
    op.add_column("operations", sa.Column("settled_at", sa.Double()))
    op.execute(
        "UPDATE operations SET settled_at = created_at"
        " WHERE state NOT IN ('claimed', 'pending', 'unknown')"
    )
    for of, name, columns, condition in _INDEXES:
        where = text(condition) if condition else None
        op.create_index(
            f"{of}_{name}", of, columns.split(), sqlite_where=where, postgresql_where=where
        )


runs = table(
    made,
    "runs",
    texts="id kind parent connection resource author outcome mapping",
    times="started_at touched_at ended_at?",
    flags="quiet",
    packed="counts",
    sealed="fault",
)
index(runs, "started", "started_at id")
index(runs, "quiet", "started_at", where=runs.c.quiet.is_(sa.true()))
index(runs, "parent", "parent")
index(runs, "under_way", "connection resource", where=runs.c.ended_at.is_(None))
