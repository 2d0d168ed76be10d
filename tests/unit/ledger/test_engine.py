"""Engines: what kind, how they wait, and what a fork does to them."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from syncengine.errors import ConfigInvalid
from syncengine.ledger.engine import make_engine
from tests.support.databases import postgres_database

fork = multiprocessing.get_context("fork")


def _write(url: str, number: int) -> None:
    with make_engine(url).begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS t (n INTEGER)"))
        connection.execute(text(f"INSERT INTO t VALUES ({number})"))


@pytest.mark.parametrize("url", ["mysql://root@localhost/x", "nonsense", ""])
def test_other_databases_are_refused(url: str) -> None:
    """A URL of another kind raises an error that names the setting and the kinds there are."""
    with pytest.raises(ConfigInvalid, match=r"SYNCENGINE_DATABASE_URL.*sqlite.*postgresql"):
        make_engine(url)


def test_a_url_without_a_driver_takes_ours() -> None:
    """``postgresql://`` is enough."""
    assert make_engine("postgresql://u@localhost/x").url.drivername == "postgresql+psycopg"


def test_processes_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    """Whoever comes first makes the file; the others wait instead of failing."""
    url = f"sqlite:///{tmp_path}/new.db"
    writers = [fork.Process(target=_write, args=(url, number)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 4
    with make_engine(url).begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM t")).scalar() == 4


def _pid(engine: Engine) -> int:
    with engine.begin() as connection:
        return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


def test_a_child_lets_go_of_its_parents_connection() -> None:
    """A forked child with its parent's engine speaks over a connection of its own."""
    with postgres_database() as url:
        engine = make_engine(url)
        mine = _pid(engine)
        told = fork.SimpleQueue()
        child = fork.Process(target=lambda: told.put(_pid(engine)))
        child.start()
        child.join()
        assert told.get() != mine
        assert _pid(engine) == mine
        engine.dispose()


def test_memory_is_one_database_for_all_transactions() -> None:
    """An engine in memory keeps what was written, and is not shared with another engine."""
    one, other = make_engine("sqlite://"), make_engine("sqlite:///:memory:")
    with one.begin() as connection:
        connection.execute(text("CREATE TABLE t (n INTEGER)"))
    with one.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM t")).scalar() == 0
    with other.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM sqlite_master")).scalar() == 0
    assert not Path(":memory:").exists()
