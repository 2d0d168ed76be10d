"""The embedded broker: a Redis look-alike in a small process of its own, for a machine without a broker. Its state dies
with it, which costs time and no work: the outbox is in SQL.

It listens on a file in a folder that only this account may enter, has no scripts, and is given nothing of the
environment that it does not need.

``python -P -m syncengine.broker NUMBER [LINGER]`` serves until it is told to stop, or until nobody has been
connected for LINGER seconds. Where another one serves already it stands by and takes over when that is gone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import stat
import statistics
import subprocess
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from syncengine.errors import Halt
from syncengine.logs import configure_logs, hide_values
from syncengine.process import keep_private, lean
from syncengine.settings import Settings, read_settings

if TYPE_CHECKING:
    from syncengine.lookalike import Server

HOST = "127.0.0.1"
NUMBER = 16379
SLOWEST_TRIP = 0.02
"""Seconds; a round trip takes 1 ms, and 40 ms where packets are held back."""
_INSTEAD = "name a Redis or RabbitMQ in SYNCENGINE_BROKER_URL"
LINGER = 60.0
"""Seconds that a broker which belongs to nobody waits for a client."""

log = structlog.get_logger(__name__)


class BrokerUnusable(Halt):
    """Where the embedded broker should listen is something else, or the broker does not do its work."""


def embedded_number(broker_url: str) -> int | None:
    """The number of ``embedded`` or ``embedded:NUMBER``; None for a broker that somebody else runs."""
    name, _, number = broker_url.partition(":")
    return int(number or NUMBER) if name == "embedded" else None


def socket_of(number: int) -> Path:
    """The file on which the embedded broker of this number listens: one for all processes of this account, whatever
    they were told to be the place of temporary files."""
    return Path(f"/tmp/syncengine-{os.getuid()}") / f"{number}.sock"


def private_folder(number: int) -> Path:
    """The folder of that file, made if need be. Raises BrokerUnusable if another account could have put it there."""
    folder = socket_of(number).parent
    try:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(0o700)
        found = folder.lstat()
        fine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
        if fine and found.st_mode & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise BrokerUnusable(f"{folder} cannot be made: {error.strerror}; {_INSTEAD}") from None
    if not fine:
        raise BrokerUnusable(f"{folder} is not a folder of this account; remove it, or {_INSTEAD}")
    return folder


def broker_url(settings: Settings) -> str:
    """The URL that clients connect to."""
    number = embedded_number(settings.broker_url)
    if number is None:
        return settings.broker_url
    return f"redis+socket://{socket_of(number)}?virtual_host=0"


def reachable(settings: Settings, timeout: float = 1.0) -> bool:
    """Whether somebody listens where the broker should be."""
    url = urlsplit(broker_url(settings))
    if url.scheme == "redis+socket":
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(timeout)
            return probe.connect_ex(url.path) == 0
    port = url.port or (6379 if url.scheme.startswith("redis") else 5672)
    try:
        with socket.create_connection((url.hostname or HOST, port), timeout):
            return True
    except OSError:
        return False


def round_trip(number: int) -> float | None:
    """Median seconds of a few pings; None if nobody listens. Raises BrokerUnusable if what listens is no
    broker."""
    private_folder(number)
    attempts = 3
    while True:
        attempts -= 1
        try:
            return _median_trip(number)
        except redis.RedisError as error:
            nobody = (ConnectionRefusedError, FileNotFoundError)
            if isinstance(error.__cause__ or error.__context__, nobody):
                return None
            # A broker that dies in the middle of an answer hangs up as something that is no broker would.
            if not attempts or not isinstance(error, redis.ConnectionError):
                raise _taken(number) from error
            time.sleep(0.05)


def _median_trip(number: int) -> float:
    once = Retry(NoBackoff(), 0)
    client = redis.Redis(unix_socket_path=str(socket_of(number)), socket_timeout=2, retry=once)
    try:
        client.ping()
        return statistics.median(_timed(client) for _ in range(5))
    finally:
        client.close()


def _timed(client: redis.Redis) -> float:
    started = time.perf_counter()
    client.ping()
    return time.perf_counter() - started


def _taken(number: int) -> BrokerUnusable:
    return BrokerUnusable(
        f"SYNCENGINE_BROKER_URL: on {socket_of(number)} listens something that is no broker; stop it, or write "
        f"another number (embedded:{number + 1}) or the URL of a Redis or RabbitMQ"
    )


def ensure_broker(settings: Settings) -> None:
    """Start the embedded broker, if that is what the settings ask for and nobody is there. It is a process of
    its own that ends by itself some time after its last client. Raises BrokerUnusable."""
    number = embedded_number(settings.broker_url)
    if number is None or round_trip(number) is not None:
        return
    subprocess.Popen(
        [sys.executable, "-P", "-m", "syncengine.broker", str(number), str(LINGER)],
        env=lean(os.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_for_broker(number)


def wait_for_broker(number: int, seconds: float = 15.0) -> float:
    """Wait until the broker answers; its round trip in seconds. Raises BrokerUnusable."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        trip = round_trip(number)
        if trip is not None:
            return trip
        time.sleep(0.05)
    raise BrokerUnusable(f"nobody answers on {socket_of(number)} after {seconds:g} s")


def listen(number: int) -> Server:
    """A server that is not yet serving. Raises OSError where another one is."""
    file = private_folder(number) / f"{number}.sock"
    lock = os.open(file.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        # Held for as long as this process lives: a file that is left over from one that died is nobody's.
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if round_trip(number) is not None:
            raise OSError("another one serves")
        file.unlink(missing_ok=True)
        # Without lupa the look-alike has no scripts at all, also where it is installed.
        sys.modules.setdefault("lupa", cast(Any, None))
        server: Server = import_module("syncengine.lookalike").Server(file)
    except BaseException:
        os.close(lock)
        raise
    return server


def _stand_by(number: int, stop: threading.Event) -> Server | None:
    """Wait until it is our turn; None if told to stop before."""
    while not stop.is_set():
        try:
            return listen(number)
        except OSError:
            round_trip(number)
            stop.wait(0.5)
    return None


def serve(number: int, linger: float | None, stop: threading.Event) -> None:
    """Serve until ``stop``, or until nobody has been connected for ``linger`` seconds. Raises BrokerUnusable if
    something else listens there, or if a round trip is so slow that no work would get done."""
    server = _stand_by(number, stop)
    if server is None:
        return
    threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
    ).start()
    trip = wait_for_broker(number)
    if trip > SLOWEST_TRIP:
        raise BrokerUnusable(f"a round trip to the embedded broker takes {trip * 1000:.0f} ms")
    log.info("broker ready", number=number, round_trip_ms=round(trip * 1000, 2))
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
    number = int(sys.argv[1]) if len(sys.argv) > 1 else NUMBER
    linger = float(sys.argv[2]) if len(sys.argv) > 2 else None
    keep_private()
    hide_values()
    configure_logs(read_settings().log_format)
    stop = threading.Event()
    for told in (signal.SIGTERM, signal.SIGINT):
        signal.signal(told, lambda *_: stop.set())
    try:
        serve(number, linger, stop)
    except BrokerUnusable as error:
        log.error("no broker", reason=str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
