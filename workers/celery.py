"""The Celery application: ``celery -A workers worker | beat | flower``.

Start workers with ``--without-gossip --without-mingle``: nothing here needs them, and both cost a broker
round per worker at each reconnect.

Tasks are acknowledged before they run and are never retried by Celery. What a dead worker leaves behind is
found in SQL by the sweep, so that redelivery, visibility timeouts and results have no part in correctness.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Any

import structlog
from celery import Celery, signals
from kombu import Exchange, Queue
from kombu.exceptions import KombuError

from syncengine.broker import broker_url, ensure_broker
from syncengine.current import Editions, wait_for_queue
from syncengine.errors import ConfigInvalid
from syncengine.logs import configure_logs
from syncengine.process import die_with_parent, keep_private
from syncengine.settings import Settings, read_settings, read_variables
from workers.queue import DUE, LANES, queue_name
from workers.schedule import ALIVE, SWEEP, beat_schedule

VISIBILITY = 3600
"""Seconds after which Redis hands out again what a dead worker had fetched and not begun."""
LOOK = 1.0
"""Seconds between two looks at the project's files."""
SIGN = 15.0
"""Seconds between two tasks by which a worker shows that it takes some."""
CHILD_MEMORY = 600_000
"""Kilobytes after which a pool process is replaced when its task is done."""

log = structlog.get_logger(__name__)


def _transport(settings: Settings, url: str) -> dict[str, Any]:
    """What differs between brokers: RabbitMQ confirms what it has on its replicated queues."""
    if url.startswith("amqp"):
        return {
            "task_default_queue_type": "quorum",
            "task_default_exchange_type": "topic",
            "broker_transport_options": {"confirm_publish": True},
        }
    return {
        "broker_transport_options": {
            "global_keyprefix": settings.broker_prefix,
            "visibility_timeout": VISIBILITY,
            # One lane after the other, as ``task_queues`` has them; RabbitMQ takes turns.
            "queue_order_strategy": "priority",
            "socket_connect_timeout": 2,
        }
    }


def make_app(settings: Settings, own: Callable[[Settings], Settings] | None = None) -> Celery:
    """An application for these settings. Connects to nothing yet: ``own`` completes them with the prefix of the
    database's queue once they are needed."""
    url = broker_url(settings)
    made = Celery("syncengine", broker=url, set_as_current=False)
    made.add_defaults(lambda: _configuration(own(settings) if own else settings, url))
    return made


def _queue(prefix: str, lane: str, url: str) -> Queue:
    """A queue as Celery would make it by itself; a worker may be told to take only this one: ``--queues live``."""
    name, replicated = queue_name(prefix, lane), url.startswith("amqp")
    return Queue(
        name, Exchange(name, type="topic" if replicated else "direct"), name, alias=lane or None,
        queue_arguments={"x-queue-type": "quorum"} if replicated else None,
    )  # fmt: skip


def _configuration(settings: Settings, url: str) -> dict[str, Any]:
    prefix = settings.broker_prefix
    return {
        "task_default_queue": queue_name(prefix, DUE),
        "task_queues": [_queue(prefix, lane, url) for lane in LANES],
        "event_exchange": f"{prefix}celeryev",
        "control_exchange": f"{prefix}celery",
        "task_ignore_result": True,
        "task_acks_late": False,
        "task_serializer": "json",
        "accept_content": ["json"],
        "worker_prefetch_multiplier": 1,
        "worker_send_task_events": True,
        "worker_max_memory_per_child": CHILD_MEMORY,
        "worker_proc_alive_timeout": 60,
        "worker_redirect_stdouts": False,
        "broker_connection_timeout": 2,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "beat_schedule": beat_schedule(settings.sweep),
        # Kept in memory: the one entry needs no file in whatever folder beat is started in.
        "beat_scheduler": "celery.beat:Scheduler",
        **_transport(settings, url),
    }


def _own(given: Settings) -> Settings:
    """Workers make the database if need be; beat, Flower and whoever asks workers something wait for it."""
    configure_logs(given.log_format)
    return wait_for_queue(given, make="worker" in sys.argv)


settings = read_settings()
if "flower" in sys.argv:
    # Flower itself knows no folder of secrets.
    for name, value in read_variables().items():
        if name.startswith("FLOWER_"):
            os.environ.setdefault(name, value)
    import_module("workers.guard").stand_before_flower(settings)
app = make_app(settings, _own)
app.set_default()


@cache
def editions() -> Editions:
    """The editions of the project. A worker's main process follows the files as its pool does, so that a new process of
    the pool begins with the newest valid edition. Raises ConfigInvalid."""
    return Editions(settings)


@signals.setup_logging.connect
def _logs(**_: object) -> None:
    configure_logs(settings.log_format)


@signals.worker_init.connect
def _tasks(**_: object) -> None:
    """Workers alone load the engine; beat and Flower do without. A worker with an invalid project says so and
    ends, instead of failing at each task."""
    import_module("workers.tasks")
    try:
        editions()
    except ConfigInvalid as invalid:
        log.error("the project is invalid", faults=str(invalid))
        raise SystemExit(2) from None


@signals.worker_init.connect
@signals.beat_init.connect
def _broker(**_: object) -> None:
    keep_private()
    ensure_broker(settings)


@signals.worker_process_init.connect
def _fork(**_: object) -> None:
    die_with_parent()


@signals.worker_ready.connect
def _ready(sender: Any, **_: object) -> None:
    """The first poll does not wait for beat."""
    log.info("worker ready")
    app.send_task(SWEEP, args=([],))
    sender.timer.call_repeatedly(SIGN, _show_life)
    sender.timer.call_repeatedly(LOOK, editions().look)


def _show_life() -> None:
    """A broker that is not reached is said elsewhere."""
    with suppress(KombuError, OSError):
        app.send_task(ALIVE, args=([],), expires=SIGN, retry=False)
