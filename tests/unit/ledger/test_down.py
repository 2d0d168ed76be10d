"""A database that cannot be used: every way of it is one kind of error, which says why and what to do."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from syncengine.errors import DatabaseDown, Retry
from syncengine.ledger import Ledger
from syncengine.ledger.engine import Timeouts, make_engine, reader
from syncengine.ledger.migrations import upgrade
from syncengine.process import free_port
from tests.support.databases import POSTGRES_URL, postgres_database
from tests.support.proxy import Proxy

QUICK = Timeouts(statement=0.5, lock=0.3, connect=2)


def use(url: str) -> None:
    """Open a store as every process does, and write."""
    engine = make_engine(url, QUICK)
    try:
        upgrade(engine)
        with Ledger(engine).write() as tx:
            tx.connection("hakuna", lock=True)
    finally:
        engine.dispose()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A store in a file."""
    use(f"sqlite:///{tmp_path}/kept.db")
    return tmp_path / "kept.db"


def test_it_is_tried_again_later() -> None:
    """What meets a database that is away is tried again by itself, as with a vendor that is down."""
    assert issubclass(DatabaseDown, Retry)


def _locked(file: Path) -> str:
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    _KEPT.append(other)
    return f"sqlite:///{file}"


_KEPT: list[sqlite3.Connection] = []


def _damaged(file: Path) -> str:
    file.write_bytes(b"no database at all" * 1000)
    return f"sqlite:///{file}"


def _dropped(file: Path) -> str:
    with sqlite3.connect(file) as other:
        other.execute("DROP TABLE connections")
    return f"sqlite:///{file}"


WAYS: dict[str, tuple[Callable[[Path], str], str]] = {
    "locked": (_locked, r"kept.db locked; close what has it open"),
    "read only": (
        lambda file: f"sqlite:///file:{file}?mode=ro&uri=true",
        "may not be written; let",
    ),
    "no folder": (lambda file: f"sqlite:///{file.parent}/none/x.db", r"no folder .*none; make it"),
    "a folder": (lambda file: f"sqlite:///{file.parent}", "cannot be opened; see whether"),
    "no database": (_damaged, "no SQLite database; SYNCENGINE_DATABASE_URL"),
    "tables gone": (_dropped, "lacks tables of ours .*; .*db upgrade"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_file_that_cannot_be_used(file: Path, way: str) -> None:
    """A file that is locked, read-only, missing, damaged or empty says which and what to do, and soon."""
    make, told = WAYS[way]
    url, started = make(file), time.monotonic()
    try:
        with pytest.raises(DatabaseDown, match=told):
            use(url)
        assert time.monotonic() - started < 5
    finally:
        while _KEPT:
            _KEPT.pop().close()


def test_a_lock_that_ends_is_waited_for(file: Path) -> None:
    """Once another program lets go, work goes on with the same engine."""
    engine = make_engine(f"sqlite:///{file}", QUICK)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseDown), Ledger(engine).write():
        pass
    with Ledger(engine).read() as tx:
        assert tx.dirty_count() == 0
    other.rollback()
    other.close()
    with Ledger(engine).write() as tx:
        tx.connection("hakuna", lock=True)
    engine.dispose()


FULL = """
import resource, signal, sys
from syncengine.ledger.engine import make_engine
from syncengine.errors import DatabaseDown
from sqlalchemy import text
engine = make_engine(sys.argv[1])
with engine.begin() as c:
    c.execute(text("CREATE TABLE t (x TEXT)"))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
try:
    for _ in range(100):
        with engine.begin() as c:
            c.execute(text("INSERT INTO t VALUES (:x)"), {"x": "x" * 50_000})
except DatabaseDown as down:
    print(down)
"""


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """A write for which there is no room says so."""
    ended = subprocess.run(
        [sys.executable, "-c", FULL, f"sqlite:///{tmp_path}/full.db"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "full.db" in ended.stdout
    assert "room" in ended.stdout
    assert ended.stdout.count("\n") == 1


def test_our_own_faults_stay_what_they_are(file: Path) -> None:
    """A statement that is wrong, and a write where only reading was asked for, are no outage."""
    engine = make_engine(f"sqlite:///{file}", QUICK)
    with pytest.raises(DBAPIError, match="syntax"), engine.begin() as connection:
        connection.execute(text("SELEKT 1"))
    with pytest.raises(DBAPIError, match="readonly"), reader(engine) as connection:
        connection.execute(text("DELETE FROM links"))
    engine.dispose()


# PostgreSQL


@contextmanager
def proxied() -> Iterator[tuple[Proxy, str]]:
    """A database behind a proxy."""
    with postgres_database() as url:
        parsed = make_url(url)
        with Proxy(parsed.host or "127.0.0.1", parsed.port or 5432) as proxy:
            there = parsed.set(host="127.0.0.1", port=proxy.port)
            yield proxy, there.render_as_string(hide_password=False)


@pytest.mark.long
@pytest.mark.ci
def test_a_server_that_hangs_keeps_nobody_waiting() -> None:
    """A server that takes connections and answers nothing is told soon, in the middle of work and at its beginning;
    once it answers, work goes on with the same engine."""
    with proxied() as (proxy, url):
        use(url)
        engine = make_engine(url, QUICK)
        ledger = Ledger(engine)
        with ledger.read() as tx:
            assert tx.dirty_count() == 0
        started = time.monotonic()
        with pytest.raises(DatabaseDown, match="does not answer"), ledger.read() as tx:  # noqa: PT012
            tx.dirty_count()
            proxy.hang()
            tx.dirty_count()
        for _ in range(2):
            with pytest.raises(DatabaseDown), ledger.write():
                pass
        assert time.monotonic() - started < 12
        proxy.go_on()
        with ledger.write() as tx:
            tx.connection("hakuna", lock=True)
        engine.dispose()


def test_a_statement_that_takes_too_long_is_ended_by_the_server() -> None:
    """Whoever waits for what another session holds is told so, and his statement does not go on behind his back."""
    with postgres_database() as url:
        use(url)
        engines = [make_engine(url, QUICK) for _ in range(2)]
        with Ledger(engines[0]).write() as tx:
            tx.connection("hakuna", lock=True)
            with (
                pytest.raises(DatabaseDown, match=r"too long.*pg_stat_activity"),
                Ledger(engines[1]).write() as other,
            ):
                other.connection("hakuna", lock=True)
        with Ledger(engines[1]).write() as other:
            other.connection("hakuna", lock=True)
        for engine in engines:
            engine.dispose()


def _ended(admin: Engine, name: str) -> None:
    ask = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
    with admin.connect() as connection:
        connection.execute(text(ask), {"name": name})


def test_a_server_that_was_restarted() -> None:
    """What was under way is told, what comes next finds the server again."""
    with postgres_database() as url:
        use(url)
        engine, admin = make_engine(url, QUICK), create_engine(POSTGRES_URL)
        with pytest.raises(DatabaseDown), Ledger(engine).read() as tx:  # noqa: PT012
            tx.dirty_count()
            _ended(admin, make_url(url).database or "")
            tx.dirty_count()
        _ended(admin, make_url(url).database or "")
        with Ledger(engine).read() as tx:
            assert tx.dirty_count() == 0
        engine.dispose()
        admin.dispose()


def test_a_server_that_is_not_there_or_lets_nobody_in() -> None:
    """A port where nobody listens, a database that was dropped and an account with no connection free each say
    what the server, or its absence, says; no password is shown."""
    with postgres_database() as url:
        parsed = make_url(url)
        nobody = parsed.set(port=free_port(), username="anna", password="hush")
        dropped = parsed.set(database="nobodys")
        admin = create_engine(POSTGRES_URL, isolation_level="AUTOCOMMIT")
        role = f"limited_{parsed.database}"
        with admin.connect() as connection:
            connection.execute(text(f'CREATE ROLE "{role}" LOGIN CONNECTION LIMIT 0'))
        try:
            for there, told in (
                (nobody, "refused"),
                (dropped, '"nobodys" does not exist'),
                (parsed.set(username=role), "too many connections|authentication"),
            ):
                with pytest.raises(DatabaseDown, match=told) as caught:
                    use(there.render_as_string(hide_password=False))
                assert "hush" not in str(caught.value)
                assert "\n" not in str(caught.value)
        finally:
            with admin.connect() as connection:
                connection.execute(text(f'DROP ROLE "{role}"'))
            admin.dispose()


def test_tables_that_are_gone_are_no_fault_of_the_program() -> None:
    """A database that was made anew under a running process says how to bring it up to date."""
    with postgres_database() as url:
        use(url)
        engine = make_engine(url, QUICK)
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE events"))
        with pytest.raises(DatabaseDown, match="db upgrade"), Ledger(engine).read() as tx:
            tx.count_events()
        engine.dispose()


def test_a_migration_may_take_its_time() -> None:
    """Who waits for another process's migration is not cut off by the limit of ordinary statements."""
    with postgres_database() as url:
        blocker, engine = create_engine(url), make_engine(url, QUICK)
        with blocker.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(7305806917)"))
            started = time.monotonic()
            timer = Timer(1.5, connection.execute, [text("SELECT pg_advisory_unlock(7305806917)")])
            timer.start()
            upgrade(engine)
            assert time.monotonic() - started > 1.4
            timer.join()
        with Ledger(engine).read() as tx:
            assert tx.dirty_count() == 0
        engine.dispose()
        blocker.dispose()
