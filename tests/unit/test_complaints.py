"""docs/complaints.md: what users of other engines suffered, each held by tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "complaints.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.split("|")[1:-1]]
    for line in PAGE.splitlines()
    if re.match(r"\| \d+ \|", line)
]


def test_twenty_complaints_are_held_by_tests() -> None:
    """Each of the twenty says what happened, where it was reported, what holds here, and names tests that exist."""
    assert [int(row[0]) for row in ROWS] == list(range(1, 21))
    for number, happened, reported, here, tests in ROWS:
        assert happened, number
        assert here, number
        assert re.search(r"\w+/[\w-]+#\d+", reported), number
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", tests)
        assert named, number
        for path, test in named:
            assert re.search(rf"^def {test}\(", (ROOT / path).read_text("utf-8"), re.M), test
