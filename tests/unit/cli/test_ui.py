"""Values on a terminal."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from syncengine.cli import ui

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=60)
@given(JSON, st.integers(2, 40))
def test_a_value_is_one_line_that_steers_nothing(value: object, width: int) -> None:
    """Whatever a vendor sends, a cell is printable text on one line, no longer than asked, and is never markup."""
    cell = ui.cell(value, width=width)
    assert cell.plain.isprintable()
    assert len(cell.plain) <= width
    assert cell.spans == []


def test_empty_and_yes_and_lists_read_well() -> None:
    """Nothing is a dash, booleans are words, lists are joined, and numbers agree with their nouns."""
    assert [ui.plain(v) for v in (None, True, False, ["a", None], 7)] == [
        "–", "yes", "no", "a, –", "7",
    ]  # fmt: skip
    assert ui.counted(1, "case") == "1 case"
    assert ui.counted(1200, "case") == "1,200 cases"
