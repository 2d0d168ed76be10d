"""What the flows need from the outside, as protocols. Adapters keep them; one contract suite tests each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from syncengine.model.case import Case
from syncengine.model.change import Change
from syncengine.model.connection import ConnectionState, ResourceState
from syncengine.model.erasure import Erasure
from syncengine.model.event import Event
from syncengine.model.key import Key
from syncengine.model.link import Link
from syncengine.model.operation import Operation, Written
from syncengine.model.process import Process
from syncengine.model.record import Record
from syncengine.model.ref import Ref
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


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a link waits for, and no more of it. ``key``, ``what``: as in ``Wait``."""

    link_id: str
    entity: str
    connection: str
    record_id: str | None
    key: str
    what: str


@dataclass(frozen=True, slots=True)
class Hold:
    """A plan that may still grow: operations of ``entity`` that count as ``kind`` stay where they are as long as a
    link or a derivation of one of ``feeders`` is to be looked at, or one of ``places`` (connection, resource) is being
    listed. Reads are waited for in ``readable`` connections only, and operations made before ``since`` are not held."""

    entity: str
    kind: str
    feeders: frozenset[str]
    places: frozenset[tuple[str, str]]
    readable: frozenset[str]
    since: float


@dataclass(frozen=True, slots=True)
class Booking:
    """Calls of a budget that were taken for the first ``count`` of some things, all calls of each. Times are epoch
    seconds. ``first``: when they may begin; ``last``: when all of the calls are free; ``free``: when those of the next
    thing would be (infinity: never)."""

    count: int
    first: float
    last: float
    free: float


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


class Queue(Protocol):
    """Where work is announced after a commit. Losing an announcement costs time, never work."""

    def announce(self, task: str, arguments: Iterable[str]) -> None:
        """``task``: refresh, reconcile, dispatch, probe, derive. ``arguments``: opaque ids."""


class Transaction(Protocol):
    """One transaction of the ledger. Every method is bulk and costs a constant number of statements. A
    ``lock=True`` read holds the rows until the end (ids in order), so that what is compared is what is set."""

    # links
    def links(self, ids: Collection[str], lock: bool = False) -> dict[str, Link]:
        """By id; unknown ids are left out."""

    def links_at(
        self, entity: str, connection: str, resource: str, external_ids: Collection[str],
        lock: bool = False,
    ) -> dict[str, Link]:  # fmt: skip
        """By external id."""

    def links_of(self, record_ids: Collection[str]) -> list[Link]:
        """All links of these records."""

    def row_ids(self, connection: str, resource: str) -> list[str]:
        """External ids of rows that are there, told who they are or not, in order."""

    def select_links(
        self,
        entity: str | None = None,
        connection: str | None = None,
        states: Collection[str] = (),
        after: str | None = None,
        limit: int = 0,
    ) -> list[Link]:
        """As asked, ordered by id, after one, at most ``limit`` (0: all)."""

    def count_links(self) -> dict[tuple[str, str, str], int]:
        """(entity, connection, state) -> how many."""

    def nobodys(self) -> dict[tuple[str, str], int]:
        """(entity, connection) -> how many rows belong to no record, though nothing keeps them waiting and nobody is
        asked or has said that it is so."""

    def unsorted_links(self, entity: str, connection: str, resource: str) -> int:
        """``seen`` links with a row that are dirty or need a read: not yet told who they are."""

    def waiting_links(
        self, limit: int = 0, key: str | None = None, ruled: bool = False, after: str = ""
    ) -> list[Link]:
        """Links that wait for something, or for this, or because of what a person said, oldest first; those with ids
        beyond ``after``."""

    def waits(self) -> list[Waiting]:
        """All links that wait for something."""

    def dirty_count(self, connections: Collection[str] | None = None) -> int:
        """Links without an unsettled operation that are dirty or need a read; those that need a read only in
        these connections, if given."""

    def add_links(self, links: Sequence[Link]) -> None:
        """Insert."""

    def save_links(self, links: Sequence[Link]) -> None:
        """Write all columns of locked links, except leases, each as its next version."""

    def touch_links(self, ids: Collection[str], read_at: float) -> None:
        """An unchanged row was read: set ``read_at``, clear ``nominated_at``."""

    def remove_links(self, ids: Collection[str]) -> None:
        """Delete links whose row went over to another link, and the keys that they bore."""

    def unseen_since(
        self,
        entity: str,
        connection: str,
        resource: str,
        started: float,
        parent: str | None = None,
    ) -> list[Link]:
        """Links that have a row whose ``read_at`` is older than ``started`` (below one parent, if given)."""

    def dirty_links(self, ids: Collection[str]) -> None:
        """Raise ``dirty`` by one."""

    def dirty_records(self, record_ids: Collection[str], but: Collection[str] = ()) -> None:
        """Raise ``dirty`` of all links of these records, except links ``but``."""

    def dirty_siblings(self, record_ids: Collection[str], but: Collection[str] = ()) -> None:
        """Raise ``dirty`` of the links of these records that have no row, except links ``but``: what becomes of them
        rests on which rows their record has elsewhere."""

    def dirty_users(self, record_ids: Collection[str]) -> None:
        """Raise ``dirty`` of all links of the records that refer to these (keys of kind ``uses``)."""

    def dirty_waiting(self, keys: Collection[str]) -> None:
        """Raise ``dirty`` of links whose ``wait.key`` is among these."""

    def dirty_sharers(self, owners: Collection[str]) -> None:
        """Raise ``dirty`` of the links whose row shows an identity, or asks about one, that one of these, records or
        links, bears; except these links and those that are tied to these records."""

    def dirty_entity(self, entity: str, connection: str | None = None, at_rest: bool = True) -> int:
        """Raise ``dirty`` of all tied links of an entity (in one connection); how many. Without those ``at_rest``:
        of such alone as wait for something or are to be made."""

    def claim_links(
        self, work: str, now: float, lease: float, limit: int,
        ids: Collection[str] | None = None, entity: str | None = None,
        connections: Collection[str] | None = None,
    ) -> list[str]:  # fmt: skip
        """Lease links that are due: ``refresh`` = need_get, external id known; ``reconcile`` = dirty and not
        need_get. Never one with an unsettled operation or a lease that runs. At most one link per record.
        ``ids``: only among these; ``connections``: only of these. Ordered by id."""

    def due_place(
        self, work: str, now: float, connections: Collection[str] | None = None,
        ids: Collection[str] | None = None,
    ) -> str | None:  # fmt: skip
        """The connection of something that is due for this work (refresh, reconcile, dispatch, probe), among these
        connections and ids if given; None if nothing is. A hold may still keep it."""

    def release_links(self, ids: Collection[str], until: float = 0.0) -> None:
        """End leases; with ``until`` (epoch seconds) the links are not due before."""

    # records and keys
    def records(self, ids: Collection[str], lock: bool = False) -> dict[str, Record]:
        """By id, deleted ones too."""

    def records_of(self, entity: str, deleted: bool = False) -> list[Record]:
        """All live records of an entity, or all that were deleted."""

    def record_ids(self) -> dict[str, list[str]]:
        """Entity -> ids of all its records, deleted ones too, in order."""

    def stirred(self) -> set[str]:
        """Ids of records that are not at rest: a link is dirty, needs a read, waits, or has an unsettled operation."""

    def add_records(self, records: Sequence[Record]) -> None:
        """Insert."""

    def save_records(self, records: Sequence[Record]) -> None:
        """Write locked records."""

    def ties(
        self, entity_refs: Collection[tuple[str, str, str, str]]
    ) -> dict[tuple[str, str, str, str], str]:
        """(entity, connection, resource, external id) -> record id of the live link there."""

    def externals(self, record_ids: Collection[str]) -> dict[tuple[str, str], str]:
        """(record id, connection) -> external id of its live (linked, left) links."""

    def take_keys(self, keys: Sequence[Key]) -> set[Key]:
        """Insert; returns the keys of a unique kind that another owner holds (they are not inserted)."""

    def swap_keys(self, kind: str, owners: Collection[str], keys: Sequence[Key]) -> dict[str, bool]:
        """These are all keys of a kind, not a unique one, that these owners bear from now on. Returns who bears, or
        bore, what came or went: True for these owners, False for others."""

    def drop_keys(self, kind: str, owners: Collection[str]) -> None:
        """Delete all keys of a kind that these owners bear."""

    def heirs(self, owners: Collection[str]) -> set[str]:
        """Other records that bear as ``shared`` what one of these holds as ``record``."""

    def bearers(self, keys: Collection[Key]) -> dict[tuple[str, str, tuple[Json, ...]], list[str]]:
        """(kind, scope, parts) -> owners; ``owner`` of the asked keys does not matter."""

    def derive_due(self, record_ids: Collection[str]) -> None:
        """These records moved: derivations over them are to be looked at."""

    def derivations_due(self, limit: int) -> dict[str, int]:
        """Record id -> a number drawn at its last move, as far as due."""

    def derivations_done(self, moves: Mapping[str, int]) -> None:
        """These moves were looked at; what has moved since stays due, whoever else looked."""

    # operations
    def operations(self, ids: Collection[str], lock: bool = False) -> dict[str, Operation]:
        """By id."""

    def add_operations(self, operations: Sequence[Operation]) -> None:
        """Insert. Raises LostRace where the link has an unsettled operation."""

    def save_operations(self, operations: Sequence[Operation]) -> None:
        """Write locked operations."""

    def unsettled(self, link_ids: Collection[str]) -> dict[str, Operation]:
        """Link id -> its unsettled operation."""

    def claim_operations(
        self, now: float, lease: float, limit: int, connections: Collection[str],
        ids: Collection[str] | None = None, holds: Sequence[Hold] = (),
    ) -> list[Operation]:  # fmt: skip
        """Pending and due ones of these connections that no hold keeps: state claimed, a fresh token, a lease,
        attempts + 1. Whether a hold keeps them is seen in the moment of the claim."""

    def renew_claims(self, token: str, until: float) -> None:
        """Claims of this token that nothing became of yet last until then."""

    def pending_of(self, entity: str, connection: str, kind: str) -> list[Operation]:
        """Pending ones that count as ``kind``, locked."""

    def pending_places(self) -> list[tuple[str, str]]:
        """Connection and record id of each pending one."""

    def expired_claims(self, now: float, limit: int) -> list[Operation]:
        """Claimed ones whose lease is over, locked."""

    def claim_probes(
        self, now: float, lease: float, limit: int, connections: Collection[str],
        ids: Collection[str] | None = None,
    ) -> list[Operation]:  # fmt: skip
        """Unknown ones whose ``next_at`` has come; moves ``next_at`` on by ``lease``. ``lease_until`` stays that
        of the sending."""

    def select_operations(
        self,
        states: Collection[str] = (),
        connection: str | None = None,
        link_id: str | None = None,
        record_id: str | None = None,
        limit: int = 0,
    ) -> list[Operation]:
        """As asked, newest first, at most ``limit`` (0: all)."""

    def count_operations(self) -> dict[tuple[str, str, str], int]:
        """(connection, action, state) -> how many."""

    def creates(
        self, connection: str, resource: str, external_ids: Collection[str]
    ) -> dict[str, Operation]:
        """External id -> the newest create operation that was for it, settled or not."""

    def unnamed_creates(self, connection: str, resource: str) -> list[Operation]:
        """Creates that took effect, as a person has said, without anybody telling the id of the row."""

    def stale_creates(self, link_ids: Collection[str]) -> list[Operation]:
        """Creates for these links that were planned anew."""

    def written_since(self, entity: str, connection: str, since: float) -> dict[str, int]:
        """``create``, ``update``, ``delete`` -> operations of that kind, made since, that took effect or still may;
        among the deletes are the records that were deleted because their row there was gone."""

    def live_links(self, entity: str, connection: str) -> int:
        """How many links of an entity are linked or missing in a connection."""

    def next_due(self) -> float | None:
        """The earliest ``next_at`` or lease end of an unsettled operation (epoch seconds)."""

    # events, cases, history
    def add_events(self, events: Sequence[Event]) -> list[int | None]:
        """Ids in the same order; None for one whose (connection, event id) is known already."""

    def select_events(self, connection: str | None = None, limit: int = 100) -> list[Event]:
        """The newest first."""

    def events(self, ids: Collection[int], refs: Collection[Ref] = ()) -> list[Event]:
        """By id, and all of these rows, oldest first."""

    def heights(self) -> tuple[int, int]:
        """The ids of the newest event and of the newest line of history; 0 where there is none."""

    def count_events(self, after: int = 0) -> int:
        """How many there are with ids beyond ``after``."""

    def raise_cases(self, cases: Sequence[Case]) -> None:
        """Open them; one whose subject is open already gets the newer question, evidence and answers."""

    def dissolve_cases(self, subjects: Collection[str], at: float) -> None:
        """Close open cases whose reason is gone (answer ``dissolved``)."""

    def cases(
        self, ids: Collection[str] | None = None, kind: str | None = None,
        subjects: Collection[str] | None = None, open_only: bool = True, lock: bool = False,
    ) -> list[Case]:  # fmt: skip
        """As asked, oldest first."""

    def save_cases(self, cases: Sequence[Case]) -> None:
        """Write."""

    def add_history(self, changes: Sequence[Change]) -> None:
        """Append."""

    def count_cases(self) -> dict[str, int]:
        """Kind -> open cases."""

    def history(self, record_id: str) -> list[Change]:
        """Of one record, oldest first."""

    def changes(self, ids: Collection[int]) -> list[Change]:
        """Of any record, by id, oldest first."""

    def select_history(self, lost: bool = False, limit: int = 0) -> list[Change]:
        """Of all records, or those that put a value aside, newest first, at most ``limit`` (0: all)."""

    # forgetting
    def histories(self, record_ids: Collection[str]) -> list[Change]:
        """Of all of these records, oldest first."""

    def changes_of(self, fields: Collection[str]) -> list[Change]:
        """Changes of fields of these names, of any record, oldest first."""

    def joined(self, record_ids: Collection[str]) -> set[str]:
        """Records that went into one of these."""

    def save_changes(self, changes: Sequence[Change]) -> None:
        """Write lines of history anew."""

    def operations_of(
        self, record_ids: Collection[str], link_ids: Collection[str] = ()
    ) -> list[Operation]:
        """All of these records, and all of these links."""

    def operations_after(self, entity: str, after: str, limit: int) -> list[Operation]:
        """Of an entity, with ids beyond ``after``, ordered by id, at most ``limit``."""

    def events_about(
        self, refs: Collection[Ref], links: Collection[str], operations: Collection[str]
    ) -> list[Event]:
        """Of these rows, of what these links once were, and of these writes, oldest first."""

    def erase(
        self, records: Collection[str], links: Collection[str], operations: Collection[str],
        cases: Collection[str], events: Collection[int],
    ) -> dict[str, int]:  # fmt: skip
        """Delete these rows, all history of these records, and every key that one of these records or links bears.
        Returns table -> how many rows went."""

    def add_erasure(self, erasure: Erasure) -> None:
        """Append to the erasure log."""

    def save_erasures(self, erasures: Sequence[Erasure]) -> None:
        """Write locked lines again."""

    def erasures(self, ids: Collection[str] | None = None, lock: bool = False) -> list[Erasure]:
        """The erasure log, oldest first."""

    # times
    def last_seen(self) -> float:
        """When the newest event was seen (epoch seconds, 0: never)."""

    def read_after(self, at: float) -> Sequence[Link]:
        """Links whose last read is later than that, locked."""

    def set_back(self, now: float, ahead: float, lease: float) -> None:
        """All times but those of reads that are more than ``ahead`` seconds in the future become now, the ends of
        claims and slots a lease from now on."""

    # retention: ``events``, ``operations``, ``cases`` (closed ones), ``history``, ``left`` (deleted records), ``rows``
    # (links of nobody whose row is gone)
    def aged(self, what: str, after: str | int | None, limit: int) -> list[tuple[Any, float]]:
        """Ids in their order, beyond one, and since when each is over (epoch seconds), at most ``limit``."""

    def forget(self, what: str, ids: Collection[str | int]) -> int:
        """Delete those of these that nothing needs any more, as docs/operations.md says; how many. Not for ``left``."""

    def derived_by(self, owners: Collection[str]) -> list[tuple[str, str]]:
        """Of each key of kind ``derived`` that these records bear, the record's id and the scope."""

    def remove_records(
        self, ids: Collection[str], links: Collection[str], subjects: Collection[str]
    ) -> None:
        """Delete deleted records with their keys, history and settled operations, these links of theirs, and closed
        cases of these subjects."""

    # connections
    def connection(self, name: str, lock: bool = False) -> ConnectionState:
        """Fresh if unknown."""

    def connections(self, names: Collection[str]) -> list[ConnectionState]:
        """Of each name in order, fresh ones where there is none."""

    def save_connection(self, state: ConnectionState) -> None:
        """Insert or write."""

    def resource(self, connection: str, resource: str) -> ResourceState:
        """Fresh if unknown."""

    def save_resource(self, state: ResourceState) -> None:
        """Insert or write."""

    def listing_until(self, connection: str, resource: str, until: float) -> None:
        """A listing is under way, at the longest until then; 0: it ended."""

    def save_process(self, process: Process, kept: float = 900.0) -> None:
        """Insert or write; processes that have said nothing for so many seconds as they gave are forgotten."""

    def forget_process(self, id: str) -> None:
        """It ends."""

    def processes(self) -> list[Process]:
        """Those that have said something lately, by kind, host and number."""

    def identity(self) -> str:
        """A word by which this database is told from others; drawn when it is first asked for, and kept."""

    def remember(
        self, what: str, about: Sequence[Json], now: float, until: float, whose: str = ""
    ) -> str:
        """Remember something until then, unless it is remembered already; whose it is."""

    def remembered(self, what: str, about: Sequence[Json], now: float) -> float:
        """Until when it is remembered; 0 if it is not."""

    def take_slots(
        self, connection: str, want: int, of: int, holder: str, now: float, until: float
    ) -> int:
        """Hold up to ``want`` of the connection's ``of`` slots; how many were free. Of two transactions that ask, one
        waits for the end of the other."""

    def renew_slots(self, holder: str, until: float) -> None:
        """Hold on."""

    def free_slots(self, holder: str) -> None:
        """Give back."""

    def take_calls(
        self, connection: str, want: int, calls: int, per: float, now: float
    ) -> tuple[int, float]:
        """Up to ``want`` calls of a budget of ``calls`` per ``per`` seconds, never more in any window of that
        length; how many, and when the next would be free."""

    def book_calls(
        self,
        connection: str,
        costs: Sequence[int],
        calls: int,
        per: float,
        now: float,
        ahead: float,
    ) -> Booking:
        """The calls of the first of these things, at most ``ahead`` seconds in advance; of one that cannot be had as a
        whole none is taken."""


class Ledger(Protocol):
    """The store. Used by the main thread of a process only."""

    def read(self) -> AbstractContextManager[Transaction]:
        """A consistent snapshot; nothing is written."""

    def write(self) -> AbstractContextManager[Transaction]:
        """A short write transaction; commits at the end, rolls back on an exception."""

    def compact(self) -> bool:
        """Leave nothing of what was deleted in the files; False where somebody else is using them."""
