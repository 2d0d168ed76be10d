"""Events, cases and history."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

from syncengine.ledger import Ledger
from syncengine.model.case import CaseKind
from syncengine.model.change import Change
from syncengine.model.changeset import Changeset
from syncengine.model.ref import Ref
from tests.contract.ledger.samples import (
    a_case,
    an_event,
    fill,
)


def test_events_are_known_once(ledger: Ledger) -> None:
    """A repeated event gets no id, in the same batch either; another connection's is another one."""
    with ledger.write() as tx:
        first, again, second = tx.add_events([an_event("e1"), an_event("e1"), an_event("e2")])
        assert again is None
        assert first is not None
        assert second is not None
        assert second > first
        known, third, other = tx.add_events(
            [an_event("e2"), an_event("e3"), an_event("e1", "haekka")]
        )
        assert known is None
        assert third is not None
        assert other is not None
        assert second < third < other
        assert tx.count_events() == 4
        (newest,) = tx.select_events(limit=1)
        assert newest == replace(an_event("e1", "haekka"), id=other)
        assert len(tx.select_events("hakuna")) == 3


def test_event_ids_grow_in_the_order_given(ledger: Ledger) -> None:
    """What was seen first has the lower id, in a large batch too."""
    with ledger.write() as tx:
        ids = tx.add_events([an_event(uuid4().hex) for _ in range(3000)])
    assert ids == sorted(id_ for id_ in ids if id_ is not None)


def test_a_question_is_asked_once(ledger: Ledger) -> None:
    """While a case is open the same subject only refreshes it; once closed it may be asked again."""
    fill(ledger, a_case("c1", "s", opened_at=1.0))
    newer = a_case("c2", "s", evidence={"a": 2}, answers={"yes": "does it"}, opened_at=2.0)
    fill(ledger, newer)
    with ledger.write() as tx:
        assert tx.cases() == [replace(newer, id="c1", opened_at=1.0)]
        tx.write(Changeset(dissolved=dict.fromkeys(["s", "other"], 3.0)))
        assert tx.cases() == []
        (closed,) = tx.cases(open_only=False)
        assert (closed.answer, closed.closed_at) == ("dissolved", 3.0)
        tx.write(Changeset(raised=[newer]))
        assert tx.cases(subjects=["s"]) == [newer]


def test_cases_are_listed_as_asked(ledger: Ledger) -> None:
    """Oldest first, by id, kind or subject, and counted by kind."""
    fill(ledger, a_case("c1", opened_at=2.0), a_case("c2", opened_at=1.0))
    fill(ledger, replace(a_case("c3", opened_at=3.0), kind=CaseKind.DRIFT))
    with ledger.read() as tx:
        assert [case.id for case in tx.cases()] == ["c2", "c1", "c3"]
        assert [case.id for case in tx.cases(kind="drift")] == ["c3"]
        assert [case.id for case in tx.cases(ids=["c1"], subjects=["about-c1"])] == ["c1"]
        assert tx.cases(ids=[]) == []
        assert tx.count_cases() == {"conflict": 2, "drift": 1}


def test_history_is_told_in_order(ledger: Ledger) -> None:
    """Changes come back oldest first."""
    with ledger.write() as tx:
        tx.write(Changeset(history=[Change("r1", n, "name", old=n, new=n + 1) for n in (3, 1, 2)]))
        tx.write(Changeset(history=[Change("r2", 1, "name")]))
        assert [change.generation for change in tx.history("r1")] == [3, 1, 2]


def test_what_was_put_aside_is_found_across_records(ledger: Ledger) -> None:
    """Newest first, all changes or those that lost a value, as many as asked for."""
    with ledger.write() as tx:
        tx.write(
            Changeset(
                history=[
                    Change("r1", 1, "name", lost="a", lost_by="hakuna"),
                    Change("r1", 2, "name"),
                ]
            )
        )
        tx.write(Changeset(history=[Change("r2", 1, "name", lost="b", lost_by="record")]))
        assert [c.lost for c in tx.select_history(lost=True)] == ["b", "a"]
        assert [c.lost for c in tx.select_history(lost=True, limit=1)] == ["b"]
        assert [c.record_id for c in tx.select_history()] == ["r2", "r1", "r1"]


def test_events_are_found_by_id_and_by_row(ledger: Ledger) -> None:
    """Those asked for and those of a row, oldest first; another row's with the same id elsewhere is not among them."""
    with ledger.write() as tx:
        first, second, _ = tx.add_events(
            [an_event("e1"), replace(an_event("e2"), external_id="x2"), an_event("e3", "haekka")]
        )
        assert [e.id for e in tx.events([second or 0])] == [second]
        found = tx.events([second or 0], [Ref("hakuna", "users", "x1")])
        assert [e.id for e in found] == [first, second]
        assert tx.events([]) == []
