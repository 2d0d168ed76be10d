"""What a batch costs."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Engine, event

from syncengine.ledger import Ledger, Transaction
from syncengine.ledger.pages import Asked
from syncengine.ledger.statements import change, drop, find, put
from syncengine.model.change import Change
from syncengine.model.changeset import Changeset, Wakes
from syncengine.model.key import KeyKind
from syncengine.model.record import Record
from tests.contract.ledger.samples import (
    HAKUNA,
    NOW,
    a_case,
    a_link,
    an_event,
    an_operation,
    fill,
    key,
)
from tests.contract.ledger.test_plans import LOOKS
from tests.support.databases import empty

_BEHIND = (NOW, "i1")
_LISTS: list[Callable[[Transaction], object]] = [
    lambda tx: tx.newest_ids(),
    lambda tx: tx.last_seen(),
    lambda tx: tx.select_history(),
    lambda tx: tx.count_untied(),
    lambda tx: tx.records_of("person", deleted=True),
    lambda tx: tx.newest_erasure(),
    lambda tx: tx.unnamed_creates("hakuna", "users"),
    lambda tx: tx.with_taken_slots(["hakuna"], NOW),
    lambda tx: tx.page_of_cases(Asked(), _BEHIND),
    lambda tx: tx.page_of_cases(Asked(closed=True), _BEHIND),
    lambda tx: tx.page_of_operations(_BEHIND),
    lambda tx: tx.remove_records(["i1"], ["i1"], ["s"]),
    lambda tx: tx.set_back(NOW, 60, 20),
]


def _of_links(ids: list[str]) -> dict[str, Callable[[Transaction], object]]:
    links = [a_link(id_, f"r-{id_}") for id_ in ids]
    return {
        "add_links": lambda tx: tx.write(Changeset(new_links=links)),
        "save_links": lambda tx: tx.write(Changeset(links=links)),
        "links": lambda tx: tx.links(ids, lock=True),
        "links_at": lambda tx: tx.links_at(*HAKUNA, ids),
        "links_of": lambda tx: tx.links_of(ids),
        "touch_links": lambda tx: tx.write(Changeset(touched=dict.fromkeys(ids, NOW))),
        "dirty_links": lambda tx: tx.write(Changeset(wakes=Wakes(links=ids))),
        "dirty_records": lambda tx: tx.write(
            Changeset(wakes=Wakes(records=dict.fromkeys(ids, frozenset(ids))))
        ),
        "dirty_users": lambda tx: tx.write(Changeset(wakes=Wakes(users=ids))),
        "dirty_sharers": lambda tx: tx.write(Changeset(wakes=Wakes(sharers=ids))),
        "dirty_waiting": lambda tx: tx.write(Changeset(wakes=Wakes(waiting=ids))),
        "claim_links": lambda tx: tx.claim_links("reconcile", NOW, 20, len(ids), ids=ids),
        "release_links": lambda tx: tx.release_links(ids),
        "ties": lambda tx: tx.ties([(*HAKUNA, id_) for id_ in ids]),
        "externals": lambda tx: tx.externals(ids),
        "remove_links": lambda tx: tx.write(Changeset(removed=ids)),
    }


def _of_records(ids: list[str]) -> dict[str, Callable[[Transaction], object]]:
    records = [Record(id_, "person", {}) for id_ in ids]
    keys = [key(KeyKind.RECORD, id_, id_) for id_ in ids]
    return {
        "add_records": lambda tx: tx.write(Changeset(new_records=records)),
        "save_records": lambda tx: tx.write(Changeset(records=records)),
        "records": lambda tx: tx.records(ids),
        "derive_due": lambda tx: tx.write(Changeset(derivations=ids)),
        "derivations_done": lambda tx: tx.derivations_done(dict.fromkeys(ids, 1)),
        "take_keys": lambda tx: tx.take_keys(keys),
        "key_owners": lambda tx: tx.key_owners(keys),
        "records_sharing": lambda tx: tx.records_sharing(ids),
        "swap_keys": lambda tx: tx.swap_keys("row", ids, []),
        "drop_keys": lambda tx: tx.write(
            Changeset(dropped_keys={("record", owner) for owner in ids})
        ),
    }


def _of_operations(ids: list[str]) -> dict[str, Callable[[Transaction], object]]:
    operations = [an_operation(id_) for id_ in ids]
    cases = [a_case(id_) for id_ in ids]
    return {
        "add_operations": lambda tx: tx.write(Changeset(new_operations=operations)),
        "operations": lambda tx: tx.operations(ids),
        "stale_creates": lambda tx: tx.stale_creates(ids),
        "unsettled": lambda tx: tx.unsettled(ids),
        "claim_operations": lambda tx: tx.claim_operations(NOW, 20, len(ids), ["hakuna"], ids),
        "save_operations": lambda tx: tx.write(Changeset(operations=operations)),
        "creates": lambda tx: tx.creates("hakuna", "users", ids),
        "add_events": lambda tx: tx.add_events([an_event(id_) for id_ in ids]),
        "raise_cases": lambda tx: tx.write(Changeset(raised=cases)),
        "save_cases": lambda tx: tx.write(Changeset(cases=cases)),
        "cases": lambda tx: tx.cases(ids, subjects=ids),
        "dissolve_cases": lambda tx: tx.write(Changeset(dissolved=dict.fromkeys(ids, NOW))),
        "add_history": lambda tx: tx.write(
            Changeset(history=[Change(id_, 1, "name") for id_ in ids])
        ),
    }


def _bulk(count: int) -> dict[str, Callable[[Transaction], object]]:
    """Every bulk method on ``count`` things."""
    ids = [f"i{n:04}" for n in range(count)]
    return _of_links(ids) | _of_records(ids) | _of_operations(ids)


def test_a_batch_costs_as_many_statements_as_one(engine: Engine) -> None:
    """The number of statements of every method is the same for one thing and for hundreds."""
    ledger, statements = Ledger(engine), list[str]()
    fill(ledger)
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
        fill(ledger)
    assert costs[0] == costs[1]
    assert max(costs[0].values()) <= 2


def test_a_statement_is_built_once(engine: Engine) -> None:
    """A second look or batch finds every statement that the first one had built, whatever its size: what is kept of
    them does not grow for as long as a worker lives."""
    built = (find, change, put, drop)
    counts = []
    for number in (1, 2, 50):
        with Ledger(engine).write() as tx:
            for call in [*_bulk(number).values(), *LOOKS.values(), *_LISTS]:
                call(tx)
        counts.append([build.cache_info().currsize for build in built])
        empty(engine)
    assert counts[0] == counts[1] == counts[2]


def test_nothing_costs_nothing_and_changes_nothing(ledger: Ledger) -> None:
    """Every bulk method takes an empty batch."""
    fill(ledger, a_link("l1", dirty=1), Record("r1", "person", {}))
    with ledger.write() as tx:
        for call in _bulk(0).values():
            assert not call(tx)
        assert tx.links(["l1"]) == {"l1": a_link("l1", dirty=1)}
