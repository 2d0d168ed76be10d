"""Links: how they are found, made dirty and claimed."""

from __future__ import annotations

from typing import Any

import pytest

from syncengine.errors import Bug, LostRace
from syncengine.ledger import Ledger, Transaction
from syncengine.model.changeset import Changeset, Wakes
from syncengine.model.condition import condition
from syncengine.model.key import KeyKind
from syncengine.model.link import Link, LinkState, Wait, Waiting
from syncengine.model.operation import Operation, OperationState
from tests.contract.ledger.samples import (
    HAKUNA,
    NOW,
    a_link,
    an_operation,
    dirt,
    fill,
    key,
)


def claim(tx: Transaction, *asked: Any, **narrow: Any) -> list[str]:
    """Ids of the links that are claimed."""
    return [link.id for link in tx.claim_links(*asked, **narrow)]


def test_links_are_found_by_external_id(ledger: Ledger) -> None:
    """An external id names one link per entity; others are left out."""
    mine, other = a_link("l1"), a_link("l2", external_id="x-l1", entity="absence")
    fill(ledger, mine, other)
    with ledger.write() as tx:
        assert tx.links_at(*HAKUNA, ["x-l1", "x-nobody"], lock=True) == {"x-l1": mine}
        assert tx.links_at("absence", "hakuna", "users", ["x-l1"]) == {"x-l1": other}


def test_links_of_records(ledger: Ledger) -> None:
    """All links of a record are found, dead ones too."""
    live, gone = a_link("l1", "r1"), a_link("l2", "r1", state=LinkState.GONE)
    fill(ledger, live, gone, a_link("l3", "r2"), a_link("l4"))
    with ledger.read() as tx:
        assert {link.id for link in tx.links_of(["r1"])} == {"l1", "l2"}


def test_records_that_are_not_at_rest(ledger: Ledger) -> None:
    """A record is not at rest for each of four reasons; what has no record is nobody's unrest."""
    fill(
        ledger, a_link("calm", "r1"), a_link("dirty", "r2", dirty=1),
        a_link("unread", "r3", need_get=True), a_link("waits", "r4", wait=Wait(None, "a name")),
        a_link("busy", "r5"), a_link("done", "r6"), a_link("untied", dirty=1),
        an_operation("o1", "busy", record_id="r5"),
        an_operation("o2", "done", record_id="r6", state=OperationState.APPLIED),
    )  # fmt: skip
    with ledger.read() as tx:
        assert tx.records_in_motion() == {"r2", "r3", "r4", "r5"}


def test_row_ids_are_of_rows_that_are_there(ledger: Ledger) -> None:
    """External ids come once each and in binary order, whoever a row belongs to."""
    names = ["B", "a", "a-b", "aa", "é"]
    fill(ledger, *[a_link(name, f"r-{name}", external_id=name) for name in names])
    fill(ledger, a_link("l8", "r8", state=LinkState.MISSING, row=None), a_link("l9"))
    fill(ledger, a_link("left", "r10", state=LinkState.LEFT, external_id="z"))
    fill(ledger, a_link("other", "r11", entity="absence", external_id="z"))
    with ledger.read() as tx:
        assert tx.row_ids("hakuna", "users") == ["B", "a", "a-b", "aa", "x-l9", "z", "é"]
        assert tx.row_ids("hakuna", "tasks") == []


def test_touching_moves_the_time_of_reading_alone(ledger: Ledger) -> None:
    """An unchanged row costs its link no version and clears its suspicion."""
    fill(ledger, a_link("l1", suspected_at=NOW), a_link("l2", suspected_at=NOW))
    with ledger.write() as tx:
        tx.write(Changeset(touched=dict.fromkeys(["l1"], NOW + 5)))
        assert tx.links(["l1"])["l1"] == a_link("l1", read_at=NOW + 5)
        assert tx.links(["l2"])["l2"].suspected_at == NOW


def test_removed_links_are_gone(ledger: Ledger) -> None:
    """Removing deletes the named links and no other."""
    fill(ledger, a_link("l1"), a_link("l2"))
    with ledger.write() as tx:
        tx.take_keys([key(KeyKind.ROW, link, "anna") for link in ("l1", "l2")])
        tx.write(Changeset(removed=["l1"]))
        assert [link.id for link in tx.select_links()] == ["l2"]
        assert tx.key_owners([key(KeyKind.ROW, "", "anna")]) == {
            ("row", "person:0", ("anna",)): ["l2"]
        }


def test_unseen_links_have_a_row_that_was_read_before(ledger: Ledger) -> None:
    """A scan suspects links with a row not read since it began, below its parent alone."""
    fill(
        ledger,
        a_link("old", read_at=NOW - 1, parent="p1"),
        a_link("elsewhere", read_at=NOW - 1, parent="p2"),
        a_link("read", read_at=NOW, parent="p1"),
        a_link("rowless", read_at=NOW - 1, parent="p1", row=None),
        a_link("bare", read_at=NOW - 1, parent="p1", row={}),
    )
    with ledger.read() as tx:
        assert {link.id for link in tx.unseen_since(*HAKUNA, NOW, "p1")} == {"old", "bare"}
        assert len(tx.unseen_since(*HAKUNA, NOW)) == 3
        assert tx.unseen_since("person", "hakuna", "tasks", NOW) == []


def test_each_reason_makes_its_own_links_dirty(ledger: Ledger) -> None:
    """Dirt falls on the links that are named, on none besides, and adds up."""
    wait = Wait(condition("ref:hakuna/users/7"), "anna in hakuna")
    fill(
        ledger,
        a_link("l1", "r1"),
        a_link("l2", "r1", state=LinkState.GONE),
        a_link("l3", "r2", wait=wait),
        a_link("l4", "r3", connection="haekka"),
        a_link("l5"),
    )
    borne = [
        key(KeyKind.RECORD, "r1", "anna"),
        key(KeyKind.SHARED, "r2", "bert"),
        key(KeyKind.ROW, "l1", "anna"),
        key(KeyKind.ROW, "l4", "anna", scope="hakuna/users/person:0"),
        key(KeyKind.ASKS, "l5", "bert"),
        key(KeyKind.ROW, "l2", "cleo"),
        key(KeyKind.USES, "r2", "r9", scope="manager"),
    ]
    with ledger.write() as tx:
        tx.write(Changeset(keys=borne))
    none = frozenset[str]()
    steps: list[tuple[Wakes, set[str]]] = [
        (Wakes(links=["l5", "l1"]), {"l1", "l5"}),
        (Wakes(records={"r1": frozenset({"l2"}), "r3": none}), {"l1", "l4"}),
        (Wakes(records={"r1": none}), {"l1", "l2"}),
        (Wakes(siblings={"r1": none}), {"l2"}),
        (Wakes(waiting=[*map(condition, ["ref:hakuna/users/7", "rec:r9@hakuna"])]), {"l3"}),
        (Wakes(users=["r9"]), {"l3"}),
        (Wakes(sharers=["r1"]), {"l4"}),
        (Wakes(sharers=["r1", "r2", "r9"]), {"l4", "l5"}),
        (Wakes(sharers=["l1", "l2"]), {"l4"}),
        (Wakes(sharers=["l2", "l4"]), {"l1"}),
        (Wakes(entities=[("person", "haekka")]), {"l4"}),
        (Wakes(entities=[("person", None)]), {"l1", "l2", "l3", "l4"}),
        (Wakes(entities=[("absence", None)]), set()),
        (Wakes(unfinished=[("person", "hakuna")]), {"l3"}),
        (Wakes(unfinished=[("person", "haekka")]), set()),
    ]
    for wakes, touched in steps:
        before = dirt(ledger)
        with ledger.write() as tx:
            tx.write(Changeset(wakes=wakes))
        after = dirt(ledger)
        assert {
            id_: n - before.get(id_, 0) for id_, n in after.items() if n != before.get(id_)
        } == (dict.fromkeys(touched, 1))


def test_claims_take_what_is_due(ledger: Ledger) -> None:
    """Refresh takes what needs a read, reconcile what is dirty and does not; never leased ones, nor ones that are
    written just now."""
    fill(
        ledger,
        a_link("l1", dirty=1),
        a_link("l2", dirty=1, need_get=True),
        a_link("l3", need_get=True, external_id=None),
        a_link("l4", "r4", dirty=1),
        a_link("l5"),
        a_link("l6", need_get=True),
        a_link("l8", dirty=1),
        a_link("l7", need_get=True),
        an_operation("o1", "l4"),
        an_operation("o2", "l6"),
        an_operation("o3", "l7", state=OperationState.CLAIMED),
        an_operation("o4", "l8", state=OperationState.UNKNOWN),
    )
    with ledger.write() as tx:
        assert tx.dirty_count() == 5
        assert claim(tx, "refresh", NOW, 20, 9) == ["l2", "l6"]
        assert claim(tx, "reconcile", NOW, 20, 9) == ["l1", "l4"]
        assert claim(tx, "reconcile", NOW + 19, 20, 9) == []
        assert claim(tx, "reconcile", NOW + 21, 20, 9) == ["l1", "l4"]
        tx.release_links(["l1", "l4"])
        assert claim(tx, "reconcile", NOW + 21, 20, 9) == ["l1", "l4"]
        with pytest.raises(Bug):
            tx.claim_links("dispatch", NOW, 20, 9)


def test_claims_may_be_narrowed(ledger: Ledger) -> None:
    """Ids, entity, connections and the limit each narrow a claim, in the order of ids."""
    for number in range(6):
        place = {"connection": "haekka"} if number % 2 else {}
        fill(ledger, a_link(f"l{number}", dirty=1, **place))
    claims: list[tuple[dict[str, Any], list[str]]] = [
        ({"ids": []}, []),
        ({"connections": []}, []),
        ({"entity": "absence"}, []),
        ({"ids": ["l5", "l4"], "connections": ["haekka"]}, ["l5"]),
        ({"entity": "person", "limit": 2}, ["l0", "l1"]),
        ({}, ["l2", "l3", "l4"]),
    ]
    with ledger.write() as tx:
        for narrow, claimed in claims:
            assert claim(tx, "reconcile", NOW, 20, **{"limit": 9, **narrow}) == claimed


def test_saving_a_link_keeps_its_lease(ledger: Ledger) -> None:
    """Only claiming and releasing move leases."""
    fill(ledger, a_link("l1", dirty=1))
    with ledger.write() as tx:
        tx.claim_links("reconcile", NOW, 20, 9)
        tx.write(Changeset(links=[a_link("l1", dirty=5)]))
        assert claim(tx, "reconcile", NOW, 20, 9) == []


@pytest.mark.parametrize(
    ("first", "second", "constraint"),
    [
        (a_link("l1"), a_link("l2", external_id="x-l1"), "links_ref"),
        (a_link("l1", "r1"), a_link("l2", "r1", state=LinkState.CREATING), "links_place"),
        (a_link("l1", "r1", state=LinkState.WAITING), a_link("l2", "r1"), "links_place"),
        (a_link("l1"), a_link("l1", external_id="other"), "links_id"),
        (an_operation("o1", "l1"), an_operation("o2", "l1"), "operations_one_unsettled"),
    ],
)
def test_places_are_held_once(
    ledger: Ledger, first: Link | Operation, second: Link | Operation, constraint: str
) -> None:
    """A second one in the same place is a lost race that names the constraint and no value."""
    fill(ledger, first)
    with pytest.raises(LostRace, match=constraint) as caught:
        fill(ledger, second)
    assert "x-l1" not in str(caught.value)


def test_dead_things_hold_no_place(ledger: Ledger) -> None:
    """Gone and unlinked links, rowless links and settled operations make room for others."""
    fill(
        ledger,
        a_link("l1", "r1", state=LinkState.GONE),
        a_link("l2", "r1", state=LinkState.UNLINKED),
        a_link("l3", "r1", state=LinkState.CREATING, external_id=None),
        a_link("l4", "r2", state=LinkState.CREATING, external_id=None),
        an_operation("o1", "l1", state=OperationState.APPLIED),
        an_operation("o2", "l1"),
    )
    with ledger.read() as tx:
        assert len(tx.select_links()) == 4


def test_ties_are_live_links(ledger: Ledger) -> None:
    """A ref is tied while its link is linked, left or missing, within its own entity."""
    fill(
        ledger,
        a_link("l1", "r1"),
        a_link("l2", "r2", state=LinkState.MISSING),
        a_link("l3", "r3", state=LinkState.GONE),
        a_link("l4", "r4", external_id="x-l1", entity="absence"),
    )
    asked = [(*HAKUNA, f"x-l{number}") for number in range(4)]
    with ledger.read() as tx:
        assert tx.ties([*asked, ("absence", "haekka", "users", "x-l1")]) == {
            (*HAKUNA, "x-l1"): "r1",
            (*HAKUNA, "x-l2"): "r2",
        }


def test_externals_are_where_a_record_is(ledger: Ledger) -> None:
    """A record is known by the external ids of its linked and left links."""
    fill(
        ledger,
        a_link("l1", "r1"),
        a_link("l2", "r1", state=LinkState.LEFT, connection="haekka"),
        a_link("l3", "r1", state=LinkState.GONE, connection="weekly10"),
        a_link("l4", "r2", state=LinkState.CREATING, external_id=None),
    )
    with ledger.read() as tx:
        assert tx.externals(["r1", "r2"]) == {("r1", "hakuna"): "x-l1", ("r1", "haekka"): "x-l2"}


def test_live_links_are_counted(ledger: Ledger) -> None:
    """The links of which a share may be written: linked ones, and those whose row a person decides about."""
    states = [s for s in LinkState if s is not LinkState.SEEN]
    fill(ledger, *[a_link(f"l{n}", f"r{n}", state=state) for n, state in enumerate(states)])
    fill(ledger, a_link("x", "rx", connection="haekka"), a_link("y", "ry", entity="absence"))
    with ledger.read() as tx:
        assert tx.live_links("person", "hakuna") == 2


def test_links_can_be_looked_at(ledger: Ledger) -> None:
    """Screens get links as asked, counts per state, what waits and what is left to do."""
    fill(
        ledger,
        a_link("l1", dirty=1),
        a_link("l2", row=None, need_get=True, dirty=1),
        a_link("l3", "r1", dirty=1, wait=Wait(None, "a value")),
        a_link("l4", "r2"),
        an_operation("o1", "l3", state=OperationState.CLAIMED),
    )
    with ledger.read() as tx:
        seen = tx.select_links("person", "hakuna", [LinkState.SEEN, LinkState.GONE])
        assert [link.id for link in seen] == ["l1", "l2"]
        assert [link.id for link in tx.select_links(after="l1", limit=2)] == ["l2", "l3"]
        assert tx.select_links(connection="haekka") == []
        assert tx.count_links() == {
            ("person", "hakuna", "seen"): 2,
            ("person", "hakuna", "linked"): 2,
        }
        assert tx.uncorrelated_links(*HAKUNA) == 2
        assert tx.is_uncorrelated(*HAKUNA)
        assert not tx.is_uncorrelated("person", "hakuna", "teams")
        assert [link.id for link in tx.waiting_links(1)] == ["l3"]
        assert tx.waiting_links(1, after="l3") == []
        assert tx.waits() == [Waiting("l3", "person", "hakuna", "r1", None, "a value")]
        assert (tx.dirty_count(), tx.dirty_count(["hakuna"]), tx.dirty_count(["haekka"])) == (
            2,
            2,
            1,
        )
