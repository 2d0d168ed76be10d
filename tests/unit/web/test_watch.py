from __future__ import annotations

import socket
import sqlite3
import threading
import time
from dataclasses import dataclass
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from syncengine.broker import private_folder, socket_of
from syncengine.errors import DatabaseDown
from syncengine.ledger.encryption import Vault, new_key
from syncengine.ledger.rekey import reseal
from syncengine.model.case import Case, CaseKind
from syncengine.model.changeset import Changeset
from syncengine.model.standing import Level
from syncengine.planning.standing import LEVELS
from tests.unit.web.conftest import LONGEST, Side, notice, signed


def _samples(side: Side) -> dict[tuple[str, tuple[str, ...]], float]:
    answer = side.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.values()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_a_healthy_service_says_so(side: Side) -> None:
    """With its database it is well; a broker that is down is told, and makes nothing ill."""
    answer = side.client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"database": "ok", "broker": "down"})


def test_a_broker_that_listens_is_seen(side: Side) -> None:
    """The broker's state is looked at when asked."""
    number = int(side.client.app_state["settings"].broker_url.partition(":")[2])
    private_folder(number)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(socket_of(number)))
        listener.listen()
        assert side.client.get("/healthz").json()["broker"] == "ok"


def test_a_database_that_fails_is_ill(side: Side) -> None:
    """Without its database the service answers 503, for it can take nothing."""
    with side.database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE operations RENAME TO elsewhere")
    answer = side.client.get("/healthz")
    assert (answer.status_code, answer.json()["database"]) == (503, "down")


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/events/hr"])
def test_a_database_whose_key_is_lacking_is_ill(side: Side, path: str) -> None:
    """Sealed with a key that the web side was not given, it takes nothing, and says so like any other that fails."""
    reseal(side.database, Vault([new_key()]), lambda *_: None)
    if path.startswith("/events"):
        answer = side.client.post(path, content=notice(), headers=signed(notice()))
    else:
        answer = side.client.get(path)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/events/hr"])
def test_a_database_that_another_program_has_locked_answers_in_time(side: Side, path: str) -> None:
    """Each answer that needs the database is 503 and says when to come again; none waits for long."""
    side.database.dispose()
    with sqlite3.connect(side.database.url.database or "", isolation_level=None) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        other.execute("DELETE FROM events")
        started = time.monotonic()
        if path.startswith("/events"):
            answer = side.client.post(path, content=notice(), headers=signed(notice()))
        else:
            answer = side.client.get(path)
        other.rollback()
        other.execute("PRAGMA locking_mode=NORMAL")
        other.execute("SELECT count(*) FROM events")
    other.close()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert time.monotonic() - started < 6
    assert side.client.get("/healthz").json()["database"] == "ok"


def test_a_database_that_hangs_holds_up_nobody_else(side: Side) -> None:
    """While one request waits for the database, those that need none are answered at once, and nobody waits longer
    than the limit."""
    over = threading.Event()
    side.engine.ledger = Hanging(over)
    told: list[int] = []
    waiting = threading.Thread(target=lambda: told.append(side.client.get("/metrics").status_code))
    started = time.monotonic()
    waiting.start()
    assert side.client.post("/events/hr", content=notice()).status_code == 401
    assert time.monotonic() - started < LONGEST / 2
    waiting.join()
    assert told == [503]
    assert time.monotonic() - started < 3 * LONGEST
    over.set()


@dataclass
class Hanging:
    """A ledger that answers nobody before it is over."""

    over: threading.Event

    def read(self) -> Any:
        """Never comes back by itself."""
        self.over.wait(30)
        raise DatabaseDown("it hangs", "wait")

    write = read


def test_metrics_count_what_is_there(side: Side) -> None:
    """Links by state, dirty links, events and open cases are numbers of the ledger."""
    side.client.post("/events/hr", content=notice(), headers=signed(notice()))
    case = Case("c1", CaseKind.IDENTITY, "s1", "Is Anna the Anna of hakuna?", {"name": "Anna"})
    with side.engine.ledger.write() as tx:
        tx.write(Changeset(raised=[case]))
    samples = _samples(side)
    assert samples[("syncengine_links", ("hr", "person", "seen"))] == 1
    assert samples[("syncengine_links_dirty", ())] == 1
    assert samples[("syncengine_events", ())] == 1
    assert samples[("syncengine_cases_open", ("identity",))] == 1
    assert samples[("syncengine_oldest_due_seconds", ())] == 0


def test_metrics_name_nobody(side: Side) -> None:
    """No id, name or text of a row or case is in the metrics."""
    body = notice(external_id="anna-7")
    side.client.post("/events/hr", content=body, headers=signed(body))
    case = Case("c1", CaseKind.IDENTITY, "s1", "Is Anna the Anna of hakuna?", {"name": "Anna"})
    with side.engine.ledger.write() as tx:
        tx.write(Changeset(raised=[case]))
    assert "anna" not in side.client.get("/metrics").text.lower()


def test_the_standing_is_among_the_metrics(side: Side) -> None:
    """Each code at each level that it may have, by number, and the worst level; with no name."""
    found = _samples(side)
    pairs = {labels for name, labels in found if name == "syncengine_standing"}
    assert pairs == {
        tuple(sorted((code, level.name.lower()))) for code, of in LEVELS.items() for level in of
    }
    assert found["syncengine_standing_level", ()] == Level.NOTE
    assert found["syncengine_standing", ("note", "unread")] == 1
    case = Case("c1", CaseKind.DRIFT, "drift:l1", "Anna?", opened_at=1.0)
    with side.engine.ledger.write() as tx:
        tx.write(Changeset(raised=[case]))
    found = _samples(side)
    assert found["syncengine_standing", ("ask", "question")] == 1
    assert found["syncengine_standing_level", ()] == Level.ASK
