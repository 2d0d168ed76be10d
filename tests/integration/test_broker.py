from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis

from syncengine.broker import (
    SLOWEST_TRIP,
    BrokerUnusable,
    broker_url,
    ensure_broker,
    private_folder,
    reachable,
    round_trip,
    serve,
    socket_of,
    wait_for_broker,
)
from syncengine.process import free_port
from syncengine.settings import Settings


def _client(number: int) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(socket_of(number)))


def _listener(number: int) -> socket.socket:
    """Something else that listens where the broker would."""
    private_folder(number)
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(socket_of(number)))
    server.listen()
    return server


@contextmanager
def _broker(port: int, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-m", "syncengine.broker", str(port), *arguments])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_round_trip_is_quick() -> None:
    """The broker answers far below the 40 ms of held-back packets."""
    port = free_port()
    with _broker(port):
        assert wait_for_broker(port) < SLOWEST_TRIP


def test_a_blocked_client_is_woken() -> None:
    """A worker that waits for work gets it when it comes, not at its timeout."""
    port = free_port()
    with _broker(port):
        wait_for_broker(port)
        client = _client(port)
        sender = threading.Timer(0.2, lambda: _client(port).lpush("queue", "task"))
        sender.start()
        started = time.monotonic()
        woken = client.brpop(["queue"], timeout=5)
        sender.join()
        assert woken == (b"queue", b"task")
        assert time.monotonic() - started < 2


def test_embedded_resolves_to_a_file_of_this_account() -> None:
    """``embedded`` is a file that all processes of an account agree on, and a broker of one's own is left as it is."""
    folder = f"redis+socket:///tmp/syncengine-{os.getuid()}"
    assert broker_url(Settings()) == f"{folder}/16379.sock?virtual_host=0"
    assert (
        broker_url(Settings(broker_url="embedded:17000")) == f"{folder}/17000.sock?virtual_host=0"
    )
    assert broker_url(Settings(broker_url="amqp://h/v")) == "amqp://h/v"


def test_whoever_finds_nobody_starts_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first to ask starts the broker, and the second finds that one."""
    monkeypatch.setattr("syncengine.broker.LINGER", 1.0)
    settings = Settings(broker_url=f"embedded:{free_port()}")
    assert not reachable(settings)
    ensure_broker(settings)
    assert reachable(settings)
    client = _client(int(settings.broker_url.partition(":")[2]))
    client.set("mark", "1")
    ensure_broker(settings)
    assert client.get("mark") == b"1"


def test_a_broker_of_nobody_ends_by_itself() -> None:
    """A broker that lingers is gone some time after its last client."""
    port = free_port()
    with _broker(port, "1") as process:
        wait_for_broker(port)
        client = _client(port)
        client.ping()
        time.sleep(1.6)
        assert process.poll() is None
        client.close()
        assert process.wait(10) == 0


def test_a_second_one_takes_over_when_the_first_is_gone() -> None:
    """Two brokers on a port do not fight: one stands by and serves once the other has died."""
    port = free_port()
    with _broker(port) as first:
        wait_for_broker(port)
        with _broker(port) as second:
            time.sleep(0.7)
            assert second.poll() is None
            os.kill(first.pid, signal.SIGKILL)
            first.wait()
            wait_for_broker(port)
            assert second.poll() is None


def test_a_place_taken_by_something_else_is_told() -> None:
    """What listens and is no broker is named with what to do, instead of being waited for."""
    port = free_port()
    with _listener(port) as other:
        thread = threading.Thread(target=_answer_nonsense, args=(other,), daemon=True)
        thread.start()
        with pytest.raises(BrokerUnusable, match=f"{port}.sock .*embedded:"):
            round_trip(port)
        with pytest.raises(BrokerUnusable):
            ensure_broker(Settings(broker_url=f"embedded:{port}"))
        with pytest.raises(BrokerUnusable):
            serve(port, None, threading.Event())


def test_a_broker_that_dies_while_it_is_asked_is_gone_and_not_something_else() -> None:
    """Who asks a broker at the moment of its death learns that nobody is there, and may take its place."""
    port = free_port()
    server = _listener(port)

    def die_when_asked() -> None:
        connection, _ = server.accept()
        server.close()
        connection.recv(100)
        connection.close()

    thread = threading.Thread(target=die_when_asked, daemon=True)
    thread.start()
    assert round_trip(port) is None
    thread.join()


def _answer_nonsense(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        connection.recv(100)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.close()
