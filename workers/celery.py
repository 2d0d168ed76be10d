"""The Celery application: ``celery -A workers worker | beat | flower``.

Start workers with ``--without-gossip --without-mingle``: nothing here needs them, and both cost a broker
round per worker at each reconnect.

Tasks are acknowledged before they run and are never retried by Celery. What a dead worker leaves behind is
found in SQL by the sweep, so that redelivery, visibility timeouts and results have no part in correctness.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import structlog
from celery import Celery, signals

from syncengine.broker import broker_url, ensure_broker
from syncengine.errors import ConfigInvalid
from syncengine.logs import configure_logs
from syncengine.process import die_with_parent
from syncengine.settings import Settings, read_settings
from workers.schedule import SWEEP, beat_schedule

VISIBILITY = 3600
"""Seconds after which Redis hands out again what a dead worker had fetched and not begun."""
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
            "socket_connect_timeout": 2,
        }
    }


def make_app(settings: Settings) -> Celery:
    """An application for these settings. Connects to nothing yet."""
    url = broker_url(settings)
    made = Celery("syncengine", broker=url, set_as_current=False)
    made.conf.update(
        task_default_queue=f"{settings.broker_prefix}syncengine",
        task_ignore_result=True,
        task_acks_late=False,
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_send_task_events=True,
        worker_max_memory_per_child=CHILD_MEMORY,
        worker_proc_alive_timeout=60,
        worker_redirect_stdouts=False,
        broker_connection_timeout=2,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        beat_schedule=beat_schedule(settings.sweep),
        # Kept in memory: the one entry needs no file in whatever folder beat is started in.
        beat_scheduler="celery.beat:Scheduler",
        **_transport(settings, url),
    )
    return made


settings = read_settings()
app = make_app(settings)
app.set_default()


@signals.setup_logging.connect
def _logs(**_: object) -> None:
    configure_logs(settings.log_format)


@signals.worker_init.connect
def _tasks(**_: object) -> None:
    """Workers alone load the engine; beat and Flower do without. A worker with an invalid project says so and
    ends, instead of failing at each task."""
    import_module("workers.tasks")
    try:
        import_module("syncengine.bootstrap").load(settings)
    except ConfigInvalid as invalid:
        log.error("the project is invalid", faults=str(invalid))
        raise SystemExit(2) from None


@signals.worker_init.connect
@signals.beat_init.connect
def _broker(**_: object) -> None:
    ensure_broker(settings)


@signals.worker_process_init.connect
def _fork(**_: object) -> None:
    die_with_parent()


@signals.worker_ready.connect
def _ready(**_: object) -> None:
    """The first poll does not wait for beat."""
    log.info("worker ready")
    app.send_task(SWEEP, args=([],))
