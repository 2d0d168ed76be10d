"""The tasks: each hands its opaque ids to one flow. What cannot be done now is left where it is in SQL, and the
sweep announces it again."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from functools import cache
from typing import Literal

import structlog
from celery import current_task, signals
from celery.exceptions import Retry as PutOff

from syncengine.current import Current, note_worker
from syncengine.errors import Again, DatabaseDown, Retry
from syncengine.flows.capture import capture as captures
from syncengine.flows.capture import refresh as refreshing
from syncengine.flows.core.engine import Engine
from syncengine.flows.reconcile import derive as derivations
from syncengine.flows.reconcile import reconcile as reconciling
from syncengine.flows.reconcile.follow import follow_project
from syncengine.flows.run import sweep as sweeping
from syncengine.flows.run.work_slice import Flow, work_ids, work_slice
from syncengine.flows.send import dispatch as sending
from syncengine.flows.send import probe as probing
from syncengine.flows.tell import tell as telling
from syncengine.logs import Scrubbed
from workers.celery import app, editions, settings
from workers.queue import LIVE, NAMESPACE, CeleryQueue

log = structlog.get_logger(__name__)


@cache
def queue() -> CeleryQueue:
    """The queue of this process."""
    return CeleryQueue(app)


@cache
def current() -> Current:
    """The engine of this process: made after the fork, since neither connections nor threads survive one."""
    return Current(
        settings,
        _kind(),
        lambda _: queue(),
        editions=editions().follower(),
        begin=follow_project,
    )


def _kind() -> str:
    """``live`` for a worker that takes nothing but what was just changed: it is none on which the rest can rely."""
    taken = app.amqp.queues.consume_from
    return "live" if all(name.endswith(f".{LIVE}") for name in taken) else "worker"


@signals.worker_process_init.connect
def _begin(**_: object) -> None:
    with suppress(PutOff, VendorFailed):
        _work(follow_project)


@signals.worker_process_shutdown.connect
def _end(**_: object) -> None:
    current().close()


class VendorFailed(Exception):
    """A vendor failed while this task worked with it. Nothing is lost, and the task did what could be done: it is told
    so that Flower does not show a success. Its text names connections and classes of errors."""


def _work(flow: Callable[[Engine], object]) -> None:
    """Run a flow. Errors of strangers are shown by class and place only, for Celery puts them into events. Raises
    VendorFailed where a vendor did, and Celery's Retry where the work is put off; neither has it run again: the sweep
    does."""
    try:
        with Scrubbed(), current().work() as engine:
            engine.troubles.clear()
            flow(engine)
            troubles = dict(engine.troubles)
    except DatabaseDown:  # which was said when it began
        raise PutOff("the database cannot be used now") from None
    except (Retry, Again) as reason:
        log.info("put off", reason=type(reason).__name__)
        raise PutOff(type(reason).__name__) from None
    if troubles:
        raise VendorFailed(", ".join(f"{name}: {kind}" for name, kind in sorted(troubles.items())))


def _turn(flow: Flow, ids: Collection[str] = ()) -> None:
    """Work ids that were just changed and nothing else, or a slice of whatever is due. What follows from a change is on
    the lane of changes, too."""
    live = bool(ids) and _lane().endswith(f".{LIVE}")
    with queue().lane(live):
        _work(lambda engine: (work_ids if live else work_slice)(engine, flow, ids))


def _lane() -> str:
    """The name of the queue that this task came by."""
    told = current_task.request.delivery_info
    return str((told or {}).get("routing_key"))


@app.task(name=f"{NAMESPACE}capture", throws=(VendorFailed,))
def capture(arguments: list[str]) -> None:
    """``[connection, resource, "poll" | "scan"]``."""
    connection, resource, how = arguments
    kind: Literal["poll", "scan"] = "poll" if how == "poll" else "scan"

    not_asked = False

    def listing(engine: Engine, _: object) -> None:
        nonlocal not_asked
        # The few rows that a poll finds were just changed; the many rows of a listing are a backlog.
        with queue().lane(kind == "poll"):
            found = captures.capture(engine, connection, resource, kind, sliced=True)
        not_asked = bool(found.fault) and not engine.used

    _turn(listing)
    if not_asked:
        raise PutOff("its connection is busy, or not called now")


@app.task(name=f"{NAMESPACE}refresh", throws=(VendorFailed,))
def refresh(ids: list[str]) -> None:
    """Read links anew."""
    _turn(refreshing.refresh, ids)


@app.task(name=f"{NAMESPACE}reconcile", throws=(VendorFailed,))
def reconcile(ids: list[str]) -> None:
    """Decide what links need."""
    _turn(reconciling.reconcile, ids)


@app.task(name=f"{NAMESPACE}dispatch", throws=(VendorFailed,))
def dispatch(ids: list[str]) -> None:
    """Send operations."""
    _turn(sending.dispatch, ids)


@app.task(name=f"{NAMESPACE}probe", throws=(VendorFailed,))
def probe(ids: list[str]) -> None:
    """Find out what became of operations."""
    _turn(probing.probe, ids)


@app.task(name=f"{NAMESPACE}derive", throws=(VendorFailed,))
def derive(_: list[str]) -> None:
    """Look at the derivations over records that moved."""
    _turn(lambda engine, _: derivations.derive(engine))


@app.task(name=f"{NAMESPACE}notify", throws=(VendorFailed,))
def notify(_: list[str]) -> None:
    """Tell people what is new in the standing."""
    _work(telling.tell)


@app.task(name=f"{NAMESPACE}alive", throws=(VendorFailed,))
def alive(_: list[str]) -> None:
    """Show that there is a worker which takes tasks, where there is nothing else to do."""
    _work(note_worker)


@app.task(name=f"{NAMESPACE}sweep", throws=(VendorFailed,))
def sweep(_: list[str]) -> None:
    """Announce whatever is due."""
    _work(sweeping.sweep)
