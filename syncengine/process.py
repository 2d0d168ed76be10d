"""Processes that do not outlive the one that started them, what they create, and the ports that they listen on."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from syncengine.errors import Halt

_LINUX = sys.platform == "linux"
_LIBC = ctypes.CDLL(None) if _LINUX else None
_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """On Linux, let the kernel kill this process once the thread that started it is gone; elsewhere nothing."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def lean(environment: Mapping[str, str], *prefixes: str) -> dict[str, str]:
    """What any process needs of an environment, and what begins with these: nothing of vendors and keys."""
    starts = ("LC_", "PYTHON", *prefixes)
    return {n: value for n, value in environment.items() if n in _ANYBODY or n.startswith(starts)}


_ANYBODY = frozenset(
    [
        "HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR", "TZ", "USER",
        "VIRTUAL_ENV",
    ]
)  # fmt: skip


def keep_private() -> None:
    """What this process and its children create is for this account alone, whatever the shell allows."""
    os.umask(0o077)


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


class PortTaken(Halt):
    """Something else listens on a port that we need, or we may not listen there."""


def require_port(port: int, host: str, what: str, instead: str) -> None:
    """Raises PortTaken with who has the port, if that can be seen, and what to do ``instead``."""
    why = _hindrance(port, host)
    if why:
        raise PortTaken(f"{what} cannot listen on port {port} of {host}: {why}; {instead}")


def _hindrance(port: int, host: str) -> str:
    """Why nobody can listen there; empty if one can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except PermissionError:
            return "this user may not listen there"
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return f"{error.strerror or error}"
            return f"it is taken by {_holder(port) or 'another program'}"
    return ""


def _holder(port: int) -> str:
    """``python (process 1234)``: who listens on a port, as far as Linux lets us see it."""
    sockets = {f"socket:[{inode}]" for inode in _listening(port)}
    for process in Path("/proc").glob("[0-9]*") if sockets else ():
        try:
            if any(str(handle.readlink()) in sockets for handle in (process / "fd").iterdir()):
                name = (process / "comm").read_text("utf-8").strip()
                return f"{name} (process {process.name})"
        except OSError:
            continue
    return ""


def _listening(port: int) -> list[str]:
    """Inodes of the sockets that listen on a port."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for columns in map(str.split, lines):
            local, state, inode = columns[1], columns[3], columns[9]
            if int(local.rpartition(":")[2], 16) == port and state == "0A":
                found.append(inode)
    return found
