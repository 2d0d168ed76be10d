"""Licences of what is installed here because the engine needs it, as its makers name them."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Final, NamedTuple

_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_LONGEST: Final = 40


class Part(NamedTuple):
    """A package that is installed."""

    name: str
    version: str
    licence: str


@cache
def licences() -> tuple[Part, ...]:
    """All packages that the engine needs, directly or not, by name."""
    found: dict[str, Part] = {}
    wanted = ["syncengine"]
    while wanted:
        name = _folded(wanted.pop())
        if name in found:
            continue
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue
        found[name] = Part(package.metadata["Name"], package.version, _licence(package))
        needs = [need for need in package.requires or () if "extra ==" not in need]
        wanted += [match[0] for need in needs if (match := _NAME.match(need))]
    found.pop("syncengine", None)
    return tuple(sorted(found.values(), key=lambda part: part.name.casefold()))


def _licence(package: Distribution) -> str:
    told = package.metadata
    given = next((told[name] for name in ("License-Expression", "License") if name in told), "")
    line = given.strip().partition("\n")[0]
    if 0 < len(line) <= _LONGEST:
        return line
    classified = told.get_all("Classifier") or []
    names = [c.rpartition(" :: ")[2] for c in classified if c.startswith("License ::")]
    return ", ".join(dict.fromkeys(names)) or "?"


def _folded(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).casefold()
