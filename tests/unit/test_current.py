"""What a process of the service works with."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from syncengine import current
from syncengine.bootstrap import own_queue
from syncengine.current import Current, Editions, wait_for_queue
from syncengine.errors import ConfigInvalid, DatabaseDown
from syncengine.flows.views.status import status
from syncengine.ledger.engine import Timeouts
from syncengine.settings import Settings
from tests.support.databases import migrated_file
from tests.support.places import MAPPINGS


def lines(logged: io.StringIO) -> list[str]:
    """The events so far."""
    return [json.loads(line)["event"] for line in logged.getvalue().splitlines()]


def test_an_outage_is_said_when_it_begins_and_when_it_ends(
    tmp_path: Path, logged: io.StringIO
) -> None:
    """However often it is tried meanwhile there is one line for the beginning, with what to do, and one for the end;
    then work goes on without a restart."""
    settings = Settings(project=MAPPINGS, database_url=migrated_file(tmp_path / "kept.db"))
    opened = Current(settings, "worker", timeouts=Timeouts(lock=0.1))
    with opened.work() as engine, engine.ledger.write():
        pass
    with sqlite3.connect(tmp_path / "kept.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(3):
            with pytest.raises(DatabaseDown), opened.work() as engine, engine.ledger.write():
                pass
        other.rollback()
    other.close()
    for _ in range(2):
        with opened.work() as engine, engine.ledger.write():
            pass
    opened.close()
    first, last = lines(logged)
    assert "kept.db locked; close what has it open" in first
    assert "goes on by itself" in first
    assert last == "the database can be used again"


def test_a_process_reports_by_the_time_of_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also on a machine whose clock is two hours ahead: else it would seem alive for two hours after its end."""
    settings = Settings(project=MAPPINGS, database_url=migrated_file(tmp_path / "kept.db"))
    ahead = SimpleNamespace(time=lambda: time.time() + 7200, monotonic=time.monotonic)
    monkeypatch.setattr(current, "time", ahead)
    opened = Current(settings, "worker")
    with opened.work() as engine, engine.ledger.read() as tx:
        (process,) = tx.processes()
    opened.close()
    assert [process.since, process.seen_at] == pytest.approx([time.time()] * 2, abs=30)


def test_beat_waits_for_the_workers_database(tmp_path: Path, logged: io.StringIO) -> None:
    """Who takes the name of its queue from the database and does not make one says so once, and goes on when it is
    there; where the name is given, no database is asked for."""
    settings = Settings(database_url=f"sqlite:///{tmp_path}/kept.db")
    started = threading.Timer(1.0, lambda: own_queue(settings))
    started.start()
    waited = wait_for_queue(settings, pause=0.2, make=False)
    started.join()
    assert waited.broker_prefix == own_queue(settings).broker_prefix
    assert "SYNCENGINE_BROKER_PREFIX" in lines(logged)[0]
    assert len(lines(logged)) == 2
    named = Settings(database_url="sqlite:////nowhere/x.db", broker_prefix="acme.")
    assert wait_for_queue(named, make=False) == named


def test_a_database_that_is_not_there_at_the_start_is_waited_for(
    tmp_path: Path, logged: io.StringIO
) -> None:
    """A process that starts before its database does not end: the next piece of work finds it."""
    folder = tmp_path / "later"
    settings = Settings(project=MAPPINGS, database_url=f"sqlite:///{folder}/kept.db")
    opened = Current(settings, "worker")
    for _ in range(2):
        with pytest.raises(DatabaseDown, match="no folder"), opened.work():
            pass
    folder.mkdir()
    with opened.work() as engine, engine.ledger.read() as tx:
        assert tx.dirty_count() == 0
    opened.close()
    assert len(lines(logged)) == 2


# editions


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, whose files need no rest."""
    monkeypatch.setattr(current, "RESTED", 0.0)
    return Path(shutil.copytree(MAPPINGS, tmp_path / "project"))


@pytest.fixture
def running(folder: Path, tmp_path: Path) -> Iterator[Current]:
    """A worker's engine on it."""
    url = migrated_file(tmp_path / "kept.db")
    opened = Current(Settings(project=folder, database_url=url), "worker")
    yield opened
    opened.close()


def edit(folder: Path, old: str, new: str, name: str = "connections.yaml") -> None:
    """Change a file of the project as an editor does."""
    text = (folder / name).read_text("utf-8")
    assert old in text
    (folder / name).write_text(text.replace(old, new), "utf-8")


def zone(running: Current) -> str:
    """By which project a piece of work is done."""
    with running.work() as engine:
        return engine.project.timezone


def told_by(running: Current) -> Mapping[str, Any]:
    """What ``status`` says of the project and the one process."""
    with running.work():
        pass
    with running.work() as engine:
        shown = status(engine)["project"]
    (process,) = shown["processes"]
    assert process["digest"] == shown["digest"]
    return process


def test_a_changed_project_is_in_use_with_the_next_piece_of_work(
    folder: Path, running: Current, logged: io.StringIO
) -> None:
    """Never within one, so that no task sees two projects; it is said once, and ``status`` knows the edition."""
    with running.work() as engine:
        before, digest = engine.project, engine.edition
        edit(folder, "timezone: Europe/Berlin", "timezone: Europe/Lisbon")
        assert engine.project is before
    with running.work() as engine:
        assert engine.project.timezone == "Europe/Lisbon"
        assert engine.edition != digest
    assert zone(running) == "Europe/Lisbon"
    assert lines(logged) == ["the project's files were changed and are in use now"]
    assert told_by(running)["refused"] == []


def test_what_is_being_saved_is_not_taken(
    folder: Path, running: Current, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files have to rest before they are read, since an editor or a checkout writes one after the other."""
    zone(running)
    monkeypatch.setattr(current, "RESTED", 60.0)
    edit(folder, "timezone: Europe/Berlin", "timezone: Europe/Lisbon")
    assert zone(running) == "Europe/Berlin"
    monkeypatch.setattr(current, "RESTED", 0.0)
    assert zone(running) == "Europe/Lisbon"


def test_an_invalid_project_is_refused_and_the_old_one_goes_on(
    folder: Path, running: Current, logged: io.StringIO
) -> None:
    """All its faults are in the log, once, and in ``status``; the edition before stays in use until it is corrected."""
    zone(running)
    edit(folder, "timezone: Europe/Berlin", "timezone: Europe/Nowhere")
    for _ in range(3):
        assert zone(running) == "Europe/Berlin"
    (entry,) = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert "stays in use" in entry["event"]
    assert "connections.yaml:" in entry["faults"]
    assert "is no time zone" in "".join(told_by(running)["refused"])
    edit(folder, "timezone: Europe/Nowhere", "timezone: Europe/Lisbon")
    assert zone(running) == "Europe/Lisbon"
    assert told_by(running)["refused"] == []
    assert len(lines(logged)) == 3


@pytest.mark.parametrize("away", ["file", "folder"])
def test_files_that_go_away_and_come_back(
    folder: Path, running: Current, logged: io.StringIO, away: str
) -> None:
    """A project that is gone for a while, during a checkout say, is refused as an invalid one is; put back as it was,
    it is no other edition."""
    zone(running)
    gone = folder if away == "folder" else folder / "person.yaml"
    gone.rename(gone.with_name("elsewhere"))
    assert zone(running) == "Europe/Berlin"
    assert told_by(running)["refused"]
    gone.with_name("elsewhere").rename(gone)
    assert zone(running) == "Europe/Berlin"
    assert told_by(running)["refused"] == []
    assert len(lines(logged)) == 2


def test_a_file_that_is_saved_unchanged_is_no_other_edition(folder: Path, running: Current) -> None:
    """The engine stays: its connections and threads are not made anew."""
    with running.work() as engine:
        before = engine
    (folder / "person.yaml").write_bytes((folder / "person.yaml").read_bytes())
    with running.work() as engine:
        assert engine is before


def test_credentials_stay_those_of_the_start(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new edition is filled in from the variables with which the process began, secrets among them."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "HAKUNA_TOKEN").write_text("old\n")
    monkeypatch.setenv("HAEKKA_API_KEY", "old")
    url = f"sqlite:///{tmp_path}/kept.db"
    running = Current(Settings(project=folder, database_url=url, secrets_dir=secrets), "worker")
    zone(running)
    (secrets / "HAKUNA_TOKEN").write_text("new\n")
    monkeypatch.setenv("HAEKKA_API_KEY", "new")
    edit(folder, "timezone: Europe/Berlin", "timezone: Europe/Lisbon")
    with running.work() as engine:
        declared = engine.project.connections
        assert engine.project.timezone == "Europe/Lisbon"
        assert set(declared["hakuna"].credentials.values()) == {"old"}
        assert set(declared["haekka"].credentials.values()) == {"old"}
    running.close()


def test_a_process_that_begins_later_takes_the_newest_valid_edition(
    folder: Path, running: Current, tmp_path: Path
) -> None:
    """A process of the pool that is replaced while the files are invalid begins with what the others use, and is told
    from them; one that ends in good order is forgotten."""
    editions = Editions(Settings(project=folder))
    edit(folder, "timezone: Europe/Berlin", "timezone: Europe/Lisbon")
    assert editions.look()
    edit(folder, "timezone: Europe/Lisbon", "timezone: Europe/Nowhere")
    url = f"sqlite:///{tmp_path}/kept.db"
    later = Current(Settings(project=folder, database_url=url), "worker", editions=editions)
    assert zone(later) == "Europe/Lisbon"
    later.close()
    with pytest.raises(ConfigInvalid):
        Current(Settings(project=folder, database_url=url), "worker")
    assert zone(running) == "Europe/Berlin"
    assert told_by(running)["refused"]
