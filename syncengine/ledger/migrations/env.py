"""Run by Alembic: migrates the connection that ``upgrade`` hands over, inside its transaction."""

from __future__ import annotations

from alembic import context

from syncengine.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
