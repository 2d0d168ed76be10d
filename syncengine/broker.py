"""The embedded broker: a Redis look-alike on loopback in a small process of its own, for a machine without a
broker. Its state dies with it, which costs time and no work: the outbox is in SQL.

``python -m syncengine.broker PORT [LINGER]`` serves until it is told to stop, or until nobody has been
connected for LINGER seconds. Where another one answers already it stands by and takes over when that is gone.
"""

from __future__ import annotations

import signal
import socket
import socketserver
import statistics
import subprocess
import sys
import threading
import time
from typing import cast
from urllib.parse import urlsplit

import redis
import structlog
from fakeredis import TcpFakeServer
from redis.backoff import NoBackoff
from redis.retry import Retry

from syncengine.errors import Halt
from syncengine.logs import configure_logs
from syncengine.settings import Settings, read_settings

HOST = "127.0.0.1"
PORT = 16379
SLOWEST_TRIP = 0.02
"""Seconds; a round trip takes 1 ms, and 40 ms where packets are held back."""
LINGER = 60.0
"""Seconds that a broker which belongs to nobody waits for a client."""

log = structlog.get_logger(__name__)


class BrokerUnusable(Halt):
    """The embedded broker's port is taken by something else, or the broker does not do its work."""


def embedded_port(broker_url: str) -> int | None:
    """The port of ``embedded`` or ``embedded:PORT``; None for a broker that somebody else runs."""
    name, _, port = broker_url.partition(":")
    return int(port or PORT) if name == "embedded" else None


def broker_url(settings: Settings) -> str:
    """The URL that clients connect to."""
    port = embedded_port(settings.broker_url)
    return settings.broker_url if port is None else f"redis://{HOST}:{port}/0"


def reachable(settings: Settings, timeout: float = 1.0) -> bool:
    """Whether somebody listens where the broker should be."""
    url = urlsplit(broker_url(settings))
    port = url.port or (6379 if url.scheme.startswith("redis") else 5672)
    try:
        with socket.create_connection((url.hostname or HOST, port), timeout):
            return True
    except OSError:
        return False


def round_trip(port: int) -> float | None:
    """Median seconds of a few pings; None if nobody listens. Raises BrokerUnusable if what listens is no
    broker."""
    attempts = 3
    while True:
        attempts -= 1
        try:
            return _median_trip(port)
        except redis.RedisError as error:
            if isinstance(error.__cause__ or error.__context__, ConnectionRefusedError):
                return None
            # A broker that dies in the middle of an answer hangs up as something that is no broker would.
            if not attempts or not isinstance(error, redis.ConnectionError):
                raise _taken(port) from error
            time.sleep(0.05)


def _median_trip(port: int) -> float:
    once = Retry(NoBackoff(), 0)
    client = redis.Redis(HOST, port, socket_timeout=2, socket_connect_timeout=2, retry=once)
    try:
        client.ping()
        return statistics.median(_timed(client) for _ in range(5))
    finally:
        client.close()


def _timed(client: redis.Redis) -> float:
    started = time.perf_counter()
    client.ping()
    return time.perf_counter() - started


def _taken(port: int) -> BrokerUnusable:
    return BrokerUnusable(
        f"SYNCENGINE_BROKER_URL: port {port} on {HOST} is taken by something that is no broker; stop it, or "
        f"write another port (embedded:{port + 1}) or the URL of a Redis or RabbitMQ"
    )


def ensure_broker(settings: Settings) -> None:
    """Start the embedded broker, if that is what the settings ask for and nobody is there. It is a process of
    its own that ends by itself some time after its last client. Raises BrokerUnusable."""
    port = embedded_port(settings.broker_url)
    if port is None or round_trip(port) is not None:
        return
    subprocess.Popen(
        [sys.executable, "-m", "syncengine.broker", str(port), str(LINGER)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_for_broker(port)


def wait_for_broker(port: int, seconds: float = 15.0) -> float:
    """Wait until the broker answers; its round trip in seconds. Raises BrokerUnusable."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        trip = round_trip(port)
        if trip is not None:
            return trip
        time.sleep(0.05)
    raise BrokerUnusable(f"nobody answers on port {port} of {HOST} after {seconds:g} s")


def listen(port: int) -> TcpFakeServer:
    """A server bound to the port and not yet serving. Raises OSError if the port is taken."""
    server = TcpFakeServer((HOST, port), server_type="redis")
    server.daemon_threads = True
    handler = cast(type[socketserver.StreamRequestHandler], server.RequestHandlerClass)
    handler.disable_nagle_algorithm = True
    return server


def _stand_by(port: int, stop: threading.Event) -> TcpFakeServer | None:
    """Wait until the port is ours; None if told to stop before."""
    while not stop.is_set():
        try:
            return listen(port)
        except OSError:
            round_trip(port)
            stop.wait(0.5)
    return None


def serve(port: int, linger: float | None, stop: threading.Event) -> None:
    """Serve until ``stop``, or until nobody has been connected for ``linger`` seconds. Raises BrokerUnusable if
    the port is taken by something else, or if a round trip is so slow that no work would get done."""
    server = _stand_by(port, stop)
    if server is None:
        return
    threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
    ).start()
    trip = wait_for_broker(port)
    if trip > SLOWEST_TRIP:
        raise BrokerUnusable(f"a round trip to the embedded broker takes {trip * 1000:.0f} ms")
    log.info("broker ready", port=port, round_trip_ms=round(trip * 1000, 2))
    idle_since = time.monotonic()
    while not stop.wait(0.5):
        if server.clients:
            idle_since = time.monotonic()
        if linger is not None and time.monotonic() - idle_since > linger:
            break
    server.shutdown()
    server.server_close()


def main() -> None:
    """The process."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else PORT
    linger = float(sys.argv[2]) if len(sys.argv) > 2 else None
    configure_logs(read_settings().log_format)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        serve(port, linger, stop)
    except BrokerUnusable as error:
        log.error("no broker", reason=str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
