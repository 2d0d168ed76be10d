"""Approvals by several people; members of a sign-in elsewhere, their limits, and tokens for programs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy import text

revision = "rights"
down_revision = "runs"

_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Nobody has voted, nobody is limited, nobody has a token."""
    op.add_column("cases", sa.Column("votes", sa.Text()))
    op.add_column("members", sa.Column("subject", _NAME))
    op.add_column("members", sa.Column("limits", sa.Text()))
    op.add_column("grants", sa.Column("name", _NAME))
    op.add_column("grants", sa.Column("rights", sa.Text()))
    known = text("subject IS NOT NULL")
    op.create_index(
        "members_subject", "members", ["subject"], unique=True,
        sqlite_where=known, postgresql_where=known,
    )  # fmt: skip
