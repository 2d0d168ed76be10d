"""What is readable at rest, and what a rotation of keys leaves whole."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from syncengine.errors import ConfigInvalid, LostRace
from syncengine.ledger import Ledger
from syncengine.ledger.encryption import Vault, key_name, new_key
from syncengine.ledger.rekey import _Rekeying, counted, reseal
from syncengine.ledger.tables import metadata
from syncengine.model.changeset import Changeset
from syncengine.model.connection import ResourceState
from syncengine.model.key import KeyKind
from syncengine.model.link import Base
from syncengine.model.process import Process
from syncengine.model.record import Record
from syncengine.model.ref import Ref
from tests.contract.ledger.samples import (
    HAKUNA,
    KEYS,
    NAME,
    SALARY,
    a_link,
    an_event,
    fill,
    fill_with_secrets,
    key,
)


def _all_is_there(ledger: Ledger) -> None:
    """What ``fill_with_secrets`` has put there is found in each way in which things are looked up."""
    spoken = f"{NAME},2026-11-15,ILLNESS"
    with ledger.read() as tx:
        assert tx.records(["r1"])["r1"].values == {"name": NAME, "salary": SALARY}
        assert tx.links_at(*HAKUNA, [spoken])[spoken].row == {"name": NAME, "salary": SALARY}
        assert tx.ties([(*HAKUNA, spoken)]) == {(*HAKUNA, spoken): "r1"}
        assert tx.externals(["r1"]) == {("r1", "hakuna"): spoken}
        assert tx.unseen_since(*HAKUNA, started=9e9, parent=spoken)
        assert tx.waiting_links(key=f"ref:hakuna/users/{spoken}")
        assert tx.cases(subjects=[f"about {spoken}"])[0].question == NAME
        assert tx.events([], [Ref("hakuna", "users", spoken)])
        assert tx.history("r1")[0].new == {"name": NAME, "salary": SALARY}
        assert tx.key_owners([key(KeyKind.RECORD, "", NAME)])
        assert tx.members(names=["kim"])[0].password == NAME
        assert tx.plan_parts("p1", [""])[0].document == {"name": NAME}


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
    fill_with_secrets(Ledger(engine, keys))
    stored = _everything(engine)
    assert (NAME in stored, str(SALARY) in stored) == (not keys, not keys)


def test_a_rotation_loses_neither_values_nor_keys(engine: Engine) -> None:
    """After a new key was put in front, old values are read, old keys found, and both may be written; once all was
    sealed anew the old key is not needed any more."""
    fill_with_secrets(Ledger(engine, KEYS[1:]))
    _all_is_there(Ledger(engine, KEYS))
    with Ledger(engine, KEYS).write() as tx:
        assert tx.take_keys([key(KeyKind.RECORD, "r2", NAME)])
        tx.write(Changeset(records=list(tx.records(["r1"]).values())))
    with (
        pytest.raises(ConfigInvalid, match=rf"not in the list \({key_name(KEYS[1])}\)"),
        Ledger(engine, KEYS[:1]).read(),
    ):
        pass
    done = reseal(engine, Vault(KEYS), lambda *_: None)
    assert (done.broken, done.left) == (0, 0)
    assert set(counted(engine)) == {key_name(KEYS[0])}
    _all_is_there(Ledger(engine, KEYS[:1]))
    with Ledger(engine, KEYS[:1]).write() as tx:
        assert tx.take_keys([key(KeyKind.RECORD, "r2", NAME)])


@pytest.mark.parametrize("keys", [(), KEYS[1:]])
def test_other_keys_stop_everything(engine: Engine, keys: Sequence[str]) -> None:
    """A database of which nothing could be found or read any more is not written to."""
    fill_with_secrets(Ledger(engine, KEYS[:1]))
    with pytest.raises(ConfigInvalid, match="none of these keys opens the database"):
        fill(Ledger(engine, keys), a_link("l2"))


@pytest.mark.parametrize(
    ("begun", "writes", "lacks"),
    [
        ([], KEYS[:1], []),
        (KEYS[:1], KEYS[::-1], KEYS[:1]),
        (KEYS[:1], KEYS[::-1], KEYS[1:]),
        (KEYS[:1], KEYS[::-1], []),
    ],
    ids=["no key yet", "the new one not yet", "the old one not any more", "none"],
)
def test_whoever_lacks_a_key_is_stopped_and_breaks_nothing(
    engine: Engine, begun: list[str], writes: list[str], lacks: list[str]
) -> None:
    """A command or process that was not given a key, or lost one too early, neither reads nor takes what it cannot open
    for broken; with all keys everything is as it was. One that works already is stopped, too."""
    fill(Ledger(engine, begun), a_link("l1", "r1"))
    running = Ledger(engine, lacks)
    with suppress(ConfigInvalid), running.read() as tx:
        tx.links(["l1"])
    fill(Ledger(engine, writes), a_link("l2", "r2", base=Base({"a": 1}, {"a": 2})))
    for ledger in (Ledger(engine, lacks), running):
        with pytest.raises(ConfigInvalid, match="SYNCENGINE_ENCRYPTION_KEYS"), ledger.read() as tx:
            tx.select_links()
        with pytest.raises(ConfigInvalid, match="SYNCENGINE_ENCRYPTION_KEYS"):
            fill(ledger, a_link("l3"))
    with Ledger(engine, writes).read() as tx:
        assert tx.links(["l2"])["l2"].base == Base({"a": 1}, {"a": 2})
        assert not tx.cases()


def test_keys_that_two_processes_bring_are_both_needed(database: Engine) -> None:
    """Each notes its own beside the other's."""
    one, two, three = (new_key() for _ in range(3))
    fill(Ledger(database, [one]), a_link("l1"))
    ledgers = [Ledger(database, [two, one, three]), Ledger(database, [three, one, two])]
    for number, ledger in enumerate([*ledgers, *ledgers]):
        fill(ledger, a_link(f"m{number}"))
    for keys in ([one, two], [two, three], [one, three]):
        with pytest.raises(ConfigInvalid), Ledger(database, keys).read():
            pass
    assert set(counted(database)) == {key_name(key) for key in (one, two, three)}


def test_encryption_can_be_begun_at_any_time(engine: Engine) -> None:
    """A database begun without keys is sealed whole, in slices; afterwards nothing in the clear is taken for ours."""
    fill_with_secrets(Ledger(engine))
    ledger = Ledger(engine, KEYS[:1])
    _all_is_there(ledger)
    told: list[tuple[str, int]] = []
    done = reseal(engine, Vault(KEYS[:1]), lambda table, values: told.append((table, values)))
    assert done.values == told[-1][1] > 15
    assert NAME not in _everything(engine)
    _all_is_there(ledger)
    with engine.begin() as connection:
        connection.execute(text('UPDATE records SET "values" = \'{"name": "Eve"}\''))
    with pytest.raises(LostRace, match="not encrypted, as all others are"), ledger.read() as tx:
        tx.records(["r1"])


def test_hashes_are_renewed_whatever_else_is_kept(engine: Engine) -> None:
    """How far retention has come, and which processes run, are no hashes; what is remembered is one, and is found."""
    ledger = Ledger(engine, KEYS[:1])
    with ledger.write() as tx:
        tx.write(Changeset(resources=[ResourceState("retention:", "cases", scanned_at=5.0)]))
        tx.save_process(Process("p1", "worker", "host", 1, "d", 1.0, seen_at=5.0))
        tx.remember("unknown row", ["hr", "people", "1"], 1.0, 9.0)
    assert reseal(engine, Vault(KEYS[:1]), lambda *_: None).left == 0
    with ledger.read() as tx:
        assert tx.resource("retention:", "cases").scanned_at == 5.0
        assert [process.id for process in tx.processes()] == ["p1"]
        assert tx.remembered("unknown row", ["hr", "people", "1"], 2.0) == 9.0


def test_sealing_anew_goes_on_where_it_was_ended(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was sealed before an end is not sealed again, and the service works before, in between and after."""
    monkeypatch.setattr("syncengine.ledger.rekey.SLICE", 3)
    ledger = Ledger(engine, KEYS)
    old = Ledger(engine, KEYS[1:])
    fill(old, *(a_link(f"m{n}") for n in range(10)), *(Record(f"q{n}", "x", {}) for n in range(5)))
    fill_with_secrets(old)

    class Ended(Exception):
        """Somebody ended it."""

    def end(_: str, values: int) -> None:
        if values > 20:
            raise Ended

    with pytest.raises(Ended):
        reseal(engine, Vault(KEYS), end)
    _all_is_there(ledger)
    before = counted(engine)
    done = reseal(engine, Vault(KEYS), lambda *_: None)
    assert done.values == before[key_name(KEYS[1])]
    _all_is_there(ledger)


def test_a_process_without_the_newest_key_is_stopped(engine: Engine) -> None:
    """From the first slice on it neither reads nor writes, so that nothing is left under an old key."""
    old = Ledger(engine, KEYS[1:])
    fill_with_secrets(old)
    told = []

    def interfere(table: str, _: int) -> None:
        with pytest.raises(ConfigInvalid, match="none of these keys"):
            fill(old, a_link("late"))
        told.append(table)

    assert reseal(engine, Vault(KEYS), interfere).left == 0
    assert len(told) > 5


def test_a_kept_form_is_sealed_and_goes_when_its_time_is_over(engine: Engine) -> None:
    """It is found until then, also after everything was encrypted again."""
    ledger = Ledger(engine, KEYS)
    with ledger.write() as tx:
        tx.keep_form("browser", {"reason": "a form"}, 5.0)
        tx.keep_form("browser", {"reason": NAME}, 9.0)
        tx.keep_form("other", {}, 99.0)
    assert NAME not in _everything(engine)
    assert not reseal(engine, Vault(KEYS), lambda *_: None).left
    with Ledger(engine, KEYS).write() as tx:
        assert tx.kept_form("browser", 8.0) == {"reason": NAME}
        assert tx.kept_form("browser", 9.0) == {}
        tx.drop_forms(9.0)
        assert tx.kept_form("browser", 0.0) == {}


def test_whoever_worked_with_the_hashes_of_before_reads_again(engine: Engine) -> None:
    """A running process notices at its next transaction that hashes were renewed, and writes none of the old ones."""
    running = Ledger(engine, KEYS)
    fill_with_secrets(running)
    with running.write() as tx:
        tx.remember("notice", [NAME], 1.0, 9.0)
    assert not reseal(engine, Vault(KEYS), lambda *_: None).left
    with pytest.raises(LostRace, match="hashes were renewed"), running.write():
        pass
    with running.write() as tx:
        assert tx.take_keys([key(KeyKind.RECORD, "r2", NAME)])
        assert tx.remembered("notice", [NAME], 2.0) == 9.0
    _all_is_there(running)


def test_a_repeated_notice_is_known_after_hashes_were_renewed(engine: Engine) -> None:
    """And one whose id an earlier version has kept as it came; an id of ours is no notice."""
    ledger = Ledger(engine, KEYS)
    told = [replace(an_event(id_), source="webhook") for id_ in ("n1", "kept", "write:o1")]
    with ledger.write() as tx:
        tx.add_events([told[1], an_event("write:o1")])
        assert tx.add_notice(told[0])
    for _ in range(2):
        assert not reseal(engine, Vault(KEYS), lambda *_: None).left
        with ledger.read() as tx:
            assert len(tx.select_events()) == 3
        with ledger.write() as tx:
            assert [tx.add_notice(notice) for notice in told[:2]] == [False, False]
    with ledger.write() as tx:
        assert tx.add_notice(told[2])
        assert tx.add_notice(replace(told[0], connection="hr"))


def test_hashes_are_not_renewed_under_somebody_who_writes(database: Engine) -> None:
    """Renewing waits until whoever writes is done; readers read on."""
    running = Ledger(database, KEYS)
    fill_with_secrets(running)
    with ThreadPoolExecutor() as pool:
        with running.write():
            turned = pool.submit(_renew, database)
            assert wait([turned], timeout=0.7).not_done
            with running.read() as tx:
                assert tx.records(["r1"])
        turned.result(timeout=20)
    with pytest.raises(LostRace, match="hashes were renewed"), running.write():
        pass


def _renew(engine: Engine) -> None:
    with engine.begin() as connection:
        _Rekeying(connection, Vault(KEYS)).renew()
