"""Several processes on one ledger."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing.queues import SimpleQueue
from threading import Barrier, Thread
from typing import Any

from sqlalchemy import Engine

from syncengine.errors import LostRace
from syncengine.ledger import Ledger
from syncengine.ledger.engine import make_engine
from syncengine.model.changeset import Changeset
from syncengine.model.key import KeyKind
from syncengine.model.record import Record
from tests.contract.ledger.samples import (
    NOW,
    a_link,
    an_event,
    an_operation,
    fill,
    key,
    url_of,
)
from tests.support.databases import empty

fork = multiprocessing.get_context("fork")


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
    ledger, claimed = Ledger(make_engine(url)), list[str]()
    while True:
        with ledger.write() as tx:
            batch = tx.claim_links("reconcile", NOW, 20, 10)
            operations = tx.claim_operations(NOW, 20, 10, ["hakuna"])
        claimed += [k.id for k in batch] + [operation.id for operation in operations]
        if not batch and not operations:
            return told.put(claimed)


def test_processes_claim_apart(database: Engine) -> None:
    """Two processes never claim the same link or operation, and together they claim all."""
    fill(Ledger(database), *[a_link(f"l{n:03}", dirty=1) for n in range(150)])
    fill(Ledger(database), *[an_operation(f"o{n:03}") for n in range(150)])
    one, other = _in_processes(database, _claim_all, 2)
    missed = 300 - len(one) - len(other)
    assert len({*one, *other}) == len(one) + len(other)
    # What the other one holds locked is passed over, and left to a later claim.
    assert missed == 0 or database.dialect.name == "postgresql"


def _grow(url: str, told: SimpleQueue[Any], number: int) -> None:
    ledger = Ledger(make_engine(url))
    for _ in range(15):
        with ledger.write() as tx:
            record = tx.records(["r1"], lock=True)["r1"]
            tx.write(Changeset(records=[replace(record, generation=record.generation + 1)]))
            state = tx.connection("hakuna", lock=True)
            tx.write(Changeset(connections=[replace(state, failures=state.failures + 1)]))
    told.put(number)


def test_a_locked_read_makes_compare_and_set(database: Engine) -> None:
    """Of many processes that read with a lock and write, none overwrites another, the first time too."""
    fill(Ledger(database), Record("r1", "person", {}))
    _in_processes(database, _grow, 3)
    with Ledger(database).read() as tx:
        assert tx.records(["r1"])["r1"].generation == 46
        assert tx.connection("hakuna").failures == 45


def _take(url: str, told: SimpleQueue[Any], number: int) -> None:
    with Ledger(make_engine(url)).write() as tx:
        slots = tx.take_slots("hakuna", 3, 7, f"holder {number}", NOW, NOW + 20)
        calls, _ = tx.take_calls("hakuna", 3, 70, 60.0, NOW)
        lost = tx.take_keys([key(KeyKind.RECORD, f"r{number}", "anna")])
        known = tx.add_events([an_event("e1")])
    told.put((slots, calls, len(lost), known[0] is None))


def test_processes_share_what_there_is_once(database: Engine) -> None:
    """Four processes at once never hold more slots, calls, unique keys or events than there are."""
    slots, calls, lost, known = zip(*_in_processes(database, _take, 4), strict=True)
    assert sum(slots) <= 7
    assert sum(calls) == 7
    assert sum(lost) == 3
    assert sum(known) == 3


def test_a_deadlock_is_a_lost_race(postgres: str) -> None:
    """Of two that wait for each other one is told to read again, the other goes on."""
    engines = [make_engine(postgres) for _ in range(2)]
    empty(engines[0])
    fill(Ledger(engines[0]), Record("r1", "person", {}), Record("r2", "person", {}))
    met, lost = Barrier(2), list[str]()

    def cross(engine: Engine, first: str, second: str) -> None:
        try:
            with Ledger(engine).write() as tx:
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


def _remember(url: str, told: SimpleQueue[Any], number: int) -> None:
    ledger, mine = Ledger(make_engine(url)), list[int]()
    for seal in range(40):
        while True:
            try:
                with ledger.write() as tx:
                    first = tx.remember("seal", [seal], NOW + seal, NOW + 1000, str(number))
                break
            except LostRace:
                continue
        mine += [seal] if first == str(number) else []
    told.put(mine)


def test_one_of_many_is_remembered(database: Engine) -> None:
    """Of processes that would have the same thing be theirs, each is told alike whose it is: one has it."""
    answers = _in_processes(database, _remember, 4)
    assert sorted(seal for mine in answers for seal in mine) == list(range(40))
