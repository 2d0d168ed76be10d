"""What was asked of each vendor: the request ledger and its counters."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

KEPT = 200_000


@dataclass(slots=True)
class Entry:
    """One request. ``status`` 0: closed without an answer. ``at``: seconds since the epoch.

    ``write``: may change rows; ``applied``: did. ``ids``: what it was about, as far as the vendor knows. ``body``: a
    hash of what was sent, by which two that are alike are found.
    """

    vendor: str
    method: str
    route: str
    path: str
    write: bool
    at: float = field(default_factory=time.time)
    status: int = 0
    applied: bool = False
    ids: dict[str, str] = field(default_factory=dict)
    fault: str | None = None
    body: str = ""


@dataclass(slots=True)
class Tally:
    """Counts of one vendor. ``duplicates``: applied creates of what was there already."""

    reads: int = 0
    writes: int = 0
    applied: int = 0
    duplicates: int = 0
    concurrency: int = 0
    routes: dict[str, int] = field(default_factory=dict)
    running: int = 0


class Ledger:
    """The newest 200,000 requests in full, and counts of all."""

    def __init__(self, vendors: list[str]) -> None:
        self.entries: deque[Entry] = deque(maxlen=KEPT)
        self.tallies = {name: Tally() for name in vendors}

    def begin(self, vendor: str, method: str, route: str, path: str, write: bool) -> Entry:
        entry = Entry(vendor, method, route, path, write)
        self.entries.append(entry)
        tally = self.tallies[vendor]
        if write:
            tally.writes += 1
        else:
            tally.reads += 1
        name = f"{method} {route}"
        tally.routes[name] = tally.routes.get(name, 0) + 1
        tally.running += 1
        tally.concurrency = max(tally.concurrency, tally.running)
        return entry

    def apply(self, entry: Entry, duplicate: bool) -> None:
        entry.applied = True
        self.tallies[entry.vendor].applied += 1
        self.tallies[entry.vendor].duplicates += duplicate

    def end(self, entry: Entry) -> None:
        self.tallies[entry.vendor].running -= 1

    def counters(self) -> dict[str, dict[str, Any]]:
        return {
            name: {key: value for key, value in asdict(tally).items() if key != "running"}
            for name, tally in self.tallies.items()
        }
