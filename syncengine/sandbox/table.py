"""Rows in memory, in the order in which they were made, with an index per named field."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Any

Row = dict[str, Any]


class Table:
    """Rows by id. Getting, finding by an indexed field and slicing cost no more than what they return."""

    def __init__(self, key: str, *indexed: str) -> None:
        self.key = key
        self._rows: dict[Any, Row] = {}
        self._numbers: dict[Any, int] = {}
        self._order: list[int] = []
        self._by_number: dict[int, Row] = {}
        self._indexes: dict[str, dict[Any, dict[int, Row]]] = {name: {} for name in indexed}

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return (self._by_number[number] for number in self._order)

    def __contains__(self, identifier: object) -> bool:
        return identifier in self._rows

    def get(self, identifier: Any) -> Row | None:
        return self._rows.get(identifier)

    def __getitem__(self, identifier: Any) -> Row:
        return self._rows[identifier]

    def page(self, offset: int, limit: int) -> list[Row]:
        return [self._by_number[number] for number in self._order[offset : offset + limit]]

    def find(self, field: str, value: Any) -> list[Row]:
        """Rows whose indexed ``field`` equals ``value``, oldest first."""
        hits = self._indexes[field].get(value, {})
        return [hits[number] for number in sorted(hits)]

    def in_order(self, identifiers: Iterable[Any]) -> list[Row]:
        numbers = sorted(self._numbers[identifier] for identifier in identifiers)
        return [self._by_number[number] for number in numbers]

    def add(self, row: Row) -> Row:
        """Keep ``row``. Raises ValueError if its id is taken."""
        identifier = row[self.key]
        if identifier in self._rows:
            raise ValueError(f"{self.key} is taken")
        number = self._order[-1] + 1 if self._order else 0
        self._rows[identifier] = row
        self._numbers[identifier] = number
        self._order.append(number)
        self._by_number[number] = row
        for field in self._indexes:
            self._enter(field, number, row)
        return row

    def change(self, identifier: Any, values: Row) -> bool:
        """Set ``values`` in a row, the id among them if need be; say whether anything differs now."""
        row = self._rows[identifier]
        moved = {name: value for name, value in values.items() if row.get(name) != value}
        number = self._numbers[identifier]
        touched = [field for field in self._indexes if field in moved]
        for field in touched:
            self._leave(field, number, row)
        row.update(moved)
        for field in touched:
            self._enter(field, number, row)
        if self.key in moved:
            self._rows[row[self.key]] = self._rows.pop(identifier)
            self._numbers[row[self.key]] = self._numbers.pop(identifier)
        return bool(moved)

    def remove(self, identifier: Any) -> Row:
        row = self._rows.pop(identifier)
        number = self._numbers.pop(identifier)
        del self._order[bisect_left(self._order, number)]
        del self._by_number[number]
        for field in self._indexes:
            self._leave(field, number, row)
        return row

    def _enter(self, field: str, number: int, row: Row) -> None:
        self._indexes[field].setdefault(row.get(field), {})[number] = row

    def _leave(self, field: str, number: int, row: Row) -> None:
        rows = self._indexes[field][row.get(field)]
        del rows[number]
        if not rows:
            del self._indexes[field][row.get(field)]
