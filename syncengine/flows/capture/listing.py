"""The state of a listing under way, stored in the ledger page by page."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Literal, Self

from syncengine.errors import SyncengineError, Unusable
from syncengine.flows.capture.erased_rows import unfit, withhold_erased
from syncengine.flows.capture.rows import Read, store
from syncengine.flows.core.engine import Engine, new_id, retry_on_lost_race
from syncengine.flows.core.runs import begin_listing, calls, end_run, tallies
from syncengine.ledger import Transaction
from syncengine.mapping import Entity, System
from syncengine.model.case import Case, CaseKind
from syncengine.model.changeset import Changeset
from syncengine.model.connection import ResourceState
from syncengine.model.run import COMPLETE, FAILED, Run
from syncengine.model.values import Json, digest
from syncengine.planning.observation import Source, evidence_row
from syncengine.planning.questions import shown
from syncengine.ports import Item, Page

NEXT_PAGE = 300.0
"""Seconds within which the next page of a listing comes, unless its worker has died."""


LIMITED = 3600.0
"""Seconds within which a pass goes on with what a limit has stopped in the pass before."""


TOLD = 30.0
"""Seconds after which it is said again how far a listing is."""


@dataclass(slots=True)
class ListingProgress:
    """How far a listing has come, reported from time to time. ``told``: when last, or when it began."""

    engine: Engine
    connection: str
    resource: str
    rows: int = 0
    answers: int = 0
    told: float = 0.0
    _lock: Lock = field(default_factory=Lock)

    def page(self, page: Page) -> None:
        """Another page has come, in whichever thread."""
        with self._lock:
            self.rows += len(page.items)
            self.answers += page.calls
            now = self.engine.clock.now()
            if abs(now - self.told) >= TOLD:
                self.told = now
                self.engine.goes_on(self.connection, self.resource, self.rows, self.answers)


@dataclass(slots=True)
class Listing:
    """One listing under way. ``started``: when the first page was requested. ``after``: the parent below which was read
    last; ``resumed``: that of the slice before. ``asked``: subjects of the cases about rows that do not fit; ``unfit``:
    external ids of such rows, "" for a row without one. ``lacks``: number of parents below which nothing could be read,
    and ``why`` not below the first. Below parents: how many there are (``parents``), and of how many the rows were read
    in turn (``turned``); ``again``: parents that are to be read once more before it goes on, chosen at ``chosen_at``
    (0: never), and ``reread``: how many were chosen so far; ``calls_each``: what each of those read last took at
    least."""

    engine: Engine
    connection: str
    resource: str
    kind: Literal["poll", "scan"]
    started: float
    after: str = ""
    resumed: str = ""
    rows: int = 0
    moved: int = 0
    gone: int = 0
    asked: set[str] = field(default_factory=set)
    unfit: set[str] = field(default_factory=set)
    lacks: int = 0
    why: str = ""
    parents: int = 0
    turned: int = 0
    again: list[str] = field(default_factory=list)
    chosen_at: float = 0.0
    reread: int = 0
    calls_each: int = 1
    marked: float = 0.0
    run: Run | None = None
    called: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    listing_progress: ListingProgress = field(init=False)

    def __post_init__(self) -> None:
        self.listing_progress = ListingProgress(
            self.engine, self.connection, self.resource, told=self.started
        )

    def resume(self, state: ResourceState, since: float) -> Self:
        """Continue where this scan stopped, if it was begun at ``since`` or later, or was stopped recently by a limit,
        without which it might never end."""
        kept = state.progress
        if not kept or kept["started"] <= state.scanned_at:
            return self
        recent = kept.get("limited", 0.0) > self.started - LIMITED
        if kept["started"] >= since or recent:
            self.started, self.after, self.rows = kept["started"], kept["after"], kept["rows"]
            self.resumed = self.after
            self.asked, self.unfit = set(kept["asked"]), set(kept["unfit"])
            self.lacks, self.why = kept["lacks"], kept["why"]
            self.turned, self.reread = kept.get("turned", 0), kept.get("reread", 0)
            self.again, self.chosen_at = kept.get("again", []), kept.get("chosen_at", 0.0)
            self.listing_progress.rows, self.listing_progress.answers = (
                self.rows,
                kept.get("answers", 0),
            )
            self.listing_progress.told = kept.get("told", self.listing_progress.told)
        return self

    @retry_on_lost_race
    def checkpoint(self, limited: bool = False) -> None:
        """Store how far the listing has come, for the next slice. ``limited``: a limit stopped it, and it is due again
        when that is over."""
        now = self.engine.clock.now()
        with self.engine.ledger.write() as tx:
            state = tx.resource(self.connection, self.resource)
            progress = {
                "started": self.started, "after": self.after, "rows": self.rows,
                "asked": sorted(self.asked), "unfit": sorted(self.unfit),
                "lacks": self.lacks, "why": self.why, "limited": now if limited else 0.0,
                "answers": self.listing_progress.answers, "told": self.listing_progress.told,
                "parents": self.parents, "turned": self.turned, "again": self.again,
                "chosen_at": self.chosen_at, "reread": self.reread, "at": now,
            }  # fmt: skip
            started = 0.0 if limited else now
            state = replace(state, progress=progress, scan_started=started)
            tx.write(Changeset(resources=[state]))
            if not limited:
                self.end(tx, whole=False)

    @retry_on_lost_race
    def begin(self) -> None:
        """Mark the listing as under way, so that others wait for it; its run begins."""
        with self.engine.ledger.write() as tx:
            tx.write(self._marked())
            place = (self.connection, self.resource)
            self.run = begin_listing(self.engine, tx, *place, goes_on=bool(self.resumed))
        self.called = {self.connection: tallies(self.engine)[self.connection]}

    def end(self, tx: Transaction, fault: str = "", whole: bool = True) -> None:
        """The run of the listing ended, with what could not be read; or this slice of it did, and it goes on."""
        if self.run is not None:
            outcome = (FAILED if fault else COMPLETE) if whole else ""
            counts = calls(self.engine, self.called)
            counts.update(
                rows=self.rows - self.run.counts.get("rows", 0), moved=self.moved, gone=self.gone
            )
            end_run(self.engine, tx, self.run, outcome, fault, counts)

    def _marked(self) -> Changeset:
        """That the listing is under way, if that was not said lately."""
        now = self.engine.clock.now()
        if now <= self.marked + NEXT_PAGE / 4:
            return Changeset()
        self.marked = now
        return Changeset(listings={(self.connection, self.resource): now + NEXT_PAGE})

    @retry_on_lost_race
    def keep(
        self, items: Sequence[Item], started: float, cursor: str | None = None,
        lost: Collection[tuple[str, SyncengineError]] = (), began: float | None = None,
    ) -> None:  # fmt: skip
        """Store what one or more pages showed, and where to continue. ``lost``: parents below which nothing could be
        read. ``began``: when the vendor may have begun to make these pages, if not with the first page of all."""
        engine = self.engine
        engine.heartbeat()
        received = engine.clock.now()
        items = [_of_period(engine, self.connection, self.resource, item) for item in items]
        reads = [
            Read(i.external_id, i.row, i.parent, started, received, began or self.started)
            for i in items
            if not i.fault
        ]
        parts = [self._lost(p, error) for p, error in lost if isinstance(error, Unusable)]
        dirty: list[str] = []
        stale: list[str] = []
        moved = 0
        source: Source = "poll" if self.kind == "poll" else "list"
        with engine.ledger.write() as tx:
            for entity, system in self._systems:
                kept = store(engine, tx, entity, system, source, reads)
                moved += kept.moved
                dirty += kept.dirty
                stale += kept.need_get
            cases = [self._unfit(i) for i in self._not_erased(tx, items)]
            faults = {case.subject: case for case in [*cases, *parts]}
            well = set[str]()
            if self.kind == "poll":
                well = {f"{self._subjects}{read.external_id}" for read in reads} - faults.keys()
                well &= self._open(tx)
            now, change = engine.clock.now(), self._marked()
            if cursor is not None:
                state = tx.resource(self.connection, self.resource)
                change += Changeset(resources=[replace(state, cursor=cursor)])
            asked = Changeset(raised=list(faults.values()), dissolved=dict.fromkeys(well, now))
            tx.write(change + asked)
        self.rows += len(reads)
        self.moved += moved
        self.asked |= faults.keys()
        self.unfit |= {i.external_id for i in items if i.fault}
        self.why = self.why or next((str(error) for _, error in lost), "")
        self.lacks += len(lost)
        engine.announce("refresh", stale)
        engine.announce("reconcile", dirty)

    # what does not fit

    @property
    def _subjects(self) -> str:
        return f"quarantined:{self.connection}/{self.resource}/"

    def over(self, tx: Transaction) -> set[str]:
        """Subjects of cases about rows that this complete listing no longer shows, or shows well."""
        return self._open(tx) - self.asked

    def _open(self, tx: Transaction) -> set[str]:
        """Subjects of the open questions about rows of this resource."""
        known = {case.subject for case in tx.cases(kind=CaseKind.QUARANTINED)}
        return {subject for subject in known if subject.startswith(self._subjects)}

    def _not_erased(self, tx: Transaction, items: Sequence[Item]) -> list[Item]:
        """What does not fit, without the rows of those who were erased."""
        engine, back = self.engine, set[str]()
        bad = {str(n): item for n, item in enumerate(items) if item.fault}
        for entity, system in self._systems if bad else ():
            ids = {item.external_id for item in bad.values()} - {""}
            known = tx.links_at(entity.name, self.connection, self.resource, sorted(ids))
            tied = {id_ for id_, link in known.items() if link.record_id is not None}
            links = [
                unfit(entity, system, n, i.external_id, i.parent, i.row)
                for n, i in bad.items() if i.external_id not in tied
            ]  # fmt: skip
            back |= withhold_erased(engine, tx, entity, system, links)
        return [item for n, item in bad.items() if n not in back]

    @property
    def _systems(self) -> tuple[tuple[Entity, System], ...]:
        return self.engine.project.systems_of(self.connection, self.resource)

    def _unfit(self, item: Item) -> Case:
        row = evidence_row((system for _, system in self._systems), item.row)
        return self._asked(
            item.external_id or digest(dict(item.row)),
            f"A row of {self.connection} {self.resource} does not fit: {item.fault}",
            {"external_id": item.external_id, "row": shown(row)},
        )

    def _lost(self, parent: str, error: Unusable) -> Case:
        return self._asked(
            f"below {parent}",
            f"The {self.resource} of {self.connection} below one row cannot be read: {error}",
            {"parent": parent},
        )

    def _asked(self, about: str, question: str, evidence: dict[str, Json]) -> Case:
        """The case about a part of a listing; it is closed by the next complete listing without such a part."""
        return Case(
            id=new_id(),
            kind=CaseKind.QUARANTINED,
            subject=f"{self._subjects}{about}",
            question=question,
            evidence=evidence,
            answers={"retry": "go on; it is looked at again with the next listing"},
            opened_at=self.engine.clock.now(),
        )


def _of_period(engine: Engine, connection: str, resource: str, item: Item) -> Item:
    """A row that shows only the present value (``keep: day`` or ``month``) is stored as one row per period."""
    schedule = engine.project.connections[connection].resources.get(resource)
    if schedule is None or schedule.keep == "latest" or item.fault:
        return item
    period = engine.today if schedule.keep == "day" else engine.today[:7]
    row = {**item.row, "_period": period}
    return replace(item, external_id=f"{item.external_id}@{period}", row=row)
