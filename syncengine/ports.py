"""What the flows need from the outside, as protocols. Adapters keep them; one contract suite tests each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from syncengine.model.notification import Message
from syncengine.model.operation import Written
from syncengine.model.resource import ConnectorSpec
from syncengine.model.values import Json, Row


class Clock(Protocol):
    """Time, so that tests can own it."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


@dataclass(frozen=True, slots=True)
class Item:
    """One row as a connector yields it: ``external_id`` is composite where the vendor's id alone does not
    address the row. ``parent``: external id of the row it hangs under. A row that does not fit (no id, not an
    object) is yielded with ``fault`` set and is set aside by the caller."""

    external_id: str
    row: Row
    parent: str | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a listing. ``cursor``: where a poll goes on once these items are stored. ``calls``: how many it
    took, repeated ones aside; a vendor may serve fewer rows a page than it was asked for."""

    items: Sequence[Item]
    cursor: str | None = None
    calls: int = 1


@dataclass(frozen=True, slots=True)
class Window:
    """Inclusive dates ``2026-11-22`` that a dated listing covers."""

    start: str
    end: str


class Gate(Protocol):
    """What stands between a connector and its vendor: budget, blocking, lease."""

    def enter(self, write: bool) -> None:
        """Called right before every request, token calls and repeats included; waits for a free call of the
        connection's budget. Raises RateLimited, VendorDown, or LostRace where the lease would end
        first; then nothing is sent."""


@dataclass(slots=True)
class Tally:
    """Requests sent: ``reads`` (token calls among them), ``writes``, and ``retries``, the part that repeated."""

    reads: int = 0
    writes: int = 0
    retries: int = 0


class Connector(Protocol):
    """One vendor, spoken to for one connection. Every method makes real calls, may run in any thread, and
    raises ``RateLimited``, ``VendorDown``, ``Unauthorized``; what concerns one row also ``RowInvalid``, where the
    vendor's answer about it does not fit; writes also ``Rejected``, ``Exists``, ``Unknown``."""

    @property
    def spec(self) -> ConnectorSpec:
        """What it declares."""

    @property
    def tally(self) -> Tally:
        """What it has sent since it was made."""

    def health(self) -> None:
        """One cheap authenticated call. Raises what is wrong."""

    def scan(
        self, resource: str, parent: str | None = None, window: Window | None = None
    ) -> Iterator[Page]:
        """The complete listing (below one parent row); ends only when it is complete, else raises."""

    def poll(self, resource: str, cursor: str | None) -> Iterator[Page]:
        """What moved since ``cursor`` (None: since ever), each page with the cursor to go on from."""

    def get(self, resource: str, external_id: str) -> Item | None:
        """One full row; None only if the vendor says that it is not there (404)."""

    def find(self, resource: str, body: Mapping[str, Json], key: str) -> Sequence[Item]:
        """Rows that a create with this body (vendor path -> value) and idempotency key would have made, or
        that stand in its way: by chosen id, natural key, or marker. Raises Bug where nothing can find them."""

    def create(self, resource: str, body: Mapping[str, Json], key: str) -> Written:
        """Create one row. ``body``: vendor path -> value, ``_parent`` among them where rows have one."""

    def update(
        self,
        resource: str,
        external_id: str,
        body: Mapping[str, Json],
        current: Row,
        key: str,
    ) -> Written:
        """Change the paths in ``body``; ``current`` is the row read just before."""

    def delete(self, resource: str, external_id: str, key: str) -> None:
        """Delete one row; a row that is not there any more counts as deleted."""

    def pages(self, resource: str, rows: int, window: Window | None = None) -> int:
        """How many calls a complete listing (of one parent, within the window) of ``rows`` rows takes: the lower
        bound."""

    @property
    def token_calls(self) -> int:
        """How many token calls a session begins with: 0 or 1."""

    def calls_of(self, resource: str, body: Mapping[str, Json], current: Row | None = None) -> int:
        """How many calls one create (``current`` None) or update of the row ``current`` with this body takes: 1,
        unless the vendor wants several."""

    def close(self) -> None:
        """Give back the connections."""


class Channel(Protocol):
    """A way to people outside. Its methods make one real call each, within some seconds, may run in any thread, and
    raise ChannelDown where it is not known to have arrived."""

    def send(self, message: Message) -> None:
        """Hand over a message."""


class Queue(Protocol):
    """Where work is announced after a commit. Losing an announcement costs time, never work."""

    def announce(self, task: str, arguments: Iterable[str]) -> None:
        """``task``: refresh, reconcile, dispatch, probe, derive, notify. ``arguments``: opaque ids."""
