"""Ports: one that is taken is told with who has it and what to do."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from syncengine.process import PortTaken, free_port, require_port


def test_a_free_port_is_fine_and_stays_free() -> None:
    """Asking takes nothing away."""
    port = free_port()
    for _ in range(2):
        require_port(port, "127.0.0.1", "the web side", "name another one")


@pytest.mark.parametrize("there", ["127.0.0.1", "0.0.0.0"])
def test_a_taken_port_is_named_with_its_holder(there: str) -> None:
    """The error names the port, what wanted it, who has it and what to do, in one line."""
    with socket.create_server((there, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken) as caught:
            require_port(port, "127.0.0.1", "the web side", "name another one: --port")
    told = str(caught.value)
    assert told.startswith(f"the web side cannot listen on port {port} of 127.0.0.1: it is taken")
    if sys.platform == "linux":
        name = Path("/proc/self/comm").read_text("utf-8").strip()
        assert f"{name} (process {os.getpid()})" in told
    assert told.endswith("; name another one: --port")
    assert "\n" not in told


def test_an_address_that_is_not_ours_is_told() -> None:
    """An address of another machine is no taken port."""
    with pytest.raises(PortTaken, match=r"port 8080 of 192\.0\.2\.1: .*assign"):
        require_port(8080, "192.0.2.1", "the web side", "name another one")
