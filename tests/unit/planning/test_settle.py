"""What the outcome of a write makes of its link."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncengine.model.link import WHOLE, Base, LinkState
from syncengine.model.operation import Action
from syncengine.planning.settle import moved_since, settle_applied, shows
from tests.support.people import LMS
from tests.unit.planning.parts import ROW, a_link, an_operation, lms

SYSTEM = lms()
SHOWN = st.none() | st.fixed_dictionaries(
    {}, optional={"job": st.sampled_from(["lead", "LEAD"]), "name": st.sampled_from(["Anna", "X"])}
)


def settled(answer: Any, **given: Any) -> Any:
    link = given.pop("link", None) or a_link()
    return settle_applied(SYSTEM, link, an_operation(**given), "x1", answer, 300.0)


@given(SHOWN)
def test_faces_come_from_the_write_itself(answer: dict[str, Any] | None) -> None:
    """Rule 1: ours is what was carried, the vendor's what its answer shows, else what was sent, then only expected."""
    base = settled(answer).link.base
    shown = (answer or {}).get("job")
    assert base.canonical["job"] == "lead"
    assert base.vendor["job"] == (shown or "lead")
    assert ("job" in base.expected) is (shown is None)


@given(SHOWN)
def test_only_written_fields_move_their_faces(answer: dict[str, Any] | None) -> None:
    """Rule 1: another field that the answer shows changed is news, not an agreement."""
    result = settled(answer)
    assert result.link.base.vendor["name"] == "Anna"
    assert result.moved == ({"name"} if (answer or {}).get("name") == "X" else frozenset())


def test_the_answer_settles_into_the_row() -> None:
    """Rule 5: the write's own answer is the newest reading of the row."""
    link = settled({**ROW, "job": "LEAD"}).link
    assert (link.row["job"], link.read_at, link.need_get) == ("LEAD", 300.0, False)
    assert link.row_version == 4


def test_an_agreement_ends_the_mark_of_being_expected() -> None:
    """A field that an answer shows is expected no longer."""
    link = a_link(base=Base(ROW, ROW, frozenset({"job"})))
    assert settled({"job": "lead"}, link=link).link.base.expected == frozenset()


def test_a_delete_leaves_a_tombstone_that_has_been_read() -> None:
    """A deleted row is gone, its observation too, so that an older listing does not bring it back."""
    link = settled(None, action=Action.DELETE, body={}, carried={}).link
    assert (link.state, link.row, link.read_at) == (LinkState.GONE, None, 300.0)
    assert link.base.has_no_values
    assert link.base.doubts.keys() == {WHOLE}
    assert link.external_id == "x1"


def test_what_our_write_ran_over_is_a_line_of_history() -> None:
    """Rule 8: noted values of written fields are kept with their origin, those of others dropped."""
    result = settled(None, link=a_link(foreign_values={"job": "boss", "name": "Anne"}))
    assert [(c.field, c.lost, c.lost_by) for c in result.changes] == [("job", "boss", "lms")]
    assert not result.link.foreign_values


def test_leaving_is_neither_wish_nor_agreement() -> None:
    """What ``set.leave`` wrote is the vendor's base value, and our own value is owed again on coming back."""
    link = settled(None, leave=True, body={"job": "gone"}, carried={}).link
    assert link.state is LinkState.LEFT
    assert link.base.vendor["job"] == "gone"
    assert "job" not in link.base.canonical


@pytest.mark.parametrize(
    ("row", "moved"),
    [
        (ROW, False),
        ({**ROW, "job": "x"}, True),
        ({**ROW, "name": "X"}, False),
        (None, True),
        ({}, True),
    ],
)
def test_a_write_is_stale_if_what_it_expects_has_moved(row: Any, moved: bool) -> None:
    """Rule 7: only the fields that a write carries are compared; a row without them has moved."""
    assert moved_since(SYSTEM, an_operation(), row) is moved


@pytest.mark.parametrize(
    ("row", "proof"),
    [({"job": "lead"}, True), ({"job": "dev"}, False), ({"name": "Anna"}, False), ({}, False)],
)
def test_a_row_proves_a_write_only_by_showing_it(row: Any, proof: bool) -> None:
    """Rule 10: a row that hides every written field proves nothing."""
    assert shows(SYSTEM, an_operation(), row) is proof


def test_another_spelling_of_the_same_proves_it_too() -> None:
    """Rule 10: values are compared up to the codec."""
    operation = an_operation(body={"email": "ben@x.de"}, carried={"email": "ben@x.de"})
    assert shows(SYSTEM, operation, {"email": " BEN@X.DE"})


def test_a_row_that_hides_them_proves_no_leaving() -> None:
    """Rule 10: a row without the constants says nothing of them."""
    operation = an_operation(leave=True, body={"state": "gone"}, carried={})
    assert not shows(SYSTEM, operation, ROW)


@pytest.mark.parametrize(("job", "proof"), [("gone", True), ("dev", False)])
def test_leaving_is_proved_by_its_constants(job: str, proof: bool) -> None:
    """Rule 10: a write of ``set.leave`` carries no field; its constants prove it."""
    system = lms(lms_system=LMS.replace("flow: both", "flow: both, set: {leave: {job: gone}}"))
    operation = an_operation(leave=True, body={"job": "gone"}, carried={})
    assert shows(system, operation, {**ROW, "job": job}) is proof
