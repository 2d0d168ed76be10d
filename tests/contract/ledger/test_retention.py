"""What is over is found in order, and what anything rests on is not deleted."""

from __future__ import annotations

from dataclasses import replace

from syncengine.ledger import Ledger
from syncengine.model.change import Change
from syncengine.model.changeset import Changeset
from syncengine.model.key import KeyKind
from syncengine.model.link import LinkState
from syncengine.model.operation import Action, OperationState
from syncengine.model.record import Record
from tests.contract.ledger.samples import NOW, a_case, a_link, an_event, an_operation, fill, key


def test_what_is_over_comes_in_the_order_of_ids(ledger: Ledger) -> None:
    """Of each kind a part, beyond an id; open cases, live records and rows that somebody has are not over."""
    fill(
        ledger, a_case("c2", closed_at=2.0), a_case("c1", closed_at=3.0), a_case("c3"),
        Record("r1", "person", {}, deleted=True), Record("r2", "person", {}),
        Record("r3", "person", {}, deleted=True), an_operation("o1", created_at=5.0),
        a_link("l1", row=None, read_at=7.0), a_link("l2"), a_link("l3", "r2", row=None),
    )  # fmt: skip
    with ledger.write() as tx:
        tx.add_events([an_event(name) for name in "abc"])
        lines = [Change("r1", 1, "", at=1.0), Change("r1", 2, "", at=4.0), Change("r2", 1, "a")]
        tx.write(Changeset(history=lines))
    with ledger.read() as tx:
        (first, at), second, third = tx.aged("events", None, 9)
        assert at == NOW
        assert tx.aged("events", first, 1) == [second]
        assert tx.aged("events", third[0], 9) == []
        assert tx.aged("cases", None, 9) == [("c1", 3.0), ("c2", 2.0)]
        assert tx.aged("cases", "c1", 9) == [("c2", 2.0)]
        assert tx.aged("left", None, 9) == [("r1", 4.0), ("r3", 0.0)]
        assert tx.aged("operations", None, 9) == [("o1", 5.0)]
        assert tx.aged("rows", None, 9) == [("l1", 7.0)]
        assert [at for _, at in tx.aged("history", None, 9)] == [1.0, 4.0, 0.0]


def test_the_newest_event_stays(ledger: Ledger) -> None:
    """It says when something was last seen; its id is never given away again."""
    with ledger.write() as tx:
        ids = [id_ for id_ in tx.add_events([an_event(name) for name in "abc"]) if id_]
        assert tx.forget("events", ids) == 2
        assert tx.newest_ids()[0] == ids[-1]
        assert (tx.count_events(), tx.count_events(ids[-1])) == (1, 0)


def test_what_proves_a_link_stays(ledger: Ledger) -> None:
    """Of a link the newest operation and the newest create; what is not settled, and what a question is about."""
    made = an_operation("o1", "l1", action=Action.CREATE, state=OperationState.APPLIED)
    again = replace(made, id="o2")
    told = [replace(made, id=f"o{n}", action=Action.UPDATE, created_at=float(n)) for n in (3, 4)]
    waits = an_operation("o5", "l1", created_at=5.0)
    asked = [an_operation(f"o{n}", "l2", state=OperationState.REJECTED) for n in (6, 7)]
    of_nobody = an_operation("o8", "l9", state=OperationState.STALE)
    fill(
        ledger, a_link("l1", "r1"), a_link("l2", "r2"), made, again, *told, waits, *asked,
        of_nobody, a_case("c1", "rejected:l2", link_id="l2"),
    )  # fmt: skip
    with ledger.write() as tx:
        assert tx.forget("operations", [f"o{n}" for n in range(1, 9)]) == 4
        assert set(tx.operations([f"o{n}" for n in range(1, 9)])) == {"o2", "o5", "o6", "o7"}
        assert set(tx.creates("hakuna", "users", ["x1"])) == set()


def test_open_cases_stay(ledger: Ledger) -> None:
    """Only what is closed is deleted, whatever was asked for."""
    fill(ledger, a_case("c1", closed_at=1.0), a_case("c2"))
    with ledger.write() as tx:
        assert tx.forget("cases", ["c1", "c2"]) == 1
        assert [case.id for case in tx.cases(open_only=False)] == ["c2"]


def test_how_a_record_was_made_and_the_last_change_of_each_field_stay(ledger: Ledger) -> None:
    """What lies between is deleted; of other records nothing."""
    lines = [("r1", ""), ("r1", "a"), ("r1", "b"), ("r1", "a"), ("r1", ""), ("r1", ""), ("r2", "a")]
    with ledger.write() as tx:
        tx.write(
            Changeset(history=[Change(record, n, field) for n, (record, field) in enumerate(lines)])
        )
        ids = [id_ for id_, _ in tx.aged("history", None, 99)]
        assert tx.forget("history", ids) == 2
        assert [c.generation for c in tx.history("r1")] == [0, 2, 3, 5]
        assert len(tx.history("r2")) == 1


def test_rows_of_nobody_go_with_their_keys(ledger: Ledger) -> None:
    """Not those that somebody has, that are there, or that are to be looked at."""
    gone = a_link("l1", row=None, state=LinkState.GONE)
    others = [
        replace(gone, id="l2", external_id="2", row={"a": 1}),
        replace(gone, id="l3", external_id="3", record_id="r1"),
        replace(gone, id="l4", external_id="4", dirty=1),
        replace(gone, id="l5", external_id="5", need_get=True),
    ]
    fill(ledger, gone, *others)
    with ledger.write() as tx:
        tx.take_keys([key(KeyKind.ROW, owner, "anna") for owner in ("l1", "l2")])
        assert tx.forget("rows", ["l1", "l2", "l3", "l4", "l5"]) == 1
        assert [link.id for link in tx.select_links()] == ["l2", "l3", "l4", "l5"]
        assert tx.key_owners([key(KeyKind.ROW, "", "anna")]) == {
            ("row", "person:0", ("anna",)): ["l2"]
        }


def test_a_record_goes_with_all_that_is_its_own(ledger: Ledger) -> None:
    """Links, keys, history, settled operations, closed cases of these subjects; nothing of another record."""
    done = OperationState.APPLIED
    fill(
        ledger, Record("r1", "person", {"a": 1}, deleted=True), Record("r2", "person", {}),
        a_link("l1", "r1"), a_link("l2", "r2"), an_operation("o1", "l1", state=done),
        an_operation("o2", "l2", record_id="r2", state=done),
        a_case("c1", "drift:l1", closed_at=1.0), a_case("c2", "missing:l1"),
        a_case("c3", "drift:l2", closed_at=1.0),
    )  # fmt: skip
    mine = [key(KeyKind.FORMER, "r1", "anna"), key(KeyKind.DERIVED, "r1", "x", scope="rule")]
    with ledger.write() as tx:
        tx.take_keys([*mine, key(KeyKind.ROW, "l1", "anna"), key(KeyKind.RECORD, "r2", "bert")])
        tx.write(Changeset(history=[Change("r1", 1, ""), Change("r2", 1, "")]))
        assert tx.derived_by(["r1", "r2"]) == [("r1", "rule")]
        tx.remove_records(["r1"], ["l1"], ["drift:l1", "missing:l1"])
        assert tx.record_ids() == {"person": ["r2"]}
        assert [link.id for link in tx.select_links()] == ["l2"]
        assert [o.id for o in tx.select_operations()] == ["o2"]
        assert [case.id for case in tx.cases(open_only=False)] == ["c2", "c3"]
        assert not tx.key_owners([*mine, key(KeyKind.ROW, "", "anna")])
        assert tx.key_owners([key(KeyKind.RECORD, "", "bert")])
