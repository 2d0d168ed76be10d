"""What a monitor asks: is it alive, and how much waits. Numbers and names of the project only."""

from __future__ import annotations

import asyncio
import hmac
from collections import Counter
from collections.abc import Iterable, Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from syncengine.broker import reachable
from syncengine.flows.core.engine import Engine
from syncengine.flows.views.standing import standing
from syncengine.model.standing import Standing
from syncengine.planning.standing import LEVELS
from syncengine.settings import Settings
from syncengine.web.sql_thread import RETRY_AFTER, SqlThread


class BrokerLook:
    """Whether the broker is reached: one look at a time, which all who ask meanwhile share."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._under_way: asyncio.Task[bool] | None = None

    async def reached(self) -> bool:
        """The answer of the look that is under way, or of a new one."""
        if self._under_way is None or self._under_way.done():
            self._under_way = asyncio.create_task(asyncio.to_thread(reachable, self._settings))
        return await asyncio.shield(self._under_way)


async def healthz(request: Request) -> Response:
    """200 with the state of database and broker; 503 if the database cannot be used. A broker that is down delays
    work and loses none, so that it alone does not make the service ill."""
    sql_thread: SqlThread = request.state.sql_thread
    there = asyncio.create_task(request.state.broker.reached())
    database = "ok"
    try:
        await sql_thread.ask(_look)
    except HTTPException:
        database = "down"
    body = {"database": database, "broker": "ok" if await there else "down"}
    if database == "ok":
        return JSONResponse(body)
    return JSONResponse(body, 503, {"Retry-After": RETRY_AFTER})


def _look(engine: Engine) -> None:
    with engine.ledger.read() as tx:
        tx.next_due()


async def metrics(request: Request) -> Response:
    """``GET /metrics``: the ledger's counts as Prometheus text; 401 without the token, where there is one; 503 if the
    database cannot be used now."""
    token = request.state.settings.metrics_token
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    known = hmac.compare_digest(given.strip(" ").encode(), (token or "").encode())
    if token and not (known and scheme.lower() == "bearer"):
        told = "send Authorization: Bearer and the token of SYNCENGINE_METRICS_TOKEN"
        raise HTTPException(401, told, {"WWW-Authenticate": "Bearer"})
    sql_thread: SqlThread = request.state.sql_thread
    return Response(await sql_thread.ask(_counts), media_type=CONTENT_TYPE_LATEST)


def _counts(engine: Engine) -> bytes:
    registry = CollectorRegistry()
    registry.register(LedgerCollector(engine))
    return generate_latest(registry)


class LedgerCollector(Collector):
    """The ledger's counts, read in one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        """All families, each with a constant number of statements."""
        engine = self._engine
        yield from _standing(standing(engine))
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


def _standing(now: Standing) -> Iterator[Metric]:
    """Each code at each level that it may have, also where there is no such line."""
    counts = Counter[tuple[str, str]]()
    for line in now.lines:
        counts[line.code, line.level.name.lower()] += line.count
    every = [(code, level.name.lower()) for code, levels in LEVELS.items() for level in levels]
    told = "What is to be known of the installation: how many, by code and level"
    samples = [(pair, float(counts[pair])) for pair in every]
    yield _family("standing", told, ("code", "level"), samples)
    worst = "The worst level: 0 ok, 1 note, 2 held, 3 ask, 4 fault"
    yield _family("standing_level", worst, (), [((), float(now.level))])


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
