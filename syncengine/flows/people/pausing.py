"""Pausing: a person stops and resumes the writes to a connection."""

from __future__ import annotations

from dataclasses import replace

from syncengine.flows.core.engine import Engine
from syncengine.model.changeset import Changeset


def pause(engine: Engine, connection: str | None, reason: str, author: str = "") -> list[str]:
    """Stop writes to one connection, or to all, at once. Returns which."""
    return _set_paused(engine, connection, reason or "paused by a person", author)


def resume(engine: Engine, connection: str | None) -> list[str]:
    """Let writes go on, and try a halted connection again."""
    return _set_paused(engine, connection, "", "")


def _set_paused(engine: Engine, connection: str | None, paused: str, by: str) -> list[str]:
    names = [connection] if connection else list(engine.project.connections)
    at = engine.clock.now() if paused else 0.0
    with engine.ledger.write() as tx:
        states = [tx.connection(name, lock=True) for name in names]
        states = states if paused else [state.recovered() for state in states]
        said = [replace(s, paused=paused, paused_by=by, paused_at=at) for s in states]
        tx.write(Changeset(connections=said))
    return names
