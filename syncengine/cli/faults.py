"""The faults of a project as people correct them: what is probably the cause first, each with its line and a caret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.text import Text

_FAULT: Final = re.compile(r"([^:\n]+):(\d+):(\d+): ([^:]+(?:\[[^]]*\])?): (.*)", re.S)
_MISSING: Final = re.compile(r"(?:^|has )no (entity|connection|field|channel) '([^']+)', (.*)")
_MEANT: Final = re.compile(r"did you mean '([^']+)'")
_SECRET: Final = re.compile(r"(?i)passw|secret|token|credential|webhook|url|heartbeat|whsec_")
"""Lines that may hold a secret are not shown."""
_WIDE: Final = 100
"""Characters of a line that are shown."""
_FILE: Final = "file"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. ``place``: ``file:line:column``; empty file where it is none of a file. ``key``: what it is about."""

    whole: str
    file: str = ""
    line: int = 0
    column: int = 0
    key: str = ""
    told: str = ""

    @property
    def missing(self) -> tuple[str, str] | None:
        """The kind and the name of something that is named here and is not there."""
        found = _MISSING.search(self.told)
        return (found[1], found[2]) if found else None


def parse(fault: str) -> Fault:
    """A fault of its line."""
    found = _FAULT.fullmatch(fault)
    if found is None:
        return Fault(fault)
    return Fault(fault, found[1], int(found[2]), int(found[3]), found[4], found[5])


def lines(faults: Sequence[str], folder: Path) -> Iterator[Text]:
    """What is printed: files that cannot be read; names that several places lack, as one mistake; then the rest."""
    parsed = [parse(fault) for fault in faults]
    unread = [fault for fault in parsed if fault.key == _FILE]
    groups: dict[tuple[str, str], list[Fault]] = {}
    for fault in parsed:
        if fault.missing:
            groups.setdefault(fault.missing, []).append(fault)
    shared = {name: some for name, some in groups.items() if len(some) > 1}
    for fault in unread:
        yield from _shown(fault, folder)
    for (kind, name), some in shared.items():
        yield from _cause(kind, name, some, folder, bool(unread))
    told = {fault.whole for some in shared.values() for fault in some}
    for fault in parsed:
        if fault not in unread and fault.whole not in told:
            yield from _shown(fault, folder)


def _shown(fault: Fault, folder: Path) -> Iterator[Text]:
    yield Text(fault.whole, "red")
    yield from _source(folder, fault.file, fault.line, fault.column)


def _cause(
    kind: str, name: str, some: Sequence[Fault], folder: Path, unread: bool
) -> Iterator[Text]:
    """One mistake behind several faults, with the place where it probably was made."""
    head = f"{len(some)} places name the {kind} '{name}', which is not there"
    meant = _MEANT.search(some[0].told)
    found = _declared(folder, kind, meant[1]) if meant else None
    if found is not None and meant is not None:
        file, line, column = found
        yield Text(f"{head}: is it misspelt where it is declared, as '{meant[1]}'?", "red")
        yield Text(f"{file}:{line}:{column}", "red")
        yield from _source(folder, file, line, column)
    elif unread:
        yield Text(f"{head}; perhaps only since a file above cannot be read:", "red")
    else:
        yield Text(f"{head} ({some[0].told.partition(', ')[2]}):", "red")
    yield Text(f"  named in {', '.join(f'{f.file}:{f.line}:{f.column}' for f in some)}")


def _declared(folder: Path, kind: str, name: str) -> tuple[str, int, int] | None:
    """Where a name is declared: ``entity: NAME``, or a key of that name."""
    key = re.escape(name)
    wanted = re.compile(
        rf"entity:\s*(?P<at>{key})\b" if kind == "entity" else rf"\s+(?P<at>{key}):"
    )
    for path in sorted(folder.glob("*.y*ml")):
        for number, line in enumerate(_read(path), 1):
            if found := wanted.match(line):
                return path.name, number, found.start("at") + 1
    return None


def _source(folder: Path, file: str, line: int, column: int) -> Iterator[Text]:
    """The line as it stands there, and a caret below the place; nothing of a line that may hold a secret."""
    content = _read(folder / file) if file else []
    if not 0 < line <= len(content):
        return
    text = "".join(c if c.isprintable() else " " for c in content[line - 1])
    if _SECRET.search(text):
        return
    start = max(0, column - _WIDE // 2) if len(text) > _WIDE else 0
    number = f"{line:>5} | "
    yield Text(f"{number}{text[start : start + _WIDE]}", "dim")
    yield Text(f"{' ' * (len(number) + column - 1 - start)}^", "yellow")


def _read(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
