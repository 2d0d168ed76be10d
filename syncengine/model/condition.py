"""Conditions: what a link may wait for. ``str()`` gives the key under which a condition is stored and looked up;
``condition`` reads it."""

from __future__ import annotations

from dataclasses import dataclass

from syncengine.model.ref import Ref


@dataclass(frozen=True, slots=True)
class RowTied:
    """A vendor's row belongs to a record."""

    row: Ref

    def __str__(self) -> str:
        return f"ref:{self.row.connection}/{self.row.resource}/{self.row.external_id}"


@dataclass(frozen=True, slots=True)
class RecordAt:
    """A record has a row in a connection."""

    record_id: str
    connection: str

    def __str__(self) -> str:
        return f"rec:{self.record_id}@{self.connection}"


@dataclass(frozen=True, slots=True)
class OperationSettled:
    """An operation has an outcome."""

    operation_id: str

    def __str__(self) -> str:
        return f"op:{self.operation_id}"


@dataclass(frozen=True, slots=True)
class PlaceFree:
    """The row that somebody else holds is free, or gone."""

    row: Ref

    def __str__(self) -> str:
        return f"free:{self.row.connection}/{self.row.resource}/{self.row.external_id}"


@dataclass(frozen=True, slots=True)
class Listed:
    """A resource was listed completely, and it is decided to which record each of its rows belongs."""

    connection: str
    resource: str

    def __str__(self) -> str:
        return f"scan:{self.connection}/{self.resource}"


@dataclass(frozen=True, slots=True, order=True)
class Approved:
    """A person has said whether these writes are sent: those of one ``kind`` (create, update or delete), entity and
    connection are judged together."""

    entity: str
    connection: str
    kind: str

    def __str__(self) -> str:
        return f"staged:{self.entity}:{self.connection}:{self.kind}"

    @classmethod
    def of(cls, subject: str) -> Approved:
        """The group about which the case with this subject asks."""
        return cls(*subject.removeprefix("staged:").split(":"))

    @property
    def subject(self) -> str:
        """Subject of the case about it."""
        return str(self)


@dataclass(frozen=True, slots=True)
class WrittenTo:
    """A connection that is only observed is written to."""

    connection: str

    def __str__(self) -> str:
        return f"observed:{self.connection}"


@dataclass(frozen=True, slots=True)
class InScope:
    """The record is in scope; the record itself or the day brings that about, and wakes the link."""

    def __str__(self) -> str:
        return "scope"


Condition = (
    RowTied | RecordAt | OperationSettled | PlaceFree | Listed | Approved | WrittenTo | InScope
)


def condition(key: str) -> Condition | None:
    """The condition with this key. None for ``""``, which nothing but a change of the link itself brings about, and for
    what no version has written."""
    kind, _, about = key.partition(":")
    match kind, about.split("/", 2):
        case "ref", [connection, resource, external_id]:
            return RowTied(Ref(connection, resource, external_id))
        case "free", [connection, resource, external_id]:
            return PlaceFree(Ref(connection, resource, external_id))
        case "scan", [connection, resource]:
            return Listed(connection, resource)
        case "rec", _:
            record_id, _, connection = about.rpartition("@")
            return RecordAt(record_id, connection)
        case "op", _:
            return OperationSettled(about)
        case "staged", _:
            return Approved.of(key)
        case "observed", _:
            return WrittenTo(about)
        case "scope", _:
            return InScope()
        case _:
            return None
