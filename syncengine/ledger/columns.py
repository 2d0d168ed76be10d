"""Shorthand for tables and indexes, for ``tables`` and for migrations."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Double,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)
from sqlalchemy.types import TypeEngine

# Binary order on both databases: ids sort the same in SQL and in Python.
_NAME = Text().with_variant(Text(collation="C"), "postgresql")
_SERIAL = BigInteger().with_variant(Integer(), "sqlite")
_KINDS: dict[str, TypeEngine[Any]] = {
    "texts": _NAME, "counts": BigInteger(), "times": Double(), "flags": Boolean(),
    "packed": Text(), "sealed": Text(), "found": Text(), "hashes": _NAME, "kept_texts": _NAME,
    "kept_times": Double(),
}  # fmt: skip
"""Kind of column -> type. ``times``: epoch seconds. ``sealed``: JSON that may be encrypted (``encryption.Vault``).
``packed``: plain JSON without personal data. ``found``: sealed, and looked up by a keyed hash that stands beside it.
``hashes``: keyed hashes alone. ``kept_texts``, ``kept_times``: what the ledger notes beside a value by itself."""


_KEPT = ("kept_texts", "kept_times")


def hash_of(name: str) -> str:
    """The column beside one of kind ``found``."""
    return f"{name}_hash"


def table(metadata: MetaData, name: str, key: str = "id", **columns: str) -> Table:
    """A table of columns by kind. ``?`` behind a name lets it be NULL, as all JSON may be; ``=`` and a number is the
    server's default. ``key``: names of the primary key, or "" for an ``id`` that the database counts up."""
    made = [
        column
        for kind, names in columns.items()
        for told in names.split()
        for column in _columns(kind, told)
    ]
    keys = key.split()
    if not keys:
        # An id that was given away never comes back, not even after the newest rows were deleted.
        serial = Column("id", _SERIAL, primary_key=True, autoincrement=True)
        return Table(name, metadata, serial, *made, sqlite_autoincrement=True)
    primary = PrimaryKeyConstraint(*keys, name=f"{name}_{keys[-1]}")
    return Table(name, metadata, *made, primary)


def _columns(kind: str, told: str) -> list[Column[Any]]:
    name, _, default = told.partition("=")
    plain, nullable = name.rstrip("?"), name.endswith("?")
    if kind in ("packed", "sealed"):
        return [Column(plain, _KINDS[kind], info={"sealed": kind == "sealed"})]
    if kind == "found":
        beside = Column(hash_of(plain), _NAME, nullable=nullable, info={"hash": plain})
        return [
            Column(plain, Text(), nullable=nullable, info={"sealed": True, "found": True}),
            beside,
        ]
    info = {"hash": plain} if kind == "hashes" else {"kept": True} if kind in _KEPT else {}
    return [
        Column(plain, _KINDS[kind], nullable=nullable, server_default=default or None, info=info)
    ]


def index(
    table: Table, name: str, columns: str,
    where: ColumnElement[bool] | None = None, unique: bool = False,
) -> None:  # fmt: skip
    """An index ``<table>_<name>`` of the rows that meet ``where``."""
    over = [table.c[column] for column in columns.split()]
    Index(f"{table.name}_{name}", *over, unique=unique, sqlite_where=where, postgresql_where=where)
