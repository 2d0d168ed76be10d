"""A compiled project: the frozen values that planning and flows work with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from syncengine.mapping.expressions import Expression
from syncengine.mapping.notify import Notify
from syncengine.mapping.rule import Field, Rule
from syncengine.mapping.ways_in import WaysIn
from syncengine.mapping.words import Create, Flow, Keep, Mode, OnLeave, OnMissing
from syncengine.model.record import Record, World
from syncengine.model.ref import Position
from syncengine.model.resource import ConnectorSpec, ResourceSpec
from syncengine.model.values import Json

LARGEST_LISTING: Final = 512 * 1024 * 1024
"""Bytes of all answers of a listing, unpacked, where a connection does not say otherwise."""

LONGEST_LISTING: Final = 20_000
"""Answers of one listing, where a connection does not say otherwise: 200,000 rows even from a vendor that serves ten a
page, and an end within the half hour where each takes less than 0.1 s."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How a resource is read. ``poll``, ``scan``: seconds between two. ``window``: days (back, ahead)."""

    poll: float | None = None
    scan: float | None = None
    window: tuple[int, int] | None = None
    keep: Keep = "latest"


@dataclass(frozen=True, slots=True)
class Budget:
    """``calls`` per ``per`` seconds by all processes together; None: as many as the connector bears."""

    calls: int | None = None
    per: float = 3600.0
    concurrency: int | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """One account at one vendor. ``off``: why it is not used, empty if it is. ``largest_listing``: bytes;
    ``longest_listing``: answers.
    ``webhook``: the secrets of its notices; None: it names none, and takes what the shared secret has signed."""

    name: str
    connector: str
    spec: ConnectorSpec
    mode: Mode
    base_url: str | None = field(repr=False)
    credentials: Mapping[str, str] = field(repr=False)
    options: Mapping[str, Json] = field(repr=False)
    timezone: str
    budget: Budget
    largest_listing: int
    longest_listing: int
    resources: Mapping[str, Schedule]
    off: str
    position: Position
    webhook: tuple[bytes, ...] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Safety:
    """Shares (0 to 1) of an entity's live links in one connection that ``window`` seconds may write
    before a person is asked; None: not limited. Up to ``floor`` writes are always allowed. ``first``: how many
    writes of a kind may go where none of the entity ever went; None: as many as later."""

    deletes: float = 0.10
    creates: float | None = None
    updates: float | None = None
    first: int | None = None
    floor: int = 5
    window: float = 3600.0


@dataclass(frozen=True, slots=True)
class Approvals:
    """How many people have to approve held writes of a kind, before they are sent."""

    deletes: int = 1
    creates: int = 1
    updates: int = 1

    def of(self, kind: str) -> int:
        """For writes of a kind (create, update or delete)."""
        return {"delete": self.deletes, "create": self.creates, "update": self.updates}[kind]


@dataclass(frozen=True, slots=True)
class Retention:
    """For how many seconds what is over is kept: ``events``, settled ``operations``, closed ``cases``, ``history``,
    records that ``left`` (were deleted), and what is known of a process that says nothing any more (``runs``)."""

    events: float = 90 * 86_400.0
    operations: float = 180 * 86_400.0
    cases: float = 365 * 86_400.0
    history: float = 365 * 86_400.0
    left: float = 180 * 86_400.0
    runs: float = 900.0


@dataclass(frozen=True, slots=True)
class System:
    """How an entity stands in one connection. ``set_create``, ``set_leave``: vendor path -> constant.
    ``at``: where each key stands."""

    connection: str
    resource: ResourceSpec
    flow: Flow
    where: Expression | None
    scope: Expression | None
    key: Expression | None
    create: Create
    on_missing: OnMissing
    on_leave: OnLeave
    set_create: Mapping[str, Json]
    set_leave: Mapping[str, Json]
    rules: Mapping[str, Rule]
    position: Position
    at: Mapping[str, Position] = field(default_factory=dict)

    def cause(self, key: str) -> str:
        """Where ``scope``, ``create``, ``set.leave.is_active`` and so on is said, or the system where it is not."""
        return str(self.at.get(key, self.position))

    @property
    def leaving(self) -> Mapping[str, Json]:
        """What the row of a record that leaves is set to; nothing where it is deleted, or only left alone."""
        return {} if self.deletes else self.set_leave

    @property
    def ends(self) -> bool:
        """Whether the row of a record that leaves is deleted or set to something."""
        return self.deletes or bool(self.set_leave)

    @property
    def deletes(self) -> bool:
        """Whether the row of a record that leaves is deleted."""
        return self.on_leave == "delete" and self.resource.delete

    @property
    def creates_in(self) -> bool:
        """Whether an unmatched row makes a record."""
        return self.create in ("in", "both")

    @property
    def creates_out(self) -> bool:
        """Whether a record in scope makes a row."""
        return self.create in ("out", "both")

    @property
    def reads(self) -> bool:
        """Whether values flow in."""
        return self.flow in ("in", "both")

    @property
    def writes(self) -> bool:
        """Whether values flow out."""
        return self.flow in ("out", "both")

    @property
    def needs_get(self) -> bool:
        """Whether the listing does not show all that the mapping looks at."""
        looked = self.where.row_fields if self.where else frozenset()
        return not self.resource.unlisted.isdisjoint(
            looked.union(*(rule.roots for rule in self.rules.values()))
        )


@dataclass(frozen=True, slots=True)
class Entity:
    """A kind of thing. ``merge_order``: stored fields, those first that owners of others read.
    ``depth``: how many refs deep any of its expressions opens records. ``uses_systems``: whether one asks in which
    systems a record is. ``compared``: fields that two systems or more
    show and none is written to. ``people``: whom it is about, in words of people (``employees``)."""

    name: str
    fields: Mapping[str, Field]
    identity: tuple[tuple[str, ...], ...]
    systems: Mapping[str, System]
    safety: Safety
    position: Position
    merge_order: tuple[str, ...]
    formulas: tuple[str, ...]
    depth: int
    uses_today: bool
    uses_systems: bool
    digest: str
    compared: frozenset[str] = frozenset()
    people: str = ""

    def values(self, record: Record, world: World) -> dict[str, Json]:
        """Stored values and computed formulas. Raises RowInvalid."""
        values = dict(record.values)
        for name in self.formulas:
            formula = self.fields[name].formula
            if formula is not None:
                values[name] = formula.on_record(record, world)
        return values


@dataclass(frozen=True, slots=True)
class Derivation:
    """When records of ``sources`` fulfil their conditions, a record of ``ensure`` shall exist."""

    name: str
    sources: Mapping[str, Expression]
    ensure: str
    values: Mapping[str, Expression]
    on_leave: OnLeave
    position: Position
    uses_today: bool
    digest: str


@dataclass(frozen=True, slots=True)
class Project:
    """A whole valid project. ``entities``: what others refer to comes first. ``notify`` is no part of
    the digest: who is told of something changes nothing of what is synced."""

    folder: Path
    timezone: str
    connections: Mapping[str, Connection]
    entities: Mapping[str, Entity]
    derivations: tuple[Derivation, ...]
    digest: str
    warnings: tuple[str, ...]
    retention: Retention = Retention()
    approvals: Approvals = Approvals()
    notify: Notify = field(default_factory=Notify)
    ways_in: WaysIn = field(default_factory=WaysIn)

    def systems_of(self, connection: str, resource: str) -> tuple[tuple[Entity, System], ...]:
        """What is mapped onto a resource of a connection."""
        return tuple(
            (entity, system)
            for entity in self.entities.values()
            for system in entity.systems.values()
            if system.connection == connection and system.resource.name == resource
        )
