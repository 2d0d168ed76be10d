"""Records, and the keys that keep them single."""

from __future__ import annotations

from dataclasses import replace

from syncengine.ledger import Ledger
from syncengine.model.changeset import Changeset
from syncengine.model.key import KeyKind
from syncengine.model.record import Record
from tests.contract.ledger.samples import (
    fill,
    key,
)


def test_records_of_an_entity_are_alive(ledger: Ledger) -> None:
    """A deleted record is found by its id alone."""
    live, dead = Record("r1", "person", {"a": 1}), Record("r2", "person", {}, deleted=True)
    fill(ledger, live, dead, Record("r3", "absence", {}))
    with ledger.write() as tx:
        assert tx.records_of("person") == [live]
        assert tx.records(["r1", "r2"], lock=True) == {"r1": live, "r2": dead}


def test_a_unique_key_has_one_owner(ledger: Ledger) -> None:
    """Whoever comes second is told, in the same batch too; to take one's own key again is nothing new."""
    mine, theirs = key(KeyKind.RECORD, "r1", "anna"), key(KeyKind.RECORD, "r2", "anna")
    with ledger.write() as tx:
        assert tx.take_keys([mine, mine]) == set()
        assert tx.take_keys([theirs, replace(theirs, scope="person:1")]) == {theirs}
        assert tx.key_owners([theirs]) == {("record", "person:0", ("anna",)): ["r1"]}
        tx.write(Changeset(dropped_keys={("record", owner) for owner in ["r1"]}))
        assert tx.take_keys([theirs, mine]) == {mine}


def test_other_keys_are_borne_by_many(ledger: Ledger) -> None:
    """Shared, row and uses keys are found with all of their owners; kinds and scopes do not mix."""
    rows = [key(KeyKind.ROW, owner, "anna", 7) for owner in ("l2", "l1")]
    with ledger.write() as tx:
        assert tx.take_keys([*rows, key(KeyKind.SHARED, "r1", "anna", 7)]) == set()
        assert tx.key_owners([rows[0], key(KeyKind.ROW, "", "anna", "7")]) == {
            ("row", "person:0", ("anna", 7)): ["l1", "l2"]
        }
        tx.write(Changeset(dropped_keys={("row", owner) for owner in ["l1", "r1"]}))
        assert tx.key_owners(rows)["row", "person:0", ("anna", 7)] == ["l2"]


def test_who_shared_what_one_held_is_its_heir(ledger: Ledger) -> None:
    """Heirs bear as shared what one of these records holds under the same scope; nobody is the heir of itself."""
    with ledger.write() as tx:
        tx.take_keys([key(KeyKind.RECORD, "r1", "anna"), key(KeyKind.RECORD, "r3", "bert")])
        tx.take_keys([key(KeyKind.SHARED, owner, "anna") for owner in ("r2", "r1")])
        tx.take_keys([key(KeyKind.SHARED, "r4", "anna", scope="person:1")])
        assert tx.records_sharing(["r1", "r3"]) == {"r2"}
        assert tx.records_sharing(["r2", "r4"]) == set()


def test_keys_are_swapped_as_a_whole(ledger: Ledger) -> None:
    """What an owner bears of a kind is what it was given last; who else bears what came or went is told."""
    anna, bert = (key(KeyKind.ROW, "l1", name) for name in ("anna", "bert"))
    with ledger.write() as tx:
        tx.take_keys([key(KeyKind.ROW, "l2", "anna"), key(KeyKind.ROW, "l3", "bert")])
        tx.take_keys([key(KeyKind.RECORD, "l1", "anna")])
        assert tx.swap_keys(KeyKind.ROW, ["l1"], [anna]) == {"l1": True, "l2": False}
        assert tx.swap_keys(KeyKind.ROW, ["l1", "l4"], [anna]) == {}
        moved = tx.swap_keys(KeyKind.ROW, ["l1"], [bert])
        assert moved == {"l1": True, "l2": False, "l3": False}
        assert tx.key_owners([anna]) == {("row", "person:0", ("anna",)): ["l2"]}
        assert tx.swap_keys(KeyKind.ROW, ["l1"], []) == {"l1": True, "l3": False}
        assert tx.key_owners([key(KeyKind.RECORD, "", "anna")])


def test_derivations_are_due_until_done(ledger: Ledger) -> None:
    """A record that moves while it is looked at stays due."""
    fill(ledger, Record("r1", "person", {}), Record("r2", "person", {}))
    with ledger.write() as tx:
        tx.write(Changeset(derivations=["r1", "r2"]))
        due = tx.derivations_due(9)
        assert due.keys() == {"r1", "r2"}
        assert tx.derivations_due(1) == {"r1": due["r1"]}
        tx.write(Changeset(derivations=["r2"]))
        tx.write(Changeset(records=[Record("r2", "person", {"a": 1})]))
        tx.derivations_done(due)
        assert tx.derivations_due(9).keys() == {"r2"}


def test_a_move_is_due_however_many_looked_before_it(ledger: Ledger) -> None:
    """Two that looked at one move together leave none of a later one undone, in whatever order they end."""
    fill(ledger, Record("r1", "person", {}))
    with ledger.write() as tx:
        tx.write(Changeset(derivations=["r1"]))
        first = tx.derivations_due(9)
        tx.derivations_done(first)
        tx.write(Changeset(derivations=["r1"]))
        tx.derivations_done(first)
        assert tx.derivations_due(9).keys() == {"r1"}
        tx.derivations_done(tx.derivations_due(9))
        tx.derivations_done(first)
        assert not tx.derivations_due(9)
        tx.write(Changeset(derivations=["r1"]))
        assert tx.derivations_due(9).keys() == {"r1"}
