"""The server of the embedded broker: what kombu and Flower need of Redis, on a UNIX socket of this account alone.

It has no scripting: the Lua that fakeredis would offer reaches Python, and with it everything that this account may
do. The three scripts that kombu and redis-py send are known by their digests and done in Python; ``COMMANDS`` are
known, and no others.
"""

from __future__ import annotations

import hashlib
import itertools
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

import structlog
from fakeredis import TcpFakeServer
from fakeredis._commands import COMMANDS_WITH_SUB, SUPPORTED_COMMANDS, Signature
from fakeredis._helpers import SimpleError
from fakeredis._socket import FakeSocket

log = structlog.get_logger(__name__)

COMMANDS: Final = frozenset(
    [
        "auth", "brpop", "client", "client id", "client maint_notifications", "client setinfo", "client setname",
        "del", "discard", "exec", "exists", "expire", "get", "hdel", "hello", "hget", "hset", "info", "llen", "lpush",
        "lrange", "lrem", "multi", "pexpire", "ping", "psubscribe", "publish", "punsubscribe", "quit", "rpop",
        "rpush", "sadd", "scard", "select", "set", "smembers", "srem", "subscribe", "unsubscribe", "unwatch",
        "watch", "zadd", "zcard", "zrange", "zrangebyscore", "zrem", "zrevrangebyscore",
    ]
)  # fmt: skip
"""What is known of Redis."""

Reply = int | bytes | list[int]


def _run(client: FakeSocket, name: str, *arguments: bytes) -> Any:
    """One command for a script, which is one step of the server."""
    method, signature = client._name_to_func(name)
    return client._run_command(method, signature, list(arguments), True)


def _release(client: FakeSocket, name: bytes, token: bytes) -> int:
    """redis-py: give a lock back, if it is still ours."""
    return int(_run(client, "get", name) == token and _run(client, "del", name))


def _refresh(
    client: FakeSocket, table: bytes, deadlines: bytes, member: bytes, exchange: bytes, span: bytes
) -> None:
    """kombu: a queue is bound to an exchange, for at least so many milliseconds."""
    _run(client, "sadd", table, member)
    until = int(time.time() * 1000) + int(float(span))
    _run(client, "zadd", deadlines, b"GT", b"%d" % until, exchange)


def _sweep(
    client: FakeSocket, deadlines: bytes, tables: bytes, permanent: bytes, limit: bytes
) -> int:
    """kombu: forget bindings whose time is over, but where a queue is bound for good."""
    now = b"%d" % int(time.time() * 1000)
    overdue = _run(client, "zrangebyscore", deadlines, b"-inf", now, b"LIMIT", b"0", limit)
    for exchange in overdue:
        if not _run(client, "exists", permanent + exchange):
            _run(client, "del", tables + exchange)
        _run(client, "zrem", deadlines, exchange)
    return len(overdue)


SCRIPTS: Final[dict[bytes, Callable[..., int | None]]] = {
    b"c3f8721cbb97f72bc19e972846bd7aaf91901658": _release,
    b"ef7a9e205fbaf46bf959e1522ff796622fc676c7": _refresh,
    b"9a2b966a0a2d2d0e36ec32bc30fc89342b94a4bf": _sweep,
}
"""SHA-1 of a script's text -> the same in Python."""


def own_evalsha(client: FakeSocket, digest: bytes, _: bytes, *arguments: bytes) -> int | None:
    script = SCRIPTS.get(digest.lower())
    if script is None:
        raise SimpleError("NOSCRIPT this broker has no scripts")
    try:
        return script(client, *arguments)
    except (TypeError, ValueError):
        raise SimpleError("ERR the script takes other arguments") from None


def own_load(_: FakeSocket, text: bytes) -> bytes:
    digest = hashlib.sha1(text, usedforsecurity=False).hexdigest().encode()
    if digest not in SCRIPTS:
        raise SimpleError("ERR this broker has no scripts")
    return digest


def own_exists(_: FakeSocket, *digests: bytes) -> list[int]:
    return [int(digest.lower() in SCRIPTS) for digest in digests]


_KNOWN = FakeSocket._name_to_func


def _name_to_func(client: FakeSocket, name: str) -> tuple[Any, Signature]:
    """What is asked for in vain is said, for it may be a newer kombu that needs it."""
    if name not in SUPPORTED_COMMANDS:
        log.warning("a command that is not known", command=name)
    return _KNOWN(client, name)


def restrict() -> None:
    """From now on no server of this process knows anything else. Done when this module is loaded."""
    for name in SUPPORTED_COMMANDS.keys() - COMMANDS:
        del SUPPORTED_COMMANDS[name]
    for name, function, needs, rest in (
        ("evalsha", own_evalsha, (bytes, bytes), (bytes,)),
        ("script load", own_load, (bytes,), ()),
        ("script exists", own_exists, (), (bytes,)),
    ):
        setattr(FakeSocket, function.__name__, function)
        signature = Signature(name, function.__name__, cast(Any, needs), cast(Any, rest))
        SUPPORTED_COMMANDS[name] = signature
    COMMANDS_WITH_SUB.add("script")
    setattr(FakeSocket, _name_to_func.__name__, _name_to_func)


restrict()


class Server(TcpFakeServer):
    """It listens on a file."""

    address_family = socket.AF_UNIX

    def __init__(self, path: Path) -> None:
        """Raises OSError where nobody can listen."""
        self._numbers = itertools.count(1)
        super().__init__(cast(Any, str(path)), server_type="redis")
        path.chmod(0o600)
        self.daemon_threads = True

    def get_request(self) -> tuple[socket.socket, Any]:
        """Clients of a file have no address by which they are told apart."""
        client, _ = self.socket.accept()
        return client, ("client", next(self._numbers))
