"""Paths into a vendor's row: ``a.b``, ``a['odd name']``, ``a[key='value'].b`` (a list's item)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

from syncengine.errors import RowInvalid
from syncengine.model.values import ABSENT, Absent, Json, Row

_NAME: Final = r"[A-Za-z_][A-Za-z0-9_-]*"
_STEP: Final = re.compile(
    rf"\.(?P<name>{_NAME})"
    r"|\[(?P<quote>['\"])(?P<odd>[^'\"]+)(?P=quote)\]"
    rf"|\[(?P<key>{_NAME})=(?P<mark>['\"])(?P<value>[^'\"]*)(?P=mark)\]"
)
_PLAIN: Final = re.compile(rf"{_NAME}\Z")


@dataclass(frozen=True, slots=True)
class Item:
    """A step into a list: the first item whose ``key`` is ``value``."""

    key: str
    value: str


Steps = tuple[str | Item, ...]


@lru_cache(maxsize=4096)
def parse(path: str) -> Steps:
    """The steps of a path; the first is always a name. Raises ValueError saying where it ends."""
    steps: list[str | Item] = []
    text, at = f".{path}", 0
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            where = f"at {text[at:].lstrip('.')!r}" if at else "at its beginning"
            raise ValueError(
                f"{path!r} is no path ({where}); write a.b, a['odd name'] or a[key='value'].b"
            )
        name = found["name"] or found["odd"]
        steps.append(name if name else Item(found["key"], found["value"]))
        at = found.end()
    if not steps or not isinstance(steps[0], str):
        raise ValueError(f"{path!r} is no path; it begins with the name of a field")
    for step, after in zip(steps, [*steps[1:], None], strict=True):
        if isinstance(step, Item) and (not isinstance(after, str) or after == step.key):
            raise ValueError(f"{path!r} is no path; after an item comes another name, as in .value")
    return tuple(steps)


def root(path: str) -> str:
    """The top name that a path begins with. Raises ValueError for what is no path."""
    return path if _PLAIN.match(path) else str(parse(path)[0])


def get(row: Row, path: str) -> Json | Absent:
    """The value at a path; ABSENT where the row says nothing, None where something on the way is
    empty or a list has no such item. Raises RowInvalid where the way is no object or list."""
    return walk(row, parse(path))


def walk(row: Row, steps: Steps) -> Json | Absent:
    """``get`` for a path that is parsed already."""
    value: Any = row
    for step in steps:
        if value is None:
            return None
        if isinstance(step, Item):
            value = _find(value, step)
        elif isinstance(value, Mapping):
            value = value.get(step, ABSENT)
            if value is ABSENT:
                return ABSENT
        else:
            raise _misfit(step, "an object", value)
    return value


def put(row: dict[str, Json], path: str, value: Json) -> None:
    """Set the value at a path in place; makes the objects and list items that are missing on the
    way. Raises RowInvalid where something on the way is no object or list."""
    *way, last = parse(path)
    here: Any = row
    for step, after in pairwise([*way, last]):
        here = _enter(here, step, [] if isinstance(after, Item) else {})
    if not isinstance(here, dict):
        raise _misfit(last, "an object", here)
    here[last] = value


def _enter(here: Any, step: str | Item, empty: dict[str, Json] | list[Json]) -> Any:
    if isinstance(step, Item):
        found = _find(here, step)
        if found is None:
            found = {step.key: step.value}
            here.append(found)
        return found
    if not isinstance(here, dict):
        raise _misfit(step, "an object", here)
    if here.get(step) is None:
        here[step] = empty
    return here[step]


def _find(items: Any, step: Item) -> Any:
    if not isinstance(items, list):
        raise _misfit(step.key, "a list", items)
    return next((i for i in items if isinstance(i, dict) and i.get(step.key) == step.value), None)


def _misfit(step: str | Item, wanted: str, found: Any) -> RowInvalid:
    name = step if isinstance(step, str) else step.key
    return RowInvalid(
        f"expected {wanted} around {name!r}, found {type(found).__name__}", evidence=found
    )
