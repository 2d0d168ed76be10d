"""Indexes by which what is over is found."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "gone"
down_revision = "0001"


def upgrade() -> None:
    nobodys = text('record_id IS NULL AND "row" IS NULL')
    op.create_index(
        "links_nobodys", "links", ["id"], sqlite_where=nobodys, postgresql_where=nobodys
    )
    op.create_index(
        "records_gone",
        "records",
        ["id"],
        sqlite_where=text("deleted IS 1"),
        postgresql_where=text("deleted IS true"),
    )
