"""The web side: webhook intake, health, metrics.

Handlers touch SQL on the thread of the event loop itself, which is the only one that does: a ledger belongs to
one thread, and a notice is a matter of a millisecond.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any

import uvicorn
from standardwebhooks import Webhook
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from syncengine.flows.engine import Engine
from syncengine.settings import Settings
from syncengine.web import intake, problems, watch

EngineFactory = Callable[[], AbstractContextManager[Engine]]


def make_app(engine_factory: EngineFactory, settings: Settings) -> Starlette:
    """The ASGI application: ``POST /events/{connection}``, ``GET /healthz``, ``GET /metrics``. The engine is
    opened when the server starts and closed when it stops."""
    webhook = Webhook(settings.webhook_secret) if settings.webhook_secret else None

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
        with engine_factory() as engine:
            yield {"engine": engine, "webhook": webhook, "settings": settings}

    return Starlette(
        routes=[
            Route("/events/{connection}", intake.receive, methods=["POST"]),
            Route("/healthz", watch.healthz),
            Route("/metrics", watch.metrics),
        ],
        exception_handlers={
            HTTPException: problems.on_http_exception,
            Exception: problems.on_crash,
        },
        lifespan=lifespan,
    )


def serve(
    engine_factory: EngineFactory, settings: Settings, host: str = "127.0.0.1", port: int = 8080
) -> None:
    """Run it until SIGTERM or SIGINT."""
    app = make_app(engine_factory, settings)
    uvicorn.run(app, host=host, port=port, log_config=None, access_log=False, server_header=False)
