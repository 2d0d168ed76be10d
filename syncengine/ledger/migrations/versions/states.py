"""Links are counted by their state from an index alone."""

from __future__ import annotations

from alembic import op

revision = "states"
down_revision = "rights"


def upgrade() -> None:
    op.drop_index("links_entity", "links")
    op.create_index("links_entity", "links", ["entity", "connection", "state"])
