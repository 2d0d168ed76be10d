"""Two changesets as one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncengine.errors import Bug
from syncengine.model.case import Case, CaseKind
from syncengine.model.changeset import Changeset, Wakes
from syncengine.model.link import Link, LinkState
from syncengine.model.record import Record

LINK = Link("l1", "person", "hr", "people", version=3)


def a_case(subject: str) -> Case:
    return Case(subject, CaseKind.CONFLICT, subject, "Which?")


def test_of_two_saves_the_later_one_counts() -> None:
    """The other things of both are kept."""
    gone, other = replace(LINK, state=LinkState.GONE), replace(LINK, id="l2")
    both = Changeset(links=[LINK, other]) + Changeset(links=[gone])
    assert list(both.links) == [gone, other]


@pytest.mark.parametrize(
    "older",
    [
        Changeset(links=[replace(LINK, version=2)]),
        Changeset(records=[Record("r1", "person", {}, generation=1)]),
    ],
)
def test_what_was_decided_on_an_older_state_is_not_joined(older: Changeset) -> None:
    """What the earlier one says would be lost in silence."""
    first = Changeset(links=[LINK], records=[Record("r1", "person", {}, generation=2)])
    with pytest.raises(Bug, match="was decided on what it was before"):
        first + older


def test_a_question_that_is_over_by_then_is_not_asked() -> None:
    """One that is asked after it was over is asked."""
    ask, over = Changeset(raised=[a_case("s")]), Changeset(dissolved={"s": 5.0})
    assert not (ask + over).raised
    assert (over + ask).raised


def test_a_link_is_left_out_only_where_both_leave_it_out() -> None:
    """Whoever joins two decisions wakes all that either of them wakes."""
    first = Changeset(wakes=Wakes(siblings={"r1": frozenset({"l1", "l2"})}))
    then = Changeset(wakes=Wakes(siblings={"r1": frozenset({"l2"}), "r2": frozenset({"l3"})}))
    assert (first + then).wakes.siblings == {"r1": {"l2"}, "r2": {"l3"}}
