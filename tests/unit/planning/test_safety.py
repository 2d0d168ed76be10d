"""No mass accident."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncengine.mapping import Safety
from syncengine.model.operation import Action
from syncengine.planning.safety import allowance, kind_of
from tests.support.people import LMS
from tests.unit.planning.parts import an_operation, lms


@given(st.floats(0, 1), st.integers(0, 20), st.integers(0, 10_000))
def test_the_share_counts_from_the_floor_on(share: float, floor: int, live: int) -> None:
    """Never less than the floor, never more than the share of the live links, whole writes only."""
    allowed = allowance(Safety(deletes=share, floor=floor), "delete", live)
    assert allowed is not None
    assert allowed >= floor
    assert allowed == floor or allowed <= share * live < allowed + 1


@pytest.mark.parametrize("kind", ["create", "update"])
def test_what_the_mapping_does_not_limit_is_free(kind: str) -> None:
    """Without ``creates`` and ``updates`` only deletes are limited."""
    assert allowance(Safety(), kind, 100) is None
    assert allowance(Safety(), "delete", 100) == 10


def test_leaving_counts_as_a_delete() -> None:
    """A write of ``set.leave`` is a delete to ``safety``."""
    system = lms()
    assert kind_of(system, an_operation(leave=True)) == "delete"
    assert [kind_of(system, an_operation(action=a)) for a in Action] == [
        "create", "update", "delete",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"job": "gone"}, "delete"),
        ({"job": "gone", "name": "Anne"}, "delete"),
        ({"job": "lead"}, "update"),
        ({"name": "gone"}, "update"),
    ],
)
def test_a_deactivation_counts_as_a_delete(body: dict[str, str], kind: str) -> None:
    """An update by which a field of its own writes what leaving would write deactivates as well."""
    leaving = lms(lms_system=LMS.replace("create: out", "create: out, set: {leave: {job: gone}}"))
    assert kind_of(leaving, an_operation(body=body)) == kind
    assert kind_of(leaving, an_operation(body=body, action=Action.CREATE)) == "create"
