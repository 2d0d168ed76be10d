"""``check --online`` tells apart why a vendor does not answer, each against a real listener of that fault."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from syncengine.cli.app import app
from syncengine.process import free_port
from tests.support.certificates import Certificates
from tests.support.places import MAPPINGS


@contextmanager
def listener(status: int, certificate: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port of a server that answers everything with this status."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        locals().update(do_GET=_answer, do_POST=_answer)  # as the library calls them

        def log_message(self, *_: object) -> None:
            """Quietly."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    if certificate is not None:
        server.socket = certificate.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def asked(folder: Path, url: str) -> str:
    """What is said of hakuna at this address; no other connection is on."""
    environment = {
        "SYNCENGINE_PROJECT": str(MAPPINGS),
        "SYNCENGINE_DATABASE_URL": f"sqlite:///{folder}/engine.db",
        "HAKUNA_BASE_URL": url,
        "HAKUNA_TOKEN": "hunter2",
    }
    result = CliRunner().invoke(app, ["check", "--online", "--json"], env=environment)
    assert result.exit_code == 1, result.output
    assert "hunter2" not in result.output
    told: str = json.loads(result.stdout)["connections"]["hakuna"]["online"]
    return told


def test_a_name_that_dns_does_not_know(tmp_path: Path) -> None:
    """A typing mistake in base_url."""
    told = asked(tmp_path, "https://no-such-host.invalid")
    assert told.endswith("its name is not known to DNS; is base_url spelled right?")


def test_a_port_at_which_nobody_listens(tmp_path: Path) -> None:
    """Another port, or a vendor that is down."""
    assert "the connection is refused" in asked(tmp_path, f"http://127.0.0.1:{free_port()}")


def test_a_certificate_that_does_not_hold_and_no_tls_at_all(tmp_path: Path) -> None:
    """Signed by nobody whom this machine trusts; and https where http is spoken."""
    made = Certificates(tmp_path)
    with listener(200, made.server("localhost")) as port:
        told = asked(tmp_path, f"https://localhost:{port}")
        assert "its certificate does not hold (" in told
    with listener(200) as port:
        assert "no TLS is spoken there" in asked(tmp_path, f"https://127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (404, "HTTP 404; it answers, but nothing is there: is the path of base_url right?"),
        (401, "HTTP 401; the vendor refuses the credentials of this connection"),
    ],
)
def test_a_path_where_nothing_is_and_credentials_that_are_refused(
    tmp_path: Path, status: int, told: str
) -> None:
    """Both are answers of a server that is there."""
    with listener(status) as port:
        assert asked(tmp_path, f"http://127.0.0.1:{port}/api").endswith(told)
