"""Lists that screens read a page at a time."""

from __future__ import annotations

from dataclasses import replace

from syncengine.ledger import Ledger
from syncengine.ledger.pages import Asked, Place
from syncengine.model.case import CaseKind
from syncengine.model.change import Change
from syncengine.model.changeset import Changeset
from syncengine.model.member import Scope
from syncengine.model.record import Record
from syncengine.model.run import LOST, OUTCOMES, Run
from tests.contract.ledger.samples import NOW, a_case, a_link, an_operation, fill


def _cases(ledger: Ledger) -> None:
    """Six questions, two opened at a time; one about a row of haekka, one about no row, one is closed."""
    links = [a_link(f"l{n}", f"r{n}") for n in range(6)]
    links[1] = replace(links[1], connection="haekka", external_id="other")
    fill(ledger, *links)
    found = [
        replace(a_case(f"c{n}", f"about {n}"), link_id=f"l{n}", opened_at=float(n // 2))
        for n in range(6)
    ]
    found[2] = replace(found[2], link_id=None, kind=CaseKind.STAGED)
    with ledger.write() as tx:
        tx.write(Changeset(raised=found))
        tx.write(Changeset(cases=[replace(found[5], closed_at=9.0, answer="yes", author="kim")]))


def test_questions_are_read_page_by_page(ledger: Ledger) -> None:
    """Behind time and id of the last one, so that those of one moment are neither left out nor repeated."""
    _cases(ledger)
    seen: list[str] = []
    behind: Place | None = None
    with ledger.read() as tx:
        while page := tx.page_of_cases(Asked(), behind, 2):
            seen += [case.id for case in page]
            behind = (page[-1].opened_at, page[-1].id)
    assert seen == ["c0", "c1", "c2", "c3", "c4"]


def test_questions_are_asked_for_by_kind_connection_and_age(ledger: Ledger) -> None:
    """Those about no row by their subject."""
    _cases(ledger)
    with ledger.read() as tx:

        def ids(asked: Asked) -> list[str]:
            return [case.id for case in tx.page_of_cases(asked)]

        assert ids(Asked(kind=CaseKind.STAGED)) == ["c2"]
        assert ids(Asked(connection="haekka")) == ["c1"]
        assert ids(Asked(connection="haekka", subjects=("about 2",))) == ["c1", "c2"]
        assert ids(Asked(before=1.0)) == ["c0", "c1"]
        assert ids(Asked(closed=True)) == ["c5"]
        assert sum(tx.count_asked(Asked()).values()) == 5
        assert (
            tx.count_asked(Asked(connection="haekka", subjects=("about 2",)))[CaseKind.STAGED] == 1
        )


def test_answered_questions_are_found_by_person_and_time(ledger: Ledger) -> None:
    """Though the name is sealed; those counted are those listed."""
    told = [("kim", 1.0), ("ada", 2.0), ("kim", 3.0), ("", 4.0)]
    answered = [
        replace(a_case(f"c{n}", f"about {n}"), author=author, answer="x", closed_at=at)
        for n, (author, at) in enumerate(told)
    ]
    fill(ledger, *(replace(c, author="", answer=None, closed_at=None) for c in answered))
    with ledger.write() as tx:
        tx.write(Changeset(cases=answered))
        for asked, ids in (
            (Asked(authors=("kim",)), ["c2", "c0"]),
            (Asked(authors=("kim", "ada"), since=2.0), ["c2", "c1"]),
            (Asked(authors=("ada",), before=2.0), []),
            (Asked(since=3.0), ["c3", "c2"]),
        ):
            closed = replace(asked, closed=True)
            assert [c.id for c in tx.page_of_cases(closed)] == ids
            assert sum(tx.count_asked(closed).values()) == len(ids)


def test_writes_and_changes_are_read_from_their_end(ledger: Ledger) -> None:
    """Of a connection, of a state, by an author."""
    links = [a_link(f"l{n}", f"r{n}") for n in range(3)]
    writes = [
        replace(an_operation(f"o{n}"), link_id=f"l{n}", record_id=f"r{n}", created_at=float(n // 2))
        for n in range(3)
    ]
    fill(ledger, *links, *writes)
    with ledger.write() as tx:
        lines = [Change(f"r{n}", 1, "name", "a", "b", author="kim" * (n == 1)) for n in range(3)]
        tx.write(Changeset(history=lines))
    with ledger.read() as tx:
        first = tx.page_of_operations(None, 2)
        assert [o.id for o in first] == ["o2", "o1"]
        behind = (first[-1].created_at, first[-1].id)
        assert [o.id for o in tx.page_of_operations(behind, 2)] == ["o0"]
        assert tx.page_of_operations(connection="nowhere") == []
        lines = tx.page_of_history(limit=2)
        assert [c.record_id for c in lines] == ["r2", "r1"]
        assert [c.record_id for c in tx.page_of_history(lines[-1].id)] == ["r0"]
        assert [c.record_id for c in tx.page_of_history(author="kim")] == ["r1"]
        assert sorted(tx.changed_since(lines[-1].id - 1, 9)) == ["r1", "r2"]
        assert sum(tx.count_outbox(writes[0].connection).values()) == 3


def test_records_and_rows_are_counted(ledger: Ledger) -> None:
    """Live ones, by entity; rows of a connection by state."""
    fill(
        ledger,
        a_link("l1", "r1"),
        Record("r1", "person", {}),
        Record("r2", "person", {}, deleted=True),
    )
    with ledger.read() as tx:
        assert tx.count_records() == {"person": 1}
        (line,) = tx.count_links_in(a_link("l1").connection)
        assert line["count"] == 1
        assert tx.newest_erasure() == ""


def test_questions_and_changes_outside_a_limit_are_not_read(ledger: Ledger) -> None:
    """By entity, connection and kind; those about no row by their subject; also one by its id."""
    _cases(ledger)
    with ledger.read() as tx:

        def ids(subjects: tuple[str, ...] = (), **limits: tuple[str, ...]) -> list[str]:
            asked = Asked(within=Scope(**limits), within_subjects=subjects)
            return [case.id for case in tx.page_of_cases(asked)]

        assert ids() == ["c0", "c1", "c2", "c3", "c4"]
        assert ids(connections=("haekka",)) == ["c1"]
        assert ids(("about 2",), connections=("haekka", "nowhere")) == ["c1", "c2"]
        assert ids(kinds=("staged",)) == ["c2"]
        assert ids(kinds=("staged",), connections=("haekka",)) == []
        assert ids(entities=("nothing",)) == []
        limited = Asked(within=Scope(kinds=("staged",)))
        assert tx.case_within("c2", limited) is not None
        assert tx.case_within("c5", Asked()) is not None
        assert tx.case_within("c1", limited) is None
        assert tx.count_asked(limited) == {"staged": 1}


def test_changes_are_read_of_some_entities_alone(ledger: Ledger) -> None:
    """Whichever record they are of."""
    records = [Record("p1", "person", {}), Record("c1", "course", {})]
    fill(ledger, *records)
    lines = [Change(record.id, 0, "name", None, "x", policy="test", at=1.0) for record in records]
    with ledger.write() as tx:
        tx.write(Changeset(history=lines))
    with ledger.read() as tx:
        assert [c.record_id for c in tx.page_of_history(None, 9, ("person",))] == ["p1"]
        assert len(tx.page_of_history(None, 9, ("person", "course"))) == 2
        (newest,) = tx.page_of_history(None, 1, ("course",))
        assert tx.page_of_history(None, 1, ("person",), id=newest.id) == []


def test_runs_are_found_by_their_outcome(ledger: Ledger) -> None:
    """One that has given no sign for minutes broke off, whatever was written; the others are under way."""
    told = {
        "a": ("complete", NOW), "b": ("failed", NOW), "c": ("broke_off", NOW),
        "d": ("", NOW - LOST - 1), "e": ("", NOW),
    }  # fmt: skip
    with ledger.write() as tx:
        for id_, (outcome, at) in told.items():
            ended = NOW if outcome else None
            tx.add_run(Run(id_, "pass", touched_at=at, ended_at=ended, outcome=outcome))
        found = {o: [r.id for r in tx.select_runs(outcome=o, now=NOW)] for o in OUTCOMES}
        assert [r.id for r in tx.select_runs(limit=2)] == ["e", "d"]
    assert found == {
        "complete": ["a"],
        "failed": ["b"],
        "broke_off": ["d", "c"],
        "under_way": ["e"],
    }
