"""The link: a ref as we know it, the unit of locking, order and reconciling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

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
class Base:
    """What both sides held when they last agreed, per field rule (keyed by field name).

    ``canonical``: our values. ``vendor``: the vendor's own values, raw. ``expected``: fields whose vendor face
    is what we sent, not yet what was seen. ``rules``: fingerprint of the rule that made the faces; a field
    without one has faces from before fingerprints were kept.
    """

    canonical: Mapping[str, Json] = field(default_factory=dict)
    vendor: Mapping[str, Json] = field(default_factory=dict)
    expected: frozenset[str] = frozenset()
    rules: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wait:
    """What a link waits for. ``key`` is matched when that appears: ``ref:<connection>/<resource>/<external
    id>`` for a vendor's row to be linked, ``rec:<record id>@<connection>`` for a record's link there, the subject of
    a staged case for its answer, ``""`` for a value. ``what`` is shown to people and names fields and connections,
    never values."""

    key: str
    what: str


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
