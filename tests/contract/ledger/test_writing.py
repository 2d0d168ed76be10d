"""How a changeset is written: in which order, and what cannot be."""

from __future__ import annotations

import pytest

from syncengine.errors import LostRace
from syncengine.ledger import Ledger
from syncengine.model.changeset import Changeset, Wakes
from syncengine.model.condition import condition
from syncengine.model.key import KeyKind
from syncengine.model.link import LinkState, Wait
from syncengine.model.operation import OperationState
from syncengine.model.record import Record
from tests.contract.ledger.samples import a_case, a_link, an_operation, dirt, fill, key


def written(ledger: Ledger, change: Changeset) -> None:
    with ledger.write() as tx:
        tx.write(change)


def test_a_link_that_is_saved_and_woken_is_dirty(ledger: Ledger) -> None:
    """A save writes the dirty counter as well, so wakes come after it, whatever they wake a link by."""
    wait = Wait(condition("free:hakuna/users/7"), "a row to be free")
    fill(ledger, a_link("l1", "r1"), a_link("l2", "r2", state=LinkState.CREATING, row=None))
    saved = [a_link("l1", "r1"), a_link("l2", "r2", state=LinkState.CREATING, row=None, wait=wait)]
    new = a_link("l3", "r1", state=LinkState.CREATING, row=None, connection="haekka")
    wakes = Wakes(records={"r1": frozenset()}, waiting={wait.on})
    written(ledger, Changeset(links=saved, new_links=[new], wakes=wakes))
    assert dirt(ledger) == {"l1": 1, "l2": 1, "l3": 1}


def test_of_two_records_each_leaves_out_its_own_links(ledger: Ledger) -> None:
    """Two decisions that leave out different links wake what each of them asks for."""
    fill(ledger, a_link("l1", "r1"), a_link("l2", "r1", connection="haekka"))
    fill(ledger, a_link("l3", "r2"), a_link("l4", "r2", connection="haekka"))
    first = Changeset(wakes=Wakes(records={"r1": frozenset({"l1", "l3"})}))
    written(ledger, first + Changeset(wakes=Wakes(records={"r2": frozenset({"l4"})})))
    assert dirt(ledger) == {"l2": 1, "l3": 1}


def test_who_shares_an_identity_wakes_before_it_is_dropped_and_after_another_is_taken(
    ledger: Ledger,
) -> None:
    """Rows that show what a record has borne until now, and those that show what it bears from now on."""
    fill(ledger, Record("r1", "person", {}), a_link("old"), a_link("new"), a_link("none"))
    rows = [key(KeyKind.ROW, "old", "anna"), key(KeyKind.ROW, "new", "anne")]
    written(ledger, Changeset(keys=[key(KeyKind.RECORD, "r1", "anna"), *rows]))
    change = Changeset(
        dropped_keys={(KeyKind.RECORD, "r1")},
        keys=[key(KeyKind.RECORD, "r1", "anne")],
        wakes=Wakes(sharers={"r1"}),
    )
    written(ledger, change)
    assert dirt(ledger) == {"old": 1, "new": 1}


def test_a_place_is_free_for_who_takes_it_in_the_same_changeset(ledger: Ledger) -> None:
    """A link is removed before another one takes its row, a record's place left before it is taken anew, and a write
    cancelled before the next one of its link."""
    fill(ledger, a_link("l1", external_id="7"), a_link("l2", "r1"), an_operation("o1", "l2"))
    change = Changeset(
        removed={"l1"},
        links=[a_link("l2", external_id="7")],
        new_links=[a_link("l3", "r1", external_id=None, row=None, state=LinkState.CREATING)],
        operations=[an_operation("o1", "l2", state=OperationState.CANCELLED)],
        new_operations=[an_operation("o2", "l2")],
    )
    written(ledger, change)
    with ledger.read() as tx:
        assert {k.id: k.external_id for k in tx.select_links()} == {"l2": "7", "l3": None}
        assert tx.unsettled(["l2"])["l2"].id == "o2"


def test_a_question_that_is_over_may_be_asked_anew(ledger: Ledger) -> None:
    """Cases are dissolved before others are raised."""
    fill(ledger, a_case("c1", "s"))
    written(ledger, Changeset(dissolved={"s": 5.0}, raised=[a_case("c2", "s")]))
    with ledger.read() as tx:
        assert [case.id for case in tx.cases()] == ["c2"]


def test_a_unique_key_that_another_one_holds_is_a_lost_race(ledger: Ledger) -> None:
    """Nothing of the changeset is written then."""
    fill(ledger, Record("r1", "training", {}))
    written(ledger, Changeset(keys=[key(KeyKind.DERIVED, "r1", "anna", scope="onboarding")]))
    again = key(KeyKind.DERIVED, "r2", "anna", scope="onboarding")
    with pytest.raises(LostRace):
        written(ledger, Changeset(new_records=[Record("r2", "training", {})], keys=[again]))
    with ledger.read() as tx:
        assert tx.records(["r2"]) == {}
