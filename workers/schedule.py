"""What beat does: one entry. All delays live in SQL; the sweep looks what is due."""

from __future__ import annotations

from typing import Any

from workers.queue import NAMESPACE

SWEEP = f"{NAMESPACE}sweep"
ALIVE = f"{NAMESPACE}alive"
KEEP = 60.0
"""Seconds after which a sweep that no worker has taken is dropped, so that none pile up while workers are
down."""


def beat_schedule(seconds: float) -> dict[str, dict[str, Any]]:
    """Celery's schedule: sweep every ``seconds``. A sweep is harmless if two beats send it."""
    return {
        SWEEP: {"task": SWEEP, "schedule": seconds, "args": ([],), "options": {"expires": KEEP}}
    }
