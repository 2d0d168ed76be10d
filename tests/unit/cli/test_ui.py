"""Values on a terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from syncengine.cli import ui

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON, st.integers(2, 40))
def test_a_value_is_one_line_that_steers_nothing(value: object, width: int) -> None:
    """Whatever a vendor sends, a cell is printable text on one line, no longer than asked, and is never markup."""
    text = ui.plain(value, width)
    assert text.isprintable()
    assert len(text) <= width
    console = Console(width=200, record=True, file=None, quiet=True)
    assert console.render_str(text, markup=False).plain == ui.cell(value, width=width).plain


def test_empty_and_yes_and_lists_read_well() -> None:
    """Nothing is a dash, booleans are words, lists are joined, and numbers agree with their nouns."""
    assert [ui.plain(v) for v in (None, True, False, ["a", None], 7)] == [
        "–", "yes", "no", "a, –", "7",
    ]  # fmt: skip
    assert ui.counted(1, "case") == "1 case"
    assert ui.counted(1200, "case") == "1,200 cases"
