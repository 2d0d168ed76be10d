"""Addresses: of a row at a vendor (``Ref``), and of a line in the project's YAML (``Position``)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """A row of a vendor: connection, resource, external id."""

    connection: str
    resource: str
    external_id: str


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the project's YAML; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"
