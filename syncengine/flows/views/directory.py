"""The directory: what all live records are called, kept in memory, so that a screen finds them as somebody types."""

from __future__ import annotations

import threading
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from syncengine.flows.core.engine import Engine
from syncengine.flows.naming.names import identity_texts, names
from syncengine.ledger import Transaction
from syncengine.model.link import LIVE

PER_PAGE = 50
MOST_CHANGED = 2000
"""Records that have changed since the last look from which on everything is read anew."""
SHORTEST = 6
"""Characters that the end of an id must have to stand for it."""


@dataclass(frozen=True, slots=True, order=True)
class Line:
    """A record as a list shows it. ``key``: by which it is ordered; ``text``: in which is searched."""

    key: str
    id: str
    name: str = field(compare=False)
    text: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class Found:
    """One page of records. ``next``: where the next one begins, ``""`` at the end."""

    lines: Sequence[Line]
    total: int
    next: str


@dataclass(slots=True)
class _Known:
    """The records of one entity, as of a change and an erasure."""

    lines: list[Line]
    change: int
    erasure: str
    edition: str


@dataclass(slots=True)
class Directory:
    """For all threads of a process. Each entity is read when it is first asked for; later only what has changed."""

    _known: dict[str, _Known] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(
        self, engine: Engine, entity: str, text: str, behind: str = "", limit: int = PER_PAGE
    ) -> Found:
        """Live records of an entity that ``text`` may mean, by name: an id or its end, an external id, or a part of
        a name, an address or a number; all of them, if it is empty."""
        with self._lock, engine.ledger.read() as tx:
            lines = self._read(engine, tx, entity)
            wanted = _folded(text)
            exact = self._exact(engine, tx, entity, text.strip()) if wanted else set()
        if wanted:
            lines = [k for k in lines if k.id in exact or wanted in k.text or _ends(k.id, wanted)]
        start = bisect_right(lines, Line(*_place(behind), "", "")) if behind else 0
        page = lines[start : start + limit]
        more = start + limit < len(lines)
        return Found(page, len(lines), f"{page[-1].key}~{page[-1].id}" if more else "")

    def _read(self, engine: Engine, tx: Transaction, entity: str) -> list[Line]:
        _, change = tx.newest_ids()
        erasure = tx.newest_erasure()
        known = self._known.get(entity)
        if known and (known.erasure, known.edition) == (erasure, engine.edition):
            if known.change == change:
                return known.lines
            changed = tx.changed_since(known.change, MOST_CHANGED + 1)
            if len(changed) <= MOST_CHANGED:
                kept = [line for line in known.lines if line.id not in set(changed)]
                lines = sorted([*kept, *_lines(engine, tx, entity, changed)])
                self._known[entity] = _Known(lines, change, erasure, engine.edition)
                return lines
        ids = [record.id for record in tx.records_of(entity)]
        lines = sorted(_lines(engine, tx, entity, ids))
        self._known[entity] = _Known(lines, change, erasure, engine.edition)
        return lines

    @staticmethod
    def _exact(engine: Engine, tx: Transaction, entity: str, text: str) -> set[str]:
        """Records whose row at a vendor has this id."""
        found: set[str] = set()
        for system in engine.project.entities[entity].systems.values():
            at = tx.links_at(entity, system.connection, system.resource.name, [text])
            found |= {k.record_id for k in at.values() if k.record_id and k.state in LIVE}
        return found


def _lines(engine: Engine, tx: Transaction, entity: str, ids: Iterable[str]) -> list[Line]:
    called = names(engine, tx, ids)
    declared = engine.project.entities[entity]
    found = []
    for id_ in ids:
        record = called.records.get(id_)
        if record is None or record.deleted or record.entity != entity:
            continue
        name = called.of(id_)
        told = [name, *identity_texts(declared, record)]
        found.append(Line(_folded(name)[:80], id_, name, _folded(" ".join(told))))
    return found


def _folded(text: str) -> str:
    """Small letters without accents, as people type names."""
    parts = unicodedata.normalize("NFKD", text.strip().casefold())
    return "".join(c for c in parts if not unicodedata.combining(c))


def _ends(id_: str, wanted: str) -> bool:
    return len(wanted) >= SHORTEST and id_.endswith(wanted)


def _place(behind: str) -> tuple[str, str]:
    key, _, id_ = behind.rpartition("~")
    return key, id_
