"""The attacker writes a file of the project, at random: whatever it is, it is read, or refused with its place, in
little time and memory. What once was found stays in ``kept.json``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from syncengine.mapping import load_project
from tests.fuzz.inputs import SEEDS, expression_inputs, yaml_inputs
from tests.unit.mapping.helpers import CATALOG

ROOT: Final = Path(__file__).parents[2]
KEPT: Final = json.loads((Path(__file__).parent / "kept.json").read_text("utf-8"))
SECONDS: Final = float(os.environ.get("SYNCENGINE_FUZZ_SECONDS", "600"))
"""How long each kind of text is tried in the long test."""
INPUTS: Final[dict[str, st.SearchStrategy[list[str]]]] = {
    "yaml": yaml_inputs(),
    "expression": expression_inputs(),
}


class Reader:
    """The process that reads; where a text has ended it, the next one gets another."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.tried = 0
        self._process: subprocess.Popen[str] | None = None

    def told(self, texts: list[str]) -> str:
        """What is not as it should be."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.fuzz.bounded", self.kind],
                cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        self.tried += 1
        process.stdin.write(json.dumps(texts) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if answer:
            return str(json.loads(answer))
        self._process = None
        _, said = process.communicate()
        return f"ended the process with {process.returncode}: {said[-300:]}"

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()


@contextmanager
def reader(kind: str) -> Iterator[Reader]:
    """A reader that is ended afterwards."""
    made = Reader(kind)
    try:
        yield made
    finally:
        made.close()


def tried(kind: str, examples: int, number: int, made: Reader) -> None:
    """So many texts of a kind; fails with the smallest one that is not read as it should be."""

    @seed(number)
    @settings(
        max_examples=examples, deadline=None, database=None, report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink],
    )  # fmt: skip
    @given(INPUTS[kind])
    def each(texts: list[str]) -> None:
        assert made.told(texts) == ""

    each()


def test_what_is_damaged_was_good(tmp_path: Path) -> None:
    """The project of which one file is damaged is valid, so that the damage is what is tried."""
    for name, text in SEEDS.items():
        (tmp_path / name).write_text(text, "utf-8")
    assert set(load_project(tmp_path, CATALOG, {}).entities) == {"person", "badge"}


@pytest.mark.parametrize(("kind", "texts"), [(k, t) for k, kept in KEPT.items() for t in kept])
def test_what_was_found_once(kind: str, texts: list[str]) -> None:
    """Each text that once ended the process, or raised, or held it up."""
    with reader(kind) as made:
        assert made.told(texts) == ""


@pytest.mark.parametrize(("kind", "examples"), [("yaml", 40), ("expression", 200)])
def test_some_texts_at_random(kind: str, examples: int) -> None:
    """A few of those that the long test tries, the same ones each time."""
    with reader(kind) as made:
        tried(kind, examples, 1, made)


@pytest.mark.long
@pytest.mark.timeout(SECONDS * 2 + 300)
@pytest.mark.parametrize("kind", INPUTS)
def test_texts_at_random_for_minutes(kind: str) -> None:
    """Others each time, for ten minutes or as long as SYNCENGINE_FUZZ_SECONDS says; a failure shows the text."""
    ends, number = time.monotonic() + SECONDS, time.time_ns()
    with reader(kind) as made:
        while time.monotonic() < ends:
            number += 1
            tried(kind, 300, number, made)
        print(f"{made.tried:,} texts of {kind}")
    assert made.tried > SECONDS
