"""The web side: webhook intake, health, metrics, and the console.

Handlers hand what needs SQL to the SQL thread, the only one that touches it: a ledger belongs to one thread,
and a database that hangs must not hang the event loop.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from syncengine.settings import Settings
from syncengine.web import client_limits, intake, problems, watch
from syncengine.web.api import ENDPOINTS
from syncengine.web.api.server import Api
from syncengine.web.console import SCREENS
from syncengine.web.console.console import PATIENCE, THREADS, Console
from syncengine.web.console.planner import Compute, Planner
from syncengine.web.console.shared import Shared
from syncengine.web.sql_thread import LONGEST, SqlThread, Work
from syncengine.web.teller import Teller


def make_app(
    work: Work, settings: Settings, longest: float = LONGEST, pages: Work | None = None,
    compute: Compute | None = None, telling: Work | None = None, with_intake: bool = True,
) -> Starlette:  # fmt: skip
    """The ASGI application: ``POST /events/{connection}``, ``GET /healthz``, ``GET /metrics``, and the console.

    ``work`` yields the engine for one request, which waits for its answer ``longest`` seconds; ``pages`` does for one
    of the console, in any of several threads. Without it there is no console. ``compute``: computes plans in another
    place; without it they are computed in a thread of this process, and nothing is done ahead. ``telling`` does for the
    thread that sends notifications; without it none are sent. ``with_intake``: whether notices are taken."""
    console = Console(Shared(settings, Planner(pages or work, compute)), SCREENS)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
        asyncio.get_running_loop().set_exception_handler(client_limits.on_loop_error)
        sql_thread = SqlThread(work, longest)
        page_threads = SqlThread(pages or work, PATIENCE, THREADS)
        if compute is not None:
            console.shared.planner.warm(console.shared.directory)
        ahead = [console.shared.planner.keep_up] if pages is not None else []
        teller = Teller(telling, looks=ahead)
        try:
            yield {
                "sql_thread": sql_thread,
                "pages": page_threads,
                "settings": settings,
                "broker": watch.BrokerLook(settings),
            }
        finally:
            teller.close()
            sql_thread.close()
            page_threads.close()
            console.shared.planner.close()

    notices = [Route("/events/{connection}", intake.receive, methods=["POST"])]
    return Starlette(
        routes=[
            *(notices if with_intake else ()),
            Route("/healthz", watch.healthz),
            Route("/metrics", watch.metrics),
            *(Api(console.shared, ENDPOINTS).routes() if pages is not None else ()),
            *(console.routes() if pages is not None else ()),
        ],
        exception_handlers={
            HTTPException: console.told_to_people(problems.on_http_exception, pages is not None),
            Exception: console.told_to_people(problems.on_crash, pages is not None),
        },
        middleware=[Middleware(client_limits.AllowedHosts, settings)],
        lifespan=lifespan,
    )


def serve(
    work: Work, settings: Settings, host: str = "127.0.0.1", port: int = 8080,
    pages: Work | None = None, compute: Compute | None = None, telling: Work | None = None,
    with_intake: bool = True,
) -> None:  # fmt: skip
    """Run it until SIGTERM or SIGINT."""
    app = make_app(
        work, settings, pages=pages, compute=compute, telling=telling, with_intake=with_intake
    )
    make_server(app, host, port).run()


def make_server(app: Starlette, host: str, port: int) -> uvicorn.Server:
    """The HTTP server in front of the application, behind the door."""
    trusted = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1")
    as_told: Any = ProxyHeadersMiddleware(cast("Any", app), trusted)
    behind = client_limits.Peer(client_limits.Drained(as_told))
    config = uvicorn.Config(
        behind, host=host, port=port, log_config=None, access_log=False, server_header=False,
        http=client_limits.TimedConnection, ws="none", backlog=client_limits.AT_ONCE,
        timeout_keep_alive=client_limits.IDLE, proxy_headers=False,
    )  # fmt: skip
    return uvicorn.Server(config)
