"""What the pages under docs/ say, taken apart."""

from __future__ import annotations

import importlib.util
import re
from typing import Any

from tests.support.places import DOCS

PAGES = sorted(DOCS.rglob("*.md"))


DOTTED = re.compile(r"`((?:syncengine|workers)(?:\.\w+)+)(?:\(\))?`")


def page(name: str) -> str:
    """The text of one page."""
    return (DOCS / name).read_text("utf-8")


def sections(text: str, level: int = 2) -> dict[str, str]:
    """Heading of a level -> the text below it, up to the next of this level."""
    parts = re.split(rf"^#{{{level}}} (?:\d+\. )?(.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(text: str) -> list[list[str]]:
    """The cells of the first table of a text, without its heading."""
    whole = re.search(r"(?:^\|.*\n?)+", text, re.MULTILINE)
    lines = whole[0].splitlines()[2:] if whole else []
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def table(text: str) -> dict[str, list[str]]:
    """The first table of a text: what stands in ticks in the first cell -> the other cells."""
    return {row[0].strip("`"): row[1:] for row in rows(text)}


def resolve(dotted: str) -> Any:
    """What a dotted name stands for. Raises LookupError where there is no such thing."""
    names = dotted.split(".")
    for end in range(len(names), 0, -1):
        module = ".".join(names[:end])
        if _is_module(module):
            found: Any = importlib.import_module(module)
            for name in names[end:]:
                if not hasattr(found, name):
                    raise LookupError(f"{module} has no {'.'.join(names[end:])}")
                found = getattr(found, name)
            return found
    raise LookupError(f"there is no {dotted}")


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
