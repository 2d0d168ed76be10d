"""Pausing: a person stops and resumes the writes to a connection."""

from __future__ import annotations

from dataclasses import replace

from syncengine.flows.core.engine import Engine


def pause(engine: Engine, connection: str | None, reason: str) -> list[str]:
    """Stop writes to one connection, or to all, at once. Returns which."""
    return _set_paused(engine, connection, reason or "paused by a person")


def resume(engine: Engine, connection: str | None) -> list[str]:
    """Let writes go on, and try a halted connection again."""
    return _set_paused(engine, connection, "")


def _set_paused(engine: Engine, connection: str | None, paused: str) -> list[str]:
    names = [connection] if connection else list(engine.project.connections)
    with engine.ledger.write() as tx:
        for name in names:
            state = tx.connection(name, lock=True)
            if not paused:
                state = replace(state, halted="", blocked_until=0.0, failures=0)
            tx.save_connection(replace(state, paused=paused))
    return names
