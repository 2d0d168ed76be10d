"""Statements, built once for each shape and then only given values: building one costs more than running it.

What is asked of the rows is told by the names of columns: ``state="linked"`` is what one holds, ``id=[...]`` several
values, of which it holds one (``id__not``: none), ``read_at__lt=9`` compares, as the functions of ``operator`` do, and
``entity__scan="person"`` is not looked up in an index. None asks for nothing. Conditions and expressions beside that
are constants of their modules, or nothing that was built would be found again.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from syncengine.ledger.encryption import dump

Columns = tuple[sa.ColumnElement[Any], ...]
Condition = sa.ColumnElement[bool]
Shape = tuple[tuple[str, bool], ...]
"""Names that are asked for, and whether with several values."""


class _Several(TypeDecorator[Any]):
    """A list of texts or whole numbers in one parameter."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, item: TypeEngine[Any]) -> None:
        super().__init__()
        self.item = sa.BigInteger() if isinstance(item, sa.Integer) else sa.Text()

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        return sa.ARRAY(self.item) if dialect.name == "postgresql" else sa.Text()

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        return value if dialect.name == "postgresql" else dump(value)


class Within(FunctionElement[bool]):
    """``column IN (values)``: with one parameter of this name, whatever their number, or with what a statement finds.
    Each is looked up by itself: PostgreSQL would join the two tables otherwise, and go through all of both as long as
    it has no statistics of them."""

    inherit_cache = True

    def __init__(self, column: sa.ColumnElement[Any], values: str | sa.Select[Any]) -> None:
        if isinstance(values, str):
            super().__init__(column, given(values, _Several(column.type)))
        else:
            super().__init__(column, values.scalar_subquery())


@compiles(Within)
def _within(element: Within, compiler: SQLCompiler, **how: Any) -> str:
    _, inner = element.clauses
    column, values = (compiler.process(part, **how) for part in element.clauses)
    found = isinstance(inner, sa.ScalarSelect)
    if compiler.dialect.name == "postgresql":
        return f"{column} = ANY ({'ARRAY' * found}{values})"
    return f"{column} IN {values if found else f'(SELECT value FROM json_each({values}))'}"


def given(name: str, kind: TypeEngine[Any] | None = None) -> sa.BindParameter[Any]:
    """The value that is asked for by this name."""
    return sa.bindparam(f"given_{name}", type_=kind)


def shape_of(asked: Mapping[str, Any]) -> tuple[Shape, dict[str, Any]]:
    """The shape of what is asked for, and the parameters."""
    shape, parameters = [], {}
    for name, value in asked.items():
        if value is not None:
            several = not isinstance(value, (str, int, float))
            shape.append((name, several))
            parameters[f"given_{name}"] = list(value) if several else value
    return tuple(shape), parameters


def conditions(source: sa.FromClause, shape: Shape) -> Iterator[Condition]:
    """The WHERE conditions for what is asked of a table. Raises KeyError for an unknown column."""
    for name, several in shape:
        column, _, compare = name.partition("__")
        held: sa.ColumnElement[Any] = source.c[column]
        if compare == "scan":
            # SQLite has no index of a column with "" at its end.
            held, compare = held + "", ""
        if several:
            yield ~Within(held, name) if compare == "not" else Within(held, name)
        else:
            yield getattr(operator, compare or "eq")(held, given(name))


@cache
def find(
    table: sa.Table, columns: Columns, where: tuple[Condition, ...], shape: Shape,
    order: Columns = (), lock: bool = False, skip: bool = False, limited: bool = False,
    counted: bool = False,
) -> sa.Select[Any]:  # fmt: skip
    """SELECT. ``lock``: in the order of ids, so that two transactions never wait for each other; ``skip``: what another
    one holds is left out instead. ``limited``: at most what is given as ``limit``. ``counted``: each combination of
    the columns once, and behind it how many rows there are of it."""
    found = sa.select(*columns).select_from(table).where(*where, *conditions(table, shape))
    if counted:
        found = found.add_columns(sa.func.count()).group_by(*columns)
    if order or lock:
        found = found.order_by(*(order or (table.c.id,)))
    if lock or skip:
        found = found.with_for_update(skip_locked=skip)
    return found.limit(given("limit")) if limited else found


@cache
def change(
    table: sa.Table, values: tuple[tuple[str, sa.ColumnElement[Any] | None], ...],
    where: tuple[Condition, ...], shape: Shape,
) -> sa.Update:  # fmt: skip
    """UPDATE of rows locked in the order of their ids, where they have some. A value None is given as ``to_<name>``."""
    to = {name: given(f"to_{name}") if value is None else value for name, value in values}
    if "id" in table.c:
        found = find(table, (table.c.id,), where, shape, lock=True)
        return sa.update(table).where(table.c.id.in_(found)).values(to)
    return sa.update(table).where(*where, *conditions(table, shape)).values(to)


@cache
def drop(table: sa.Table, where: tuple[Condition, ...], shape: Shape) -> sa.Delete:
    """DELETE."""
    return sa.delete(table).where(*where, *conditions(table, shape))


@cache
def put(
    on_postgresql: bool, table: sa.Table, changed: tuple[str, ...] = (), key: tuple[str, ...] = (),
    where: Condition | None = None,
) -> postgresql.Insert | sqlite.Insert:  # fmt: skip
    """INSERT; of a row that is there already these columns are changed, or nothing. ``key``: by which it is, among
    rows that meet ``where``."""
    made = postgresql.insert(table) if on_postgresql else sqlite.insert(table)
    if not changed:
        return made.on_conflict_do_nothing()
    return made.on_conflict_do_update(
        index_elements=key, index_where=where, set_={n: made.excluded[n] for n in changed}
    )
