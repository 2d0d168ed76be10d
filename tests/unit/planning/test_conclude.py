"""What becomes of a write that was not confirmed: each line of the table of ``conclude``."""

from __future__ import annotations

import pytest

from syncengine.model.case import Case, CaseKind
from syncengine.model.condition import OperationSettled
from syncengine.model.operation import UNSETTLED, OperationState
from syncengine.planning.conclude import conclude
from tests.unit.planning.parts import a_link, an_operation

SENT = an_operation(state=OperationState.CLAIMED, token="t1")
ENDED = sorted(set(OperationState) - UNSETTLED - {OperationState.APPLIED})
CASE = Case("c1", CaseKind.REJECTED, "rejected:k1", "Why?", {}, {"retry": "sent again"}, 5.0)


@pytest.mark.parametrize("state", [OperationState.PENDING, OperationState.UNKNOWN])
def test_a_write_that_goes_on_moves_nothing_but_itself(state: OperationState) -> None:
    """It is sent, or proved, from then on; its link, who waits for it and what is asked stay."""
    change = conclude(SENT, state, "why", 5.0, next_at=9.0)
    (kept,) = change.operations
    assert (kept.state, kept.detail, kept.next_at) == (state, "why", 9.0)
    assert (change.links, change.raised, change.dissolved) == ((), (), {})
    assert not change.wakes.links
    assert not change.wakes.waiting


def test_what_was_not_sent_belongs_to_nobody_and_what_may_have_been_keeps_its_sender() -> None:
    """Whoever settles an unknown write has to find who sent it."""
    tokens = {
        state: conclude(SENT, state, "", 5.0).operations[0].token
        for state in (OperationState.PENDING, OperationState.UNKNOWN)
    }
    assert tokens == {OperationState.PENDING: None, OperationState.UNKNOWN: "t1"}


@pytest.mark.parametrize("state", ENDED)
def test_a_write_that_is_over_wakes_who_waits_for_it_and_its_own_link(
    state: OperationState,
) -> None:
    """The link is planned again, unless it is said how it stands."""
    change = conclude(SENT, state, "why", 5.0)
    assert change.wakes.waiting == {OperationSettled("o1")}
    assert change.wakes.links == {"k1"}
    stands = conclude(SENT, state, "why", 5.0, link=a_link())
    assert stands.links == [a_link()]
    assert not stands.wakes.links


@pytest.mark.parametrize("state", ENDED)
@pytest.mark.parametrize("before", [OperationState.CLAIMED, OperationState.UNKNOWN])
def test_the_question_what_became_of_a_write_is_over_with_it(
    state: OperationState, before: OperationState
) -> None:
    """Nobody was asked about one whose outcome was never unknown."""
    held = an_operation(state=before)
    asked = {"unknown:o1": 5.0} if before is OperationState.UNKNOWN else {}
    assert conclude(held, state, "", 5.0).dissolved == asked


def test_a_refused_write_asks_a_person() -> None:
    """With the case that it is given."""
    change = conclude(SENT, OperationState.REJECTED, "no", 5.0, link=a_link(), case=CASE)
    assert change.raised == [CASE]
