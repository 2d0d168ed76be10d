"""docs/security.md and SECURITY.md: each stop that they promise names a test that is there, and each attack is told."""

from __future__ import annotations

import re

from tests.support.places import DOCS, ROOT
from tests.unit.test_complaints import lacking

PAGE = (DOCS / "security.md").read_text("utf-8")
ATTACKERS = {
    "Another account on the same host", "The network", "Whoever reaches the broker",
    "Whoever reads the database, or a backup of it", "Whoever writes to the database",
    "A vendor, or who stands in its place", "The author of the project",
    "Who operates it, and who reads what it prints",
}  # fmt: skip


def rows() -> list[list[str]]:
    """The rows of the tables whose last column is a test."""
    found = [[c.strip() for c in line.split("|")[1:-1]] for line in PAGE.splitlines()]
    return [cells for cells in found if len(cells) == 3 and "tests/" in cells[2]]


def test_each_stop_is_held_by_a_test() -> None:
    """What somebody tries, what stops it, and tests that exist."""
    assert len(rows()) > 40
    for tries, stops, tests in rows():
        assert tries
        assert stops
        assert not lacking(tests), tries


def test_each_attacker_has_a_part_that_says_what_is_left() -> None:
    """Nobody is left out, and no part claims to be all."""
    parts = {part.partition("\n")[0]: part for part in PAGE.split("\n## ")[1:]}
    assert parts.keys() >= ATTACKERS
    for name in ATTACKERS:
        assert "\nLeft: " in parts[name], name


def test_each_kept_attack_is_told() -> None:
    """The page names every module of attacks, and each of them says who the attacker is."""
    for path in (ROOT / "tests" / "attack").glob("test_*.py"):
        assert f"tests/attack/{path.name}::" in PAGE
        assert re.search(r"\battack", path.read_text("utf-8").partition("import ")[0]), path.name


def test_a_weakness_is_reported_privately_and_to_no_invented_address() -> None:
    """SECURITY.md names the way of the project's page, and no mailbox that nobody reads."""
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    assert "private vulnerability reporting" in re.sub(r"\s+", " ", text)
    assert "docs/security.md" in text
    assert not re.search(r"[\w.]+@[\w.]+", text)
