from __future__ import annotations

import socket

from prometheus_client.parser import text_string_to_metric_families

from syncengine.model.case import Case, CaseKind
from tests.unit.web.conftest import Side, notice, signed


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
    port = int(side.client.app_state["settings"].broker_url.partition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        assert side.client.get("/healthz").json()["broker"] == "ok"


def test_a_database_that_fails_is_ill(side: Side) -> None:
    """Without its database the service answers 503, for it can take nothing."""
    with side.database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE operations RENAME TO elsewhere")
    answer = side.client.get("/healthz")
    assert (answer.status_code, answer.json()["database"]) == (503, "down")


def test_metrics_count_what_is_there(side: Side) -> None:
    """Links by state, dirty links, events and open cases are numbers of the ledger."""
    side.client.post("/events/hr", content=notice(), headers=signed(notice()))
    case = Case("c1", CaseKind.IDENTITY, "s1", "Is Anna the Anna of hakuna?", {"name": "Anna"})
    with side.engine.ledger.write() as tx:
        tx.raise_cases([case])
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
        tx.raise_cases([case])
    assert "anna" not in side.client.get("/metrics").text.lower()
