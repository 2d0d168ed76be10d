"""Events: durable notices that a vendor's row may have changed. Their payload is only a hint; the row is read again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """A durable notice that the row ``external_id`` may have changed. ``id`` gives the order in which changes were
    observed. ``event_id`` is unique within a connection; of a webhook it is a keyed hash of the id that was sent.
    ``source``: poll, scan, read, webhook, write, or a person's decision. ``at``: epoch seconds of receipt."""

    connection: str
    resource: str
    external_id: str
    event_id: str
    source: str
    at: float
    id: int = 0
