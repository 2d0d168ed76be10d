from __future__ import annotations

import pytest
from celery import Celery
from celery.app.utils import find_app
from celery.beat import Scheduler

from syncengine.settings import Settings
from workers.celery import make_app


def test_celery_finds_the_application_by_the_packages_name() -> None:
    """``celery -A workers`` works."""
    assert isinstance(find_app("workers"), Celery)


@pytest.mark.parametrize("url", ["embedded", "redis://h/0", "amqp://h//"])
def test_tasks_are_acknowledged_early_and_leave_no_result(url: str) -> None:
    """Celery keeps no state that correctness would hang on, whatever the broker."""
    conf = make_app(Settings(broker_url=url)).conf
    assert not conf.task_acks_late
    assert conf.task_ignore_result
    assert conf.result_backend is None
    assert conf.accept_content == ["json"]


def test_rabbitmq_replicates_and_confirms() -> None:
    """On RabbitMQ the queue is a quorum queue, and a publish waits for the confirmation."""
    conf = make_app(Settings(broker_url="amqp://h//")).conf
    assert conf.task_default_queue_type == "quorum"
    assert conf.broker_transport_options["confirm_publish"]


def test_a_prefix_keeps_apart_what_shares_a_broker() -> None:
    """Two prefixes have no queue in common."""
    names = {
        make_app(Settings(broker_prefix=prefix)).conf.task_default_queue for prefix in ("a.", "b.")
    }
    assert len(names) == 2


@pytest.mark.parametrize("url", ["embedded", "amqp://h//"])
def test_a_worker_takes_changes_first_and_listings_last(url: str) -> None:
    """Whoever starts a worker without naming queues gets all, in this order; ``--queues live`` takes changes alone."""
    app = make_app(Settings(broker_url=url, broker_prefix="x."))
    queues = app.amqp.queues
    order = ["x.syncengine.live", "x.syncengine", "x.syncengine.scan"]
    assert list(queues.consume_from) == order
    queues.select(["live"])
    assert list(queues.consume_from) == order[:1]


def test_beat_keeps_no_file() -> None:
    """Beat has the sweep and nothing else, as often as the settings say, and writes no file."""
    app = make_app(Settings(sweep=2.5))
    entries = Scheduler(app).schedule
    assert [entry.task for entry in entries.values()] == ["syncengine.sweep"]
    assert app.conf.beat_schedule["syncengine.sweep"]["schedule"] == 2.5
    assert app.conf.beat_scheduler == "celery.beat:Scheduler"
