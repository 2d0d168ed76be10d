"""The tasks: each hands its opaque ids to one flow. What cannot be done now is left where it is in SQL, and the
sweep announces it again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from typing import Literal

import structlog
from celery import signals

from syncengine.bootstrap import open_engine
from syncengine.errors import Again, Retry
from syncengine.flows import capture as captures
from syncengine.flows import derive as derivations
from syncengine.flows import dispatch as outbox
from syncengine.flows import reconcile as reconciling
from syncengine.flows import refresh as refreshing
from syncengine.flows import sweep as sweeping
from syncengine.flows.engine import Engine
from syncengine.flows.follow import follow_project
from syncengine.logs import Scrubbed
from workers.celery import app, settings
from workers.queue import CeleryQueue

log = structlog.get_logger(__name__)
_open = ExitStack()


@cache
def engine() -> Engine:
    """The engine of this process: made after the fork, since neither connections nor threads survive one."""
    return _open.enter_context(open_engine(settings, queue=CeleryQueue(app)))


@signals.worker_process_init.connect
def _begin(**_: object) -> None:
    with Scrubbed():
        engine()
    _work(follow_project)


@signals.worker_process_shutdown.connect
def _end(**_: object) -> None:
    _open.close()


def _work(flow: Callable[[Engine], object]) -> None:
    """Run a flow. Errors of strangers are shown by class and place only, for Celery puts them into events."""
    try:
        with Scrubbed():
            flow(engine())
    except (Retry, Again) as reason:
        log.info("put off", reason=type(reason).__name__)


@app.task(name="capture")
def capture(arguments: list[str]) -> None:
    """``[connection, resource, "poll" | "scan"]``."""
    connection, resource, how = arguments
    kind: Literal["poll", "scan"] = "poll" if how == "poll" else "scan"
    _work(lambda engine: captures.capture(engine, connection, resource, kind, sliced=True))


@app.task(name="refresh")
def refresh(ids: list[str]) -> None:
    """Read links anew."""
    _work(lambda engine: refreshing.refresh(engine, ids or None))


@app.task(name="reconcile")
def reconcile(ids: list[str]) -> None:
    """Decide what links need."""
    _work(lambda engine: reconciling.reconcile(engine, ids or None))


@app.task(name="dispatch")
def dispatch(ids: list[str]) -> None:
    """Send operations."""
    _work(lambda engine: outbox.dispatch(engine, ids or None))


@app.task(name="probe")
def probe(ids: list[str]) -> None:
    """Find out what became of operations."""
    _work(lambda engine: outbox.probe(engine, ids or None))


@app.task(name="derive")
def derive(_: list[str]) -> None:
    """Look at the derivations over records that moved."""
    _work(derivations.derive)


@app.task(name="sweep")
def sweep(_: list[str]) -> None:
    """Announce whatever is due."""
    _work(sweeping.sweep)
