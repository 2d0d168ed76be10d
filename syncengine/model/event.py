"""A notice that a ref moved; its payload is a hint, never the truth."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """``id`` orders what we observed. ``event_id`` is unique within a connection; of a
    webhook it is a keyed hash of the one that was sent. ``source``: poll, scan,
    read, webhook, write, or a person's decision. ``at``: epoch seconds of receipt."""

    connection: str
    resource: str
    external_id: str
    event_id: str
    source: str
    at: float
    id: int = 0
