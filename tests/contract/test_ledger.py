"""What every ledger promises: on SQLite in a file, on SQLite in memory, on PostgreSQL."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from threading import Barrier, Thread
from typing import Any
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DBAPIError

from syncengine.adapters.sql.engine import make_engine
from syncengine.adapters.sql.ledger import SqlLedger
from syncengine.adapters.sql.migrations import upgrade
from syncengine.adapters.sql.tables import metadata
from syncengine.errors import Bug, ConfigInvalid, LostRace
from syncengine.model.case import Case, CaseKind
from syncengine.model.change import Change
from syncengine.model.connection import ConnectionState, ResourceState
from syncengine.model.event import Event
from syncengine.model.key import Key, KeyKind
from syncengine.model.link import Base, Link, LinkState, Wait
from syncengine.model.operation import Action, Operation, OperationState
from syncengine.model.record import Record
from syncengine.ports import Ledger, Transaction
from tests.unit.adapters.sql.databases import empty, postgres_database

NOW = 1_800_000_000.25
HAKUNA = ("person", "hakuna", "users")
fork = multiprocessing.get_context("fork")


# Databases


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a migrated PostgreSQL database of this test worker."""
    with postgres_database() as url:
        engine = make_engine(url)
        upgrade(engine)
        engine.dispose()
        yield url


@pytest.fixture(params=["file", "memory", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty, migrated database of each kind."""
    yield from _engine(request, tmp_path, request.param)


@pytest.fixture(params=["file", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database that several processes can use."""
    yield from _engine(request, tmp_path, request.param)


def _engine(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> Iterator[Engine]:
    urls = {"file": f"sqlite:///{tmp_path}/ledger.db", "memory": "sqlite://"}
    engine = make_engine(urls.get(kind) or request.getfixturevalue("postgres"))
    if kind == "postgresql":
        empty(engine)
    else:
        upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def ledger(engine: Engine) -> Ledger:
    """A ledger without encryption."""
    return SqlLedger(engine)


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


# Values


def a_link(id_: str, record: str | None = None, **other: Any) -> Link:
    state = LinkState.SEEN if record is None else LinkState.LINKED
    given = {"external_id": f"x-{id_}", "record_id": record, "state": state, "row": {"a": 1}}
    return Link(id_, *HAKUNA, **{**given, **other})


def an_operation(id_: str, link: str = "", **other: Any) -> Operation:
    given = {"link_id": link or f"link-of-{id_}", "record_id": "r1", "action": Action.UPDATE}
    place = {"entity": "person", "connection": "hakuna", "resource": "users"}
    return Operation(id_, **{**given, **place, **other})


def a_case(id_: str, subject: str = "", **other: Any) -> Case:
    return Case(id_, CaseKind.CONFLICT, subject or f"about-{id_}", "Which?", **other)


def an_event(id_: str, connection: str = "hakuna") -> Event:
    return Event(connection, "users", "x1", id_, "poll", NOW)


def key(kind: KeyKind, owner: str, *parts: object, scope: str = "person:0") -> Key:
    return Key(kind, scope, parts, owner)


def fill(ledger: Ledger, *things: Link | Record | Operation | Case) -> None:
    with ledger.write() as tx:
        tx.add_records([thing for thing in things if isinstance(thing, Record)])
        tx.add_links([thing for thing in things if isinstance(thing, Link)])
        tx.add_operations([thing for thing in things if isinstance(thing, Operation)])
        tx.raise_cases([thing for thing in things if isinstance(thing, Case)])


def dirt(ledger: Ledger) -> dict[str, int]:
    with ledger.read() as tx:
        return {link.id: link.dirty for link in tx.select_links() if link.dirty}


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)
A_ROW = st.dictionaries(st.text(), ANY_JSON, max_size=3)
A_TIME = st.floats(0, 4e9)
NAMES = st.text("abc/:@é中", min_size=1, max_size=8)
LINKS = st.builds(
    Link,
    id=st.uuids().map(str), entity=NAMES, connection=NAMES, resource=NAMES,
    external_id=st.none() | NAMES, parent=st.none() | NAMES, record_id=st.none() | NAMES,
    state=st.sampled_from(LinkState), row=st.none() | A_ROW, listed_hash=NAMES,
    row_version=st.integers(0, 2**40), stamps=st.dictionaries(NAMES, st.integers(0, 2**40)),
    read_at=A_TIME, need_get=st.booleans(),
    base=st.builds(Base, A_ROW, A_ROW, st.frozensets(NAMES, max_size=2)), noted=A_ROW,
    version=st.integers(0, 2**40), dirty=st.integers(0, 9), nominated_at=st.none() | A_TIME,
    approved=st.booleans(), wait=st.none() | st.builds(Wait, NAMES | st.just(""), NAMES),
)  # fmt: skip
OPERATIONS = st.builds(
    Operation,
    id=st.uuids().map(str), link_id=NAMES, record_id=NAMES, entity=NAMES, connection=NAMES,
    resource=NAMES, action=st.sampled_from(Action), body=A_ROW, carried=A_ROW, expected=A_ROW,
    leave=st.booleans(), key=NAMES, generation=st.integers(0, 2**40),
    causes=st.dictionaries(NAMES, st.text("ab1:.")), state=st.sampled_from(OperationState),
    attempts=st.integers(0, 99), token=st.none() | NAMES, lease_until=A_TIME, next_at=A_TIME,
    created_at=A_TIME, external_id=st.none() | NAMES, detail=st.text(),
)  # fmt: skip
RECORDS = st.builds(
    Record,
    id=st.uuids().map(str), entity=NAMES, values=A_ROW, generation=st.integers(1, 2**40),
    stamps=st.dictionaries(NAMES, st.integers(0, 2**40)), created_at=NAMES, deleted=st.booleans(),
)  # fmt: skip
CASES = st.builds(
    Case,
    id=st.uuids().map(str), kind=st.sampled_from(CaseKind), subject=st.uuids().map(str),
    question=st.text(), evidence=A_ROW, answers=st.dictionaries(NAMES, st.text()), entity=NAMES,
    record_id=st.none() | NAMES, link_id=st.none() | NAMES, operation_id=st.none() | NAMES,
    opened_at=A_TIME, answer=st.none() | NAMES, reason=st.text(), closed_at=st.none() | A_TIME,
)  # fmt: skip
CHANGES = st.builds(
    Change,
    record_id=st.uuids().map(str), generation=st.integers(0, 2**40), field=NAMES, old=ANY_JSON,
    new=ANY_JSON, lost=ANY_JSON, lost_by=NAMES, stamp=st.integers(0, 2**40), connection=NAMES,
    rule=NAMES, policy=NAMES, author=NAMES, at=A_TIME,
)  # fmt: skip
SOME = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


# What goes in comes out


@SOME
@given(link=LINKS, operation=OPERATIONS, record=RECORDS, case=CASES, change=CHANGES)
def test_what_is_added_is_read_back(
    engine: Engine,
    link: Link,
    operation: Operation,
    record: Record,
    case: Case,
    change: Change,
) -> None:
    """Every value comes back equal, whatever JSON a vendor puts into it."""
    empty(engine)
    ledger = SqlLedger(engine)
    fill(ledger, link, operation, record, case)
    with ledger.write() as tx:
        tx.add_history([change])
    with ledger.read() as tx:
        assert tx.links([link.id, "unknown"]) == {link.id: link}
        assert tx.operations([operation.id, "unknown"]) == {operation.id: operation}
        assert tx.records([record.id, "unknown"]) == {record.id: record}
        assert tx.cases(ids=[case.id], open_only=False) == [case]
        assert tx.history(change.record_id) == [change]


@SOME
@given(link=LINKS, operation=OPERATIONS, record=RECORDS, case=CASES)
def test_what_is_saved_is_read_back(
    engine: Engine, link: Link, operation: Operation, record: Record, case: Case
) -> None:
    """Saving writes every column."""
    empty(engine)
    ledger = SqlLedger(engine)
    fill(ledger, a_link(link.id), an_operation(operation.id), Record(record.id, "person", {}))
    fill(ledger, a_case(case.id))
    with ledger.write() as tx:
        tx.save_links([link])
        tx.save_operations([operation])
        tx.save_records([record])
        tx.save_cases([case])
    with ledger.read() as tx:
        assert tx.links([link.id]) == {link.id: link}
        assert tx.operations([operation.id]) == {operation.id: operation}
        assert tx.records([record.id]) == {record.id: record}
        assert tx.cases([case.id], open_only=False) == [case]


def test_saving_what_is_gone_is_a_lost_race(ledger: Ledger) -> None:
    """A write that finds no row is told, not swallowed."""
    with pytest.raises(LostRace, match="1 of 1 links are gone"), ledger.write() as tx:
        tx.save_links([a_link("l1")])


def test_an_exception_takes_everything_back(ledger: Ledger) -> None:
    """A transaction that breaks off leaves nothing behind."""
    fill(ledger, a_link("l1"))
    with pytest.raises(LostRace):
        fill(ledger, a_link("l0"), an_operation("o1", "l"), an_operation("o2", "l"))
    with ledger.read() as tx:
        assert [link.id for link in tx.select_links()] == ["l1"]


def test_a_read_transaction_cannot_write(ledger: Ledger) -> None:
    """Writing in a snapshot fails instead of being lost."""
    with pytest.raises(DBAPIError), ledger.read() as tx:
        tx.add_links([a_link("l1")])
    fill(ledger, a_link("l1"))


def test_a_read_is_one_snapshot(shared: Engine) -> None:
    """What another process commits meanwhile is not seen before the next read."""
    reader, writer = SqlLedger(shared), SqlLedger(make_engine(url_of(shared)))
    with reader.read() as tx:
        assert tx.select_links() == []
        fill(writer, a_link("l1"))
        assert tx.select_links() == []
    with reader.read() as tx:
        assert len(tx.select_links()) == 1


def test_a_restart_forgets_nothing(shared: Engine) -> None:
    """A new process finds links, leases, cursors and the counter of events as they were."""
    ledger = SqlLedger(shared)
    fill(ledger, a_link("l1", dirty=1))
    state = ResourceState("hakuna", "users", cursor="c", rows=7)
    with ledger.write() as tx:
        first = tx.add_events([an_event("e1")])
        tx.claim_links("reconcile", NOW, 20, 9)
        tx.save_resource(state)
    shared.dispose()
    with SqlLedger(make_engine(url_of(shared))).write() as tx:
        assert tx.links(["l1"]) == {"l1": a_link("l1", dirty=1)}
        assert tx.claim_links("reconcile", NOW + 1, 20, 9) == []
        assert tx.resource("hakuna", "users") == state
        assert tx.add_events([an_event("e1"), an_event("e2")]) > [None, first[0]]


# Links


def test_links_are_found_by_external_id(ledger: Ledger) -> None:
    """An external id names one link per entity; others are left out."""
    mine, other = a_link("l1"), replace(a_link("l2", external_id="x-l1"), entity="absence")
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


def test_linked_ids_go_on_after_one(ledger: Ledger) -> None:
    """External ids come in binary order, in slices that add up to all linked and left ones."""
    names = ["B", "a", "a-b", "aa", "é"]
    fill(ledger, *[a_link(name, f"r-{name}", external_id=name) for name in names])
    fill(ledger, a_link("l8", "r8", state=LinkState.MISSING), a_link("l9"))
    fill(ledger, a_link("left", "r10", state=LinkState.LEFT, external_id="z"))
    with ledger.read() as tx:
        assert tx.linked_ids("hakuna", "users") == ["B", "a", "a-b", "aa", "z", "é"]
        assert tx.linked_ids("hakuna", "users", after="a", limit=2) == ["a-b", "aa"]
        assert tx.linked_ids("hakuna", "tasks") == []


def test_touching_moves_the_time_of_reading_alone(ledger: Ledger) -> None:
    """An unchanged row costs its link no version and ends its nomination."""
    fill(ledger, a_link("l1", nominated_at=NOW), a_link("l2", nominated_at=NOW))
    with ledger.write() as tx:
        tx.touch_links(["l1"], NOW + 5)
        assert tx.links(["l1"])["l1"] == a_link("l1", read_at=NOW + 5)
        assert tx.links(["l2"])["l2"].nominated_at == NOW


def test_removed_links_are_gone(ledger: Ledger) -> None:
    """Removing deletes the named links and no other."""
    fill(ledger, a_link("l1"), a_link("l2"))
    with ledger.write() as tx:
        tx.remove_links(["l1"])
        assert [link.id for link in tx.select_links()] == ["l2"]


def test_unseen_links_have_a_row_that_was_read_before(ledger: Ledger) -> None:
    """A scan nominates links with a row not read since it began, below its parent alone."""
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
    wait = Wait("ref:hakuna/users/7", "anna in hakuna")
    fill(
        ledger,
        a_link("l1", "r1"),
        a_link("l2", "r1", state=LinkState.GONE),
        a_link("l3", "r2", wait=wait),
        replace(a_link("l4", "r3"), connection="haekka"),
        a_link("l5"),
    )
    steps: list[tuple[Callable[[Transaction], object], set[str]]] = [
        (lambda tx: tx.dirty_links(["l5", "l1"]), {"l1", "l5"}),
        (lambda tx: tx.dirty_records(["r1", "r3"], but=["l2"]), {"l1", "l4"}),
        (lambda tx: tx.dirty_records(["r1"]), {"l1", "l2"}),
        (lambda tx: tx.dirty_waiting(["ref:hakuna/users/7", "rec:r9@hakuna"]), {"l3"}),
        (lambda tx: tx.take_keys([key(KeyKind.USES, "r2", "r9", scope="manager")]), set()),
        (lambda tx: tx.dirty_users(["r9"]), {"l3"}),
        (lambda tx: tx.dirty_entity("person", "haekka"), {"l4"}),
        (lambda tx: tx.dirty_entity("person"), {"l1", "l2", "l3", "l4"}),
        (lambda tx: tx.dirty_entity("absence"), set()),
    ]
    for step, touched in steps:
        before = dirt(ledger)
        with ledger.write() as tx:
            step(tx)
        after = dirt(ledger)
        assert {
            id_: n - before.get(id_, 0) for id_, n in after.items() if n != before.get(id_)
        } == (dict.fromkeys(touched, 1))


def test_dirtying_an_entity_counts(ledger: Ledger) -> None:
    """It says how many tied links it reached."""
    fill(ledger, a_link("l1", "r1"), a_link("l2", "r2"), a_link("l3"))
    with ledger.write() as tx:
        assert tx.dirty_entity("person") == 2


def test_claims_take_what_is_due(ledger: Ledger) -> None:
    """Refresh takes what needs a read, reconcile what is dirty and does not; never busy or leased ones."""
    fill(
        ledger,
        a_link("l1", dirty=1),
        a_link("l2", dirty=1, need_get=True),
        a_link("l3", need_get=True, external_id=None),
        a_link("l4", dirty=1),
        a_link("l5"),
        an_operation("o1", "l4"),
    )
    with ledger.write() as tx:
        assert tx.claim_links("refresh", NOW, 20, 9) == ["l2"]
        assert tx.claim_links("reconcile", NOW, 20, 9) == ["l1"]
        assert tx.claim_links("reconcile", NOW + 19, 20, 9) == []
        assert tx.claim_links("reconcile", NOW + 21, 20, 9) == ["l1"]
        tx.release_links(["l1"])
        assert tx.claim_links("reconcile", NOW + 21, 20, 9) == ["l1"]
        with pytest.raises(Bug):
            tx.claim_links("dispatch", NOW, 20, 9)


def test_claims_may_be_narrowed(ledger: Ledger) -> None:
    """Ids, entity, connections and the limit each narrow a claim, in the order of ids."""
    for number in range(6):
        place = {"connection": "haekka"} if number % 2 else {}
        fill(ledger, replace(a_link(f"l{number}", dirty=1), **place))
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
            assert tx.claim_links("reconcile", NOW, 20, **{"limit": 9, **narrow}) == claimed


def test_a_batch_has_one_link_per_record(ledger: Ledger) -> None:
    """Of two due links of a record the first is claimed; the other when that one is leased or clean."""
    gone = {"state": LinkState.GONE, "dirty": 1}
    fill(
        ledger, a_link("l1", "r1", dirty=1), a_link("l2", "r1", **gone), a_link("l3", "r2", **gone)
    )
    with ledger.write() as tx:
        assert tx.claim_links("reconcile", NOW, 20, 9) == ["l1", "l3"]
        assert tx.claim_links("reconcile", NOW, 20, 9) == ["l2"]


def test_saving_a_link_keeps_its_lease(ledger: Ledger) -> None:
    """Only claiming and releasing move leases."""
    fill(ledger, a_link("l1", dirty=1))
    with ledger.write() as tx:
        tx.claim_links("reconcile", NOW, 20, 9)
        tx.save_links([a_link("l1", dirty=5)])
        assert tx.claim_links("reconcile", NOW, 20, 9) == []


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
        replace(a_link("l4", "r4", external_id="x-l1"), entity="absence"),
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
        replace(a_link("l2", "r1", state=LinkState.LEFT), connection="haekka"),
        replace(a_link("l3", "r1", state=LinkState.GONE), connection="weekly10"),
        a_link("l4", "r2", state=LinkState.CREATING, external_id=None),
    )
    with ledger.read() as tx:
        assert tx.externals(["r1", "r2"]) == {("r1", "hakuna"): "x-l1", ("r1", "haekka"): "x-l2"}
        assert tx.live_links("person", "hakuna") == 1


def test_links_can_be_looked_at(ledger: Ledger) -> None:
    """Screens get links as asked, counts per state, what waits and what is left to do."""
    fill(
        ledger,
        a_link("l1", dirty=1),
        a_link("l2", row=None, need_get=True),
        a_link("l3", "r1", dirty=1, wait=Wait("", "a value")),
        a_link("l4", "r2"),
        an_operation("o1", "l3"),
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
        assert tx.unsorted_links(*HAKUNA) == 1
        assert [link.id for link in tx.waiting_links(1)] == ["l3"]
        assert tx.dirty_count() == 2


# Records and keys


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
        assert tx.bearers([theirs]) == {("record", "person:0", ("anna",)): ["r1"]}
        tx.drop_keys("record", ["r1"])
        assert tx.take_keys([theirs, mine]) == {mine}


def test_other_keys_are_borne_by_many(ledger: Ledger) -> None:
    """Shared, row and uses keys are found with all of their owners; kinds and scopes do not mix."""
    rows = [key(KeyKind.ROW, owner, "anna", 7) for owner in ("l2", "l1")]
    with ledger.write() as tx:
        assert tx.take_keys([*rows, key(KeyKind.SHARED, "r1", "anna", 7)]) == set()
        assert tx.bearers([rows[0], key(KeyKind.ROW, "", "anna", "7")]) == {
            ("row", "person:0", ("anna", 7)): ["l1", "l2"]
        }
        tx.drop_keys("row", ["l1", "r1"])
        assert tx.bearers(rows)["row", "person:0", ("anna", 7)] == ["l2"]


def test_derivations_are_due_until_done(ledger: Ledger) -> None:
    """A record that moves while it is looked at stays due."""
    fill(ledger, Record("r1", "person", {}), Record("r2", "person", {}))
    with ledger.write() as tx:
        tx.derive_due(["r1", "r2"])
        tx.derive_due(["r2"])
        due = tx.derivations_due(9)
        assert due == {"r1": 1, "r2": 2}
        assert tx.derivations_due(1) == {"r1": 1}
        tx.derive_due(["r2"])
        tx.save_records([Record("r2", "person", {"a": 1})])
        tx.derivations_done(due)
        assert tx.derivations_due(9) == {"r2": 1}


# Operations


def test_operations_are_claimed_when_due(ledger: Ledger) -> None:
    """A claim takes pending ones whose time has come, earliest first, and marks them as its own."""
    fill(
        ledger,
        an_operation("o1", next_at=NOW, attempts=2),
        an_operation("o2", next_at=NOW - 1),
        an_operation("o3", next_at=NOW + 1),
        an_operation("o4", connection="haekka"),
        an_operation("o5", state=OperationState.UNKNOWN),
    )
    with ledger.write() as tx:
        assert tx.claim_operations(NOW, 20, 9, ["hakuna"], ids=["o3"]) == []
        first, second = tx.claim_operations(NOW, 20, 9, ["hakuna"])
        assert (first.id, second.id, second.attempts) == ("o2", "o1", 3)
        assert second.state is OperationState.CLAIMED
        assert second.lease_until == NOW + 20
        assert tx.operations(["o1"]) == {"o1": second}
        (other,) = tx.claim_operations(NOW, 20, 9, ["haekka"])
        assert other.token not in (None, second.token)


def test_expired_claims_are_found(ledger: Ledger) -> None:
    """A claim whose lease is over is found, one that runs is not."""
    claimed = {"state": OperationState.CLAIMED}
    fill(ledger, an_operation("o1", lease_until=NOW, **claimed))
    fill(ledger, an_operation("o2", lease_until=NOW + 1, **claimed), an_operation("o3"))
    with ledger.write() as tx:
        assert [operation.id for operation in tx.expired_claims(NOW, 9)] == ["o1"]


def test_probes_are_claimed_when_due(ledger: Ledger) -> None:
    """A probe moves on and leaves the lease of the sending as it was."""
    unknown = {"state": OperationState.UNKNOWN, "lease_until": NOW - 9}
    fill(ledger, an_operation("o1", next_at=NOW, **unknown), an_operation("o2"))
    with ledger.write() as tx:
        assert tx.claim_probes(NOW, 20, 9, ["haekka"]) == []
        (probe,) = tx.claim_probes(NOW, 20, 9, ["hakuna"])
        assert probe == an_operation("o1", next_at=NOW + 20, **unknown)
        assert tx.operations(["o1"]) == {"o1": probe}
        assert tx.claim_probes(NOW + 19, 20, 9, ["hakuna"]) == []


def test_the_next_due_time(ledger: Ledger) -> None:
    """It is the earliest retry, probe or end of a lease of what is not settled."""
    with ledger.read() as tx:
        assert tx.next_due() is None
    fill(
        ledger,
        an_operation("o1", next_at=NOW + 9),
        an_operation("o2", next_at=1, lease_until=NOW + 5, state=OperationState.CLAIMED),
        an_operation("o3", next_at=NOW + 7, lease_until=1, state=OperationState.UNKNOWN),
        an_operation("o4", next_at=1, state=OperationState.REJECTED),
    )
    with ledger.read() as tx:
        assert tx.next_due() == NOW + 5


def test_unsettled_operations_by_link(ledger: Ledger) -> None:
    """A link has at most one, and settled ones do not count."""
    unknown = an_operation("o1", "l1", state=OperationState.UNKNOWN)
    fill(ledger, unknown, an_operation("o2", "l2", state=OperationState.STALE))
    with ledger.read() as tx:
        assert tx.unsettled(["l1", "l2"]) == {"l1": unknown}


def test_the_newest_create_of_an_external_id(ledger: Ledger) -> None:
    """Of several creates for an id the newest counts, settled or not."""
    create = {"action": Action.CREATE, "external_id": "7", "state": OperationState.APPLIED}
    newest = an_operation("o1", created_at=NOW, **create)
    fill(ledger, newest, an_operation("o2", created_at=NOW - 1, **create))
    fill(ledger, an_operation("o3", external_id="7", created_at=NOW + 1))
    with ledger.read() as tx:
        assert tx.creates("hakuna", "users", ["7", "8"]) == {"7": newest}


def test_writes_are_counted_by_what_they_do(ledger: Ledger) -> None:
    """A leaving write counts as a delete, a cancelled one not at all."""
    fill(
        ledger,
        an_operation("o1", created_at=NOW),
        an_operation("o2", created_at=NOW, leave=True),
        an_operation("o3", created_at=NOW, action=Action.DELETE),
        an_operation("o4", created_at=NOW, action=Action.CREATE, state=OperationState.CANCELLED),
        an_operation("o5", created_at=NOW - 1),
    )
    with ledger.read() as tx:
        assert tx.written_since("person", "hakuna", NOW) == {"create": 0, "update": 1, "delete": 2}


def test_operations_can_be_looked_at(ledger: Ledger) -> None:
    """Screens get operations as asked, newest first, and counts."""
    fill(
        ledger,
        an_operation("o1", "l1", created_at=NOW - 1),
        an_operation("o2", "l1", created_at=NOW, state=OperationState.APPLIED),
        an_operation("o3", "l3", created_at=NOW, record_id="r3"),
    )
    with ledger.read() as tx:
        assert [o.id for o in tx.select_operations()] == ["o3", "o2", "o1"]
        assert [o.id for o in tx.select_operations(link_id="l1", limit=1)] == ["o2"]
        assert [o.id for o in tx.select_operations(["pending"], "hakuna", record_id="r1")] == ["o1"]
        assert tx.count_operations() == {
            ("hakuna", "update", "pending"): 2,
            ("hakuna", "update", "applied"): 1,
        }


# Events, cases, history


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
        tx.dissolve_cases(["s", "other"], 3.0)
        assert tx.cases() == []
        (closed,) = tx.cases(open_only=False)
        assert (closed.answer, closed.closed_at) == ("dissolved", 3.0)
        tx.raise_cases([newer])
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
        tx.add_history([Change("r1", n, "name", old=n, new=n + 1) for n in (3, 1, 2)])
        tx.add_history([Change("r2", 1, "name")])
        assert [change.generation for change in tx.history("r1")] == [3, 1, 2]


# Connections


def test_states_are_fresh_until_saved(ledger: Ledger) -> None:
    """An unknown connection or resource starts from its defaults; the last save counts."""
    state = ConnectionState("hakuna", paused="moving house", blocked_until=NOW, failures=2)
    cursor = ResourceState("hakuna", "users", cursor="c", polled_at=NOW, progress="p", fault="503")
    with ledger.write() as tx:
        assert tx.connection("hakuna", lock=True) == ConnectionState("hakuna")
        assert tx.resource("hakuna", "users") == ResourceState("hakuna", "users")
        tx.save_connection(ConnectionState("hakuna"))
        tx.save_connection(state)
        tx.save_resource(cursor)
    with ledger.read() as tx:
        assert tx.connection("hakuna") == state
        assert tx.resource("hakuna", "users") == cursor
        assert tx.connection("haekka") == ConnectionState("haekka")


def test_slots_are_held_renewed_and_given_back(ledger: Ledger) -> None:
    """There are as many as the connection has; a holder that dies loses them when its time is over."""
    with ledger.write() as tx:
        assert tx.take_slots("hakuna", 2, 3, "one", NOW, NOW + 20) == 2
        assert tx.take_slots("hakuna", 2, 3, "two", NOW, NOW + 20) == 1
        assert tx.take_slots("hakuna", 1, 3, "three", NOW, NOW + 20) == 0
        assert tx.take_slots("haekka", 1, 1, "three", NOW, NOW + 20) == 1
        tx.free_slots("two")
        assert tx.take_slots("hakuna", 9, 3, "three", NOW, NOW + 20) == 1
        tx.renew_slots("one", NOW + 40)
        assert tx.take_slots("hakuna", 9, 3, "four", NOW + 21, NOW + 40) == 1
        assert tx.take_slots("hakuna", 9, 3, "five", NOW + 41, NOW + 60) == 3


def test_calls_are_spread_over_the_period(ledger: Ledger) -> None:
    """A tenth may come at once, then it is told when to come back; connections do not share."""
    with ledger.write() as tx:
        assert tx.take_calls("hakuna", 50, 100, 60.0, NOW)[0] == 10
        granted, at = tx.take_calls("hakuna", 1, 100, 60.0, NOW)
        assert (granted, at) == (0, pytest.approx(NOW + 60 / 90, abs=1e-3))
        assert tx.take_calls("haekka", 1, 100, 60.0, NOW)[0] == 1
        assert tx.take_calls("hakuna", 5, 100, 60.0, at)[0] == 1


# Several at once


def _in_processes(engine: Engine, work: Callable[..., None], count: int) -> list[Any]:
    told: SimpleQueue[Any] = fork.SimpleQueue()
    workers = [
        fork.Process(target=work, args=(url_of(engine), told, number)) for number in range(count)
    ]
    for worker in workers:
        worker.start()
    answers = [told.get() for _ in workers]
    for worker in workers:
        worker.join()
    return answers


def _claim_all(url: str, told: SimpleQueue[Any], _number: int) -> None:
    ledger, claimed = SqlLedger(make_engine(url)), list[str]()
    while True:
        with ledger.write() as tx:
            batch = tx.claim_links("reconcile", NOW, 20, 10)
            operations = tx.claim_operations(NOW, 20, 10, ["hakuna"])
        claimed += batch + [operation.id for operation in operations]
        if not batch and not operations:
            return told.put(claimed)


def test_processes_claim_apart(shared: Engine) -> None:
    """Two processes never claim the same link or operation, and together they claim all."""
    fill(SqlLedger(shared), *[a_link(f"l{n:03}", dirty=1) for n in range(150)])
    fill(SqlLedger(shared), *[an_operation(f"o{n:03}") for n in range(150)])
    one, other = _in_processes(shared, _claim_all, 2)
    missed = 300 - len(one) - len(other)
    assert len({*one, *other}) == len(one) + len(other)
    # What the other one holds locked is passed over, and left to a later claim.
    assert missed == 0 or shared.dialect.name == "postgresql"


def _grow(url: str, told: SimpleQueue[Any], number: int) -> None:
    ledger = SqlLedger(make_engine(url))
    for _ in range(15):
        with ledger.write() as tx:
            record = tx.records(["r1"], lock=True)["r1"]
            tx.save_records([replace(record, generation=record.generation + 1)])
            state = tx.connection("hakuna", lock=True)
            tx.save_connection(replace(state, failures=state.failures + 1))
    told.put(number)


def test_a_locked_read_makes_compare_and_set(shared: Engine) -> None:
    """Of many processes that read with a lock and write, none overwrites another, the first time too."""
    fill(SqlLedger(shared), Record("r1", "person", {}))
    _in_processes(shared, _grow, 3)
    with SqlLedger(shared).read() as tx:
        assert tx.records(["r1"])["r1"].generation == 46
        assert tx.connection("hakuna").failures == 45


def _take(url: str, told: SimpleQueue[Any], number: int) -> None:
    with SqlLedger(make_engine(url)).write() as tx:
        slots = tx.take_slots("hakuna", 3, 7, f"holder {number}", NOW, NOW + 20)
        calls, _ = tx.take_calls("hakuna", 3, 70, 60.0, NOW)
        lost = tx.take_keys([key(KeyKind.RECORD, f"r{number}", "anna")])
        known = tx.add_events([an_event("e1")])
    told.put((slots, calls, len(lost), known[0] is None))


def test_processes_share_what_there_is_once(shared: Engine) -> None:
    """Four processes at once never hold more slots, calls, unique keys or events than there are."""
    slots, calls, lost, known = zip(*_in_processes(shared, _take, 4), strict=True)
    assert sum(slots) <= 7
    assert sum(calls) == 7
    assert sum(lost) == 3
    assert sum(known) == 3


def test_a_deadlock_is_a_lost_race(postgres: str) -> None:
    """Of two that wait for each other one is told to read again, the other goes on."""
    engines = [make_engine(postgres) for _ in range(2)]
    empty(engines[0])
    fill(SqlLedger(engines[0]), Record("r1", "person", {}), Record("r2", "person", {}))
    met, lost = Barrier(2), list[str]()

    def cross(engine: Engine, first: str, second: str) -> None:
        try:
            with SqlLedger(engine).write() as tx:
                tx.records([first], lock=True)
                met.wait(5)
                tx.records([second], lock=True)
        except LostRace as error:
            lost.append(str(error))

    ways: Sequence[tuple[str, str]] = [("r1", "r2"), ("r2", "r1")]
    threads = [Thread(target=cross, args=(e, *way)) for e, way in zip(engines, ways, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert lost == ["a deadlock; read again and decide anew"]


# Cost


def _bulk(count: int) -> dict[str, Callable[[Transaction], object]]:
    """Every bulk method on ``count`` things."""
    ids = [f"i{n:04}" for n in range(count)]
    links = [a_link(id_, f"r-{id_}") for id_ in ids]
    records = [Record(id_, "person", {}) for id_ in ids]
    operations = [an_operation(id_) for id_ in ids]
    keys = [key(KeyKind.RECORD, id_, id_) for id_ in ids]
    cases = [a_case(id_) for id_ in ids]
    return {
        "add_links": lambda tx: tx.add_links(links),
        "save_links": lambda tx: tx.save_links(links),
        "links": lambda tx: tx.links(ids, lock=True),
        "links_at": lambda tx: tx.links_at(*HAKUNA, ids),
        "links_of": lambda tx: tx.links_of(ids),
        "touch_links": lambda tx: tx.touch_links(ids, NOW),
        "dirty_links": lambda tx: tx.dirty_links(ids),
        "dirty_records": lambda tx: tx.dirty_records(ids, but=ids),
        "dirty_users": lambda tx: tx.dirty_users(ids),
        "dirty_waiting": lambda tx: tx.dirty_waiting(ids),
        "claim_links": lambda tx: tx.claim_links("reconcile", NOW, 20, count, ids=ids),
        "release_links": lambda tx: tx.release_links(ids),
        "ties": lambda tx: tx.ties([(*HAKUNA, id_) for id_ in ids]),
        "externals": lambda tx: tx.externals(ids),
        "remove_links": lambda tx: tx.remove_links(ids),
        "add_records": lambda tx: tx.add_records(records),
        "save_records": lambda tx: tx.save_records(records),
        "records": lambda tx: tx.records(ids),
        "derive_due": lambda tx: tx.derive_due(ids),
        "derivations_done": lambda tx: tx.derivations_done(dict.fromkeys(ids, 1)),
        "take_keys": lambda tx: tx.take_keys(keys),
        "bearers": lambda tx: tx.bearers(keys),
        "drop_keys": lambda tx: tx.drop_keys("record", ids),
        "add_operations": lambda tx: tx.add_operations(operations),
        "operations": lambda tx: tx.operations(ids),
        "unsettled": lambda tx: tx.unsettled(ids),
        "claim_operations": lambda tx: tx.claim_operations(NOW, 20, count, ["hakuna"], ids),
        "save_operations": lambda tx: tx.save_operations(operations),
        "creates": lambda tx: tx.creates("hakuna", "users", ids),
        "add_events": lambda tx: tx.add_events([an_event(id_) for id_ in ids]),
        "raise_cases": lambda tx: tx.raise_cases(cases),
        "save_cases": lambda tx: tx.save_cases(cases),
        "cases": lambda tx: tx.cases(ids, subjects=ids),
        "dissolve_cases": lambda tx: tx.dissolve_cases(ids, NOW),
        "add_history": lambda tx: tx.add_history([Change(id_, 1, "name") for id_ in ids]),
    }


def test_a_batch_costs_as_many_statements_as_one(engine: Engine) -> None:
    """The number of statements of every method is the same for one thing and for hundreds."""
    ledger, statements = SqlLedger(engine), list[str]()
    event.listen(
        engine, "before_cursor_execute", lambda _c, _k, statement, *_: statements.append(statement)
    )
    costs = []
    for count in (1, 700):
        cost = {}
        for name, call in _bulk(count).items():
            statements.clear()
            with ledger.write() as tx:
                call(tx)
            cost[name] = len(statements)
        costs.append(cost)
        empty(engine)
    assert costs[0] == costs[1]
    assert max(costs[0].values()) <= 2


def test_nothing_costs_nothing_and_changes_nothing(ledger: Ledger) -> None:
    """Every bulk method takes an empty batch."""
    fill(ledger, a_link("l1", dirty=1), Record("r1", "person", {}))
    with ledger.write() as tx:
        for call in _bulk(0).values():
            assert not call(tx)
        assert tx.links(["l1"]) == {"l1": a_link("l1", dirty=1)}


# Encryption

NAME, SALARY = "Annabella", 98765.25
KEYS = [Fernet.generate_key().decode() for _ in range(2)]


def _fill_with_secrets(ledger: Ledger) -> None:
    told = {"name": NAME, "salary": SALARY}
    link = a_link("l1", "r1", row=told, noted=told, base=Base(told, told))
    operation = an_operation("o1", body=told, carried=told, expected=told, detail=NAME)
    case = replace(a_case("c1", evidence=told, answers={"yes": NAME}, reason=NAME), question=NAME)
    fill(ledger, link, operation, case, Record("r1", "person", told))
    with ledger.write() as tx:
        tx.take_keys([key(KeyKind.RECORD, "r1", NAME), key(KeyKind.ROW, "l1", NAME, SALARY)])
        tx.add_history([Change("r1", 1, "name", NAME, told, NAME)])
        tx.save_cases([case])


def _everything(engine: Engine) -> str:
    """All that is stored, as text: the tables, and the files where there are any."""
    with engine.begin() as connection:
        rows = [
            str(tuple(row))
            for table in metadata.sorted_tables
            for row in connection.execute(text(f'SELECT * FROM "{table.name}"'))
        ]
    path = engine.url.database or ""
    files = [Path(path + end) for end in ("", "-wal") if engine.dialect.name == "sqlite"]
    return "\n".join(
        [*rows, *(file.read_bytes().decode("latin-1") for file in files if file.is_file())]
    )


@pytest.mark.parametrize("keys", [(), (KEYS[0],)])
def test_nothing_personal_is_readable_at_rest(engine: Engine, keys: tuple[str, ...]) -> None:
    """With a key neither names nor salaries are in the database; without one they are."""
    _fill_with_secrets(SqlLedger(engine, keys))
    stored = _everything(engine)
    assert (NAME in stored, str(SALARY) in stored) == (not keys, not keys)


def test_a_rotation_loses_neither_values_nor_keys(engine: Engine) -> None:
    """After a new key was put in front, old values are read, old keys found, and both may be written."""
    _fill_with_secrets(SqlLedger(engine, KEYS[1:]))
    with SqlLedger(engine, KEYS).write() as tx:
        record = tx.records(["r1"])["r1"]
        assert record.values == {"name": NAME, "salary": SALARY}
        assert tx.take_keys([key(KeyKind.RECORD, "r2", NAME)])
        tx.save_records([record])
    with SqlLedger(engine, KEYS[:1]).read() as tx:
        assert tx.records(["r1"]) == {"r1": record}
        with pytest.raises(ConfigInvalid, match="SYNCENGINE_ENCRYPTION_KEYS"):
            tx.links(["l1"])
