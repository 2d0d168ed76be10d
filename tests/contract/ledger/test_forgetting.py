"""Whole rows go from every table at once, and the log remembers that."""

from __future__ import annotations

from dataclasses import replace

from syncengine.ledger import Ledger
from syncengine.model.change import JOINED, Change
from syncengine.model.changeset import Changeset
from syncengine.model.erasure import Erasure
from syncengine.model.event import Event
from syncengine.model.key import KeyKind
from syncengine.model.record import Record
from syncengine.model.ref import Ref
from tests.contract.ledger.samples import NOW, a_case, a_link, an_event, an_operation, fill, key

HER = {"records": ["r1"], "links": ["l1"], "operations": ["o1"], "cases": ["c1"]}
LINK = "0123456789abcdef0123456789abcdef0123"
LINE = Erasure("e1", "person", NOW, "dpo", "request 17", {"records": 1})


def test_what_is_erased_is_counted_and_nothing_else_goes(ledger: Ledger) -> None:
    """Rows by id, history by record, events by place, keys by whoever bears them; those of others stay."""
    with ledger.write() as tx:
        tx.write(
            Changeset(
                new_records=[Record("r1", "person", {"a": 1}), Record("r2", "person", {"a": 2})]
            )
        )
        tx.write(
            Changeset(history=[Change("r1", 1, "a"), Change("r1", 1, "b"), Change("r2", 1, "a")])
        )
        tx.add_events([an_event("e1"), Event("hakuna", "absences", "x1", "e2", "poll", NOW),
                       an_event("e3", "haekka"), Event("", "person", "r1", "e4", "person", NOW),
                       an_event(f"{LINK}/3", "haekka"), an_event("write:o1", "haekka")])  # fmt: skip
        tx.take_keys([key(KeyKind.RECORD, "r1", "a"), key(KeyKind.ROW, "l1", "a"),
                      key(KeyKind.RECORD, "r2", "b"), key(KeyKind.ERASED, "e9", "a")])  # fmt: skip
    fill(ledger, a_link("l1", "r1"), a_link("l2", "r2"), an_operation("o1"), an_operation("o2"))
    fill(ledger, a_case("c1"), a_case("c2"))
    refs = [Ref("hakuna", "users", "x1"), Ref("", "person", "r1")]
    with ledger.write() as tx:
        events = tx.events_about(refs, [LINK], ["o1"])
        assert [e.event_id for e in events] == ["e1", "e4", f"{LINK}/3", "write:o1"]
        gone = tx.erase(**HER, events=[event.id for event in events])
    assert gone == {
        "records": 1, "links": 1, "operations": 1, "cases": 1, "history": 2, "events": 4, "keys": 2,
    }  # fmt: skip
    with ledger.read() as tx:
        assert tx.records(["r1", "r2"]).keys() == {"r2"}
        assert [link.id for link in tx.select_links()] == ["l2"]
        assert tx.operations(["o1", "o2"]).keys() == {"o2"}
        assert [case.id for case in tx.cases()] == ["c2"]
        assert [c.record_id for c in tx.select_history()] == ["r2"]
        assert {event.event_id for event in tx.select_events()} == {"e2", "e3"}
        left = tx.key_owners([key(k, "", p) for k in KeyKind for p in ("a", "b")])
        assert sorted(owner for of in left.values() for owner in of) == ["e9", "r2"]
    with ledger.write() as tx:
        assert tx.erase(**HER, events=[]) == {}


def test_the_log_is_kept_and_can_be_answered(ledger: Ledger) -> None:
    """Lines in order, with counts and reason; what was said of what came back is written to one."""
    second = replace(LINE, id="e2", counts={}, reason="")
    with ledger.write() as tx:
        for line in (LINE, second):
            tx.add_erasure(line)
        tx.save_erasures([replace(second, answer="keep_out")])
    with ledger.read() as tx:
        assert tx.erasures() == [LINE, replace(second, answer="keep_out")]
        assert tx.erasures(["e1"]) == [LINE]


def test_what_names_somebody_is_found_and_rewritten(ledger: Ledger) -> None:
    """History by field and by record, who was joined with whom, writes by record or link and a slice at a time."""
    with ledger.write() as tx:
        tx.write(
            Changeset(
                history=[
                    Change("r1", 1, "lead", None, "r9"),
                    Change("r1", 1, "name", None, "x"),
                    Change("r2", 2, "", None, "deleted", policy=f"{JOINED}r9"),
                ]
            )
        )
    fill(ledger, *(an_operation(f"o{n}", f"l{n}", record_id=f"r{n}") for n in range(5)))
    with ledger.write() as tx:
        (found,) = tx.changes_of(["lead"])
        tx.save_changes([replace(found, new=None, lost="z")])
    with ledger.read() as tx:
        assert tx.changes_of(["lead"]) == [replace(found, new=None, lost="z")]
        assert [c.field for c in tx.histories(["r1", "r2"])] == ["lead", "name", ""]
        assert tx.joined(["r9", "r8"]) == {"r2"}
        assert {o.id for o in tx.operations_of(["r1"], ["l2", "l1"])} == {"o1", "o2"}
        assert [o.id for o in tx.operations_after("person", "", 2)] == ["o0", "o1"]
        assert [o.id for o in tx.operations_after("person", "o1", 9)] == ["o2", "o3", "o4"]
