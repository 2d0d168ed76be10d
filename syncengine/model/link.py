"""Links: what the engine knows of one vendor row, and which record it belongs to. A record is decided with all its
links; each of them is locked by itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal, TypedDict, TypeVar, Unpack

from syncengine.errors import Bug
from syncengine.model.condition import Approved, Condition
from syncengine.model.ref import Ref
from syncengine.model.values import Json, Row


class LinkState(StrEnum):
    """State of a link. ``seen``: a row was observed and belongs to no record yet. ``creating``: the record is to get a
    row, which the vendor does not have yet. ``waiting``: as ``creating``, but another link holds the row. ``linked``:
    record and row are both there. ``missing``: the row is proved gone and a person decides. ``gone``: the row is gone;
    kept as a tombstone. ``left``: the row is kept at the vendor although the record is out of scope. ``unlinked``: a
    person decided that the row belongs to no record."""

    SEEN = "seen"
    CREATING = "creating"
    WAITING = "waiting"
    LINKED = "linked"
    MISSING = "missing"
    GONE = "gone"
    LEFT = "left"
    UNLINKED = "unlinked"


_L = LinkState
STATE_EDGES: Mapping[LinkState, Collection[LinkState]] = {
    _L.SEEN: (_L.LINKED, _L.UNLINKED),
    _L.CREATING: (_L.LINKED, _L.WAITING, _L.GONE),
    _L.WAITING: (_L.CREATING, _L.LINKED, _L.GONE),
    _L.LINKED: (_L.LEFT, _L.MISSING, _L.GONE, _L.SEEN, _L.WAITING),
    _L.LEFT: (_L.LINKED, _L.MISSING, _L.GONE, _L.SEEN),
    _L.MISSING: (_L.LINKED, _L.LEFT, _L.CREATING, _L.GONE, _L.SEEN),
    _L.GONE: (_L.LINKED, _L.MISSING, _L.CREATING, _L.SEEN),
    _L.UNLINKED: (_L.LINKED, _L.SEEN),
}
"""State -> the states that may follow, one step at a time. A decision may take several steps."""


class Freshness(StrEnum):
    """How far the stored row of a link can be relied on. ``unread``: nothing was read yet. ``due``: a single read is
    due. ``retried``: it failed, and is due again. ``set_aside``: it failed for good; a person is asked. ``current``:
    the row is as the vendor last showed it. ``suspected``: a complete listing did not show it. ``absent``: there is no
    row."""

    UNREAD = "unread"
    DUE = "due"
    RETRIED = "retried"
    SET_ASIDE = "set_aside"
    CURRENT = "current"
    SUSPECTED = "suspected"
    ABSENT = "absent"


_F = Freshness
FRESHNESS_EDGES: Mapping[Freshness, Collection[Freshness]] = {
    _F.UNREAD: (_F.DUE, _F.CURRENT, _F.ABSENT),
    _F.DUE: (_F.CURRENT, _F.ABSENT, _F.RETRIED, _F.SET_ASIDE, _F.SUSPECTED, _F.UNREAD),
    _F.RETRIED: (_F.CURRENT, _F.ABSENT, _F.DUE, _F.SET_ASIDE),
    _F.SET_ASIDE: (_F.CURRENT, _F.ABSENT, _F.DUE, _F.RETRIED),
    _F.CURRENT: (_F.DUE, _F.SUSPECTED, _F.ABSENT, _F.SET_ASIDE),
    _F.SUSPECTED: (_F.CURRENT, _F.DUE, _F.ABSENT, _F.SET_ASIDE),
    _F.ABSENT: (_F.DUE, _F.CURRENT, _F.SET_ASIDE),
}
"""Freshness -> what may follow. A read that was due may prove of no use (``due`` to ``unread``, ``suspected``),
and one that was under way may fail after another one told the row (to ``set_aside``)."""


LIVE = frozenset({LinkState.LINKED, LinkState.LEFT, LinkState.MISSING})
"""States in which a link stands for a row that its record has, or had until a person decides."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A write of one field that the vendor accepted and that no read has shown yet. ``before``: the raw value that
    stood there before the write.

    ``until``: reads that began before this time (epoch seconds) do not prove that the write failed. ``stage``: ``open``
    while no read has shown the field; ``shown`` once a read showed the value from before; ``undone`` once another read,
    late enough, showed it again. ``claimed``: the vendor's answer confirmed the write; else only a read did, and a
    value that is not shown is simply planned again."""

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
    """The merge base of a link: the values of both sides when they last agreed, by field name.

    ``canonical``: base values of the record. ``vendor``: base values of the row, raw. ``expected``: fields whose vendor
    base value is what we sent and no read has confirmed yet. ``rules``: fingerprint of the mapping rule by which the
    base values were made; missing for fields stored before fingerprints were kept. ``doubts``: writes that no read has
    shown yet; by field, by ``LEAVE`` and a path, or ``WHOLE``. ``released``: raw values that a person allowed to be
    deleted with the row; dropped once the record is back in scope.
    """

    canonical: Mapping[str, Json] = field(default_factory=dict)
    vendor: Mapping[str, Json] = field(default_factory=dict)
    expected: frozenset[str] = frozenset()
    rules: Mapping[str, str] = field(default_factory=dict)
    doubts: Mapping[str, Doubt] = field(default_factory=dict)
    released: Mapping[str, Json] = field(default_factory=dict)

    @property
    def has_no_values(self) -> bool:
        """Whether the base holds no values of either side, as for a row that no longer belongs to us."""
        return not (self.canonical or self.vendor)

    def forget(self, names: Collection[str]) -> Base:
        """The base without the vendor's values and doubts of these fields; the record's base values stay."""
        return replace(
            self,
            vendor={n: v for n, v in self.vendor.items() if n not in names},
            expected=self.expected - set(names),
            doubts={n: d for n, d in self.doubts.items() if n not in names},
        )

    @property
    def proves_at(self) -> float:
        """Earliest start (epoch seconds) of a read that decides whether the doubtful writes took effect."""
        return max((d.until for d in self.doubts.values() if d.stage == "shown"), default=0.0)

    @property
    def unproved(self) -> bool:
        """Whether another read is needed to decide if an accepted write took effect."""
        return any(doubt.stage == "shown" for doubt in self.doubts.values())


@dataclass(frozen=True, slots=True)
class Wait:
    """What a link waits for before it can be planned further. ``on``: what wakes it; None for a missing value, which
    comes with a change of the link itself. ``what`` is the text for people; it names fields and connections and never
    shows values, except yes, no, and the day from which the record is in scope."""

    on: Condition | None
    what: str

    @property
    def key(self) -> str:
        """The text under which the condition is stored and looked up."""
        return "" if self.on is None else str(self.on)


REFUSALS = {"reject": "rejected", "drop": "dropped", "keep": "kept"}
"""The answers by which a person lets a write be, and the word for what was done."""


@dataclass(frozen=True, slots=True)
class WriteApproval:
    """A person's approval or rejection of one write that a link wants; dropped once another write is wanted.

    ``kind``: create, update or delete. ``digest``: of the body that would be written, ``""`` for any write of that
    kind. ``answer``: ``""`` while the question is open, ``approve``, or one of ``REFUSALS``. ``case``: id of the
    question. ``author``, ``reason``: who answered, and why."""

    kind: str
    digest: str
    answer: str = ""
    case: str = ""
    author: str = ""
    reason: str = ""

    @property
    def refuses(self) -> bool:
        """Whether the write was rejected and is not to be sent."""
        return self.answer in REFUSALS

    @property
    def summary(self) -> str:
        """For people: ``rejected by kim``."""
        return f"{REFUSALS.get(self.answer, 'approved')} by {self.author}"

    def covers(self, kind: str, digest: str) -> bool:
        """Whether the answer applies to a write of this kind with this digest."""
        return self.kind == kind and self.digest in ("", digest)


class MirrorPart(TypedDict, total=False):
    """What is known of a vendor's row: written by whoever has read it, or has its vendor's answer to a write."""

    external_id: str | None
    parent: str | None
    row: Row | None
    listed_hash: str
    row_version: int
    stamps: Mapping[str, int]
    read_at: float
    need_get: bool
    failures: int
    foreign_values: Mapping[str, Json]
    suspected_at: float | None


class TiePart(TypedDict, total=False):
    """To which record a row belongs, and what both sides agreed on: written by whoever decides."""

    record_id: str | None
    state: LinkState
    base: Base
    wait: Wait | None
    approval: WriteApproval | None


@dataclass(frozen=True, slots=True)
class Link:
    """A vendor row, what is known of it, and the record it belongs to. It has three parts, and each changes in one way:
    the *mirror* (``mirrored``), the *tie* (``tied``), and the *work* that is due. Anyone may ask that a link be planned
    (``woken``) and its row be read (``to_read``); only a plan ends the first (``at_rest``), only a read the second.

    Mirror. ``row``: the last row accepted, None before the first and after it is gone. ``listed_hash``: hash of the row
    as the listing shows it. ``row_version`` grows with each accepted row. ``stamps``: field -> id of the event that
    first showed the present vendor value. ``read_at``: when the last accepted read or settled write was received (epoch
    seconds). ``need_get``: a single read is required before the link is planned. ``failures``: single reads in a row
    that failed or did not fit; while no read is due the link is set aside because of them. ``foreign_values``: field ->
    raw value of somebody else that was seen while our own write was under way. ``suspected_at``: start of the complete
    scan that did not show the row. Tie. ``approval``: a person's answer about the write that the link wants. Work.
    ``dirty``: number of reasons to reconcile. ``version`` grows with each save.
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
    foreign_values: Mapping[str, Json] = field(default_factory=dict)
    version: int = 0
    dirty: int = 0
    suspected_at: float | None = None
    approval: WriteApproval | None = None
    wait: Wait | None = None

    @property
    def freshness(self) -> Freshness:
        """How far the stored row can be relied on."""
        if self.need_get:
            return Freshness.RETRIED if self.failures else Freshness.DUE
        if self.failures:
            return Freshness.SET_ASIDE
        if self.row is None:
            return Freshness.ABSENT if self.read_at else Freshness.UNREAD
        return Freshness.CURRENT if self.suspected_at is None else Freshness.SUSPECTED

    @property
    def set_aside(self) -> bool:
        """Whether the row could not be read: a person is asked, and nothing is planned from what was known before."""
        return self.freshness is Freshness.SET_ASIDE

    @property
    def ref(self) -> Ref:
        """The ref of an observed link. Raises ValueError before the external id is known."""
        if self.external_id is None:
            raise ValueError(f"link {self.id} has no external id yet")
        return Ref(self.connection, self.resource, self.external_id)

    def mirrored(self, **seen: Unpack[MirrorPart]) -> Link:
        """The link with another mirror. Raises Bug where its freshness cannot become that."""
        link = replace(self, **seen)
        _refuse(self, self.freshness, link.freshness, FRESHNESS_EDGES)
        return link

    def tied(self, **agreed: Unpack[TiePart]) -> Link:
        """The link with another tie. Raises Bug where its state cannot become that."""
        _refuse(self, self.state, agreed.get("state", self.state), STATE_EDGES)
        return replace(self, **agreed)

    def proved(self, base: Base) -> Link:
        """The link after a read was held against the writes that are in doubt. ``base``: with other doubts. Raises Bug
        where it has other values of either side, since a read decides nothing."""
        if (base.canonical, base.vendor) != (self.base.canonical, self.base.vendor):
            raise Bug(f"a read of link {self.id} has changed what was agreed")
        return replace(self, base=base)

    def woken(self, times: int = 1) -> Link:
        """The link, to be planned once more (``times`` 0: not)."""
        return replace(self, dirty=self.dirty + times) if times else self

    def at_rest(self) -> Link:
        """The link, with nothing left to plan."""
        return replace(self, dirty=0) if self.dirty else self

    def to_read(self) -> Link:
        """The link, whose row is to be read on its own before it is planned, if it has an id to read it by."""
        return self.mirrored(need_get=self.external_id is not None)

    def beside_reads(self, held: Link, dirty: int) -> Link:
        """What was decided of a link, together with reads that came in meanwhile and left its row unchanged. ``held``:
        the link as it is stored."""
        return replace(
            self, dirty=dirty, version=held.version, read_at=held.read_at, need_get=held.need_get,
            suspected_at=held.suspected_at, foreign_values=held.foreign_values,
        )  # fmt: skip


S = TypeVar("S", bound=StrEnum)


def _refuse(link: Link, before: S, after: S, edges: Mapping[S, Collection[S]]) -> None:
    if after is not before and after not in edges[before]:
        raise Bug(f"link {link.id} of {link.connection} cannot go from {before} to {after}")


@dataclass(frozen=True, slots=True)
class WaitGroup:
    """Links of one entity in one connection that wait for the same. ``kind``: the first word of what wakes them
    (``scope``, ``staged``, ``rec`` ...), or ``let_be``: a person decided that their write stays unsent. ``what``: what
    they wait for, or who decided. ``write``: the kind of write that is held or let be. ``reason``: of the person.
    ``count``: how many links, the first of which began to wait at ``since`` (epoch seconds, None: unknown)."""

    entity: str
    connection: str
    kind: str
    what: str
    write: str = ""
    reason: str = ""
    count: int = 0
    since: float | None = None


def wait_group(link: Link) -> WaitGroup:
    """The group of a link that waits, without its numbers."""
    wait, said = link.wait or Wait(None, ""), link.approval
    if said is not None and said.refuses:
        told = ("let_be", said.summary, said.kind, said.reason)
    else:
        write = wait.on.kind if isinstance(wait.on, Approved) else ""
        told = (wait.key.partition(":")[0], wait.what, write, "")
    return WaitGroup(link.entity, link.connection, *told)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A link that waits, without the rest of the link. ``on``, ``what``: as in ``Wait``."""

    link_id: str
    entity: str
    connection: str
    record_id: str | None
    on: Condition | None
    what: str
