"""The link: a ref as we know it, the unit of locking, order and reconciling."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

from syncengine.model.ref import Ref
from syncengine.model.values import Json, Row


class LinkState(StrEnum):
    """``seen``: observed, not tied to a record yet. ``creating``: ours, the vendor has no row yet.
    ``waiting``: as creating, but another link holds the row. ``linked``: both are there. ``missing``: the row
    is proved gone and a person decides. ``gone``: was here, is gone. ``left``: kept at the vendor, the record
    is out of scope. ``unlinked``: a person said that it shall stay alone."""

    SEEN = "seen"
    CREATING = "creating"
    WAITING = "waiting"
    LINKED = "linked"
    MISSING = "missing"
    GONE = "gone"
    LEFT = "left"
    UNLINKED = "unlinked"


LIVE = frozenset({LinkState.LINKED, LinkState.LEFT, LinkState.MISSING})
"""States in which a link stands for a row that its record has, or had until a person decides."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A write that no read has shown yet, of one field. ``before``: the raw value that stood there before it.

    ``until``: no read that began earlier (epoch seconds) says that it was not done. ``stage``: ``open`` while nothing
    was shown since; ``shown`` once the value from before was; ``undone`` once one more read showed it, late enough.
    ``claimed``: the vendor's answer said that it was done; else only a read did, and what that does not show is
    simply planned anew."""

    before: Json
    until: float = 0.0
    stage: Literal["open", "shown", "undone"] = "open"
    claimed: bool = True


LEAVE = "set.leave."
"""How the name of a doubt begins that is about a constant of ``set.leave``; its path follows."""
WHOLE = ""
"""The name of the doubt that is about a deleted row as a whole."""


@dataclass(frozen=True, slots=True)
class Base:
    """What both sides held when they last agreed, per field rule (keyed by field name).

    ``canonical``: our values. ``vendor``: the vendor's own values, raw. ``expected``: fields whose vendor face
    is what we sent, not yet what was seen. ``rules``: fingerprint of the rule that made the faces; a field
    without one has faces from before fingerprints were kept. ``doubts``: what stood there before, of what is only
    expected; by field, by ``LEAVE`` and a path, or ``WHOLE``. ``released``: raw values of which a person said that they
    may go with the row; forgotten once the record is back in scope.
    """

    canonical: Mapping[str, Json] = field(default_factory=dict)
    vendor: Mapping[str, Json] = field(default_factory=dict)
    expected: frozenset[str] = frozenset()
    rules: Mapping[str, str] = field(default_factory=dict)
    doubts: Mapping[str, Doubt] = field(default_factory=dict)
    released: Mapping[str, Json] = field(default_factory=dict)

    @property
    def faceless(self) -> bool:
        """Whether there are no faces, as for a row that is ours no more."""
        return not (self.canonical or self.vendor)

    def forget(self, names: Collection[str]) -> Base:
        """Without what the vendor showed, or was expected to show, of these fields; what we held stays."""
        return replace(
            self,
            vendor={n: v for n, v in self.vendor.items() if n not in names},
            expected=self.expected - set(names),
            doubts={n: d for n, d in self.doubts.items() if n not in names},
        )

    @property
    def proves_at(self) -> float:
        """When a read is due that decides on what is unproved."""
        return max((d.until for d in self.doubts.values() if d.stage == "shown"), default=0.0)

    @property
    def unproved(self) -> bool:
        """Whether what was accepted and then not shown is to be read once more."""
        return any(doubt.stage == "shown" for doubt in self.doubts.values())


@dataclass(frozen=True, slots=True)
class Wait:
    """What a link waits for. ``key`` is matched when that appears: ``ref:<connection>/<resource>/<external
    id>`` for a vendor's row to be linked, ``rec:<record id>@<connection>`` for a record's link there, the subject of
    a staged case for its answer, ``SCOPE``, ``""`` for a value. ``what`` is shown to people and names fields and
    connections, never values, but yes, no, and the day on which what is out of scope comes into it."""

    key: str
    what: str


SCOPE = "scope"
"""What a link waits for whose record is out of scope, so that it is to get no row: the record wakes it, or the day."""

REFUSALS = {"reject": "rejected", "drop": "dropped", "keep": "kept"}
"""The answers by which a person lets a write be, and the word for what was done."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a person says of one write of a link; forgotten once another write is wanted.

    ``kind``: create, update or delete. ``digest``: of what would be written, ``""`` for whatever a write of that
    kind says. ``answer``: ``""`` while it is asked, ``approve``, or one of ``REFUSALS``. ``case``: the question's
    id. ``author``, ``reason``: who answered, and why."""

    kind: str
    digest: str
    answer: str = ""
    case: str = ""
    author: str = ""
    reason: str = ""

    @property
    def refuses(self) -> bool:
        """Whether the write is not to be sent."""
        return self.answer in REFUSALS

    @property
    def told(self) -> str:
        """``rejected by kim``."""
        return f"{REFUSALS.get(self.answer, 'approved')} by {self.author}"

    def covers(self, kind: str, digest: str) -> bool:
        """Whether it was said of such a write."""
        return self.kind == kind and self.digest in ("", digest)


@dataclass(frozen=True, slots=True)
class Link:
    """A vendor's row and what we know of it.

    ``row``: the last row accepted, None before the first and after it is gone. ``listed_hash``: of the row
    as the listing shows it. ``row_version`` grows with each accepted row. ``stamps``: field -> event id of the
    first sighting of the present vendor value. ``read_at``: when the last accepted read or settle was
    received (epoch seconds). ``need_get``: only a fresh single read may be trusted. ``failures``: single reads in a
    row that failed or showed what does not fit; the link is set aside with them while no read is due. ``noted``:
    field -> foreign raw value seen while our own write was under way. ``dirty``: counts reasons to reconcile.
    ``nominated_at``: start of the complete scan that did not show the row. ``ruling``: what a person says of the
    write that it wants.
    """

    id: str
    entity: str
    connection: str
    resource: str
    external_id: str | None = None
    parent: str | None = None
    record_id: str | None = None
    state: LinkState = LinkState.SEEN
    row: Row | None = None
    listed_hash: str = ""
    row_version: int = 0
    stamps: Mapping[str, int] = field(default_factory=dict)
    read_at: float = 0.0
    need_get: bool = False
    failures: int = 0
    base: Base = Base()
    noted: Mapping[str, Json] = field(default_factory=dict)
    version: int = 0
    dirty: int = 0
    nominated_at: float | None = None
    ruling: Ruling | None = None
    wait: Wait | None = None

    @property
    def set_aside(self) -> bool:
        """Whether its row could not be read, which is a question; nothing is decided on what was known before."""
        return self.failures > 0 and not self.need_get

    @property
    def ref(self) -> Ref:
        """The ref of an observed link. Raises ValueError before the external id is known."""
        if self.external_id is None:
            raise ValueError(f"link {self.id} has no external id yet")
        return Ref(self.connection, self.resource, self.external_id)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a link waits for, and no more of it. ``key``, ``what``: as in ``Wait``."""

    link_id: str
    entity: str
    connection: str
    record_id: str | None
    key: str
    what: str
