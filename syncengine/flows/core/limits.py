"""Limits: how much is done at once, and how long is waited before something is tried again."""

from __future__ import annotations

from dataclasses import dataclass

from syncengine.model.pauses import doubled

RACES = 7
"""How often a transaction that lost a race is tried again."""


def race_pause(lost: int) -> float:
    """Seconds before what has lost so many races is tried again: 10 to 640 ms."""
    return doubled(0.01, lost, 0.64)


@dataclass(frozen=True, slots=True)
class Limits:
    """Time and size limits of the flows. ``lease``: seconds for which a worker holds an operation or link.
    ``request_timeout``: of one vendor call. ``batch``: links that are claimed and decided together. ``round``:
    operations that are read and sent together. ``backoff``: first pause after a failed call, doubled each time up to a
    minute. ``tries``: failed calls in a row about one row before a person is asked. ``slice``: seconds after which a
    task starts no more calls and leaves the rest to another one."""

    lease: float = 20.0
    request_timeout: float = 10.0
    batch: int = 200
    round: int = 32
    backoff: float = 1.0
    tries: int = 6
    slice: float = 3.0

    def pause(self, failures: int) -> float:
        """Seconds until the next try after so many failures in a row."""
        return doubled(self.backoff, failures, 60.0)
