"""An account at a vendor in memory: its rows as they are and were, and people at the vendor's own screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field

from syncengine.mapping import paths
from syncengine.model.resource import ConnectorSpec, ResourceSpec
from syncengine.model.values import Json, Row, is_empty
from syncengine.ports import Clock
from syncengine.simulation.traits import Shape, as_it_is


@dataclass(slots=True)
class Table:
    """The rows of a resource, and what they were."""

    rows: dict[str, dict[str, Json]] = field(default_factory=dict)
    past: list[tuple[float, dict[str, dict[str, Json]]]] = field(default_factory=list)
    number: int = 0

    def remember(self, now: float) -> None:
        """Something has changed."""
        self.past.append((now, deepcopy(self.rows)))

    def at(self, when: float) -> dict[str, dict[str, Json]]:
        """The rows as they were."""
        return next((rows for at, rows in reversed(self.past) if at <= when), {})


@dataclass
class Account:
    """The rows of one account. ``shape``: the vendor's own spelling, of people's rows too. ``unique``: columns of which
    no two rows show one value. ``stamps``: each row shows when it was changed."""

    declared: ConnectorSpec
    clock: Clock
    shape: Shape = as_it_is
    unique: tuple[str, ...] = ()
    tables: dict[str, Table] = field(default_factory=dict)
    stamps: bool = False
    _coming: list[tuple[float, Callable[[], object]]] = field(default_factory=list)
    _moment: float | None = None

    def __post_init__(self) -> None:
        self.tables = {name: Table() for name in self.declared.resources}

    # people at the vendor's own screen

    def add(self, resource: str = "people", **values: Json) -> str:
        """A person enters a row; its id."""
        self._arrive()
        return self._insert(resource, dict(values))

    def edit(self, external_id: str, resource: str = "people", **values: Json) -> None:
        """A person changes fields of a row."""
        self._arrive()
        self._change(resource, external_id, values)

    def remove(self, external_id: str, resource: str = "people") -> None:
        """A person deletes a row."""
        self._arrive()
        self._forget(resource, external_id)

    def rows(self, resource: str = "people") -> dict[str, dict[str, Json]]:
        """What is there now."""
        self._arrive()
        return deepcopy(self.tables[resource].rows)

    def row(self, external_id: str, resource: str = "people") -> dict[str, Json]:
        """One row as it is now."""
        return self.rows(resource)[external_id]

    # inside

    def _spec(self, resource: str) -> ResourceSpec:
        return self.declared.resources[resource]

    def _pass(self, seconds: float) -> None:
        self.clock.sleep(seconds)
        self._arrive()

    def _arrive(self) -> None:
        """What was to be done by now takes effect at its own time, however long nobody has looked since."""
        now = self.clock.now()
        due = sorted((c for c in self._coming if c[0] <= now), key=lambda c: c[0])
        self._coming = [c for c in self._coming if c[0] > now]
        for self._moment, do in due:
            do()
        self._moment = None

    @property
    def _now(self) -> float:
        return self.clock.now() if self._moment is None else self._moment

    def _at(self, resource: str, at: float) -> dict[str, dict[str, Json]]:
        """The rows as they were."""
        self._arrive()
        table = self.tables[resource]
        return table.rows if at >= self.clock.now() else table.at(at)

    def _listed(self, resource: str) -> dict[str, dict[str, Json]]:
        return self._at(resource, self.clock.now() - self._spec(resource).list_lag)

    def _taken(self, resource: str, row: Row, chosen: Json) -> bool:
        rows = self.tables[resource].rows
        shaped = dict(row)
        self.shape(shaped)
        return str(chosen) in rows or any(
            not is_empty(shaped.get(name)) and other.get(name) == shaped.get(name)
            for name in self.unique
            for other in rows.values()
        )

    def _insert(self, resource: str, row: dict[str, Json], chosen: Json = None) -> str:
        table = self.tables[resource]
        table.number += 1
        external_id = str(
            row.pop("id", None) or chosen or f"{self.declared.name}-{table.number:04}"
        )
        row["id"] = external_id
        self._spell(row)
        table.rows[external_id] = row
        self.tables[resource].remember(self._now)
        return external_id

    def _change(self, resource: str, external_id: str, body: Mapping[str, Json]) -> None:
        row = self.tables[resource].rows[external_id]
        for path, value in body.items():
            paths.put(row, path, value)
        self._spell(row)
        self.tables[resource].remember(self._now)

    def _spell(self, row: dict[str, Json]) -> None:
        self.shape(row)
        if self.stamps:
            row["changed"] = self._now

    def _forget(self, resource: str, external_id: str) -> None:
        if self.tables[resource].rows.pop(external_id, None) is not None:
            self.tables[resource].remember(self._now)
