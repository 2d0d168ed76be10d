"""``python -m tests.fuzz.bounded yaml|expression``: reads one text after the other from stdin, within bounds.

Each line is a JSON list of texts; the answer is one line: what is not as it should be, or nothing. A text that takes
too long or too much memory ends the process, since the kernel counts both.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from syncengine.errors import ConfigInvalid, RowInvalid
from syncengine.mapping import load_project
from syncengine.mapping.draft import Draft, EntityDraft, RecordScope
from syncengine.mapping.schema import EntityFile
from syncengine.mapping.source import Document
from syncengine.model.record import Record, World
from tests.fuzz.inputs import SEEDS
from tests.unit.mapping.helpers import CATALOG, TODAY

MEMORY: Final = 512 * 2**20
"""Bytes that a text may make the process larger by."""
SECONDS: Final = 8
"""Of the processor, for one text."""
LINES: Final = 2000
"""Characters of a fault: it names what is wrong and does not repeat the file."""
_FAULT: Final = re.compile(r"[^:\n]+:\d+:\d+: .+")

Look = Callable[[list[str]], str]


def look_yaml(texts: list[str]) -> str:
    """The name of a project's file and its text instead of the good one: a project, or faults with their places."""
    name, text = texts
    with tempfile.TemporaryDirectory() as folder:
        for file, good in {**SEEDS, name: text}.items():
            Path(folder, file).write_bytes(good.encode("utf-8", "surrogatepass"))
        try:
            load_project(Path(folder), CATALOG, {})
        except ConfigInvalid as invalid:
            odd = [f for f in invalid.faults if len(f) > LINES or not _FAULT.match(f)]
            return f"a fault without a place, or too long: {odd[0]:.300}" if odd else ""
    return ""


FIELDS: Final = {
    "name": {"type": "string"},
    "age": {"type": "integer"},
    "score": {"type": "number"},
    "born": {"type": "date"},
    "seen": {"type": "datetime"},
    "tags": {"type": "list", "of": "string"},
    "extra": {"type": "object"},
    "boss": {"type": "ref", "to": "person"},
}
RECORDS: Final = (
    {},
    {"name": "Ann", "age": 17, "score": 1.5, "born": "2009-05-06", "seen": "2026-11-21T23:30:00Z",
     "tags": ["x", "y"], "extra": {"a": {"b": 5}}, "boss": "p0"},
    {"name": "\U0001f469‍" * 50, "age": -(2**62), "score": 1e308, "born": "0001-01-01",
     "seen": "9999-12-31T23:59:59Z", "tags": ["", "ß" * 99], "extra": [1, [2, [3]]], "boss": "p1"},
    {"name": "x" * 1_000_000, "age": 2**70, "score": float("inf"), "born": "no date",
     "tags": ["y" * 1000] * 1000, "extra": {"a": [{"b": "z" * 1000}] * 1000}},
    {"name": "x" * 20_000, "tags": ["y"] * 500, "extra": {"a": [1] * 200}},
    {"name": "x", "tags": ["y"] * 10_000, "extra": [[]] * 2000},
)  # fmt: skip
"""What fields may hold: nothing, what is usual, what is at the edge, what is large, what has many parts."""


def look_expression(texts: list[str]) -> str:
    """An expression: a fault with its place, or a value or RowInvalid for each record."""
    part = EntityFile.model_validate({"version": 1, "entity": "person", "fields": FIELDS})
    document = Document("person.yaml", {"fields": {name: {} for name in FIELDS}})
    draft = Draft(ZoneInfo("UTC"), entities={"person": EntityDraft(document, part)})
    found = draft.expression(document, ("x",), texts[0], RecordScope(draft, "person"))
    if (found is None) != bool(document.faults):
        return "neither a fault nor an expression"
    records = {f"p{n}": Record(f"p{n}", "person", values) for n, values in enumerate(RECORDS)}
    for record in records.values() if found else ():
        try:
            assert found is not None
            json.dumps(found.on_record(record, World(TODAY, records)))
        except RowInvalid as invalid:
            if len(str(invalid)) > LINES:
                return "a message too long"
    return ""


def main(kind: str) -> None:
    """Answer until stdin ends."""
    look: Look = {"yaml": look_yaml, "expression": look_expression}[kind]
    size = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin:
        used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        resource.setrlimit(resource.RLIMIT_CPU, (int(used) + SECONDS, resource.RLIM_INFINITY))
        try:
            told = look(json.loads(line))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            told = f"raised {type(error).__name__}: {error!s:.300}"
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
