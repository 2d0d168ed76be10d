"""What a monitor asks: is it alive, and how much waits. Numbers and names of the project only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from syncengine.broker import reachable
from syncengine.flows.engine import Engine


async def healthz(request: Request) -> Response:
    """200 with the state of database and broker; 503 if the database fails. A broker that is down delays work
    and loses none, so that it alone does not make the service ill."""
    engine: Engine = request.state.engine
    database = "ok"
    try:
        with engine.ledger.read() as tx:
            tx.next_due()
    except SQLAlchemyError:
        database = "down"
    there = await asyncio.to_thread(reachable, request.state.settings)
    body = {"database": database, "broker": "ok" if there else "down"}
    return JSONResponse(body, 200 if database == "ok" else 503)


async def metrics(request: Request) -> Response:
    """``GET /metrics``: the ledger's counts as Prometheus text."""
    registry = CollectorRegistry()
    registry.register(LedgerCollector(request.state.engine))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class LedgerCollector(Collector):
    """The ledger's counts, read in one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        """All families, each with a constant number of statements."""
        engine = self._engine
        with engine.ledger.read() as tx:
            yield _family(
                "links",
                "Links by entity, connection and state",
                ("entity", "connection", "state"),
                tx.count_links().items(),
            )
            yield _family(
                "operations",
                "Operations by connection, action and state",
                ("connection", "action", "state"),
                tx.count_operations().items(),
            )
            cases = [((kind,), count) for kind, count in tx.count_cases().items()]
            yield _family("cases_open", "Open cases by kind", ("kind",), cases)
            yield _family("links_dirty", "Links to be looked at", (), [((), tx.dirty_count())])
            yield _family("events", "Events on record", (), [((), tx.count_events())])
            due = tx.next_due()
            late = 0.0 if due is None else max(0.0, engine.clock.now() - due)
            yield _family(
                "oldest_due_seconds",
                "How long the operation that is due longest has been due",
                (),
                [((), late)],
            )
            blocked = [
                ((name,), float(tx.connection(name).blocked_until > engine.clock.now()))
                for name in sorted(engine.connectors)
            ]
            yield _family("connection_blocked", "1: not called now", ("connection",), blocked)


def _family(
    name: str,
    told: str,
    labels: tuple[str, ...],
    samples: Iterable[tuple[tuple[str, ...], float]],
) -> Metric:
    family = GaugeMetricFamily(f"syncengine_{name}", told, labels=labels)
    for values, number in samples:
        family.add_metric(values, number)
    return family
