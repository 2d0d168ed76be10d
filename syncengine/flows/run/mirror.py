"""What stands in for the world while a pass is rehearsed: vendors that answer from the rows last seen, and a clock that
nobody waits for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

from typing_extensions import override

from syncengine.errors import Bug
from syncengine.ledger import Ledger
from syncengine.mapping import Connection, Project
from syncengine.model.operation import Operation, Written
from syncengine.model.resource import ConnectorSpec
from syncengine.model.values import Json, Row
from syncengine.planning.observation import body_row
from syncengine.ports import Connector, Item, Page, Tally, Window

P = ParamSpec("P")
T = TypeVar("T")


def new_row(record_id: str) -> str:
    """What the row is called that a record is to get: ``new:<record id>``; its vendor will give it another id."""
    return f"new:{record_id}"


@dataclass(slots=True)
class Mirror(Connector):
    """A connector that calls no vendor: it reads the rows of a ledger, and takes each write as done.

    ``sent``: idempotency key -> the operation that is to be sent; filled by whoever sends. ``replaced``: idempotency
    key -> the row as it was before the write."""

    connection: Connection
    project: Project
    ledger: Ledger
    sent: Mapping[str, Operation]
    replaced: dict[str, Row] = field(default_factory=dict)
    _rows: dict[tuple[str, str], Item | None] = field(default_factory=dict)

    @property
    @override
    def spec(self) -> ConnectorSpec:
        """What the vendor's own connector declares."""
        return self.connection.spec

    @property
    @override
    def tally(self) -> Tally:
        """Nothing; no vendor is called."""
        return Tally()

    @property
    @override
    def token_calls(self) -> int:
        """None."""
        return 0

    @override
    def health(self) -> None:
        """It is always there."""

    @override
    def scan(
        self, resource: str, parent: str | None = None, window: Window | None = None
    ) -> Iterator[Page]:
        """Raises Bug: a rehearsal begins with what was listed before."""
        raise Bug(f"a rehearsal lists {resource}")

    @override
    def poll(self, resource: str, cursor: str | None) -> Iterator[Page]:
        """Raises Bug, as ``scan``."""
        raise Bug(f"a rehearsal polls {resource}")

    @override
    def get(self, resource: str, external_id: str) -> Item | None:
        """The row as it was last seen, or written since; None if there is none."""
        place = resource, external_id
        if place not in self._rows:
            self._rows[place] = self._seen(resource, external_id)
        return self._rows[place]

    def _seen(self, resource: str, external_id: str) -> Item | None:
        """Each entity keeps the part of a row that its rules use."""
        name = self.connection.name
        entities = [entity.name for entity, _ in self.project.systems_of(name, resource)]
        with self.ledger.read() as tx:
            found = [
                link
                for entity in entities
                for link in tx.links_at(entity, name, resource, [external_id]).values()
                if link.row is not None
            ]
        row = {name: value for link in found for name, value in (link.row or {}).items()}
        return Item(external_id, row, found[0].parent) if found else None

    @override
    def find(self, resource: str, body: Mapping[str, Json], key: str) -> Sequence[Item]:
        """Nothing: a row that the ledger has seen was compared with the record already."""
        return ()

    @override
    def create(self, resource: str, body: Mapping[str, Json], key: str) -> Written:
        """The new row shows what was sent, under the id that the create chose, or under that of ``new_row``."""
        operation = self.sent[key]
        external_id = operation.external_id or new_row(operation.record_id)
        row = body_row(body)
        parent = row.get("_parent")
        self._rows[resource, external_id] = Item(external_id, row, parent)
        return Written(external_id, row)

    @override
    def update(
        self, resource: str, external_id: str, body: Mapping[str, Json], current: Row, key: str
    ) -> Written:
        """The row shows what was sent."""
        self.replaced[key] = current
        row = body_row(body, current)
        before = self._rows.get((resource, external_id))
        parent = None if before is None else before.parent
        self._rows[resource, external_id] = Item(external_id, row, parent)
        return Written(external_id, row)

    @override
    def delete(self, resource: str, external_id: str, key: str) -> None:
        """The row is gone."""
        item = self.get(resource, external_id)
        self.replaced[key] = {} if item is None else item.row
        self._rows[resource, external_id] = None

    @override
    def pages(self, resource: str, rows: int, window: Window | None = None) -> int:
        """None; nothing is listed."""
        return 0

    @override
    def calls_of(self, resource: str, body: Mapping[str, Json], current: Row | None = None) -> int:
        """None; nothing is called."""
        return 0

    @override
    def close(self) -> None:
        """There is nothing to give back."""


@dataclass(slots=True)
class SkippingClock:
    """A clock that stands still and jumps ahead where somebody would wait. ``at``: epoch seconds."""

    at: float

    def now(self) -> float:
        """The time of the rehearsal."""
        return self.at

    def sleep(self, seconds: float) -> None:
        """The time has passed."""
        self.at += max(0.0, seconds)


class Nobody:
    """A queue that nobody listens to."""

    def announce(self, task: str, arguments: Any) -> None:
        """Who rehearses looks for work itself."""


class AtOnce(Executor):
    """A pool that runs each call in the thread that submits it; a mirror does not wait."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run it; the future is done. What the call raises is raised here. As in another thread, what it sets in its
        context is not seen by whoever submits it."""
        future: Future[T] = Future()
        future.set_result(copy_context().run(fn, *args, **kwargs))
        return future
