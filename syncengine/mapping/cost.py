"""What one evaluation of an expression may make at the most: counted before it runs, since CEL itself knows no bound.

An expression repeats what it is given once for each word. A macro (``map``, ``filter``, ...) repeats its body once for
each item, and with it every name that stands there beside the item; and ``map`` and ``filter`` copy what they have so
far for each item more. What ``join`` makes is counted while it runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

LARGEST: Final = 1 << 26
"""Characters that one evaluation may make at the most; whatever is no text counts as some."""
STEPS: Final = 1 << 24
"""Values that ``map`` and ``filter`` may copy at the most, about a second of work."""
_ITEM: Final = 16
_CHARACTERS: Final = 256
"""So many are copied as fast as one value."""


class TooLarge(ValueError):
    """What an expression is given is too large for it."""


@dataclass(frozen=True, slots=True)
class Cost:
    """``words`` and ``length`` of a source. ``loops``: it has a macro; ``copies``: one that makes a list. ``inner``:
    the slots that stand in the body of one, ``outer``: the others, each once for each time."""

    words: int
    length: int
    loops: bool
    copies: bool
    inner: tuple[str, ...]
    outer: tuple[str, ...]

    def allow(self, bound: Mapping[str, Any]) -> None:
        """Raises TooLarge where these values of its slots may become too much."""
        sizes = {slot: _size(value) for slot, value in bound.items()}
        most, steps = self.words * (self.length + sum(sizes.values())), 0
        if self.loops:
            parts = {slot: _items(value) for slot, value in bound.items()}
            listed = sum(parts[slot] for slot in self.outer)
            items = self.words + listed
            body = self.length + _ITEM * self.words + sum(sizes[slot] for slot in self.inner)
            most = self.words * most + items * body
            values = items * (self.words + sum(parts[slot] for slot in self.inner))
            steps = items * (values + self.words * listed + most // _CHARACTERS) * self.copies
        if most > LARGEST or steps > STEPS:
            raise TooLarge("what it is given is too large for it")


def _size(value: Any) -> int:
    """Characters of a value, and as many for each part of it as if it were text."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list):
        return _ITEM + sum(map(_size, value)) + _ITEM * len(value)
    if isinstance(value, dict):
        return _ITEM + sum(len(key) + _ITEM + _size(part) for key, part in value.items())
    return _ITEM


def _items(value: Any) -> int:
    """Items of a value and of what is in it."""
    if isinstance(value, list):
        return len(value) + sum(map(_items, value))
    return len(value) + sum(map(_items, value.values())) if isinstance(value, dict) else 0
