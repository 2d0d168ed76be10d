"""Lists on a terminal: where they break, and what goes below."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.text import Text

from syncengine.cli import ui
from syncengine.cli.listing import Listing, fold


def shown(rows: Listing, width: int) -> list[str]:
    """What a terminal of this width shows."""
    file = io.StringIO()
    Console(file=file, width=width, color_system=None).print(rows)
    return file.getvalue().splitlines()


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("anna.meier@alpenblick.example", 20, ["anna.meier@", "alpenblick.example"]),
        ("anna.meier@alpenblick.example", 11, ["anna.meier@", "alpenblick.", "example"]),
        ("of Anna Meier", 8, ["of Anna", "Meier"]),
        ("a anna.meier@alpenblick.example", 29, ["a", "anna.meier@alpenblick.example"]),
        ("abcdefgh", 3, ["abc", "def", "gh"]),
        ("日本語", 4, ["日本", "語"]),
        ("", 5, [""]),
        ("fits", 4, ["fits"]),
    ],
)
def test_a_text_is_broken_at_blanks_then_at_signs_then_anywhere(
    text: str, width: int, lines: list[str]
) -> None:
    """An address keeps its words."""
    assert [line.plain for line in fold(Text(text), width)] == lines


def test_a_column_goes_below_its_line_before_others_become_unreadable() -> None:
    """Beside each other where there is place; else the widest that may go stands below."""
    rows = ui.table("case", "about", "question", below=("question",))
    rows.add_row("3f9a12cd", "Anna Meier", "To which person does this row belong?")
    assert shown(rows, 80) == [
        "case      about       question",
        "3f9a12cd  Anna Meier  To which person does this row belong?",
    ]
    assert shown(rows, 40) == [
        "case      about",
        "  question",
        "3f9a12cd  Anna Meier",
        "  To which person does this row belong?",
    ]


def test_of_several_columns_below_each_says_which_it_is() -> None:
    """And empty ones take no line."""
    rows = ui.table("id", "why", "then", "n", right=("n",), below=("why", "then"))
    rows.add_row("1", "a reason that is long enough", "", "12")
    rows.add_row("2", "", "what comes after it in the end", "7")
    assert shown(rows, 34) == [
        "id   n",
        "1   12",
        "  why: a reason that is long",
        "  enough",
        "2    7",
        "  then: what comes after it in the",
        "  end",
    ]
