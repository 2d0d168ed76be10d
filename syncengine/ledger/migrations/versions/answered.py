"""Questions are found by who answered them: by a hash, since the name is sealed."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import context, op

from syncengine.errors import Unreadable
from syncengine.ledger.encryption import Vault
from syncengine.ledger.keyring import Keyring

revision = "answered"
down_revision = "rights"

_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_SLICE = 1000
_QUERY = sa.text(
    "SELECT id, author FROM cases"
    f" WHERE author IS NOT NULL AND id > :after ORDER BY id LIMIT {_SLICE}"
)
_UPDATE = sa.text("UPDATE cases SET author_hash = :hash WHERE id = :of")


def upgrade() -> None:
    op.add_column("cases", sa.Column("author_hash", _NAME))
    connection, after = op.get_bind(), ""
    vault: Vault = context.config.attributes["vault"]
    while rows := connection.execute(_QUERY, {"after": after}).all():
        if not after:
            Keyring(connection, vault).follow_keyring(writing=True)
        connection.execute(_UPDATE, [_row(vault, *row) for row in rows])
        after = rows[-1][0]
    closed = sa.text("closed_at IS NOT NULL")
    op.create_index(
        "cases_by", "cases", ["author_hash", "closed_at"],
        sqlite_where=closed, postgresql_where=closed,
    )  # fmt: skip


def _row(vault: Vault, id_: str, author: str) -> dict[str, Any]:
    """What cannot be read is set aside as soon as somebody reads it, and is found by nobody's name."""
    try:
        return {"of": id_, "hash": vault.hash([vault.open(author, f"cases.author/{id_}")])}
    except Unreadable:
        return {"of": id_, "hash": None}
