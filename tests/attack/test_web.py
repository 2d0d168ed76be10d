"""The web side against whoever can reach their ports, and against pages that a browser here has open.

The attackers need no account and no secret: they open connections and say little, say it slowly, ask without a
password, or have a name of their own lead to this machine (DNS rebinding).
"""

from __future__ import annotations

import contextlib
import http.client
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from syncengine.errors import ConfigInvalid
from syncengine.process import free_port
from syncengine.settings import read_settings
from syncengine.web import bodies, client_limits, watch
from tests.support.places import MAPPINGS
from tests.support.web import ask, listening, until
from tests.unit.web.conftest import notice, signed

TOKEN = "a-token-of-its-own"
GET = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

pytestmark = pytest.mark.timeout(120)


def came(port: int, piece: bytes, every: float, beginning: bytes = b"") -> tuple[float, bytes]:
    """Say something, then go on piece by piece until the other side ends it: after how long, and what it said."""
    started, said = time.monotonic(), b""
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.settimeout(every)
        with contextlib.suppress(ConnectionError):
            client.sendall(beginning)
            while time.monotonic() - started < 20:
                client.sendall(piece)
                with contextlib.suppress(TimeoutError):
                    more = client.recv(65536)
                    said += more
                    if not more:
                        break
    return time.monotonic() - started, said


# time


def test_a_head_that_drips_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attacker says a request's head byte by byte, on new connections and after an answer."""
    monkeypatch.setattr(client_limits, "HEAD", 1.0)
    with listening(tmp_path) as port:
        for beginning in (b"", b"GET /", GET):
            seconds, _ = came(port, b"x", 0.1, beginning)
            assert 0.8 < seconds < 4


def test_a_silent_connection_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attacker says nothing at all."""
    monkeypatch.setattr(client_limits, "HEAD", 1.0)
    with listening(tmp_path) as port:
        seconds, said = came(port, b"", 0.2)
        assert (0.8 < seconds < 4, said) == (True, b"")


def test_a_body_that_drips_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attacker signs nothing and sends a body byte by byte: it is told, and the connection ends."""
    monkeypatch.setattr(bodies, "SLOWEST", 1.0)
    monkeypatch.setattr(client_limits, "LEFT", 1.2)
    head = "POST /events/hr HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5000\r\n\r\n"
    with listening(tmp_path) as port:
        seconds, said = came(port, b"x", 0.1, head.encode())
        assert 0.8 < seconds < 5
        assert said.startswith(b"HTTP/1.1 408 ")


def test_a_body_that_nobody_reads_ends_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attacker drips a body at a page that takes none, and where the reader itself has no end."""
    monkeypatch.setattr(client_limits, "HEAD", 1.0)
    monkeypatch.setattr(client_limits, "BODY", 1.0)
    with listening(tmp_path) as port:
        for path in ("/healthz", "/nowhere", "/events/hr"):
            head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
            seconds, _ = came(port, b"1\r\nx\r\n", 0.1, head.encode())
            assert 0.8 < seconds < 5


@pytest.mark.parametrize("more", ["", "Connection: close\r\n"])
def test_an_answer_that_is_not_taken_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str
) -> None:
    """The attacker asks for much, and does not read it."""
    much = 32 << 20
    monkeypatch.setattr(client_limits, "HEAD", 1.0)
    monkeypatch.setattr(client_limits, "ANSWER", 1.0)
    monkeypatch.setattr(watch, "_counts", lambda _: b"x" * much)
    with listening(tmp_path) as port, socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(f"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}\r\n".encode())
        time.sleep(3)
        client.settimeout(5)
        got = 0
        with contextlib.suppress(ConnectionError):
            while piece := client.recv(1 << 20):
                got += len(piece)
        assert got < much


# how many


def test_many_that_say_nothing_keep_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attacker opens more connections than there is room for, and begins requests on them: whoever says all at once
    is answered all the same, and the log has one line."""
    monkeypatch.setattr(client_limits, "MOST", 20)
    with listening(tmp_path) as port, capture_logs() as logs, contextlib.ExitStack() as held:
        for n in range(100):
            client = held.enter_context(socket.create_connection(("127.0.0.1", port), 5))
            client.sendall([b"", b"GET /hea", GET[:-2], b"POST /events/hr HTTP/1.1\r\n"][n % 4])
        started = time.monotonic()
        for _ in range(5):
            assert ask(port).status == 200
        assert time.monotonic() - started < 5
    assert {entry["event"] for entry in logs} == {"more clients than there is room for"}


def test_a_flood_of_forged_notices_keeps_no_real_one_out(tmp_path: Path) -> None:
    """The attacker sends notices with made-up signatures, as large and as fast as it can, and asks for the health
    in between; real ones are taken meanwhile."""
    large = notice().ljust(bodies.LARGEST)
    forged = signed(large, "forged", secret="whsec_" + "bm9ib2R5" * 6)
    over = threading.Event()

    told: set[int] = set()

    def flood() -> None:
        while not over.is_set():
            told.update((post(port, large, forged), ask(port).status))

    with listening(tmp_path) as port:
        attackers = [threading.Thread(target=flood) for _ in range(12)]
        for attacker in attackers:
            attacker.start()
        started = time.monotonic()
        taken = [post(port, notice(), signed(notice(), f"real-{n}")) for n in range(10)]
        took = time.monotonic() - started
        over.set()
        for attacker in attackers:
            attacker.join(20)
    assert (taken, told) == ([202] * 10, {401, 200})
    assert took < 15


def post(port: int, body: str, headers: dict[str, str]) -> int:
    """The status of a notice to ``hr``."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", "/events/hr", body, headers)
    return connection.getresponse().status


@pytest.mark.long
@pytest.mark.ci
def test_a_shortage_of_descriptors_fills_no_log(tmp_path: Path) -> None:
    """The attacker opens connections until the process may open nothing more: it says so in a line or two, and answers
    once they are gone."""
    port, limit = free_port(), 64
    assert limit < client_limits.KEPT_FREE + client_limits.AT_ONCE
    said = tmp_path / "said"
    environment = {
        **os.environ,
        "SYNCENGINE_PROJECT": str(MAPPINGS),
        "SYNCENGINE_DATABASE_URL": f"sqlite:///{tmp_path}/kept.db",
        "SYNCENGINE_BROKER_URL": "redis://127.0.0.1:1/0",
        "SYNCENGINE_LOG_FORMAT": "json",
    }
    command = [sys.executable, "-P", "-m", "syncengine.web", "127.0.0.1", str(port)]
    with (
        said.open("w") as output,
        subprocess.Popen(
            command, env=environment, stderr=output, cwd=tmp_path,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)),
        ) as web,
    ):  # fmt: skip
        try:
            until(lambda: answers(port), 60)
            begun = len(said.read_text().splitlines())
            with contextlib.ExitStack() as held:
                for _ in range(5 * limit):
                    held.enter_context(socket.create_connection(("127.0.0.1", port), 5))
                time.sleep(3)
            until(lambda: answers(port), 30)
        finally:
            web.terminate()
            web.wait(30)
    lines = said.read_text().splitlines()[begun:]
    assert any("no file descriptor is free" in line for line in lines), lines
    assert len(lines) < 10, lines[:30]


def answers(port: int) -> bool:
    try:
        return ask(port).status == 200
    except (OSError, http.client.HTTPException):
        return False


# names


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:8080", 200),
        ("[::1]:8080", 200),
        ("LOCALHOST", 200),
        ("Sync.Example.COM:443", 200),
        ("evil.example", 400),
        ("127.0.0.1.evil.example", 400),
        ("localhost.evil.example", 400),
        ("localhost@evil.example", 400),
        ("evil.example:127.0.0.1", 400),
        ("10.0.0.7", 400),
        ("[::1", 400),
        ("", 400),
    ],
)
def test_a_name_of_a_stranger_is_not_ours(tmp_path: Path, host: str, status: int) -> None:
    """The attacker's page has its own name lead to this machine, and the browser sends that name."""
    with listening(tmp_path, hosts=("sync.example.com",)) as port:
        for path in ("/healthz", "/metrics"):
            answer = ask(port, path, Host=host)
            assert answer.status == status
            assert status == 200 or b"SYNCENGINE_HOSTS" in answer.read()


def test_a_request_that_names_nobody_or_two_is_refused(tmp_path: Path) -> None:
    """The attacker hopes that the first name is looked at and the last one used."""
    with listening(tmp_path) as port:
        _, said = came(port, b"", 1, b"GET /healthz HTTP/1.0\r\n\r\n")
        assert b" 400 " in said.splitlines()[0]
        two = GET.replace(b"Host: 127.0.0.1", b"Host: 127.0.0.1\r\nHost: evil.example")
        _, said = came(port, b"", 1, two)
        assert b" 400 " in said.splitlines()[0]


@pytest.mark.parametrize("names", ["http://a.example", "a.example:80", "a b/c", "*"])
def test_names_are_names(names: str) -> None:
    """What would never match, or match all, is refused at the start."""
    with pytest.raises(ConfigInvalid, match="SYNCENGINE_HOSTS: write names"):
        read_settings({"SYNCENGINE_HOSTS": names})
    assert read_settings({"SYNCENGINE_HOSTS": "a.example, ::1"}).hosts == ("a.example", "::1")


# figures


def test_figures_are_for_who_has_the_token(tmp_path: Path) -> None:
    """The attacker reaches the port and wants to know how many people come and go; health stays open to all."""
    with listening(tmp_path, metrics_token=TOKEN) as port:
        for given in ({}, {"Authorization": "Bearer nope"}, {"Authorization": TOKEN},
                      {"Authorization": "Bearer \xff"}, {"Authorization": f"Basic {TOKEN}"}):  # fmt: skip
            answer = ask(port, "/metrics", **given)
            assert answer.status == 401
            assert b"syncengine_links" not in answer.read()
        for scheme in ("Bearer", "bearer", "BEARER ", "bEARER"):
            assert ask(port, "/metrics", Authorization=f"{scheme} {TOKEN}").status == 200
        assert ask(port).status == 200
    with pytest.raises(ConfigInvalid, match="SYNCENGINE_METRICS_TOKEN"):
        read_settings({"SYNCENGINE_METRICS_TOKEN": "short"})
