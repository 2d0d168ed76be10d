"""Listings: all pages of a resource, read again until they and the vendor's own count agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from syncengine.adapters.rest.session import Missing, Session
from syncengine.adapters.rest.transport import Meter
from syncengine.adapters.rest.verdicts import fitting
from syncengine.adapters.vendors.bound import Bound
from syncengine.errors import VendorDown
from syncengine.model.values import Json
from syncengine.ports import Item

_PASSES: Final = 3
"""How often a listing that moves while it is read is read before it is given up."""

Asked = Callable[[str, Mapping[str, str]], Json]


@dataclass(slots=True)
class Calls:
    """Calls of a listing that no page was told of yet."""

    made: int = 0

    def take(self) -> int:
        """Those since the last page."""
        made, self.made = self.made, 0
        return made

    def counted(self, look: Asked) -> Asked:
        """The same, counted."""

        def counting(path: str, query: Mapping[str, str]) -> Json:
            self.made += 1
            return look(path, query)

        return counting


@dataclass(slots=True)
class _Reading:
    """What one reading of all pages has shown so far. ``seen``: what its rows are known by; ``faults``: rows that are
    known by nothing; ``totals``: the vendor's own counts; ``stuck``: a further page showed nothing new."""

    meter: Meter
    seen: set[str] = field(default_factory=set)
    faults: int = 0
    totals: set[int | None] = field(default_factory=set)
    stuck: bool = False
    _turn: int = 0

    def note(self, names: Sequence[str | None], total: int | None) -> None:
        """What the rows of one more answer are known by."""
        known = len(self.seen) + self.faults
        self.seen |= {name for name in names if name is not None}
        self.faults += sum(name is None for name in names)
        self.totals.add(total)
        shown = len(self.seen) + self.faults
        self.stuck = self.meter.asked > max(1, self._turn) and bool(names) and shown == known
        self._turn = self.meter.asked

    def whole(self, slips: bool, before: set[str] | None) -> bool:
        """Whether that is the listing: its count did not move and as many rows came; where pages may slip, the
        reading before has shown the same."""
        told = next(iter(self.totals), None) or 0
        agreed = not slips or self.meter.asked < 2 or self.seen == before
        shown = len(self.seen) + self.faults
        return agreed and not self.stuck and len(self.totals) < 2 and shown >= told


class Listings:
    """Reads the listings of one connection. A listing is complete when the vendor's own count did not move while its
    pages were read and as many rows came; where it gives none, when two readings of several pages showed the same rows.
    Otherwise it is read again, and VendorDown is raised after the third time. A later reading yields what the earlier
    ones did not."""

    def __init__(self, session: Session, largest: int, longest: int) -> None:
        self._session = session
        self._most = (largest, longest)

    def read(
        self, bound: Bound, parent: str | None, query: Mapping[str, str], holding: str = "",
        calls: Calls | None = None,
    ) -> Iterator[list[Item]]:  # fmt: skip
        """Items, an answer at a time. ``holding``: see ``Bound.items``."""
        declared, what = bound.declared, f"GET {bound.declared.path}"
        query = {**bound.query, **query}
        counter = calls or Calls()
        shown: set[str] = set()
        before: set[str] | None = None
        for _ in range(_PASSES):
            meter = Meter(*self._most)
            ask, reading = self._asking(bound, parent, meter, counter), _Reading(meter)
            with fitting(what):
                for rows, total in declared.paging.walk(ask, bound.listing(parent), query):
                    named = [(bound.names(row), row) for row in bound.unfolded(rows)]
                    reading.note([name for name, _ in named], total)
                    new = [row for name, row in named if name not in shown]
                    yield bound.told_apart(bound.items(new, parent, holding))
                    if reading.stuck:
                        break
            if reading.whole(declared.paging.slips, before):
                return
            shown |= reading.seen
            before = reading.seen
        raise VendorDown(f"{what}: the listing moves or shows less than the vendor counts")

    def _asking(self, bound: Bound, parent: str | None, meter: Meter, calls: Calls) -> Asked:
        """How one reading asks for its pages."""
        declared, what = bound.declared, f"GET {bound.declared.path}"
        streams = declared.paging.streams and parent is None and not declared.only

        def ask(url: str, page: Mapping[str, str]) -> Json:
            meter.ask(what)
            calls.made += 1
            try:
                own = {**bound.acting(parent), **bound.repeated}
                answer = self._session.read(url, what, {**page, **own}, meter, streams)
            except Missing as missing:
                if declared.empty_404 and missing.status == 404:
                    return None
                raise VendorDown(f"{missing}; is the connection's base_url right?") from missing
            return [answer] if declared.only and isinstance(answer, dict) else answer

        return ask
