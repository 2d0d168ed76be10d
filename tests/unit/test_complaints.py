"""docs/complaints.md: what users of other engines suffered, each held by tests that are there."""

from __future__ import annotations

import re

from tests.support.places import DOCS, ROOT

PAGE = (DOCS / "complaints.md").read_text("utf-8")
OTHERS, OURS = PAGE.split("\n## What strangers found\n")


def rows(text: str) -> list[list[str]]:
    """The cells of a table whose rows are numbered."""
    return [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in text.splitlines()
        if re.match(r"\| \d+ \|", line)
    ]


def lacking(tests: str) -> list[str]:
    """Tests that a cell names and that are not there; it has to name some."""
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", tests)
    assert named
    return [
        test
        for path, test in named
        if not re.search(rf"^def {test}\(", (ROOT / path).read_text("utf-8"), re.MULTILINE)
    ]


def test_twenty_complaints_are_held_by_tests() -> None:
    """Each of the twenty says what happened, where it was reported, what holds here, and names tests that exist."""
    assert [int(row[0]) for row in rows(OTHERS)] == list(range(1, 21))
    for number, happened, reported, here, tests in rows(OTHERS):
        assert happened, number
        assert here, number
        assert re.search(r"\w+/[\w-]+#\d+", reported), number
        assert not lacking(tests), number


def test_what_strangers_found_is_held_by_tests() -> None:
    """Each says what was so and what holds, names tests that exist, and what else was tried."""
    assert [int(row[0]) for row in rows(OURS)] == list(range(1, 44))
    for number, happened, here, tests, tried in rows(OURS):
        assert happened, number
        assert here, number
        assert tried, number
        assert not lacking(tests), number
