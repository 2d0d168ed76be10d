from __future__ import annotations

import json
import socket
import time
from typing import Any

import pytest
from celery import Celery
from hypothesis import given, settings
from hypothesis import strategies as st
from kombu import Connection

from syncengine.process import free_port
from syncengine.settings import Settings
from workers.celery import make_app
from workers.queue import DUE, FEW, LANES, LIVE, MOST, SCAN, CeleryQueue, queue_name


def _drain(app: Celery, lane: str = DUE) -> list[tuple[str, list[str]]]:
    """All messages that lie in the queue: (task, ids)."""
    found = []
    with Connection(app.conf.broker_url) as connection:
        queue = connection.SimpleQueue(queue_name("", lane))
        while queue.qsize():
            message = queue.get(block=False)
            message.ack()
            body: Any = message.payload
            found.append((message.headers["task"], body[0][0]))
        queue.close()
    return found


def _in_memory() -> Celery:
    app = make_app(Settings())
    app.conf.update(broker_url="memory://", broker_transport_options={})
    return app


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 350))
def test_ids_arrive_in_order_in_few_messages(count: int) -> None:
    """Every id arrives once and in order, in messages of at most a hundred; none is one message, for whatever is
    due."""
    app = _in_memory()
    _drain(app)
    ids = [f"id-{number}" for number in range(count)]
    CeleryQueue(app).announce("reconcile", iter(ids))
    messages = _drain(app)
    assert [one for _, batch in messages for one in batch] == ids
    assert {task for task, _ in messages} == {"syncengine.reconcile"}
    assert len(messages) == max(1, -(-count // MOST))


@pytest.mark.parametrize(
    ("live", "task", "arguments", "lane"),
    [
        (True, "refresh", ["a"], LIVE),
        (True, "refresh", ["a"] * (FEW + 1), DUE),
        (True, "reconcile", [], DUE),
        (False, "refresh", ["a"], DUE),
        (True, "capture", ["hr", "people", "poll"], DUE),
        (False, "capture", ["hr", "people", "scan"], SCAN),
    ],
)
def test_changes_backlog_and_listings_have_a_queue_each(
    live: bool, task: str, arguments: list[str], lane: str
) -> None:
    """A few ids that were just changed go ahead; many are a backlog; complete listings come last."""
    app = _in_memory()
    for each in LANES:
        _drain(app, each)
    CeleryQueue(app, live).announce(task, arguments)
    found = {each: [ids for _, ids in _drain(app, each)] for each in LANES}
    assert found == {each: [arguments] if each == lane else [] for each in LANES}


def test_a_message_is_plain_json() -> None:
    """Anything that reads JSON can read a message; nothing is pickled."""
    app = _in_memory()
    _drain(app)
    CeleryQueue(app).announce("probe", ["a"])
    with Connection("memory://") as connection:
        queue = connection.SimpleQueue(app.conf.task_default_queue)
        message = queue.get(block=False)
        message.ack()
        queue.close()
    assert message.content_type == "application/json"
    assert json.loads(message.body)[0] == [["a"]]


def test_a_broker_that_is_down_costs_no_exception_and_little_time() -> None:
    """Announcing to a broker that is gone returns, and is not tried again for each message."""
    app = make_app(Settings(broker_url=f"redis://127.0.0.1:{free_port()}/0"))
    queue = CeleryQueue(app)
    started = time.monotonic()
    for _ in range(50):
        queue.announce("dispatch", ["a"] * 1000)
    assert time.monotonic() - started < 3


def test_a_broker_that_hangs_costs_no_exception_and_little_time() -> None:
    """Announcing to something that takes the connection and never answers returns."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        app = make_app(Settings(broker_url=f"amqp://127.0.0.1:{mute.getsockname()[1]}//"))
        started = time.monotonic()
        CeleryQueue(app).announce("dispatch", ["a"])
        assert time.monotonic() - started < 10
