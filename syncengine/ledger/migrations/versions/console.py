"""Members, their secrets, the audit and stored plans; indexes by which lists are read page by page."""

from __future__ import annotations

from alembic import op
from sqlalchemy import MetaData, text

from syncengine.ledger.columns import index, table

revision = "console"
down_revision = "sealed"
made = MetaData()


def upgrade() -> None:
    made.create_all(op.get_bind())
    for name, column, where in (
        ("cases_asked", "opened_at", text("closed_at IS NULL")),
        ("cases_answered", "closed_at", text("closed_at IS NOT NULL")),
    ):
        op.create_index(name, "cases", [column, "id"], sqlite_where=where, postgresql_where=where)
    op.create_index("operations_newest", "operations", ["created_at", "id"])


members = table(
    made,
    "members",
    texts="id name",
    counts="failures",
    times="created_at shut_until",
    flags="locked",
    packed="roles",
    sealed="password",
)
index(members, "name", "name", unique=True)

grants = table(
    made,
    "grants",
    texts="id kind member_id hash",
    times="created_at expires_at seen_at proved_at",
)
index(grants, "hash", "hash", unique=True)
index(grants, "member", "member_id")

table(
    made,
    "audit",
    key="",
    texts="author way action about outcome address",
    times="at",
    packed="detail",
)

table(
    made,
    "plans",
    key="id part",
    texts="id part author digest",
    times="at",
    sealed="document",
)
