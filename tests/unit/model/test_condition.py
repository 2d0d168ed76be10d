"""What a link may wait for is stored as a text, and read from it."""

from __future__ import annotations

from hypothesis import given

from syncengine.model.condition import Condition, condition
from tests.support.conditions import CONDITIONS


@given(CONDITIONS)
def test_a_condition_is_read_as_it_was_stored(one: Condition) -> None:
    """Whatever a vendor calls its rows."""
    assert condition(str(one)) == one


@given(CONDITIONS, CONDITIONS)
def test_two_conditions_have_two_keys(one: Condition, other: Condition) -> None:
    """Else one would wake who waits for the other."""
    assert (str(one) == str(other)) == (one == other)


def test_what_nobody_wrote_is_no_condition() -> None:
    """Nor is the empty key of a value that is missing."""
    assert [condition(key) for key in ("", "free:7", "scan:lms", "later:x")] == [None] * 4
