"""Since when a link waits, and by what those are grouped that wait for the same."""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa
from alembic import context, op

from syncengine.ledger.encryption import Vault
from syncengine.ledger.keyring import Keyring

revision = "standing"
down_revision = "console"

_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_SLICE = 1000
_QUERY = sa.text(
    "SELECT id, connection, wait_key, wait_what, ruling FROM links"
    f" WHERE wait_key_hash IS NOT NULL AND id > :after ORDER BY id LIMIT {_SLICE}"
)
_UPDATE = sa.text(
    "UPDATE links SET wait_group = :group, wait_record = :record, waits_since = :now WHERE id = :of"
)
_REFUSALS = {"reject": "rejected", "drop": "dropped", "keep": "kept"}


def upgrade() -> None:
    op.add_column("links", sa.Column("wait_group", _NAME))
    op.add_column("links", sa.Column("wait_record", _NAME))
    op.add_column("links", sa.Column("waits_since", sa.Double()))
    connection, after, now = op.get_bind(), "", time.time()
    vault: Vault = context.config.attributes["vault"]
    while rows := connection.execute(_QUERY, {"after": after}).all():
        if not after:
            Keyring(connection, vault).follow_keyring(writing=True)
        connection.execute(_UPDATE, [{"now": now, **_row(vault, row)} for row in rows])
        after = rows[-1][0]
    waits = sa.text("wait_record IS NOT NULL")
    op.create_index(
        "links_waits_for", "links", ["wait_record"], sqlite_where=waits, postgresql_where=waits
    )


def _row(vault: Vault, row: Any) -> dict[str, Any]:
    key, what, said = (
        vault.open(text, f"links.{name}/{row.id}")
        for name, text in (
            ("wait_key", row.wait_key), ("wait_what", row.wait_what), ("ruling", row.ruling),
        )
    )  # fmt: skip
    kind, _, place = key.partition(":")
    record, _, connection = place.rpartition("@")
    word = _REFUSALS.get(said["answer"]) if said else None
    group = [kind, what, place.rpartition(":")[2] if kind == "staged" else "", ""]
    if said and word:
        group = ["let_be", f"{word} by {said['author']}", said["kind"], said["reason"]]
    mine = kind == "rec" and connection == row.connection
    return {"of": row.id, "group": vault.hash(group), "record": record if mine else None}
