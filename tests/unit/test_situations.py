"""``docs/situations.md`` says what the code decides."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.situations.book import TABLES
from tests.situations.page import LEGEND, PAGE, page, words
from tests.situations.tables import Table, collapse, outcomes


def test_the_page_is_what_the_code_says() -> None:
    """The page equals what the decisions make of every situation; ``python -m tests.situations`` writes it anew."""
    assert PAGE.read_text("utf-8") == page(), (
        "run python -m tests.situations and read the difference"
    )


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.title)
def test_every_combination_is_in_exactly_one_row(table: Table) -> None:
    """No combination is forgotten or told twice, each row says what becomes of all that it stands for, and no cell is
    empty."""
    lines = collapse(table)
    for given in table.everything():
        (line,) = (k for k in lines if all(given[name] in k.when[name] for name in given))
        assert line.outcome == outcomes(table)[tuple(given.values())], given
    assert all(line.outcome and all(line.when.values()) for line in lines)
    assert all(line.when.keys() == table.asks.keys() for line in lines)


def test_the_legend_has_each_word_and_no_other() -> None:
    """Every word of an outcome is explained, and every explained word comes up."""
    used = Counter(w for table in TABLES for line in collapse(table) for w in words(line.outcome))
    assert set(used) == set(LEGEND)
