"""The erasure log: that somebody was forgotten, when, by whom and why."""

from __future__ import annotations

from alembic import op
from sqlalchemy import MetaData

from syncengine.ledger.columns import table

revision = "erasures"
down_revision = "gone"
made = MetaData()


def upgrade() -> None:
    made.create_all(op.get_bind())


table(
    made,
    "erasures",
    texts="id entity author answer",
    times="at",
    packed="counts",
    sealed="reason",
)
