"""The proxies of docs/operations.md, as they stand there, in front of the real web side and the real Flower."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from syncengine.process import free_port
from syncengine.web import bodies
from tests.attack.test_flower import basic, flower
from tests.support.places import DOCS
from tests.support.web import listening, listens, until
from tests.unit.web.conftest import notice, signed

OPERATIONS = DOCS / "operations.md"
SYNC, FLOWER = "sync.example.com", "flower.example.com"

pytestmark = pytest.mark.timeout(180)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of both names, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, SYNC)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(SYNC), x509.DNSName(FLOWER)]), False
        )
        .sign(key, hashes.SHA256())
    )
    files = folder / "proxy.pem", folder / "proxy.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


def told(language: str) -> str:
    """The configuration that the page shows."""
    (block,) = re.findall(rf"^```{language}\n(.*?)^```", OPERATIONS.read_text("utf-8"), re.M | re.S)
    return str(block)


def nginx(folder: Path, port: int, files: tuple[Path, Path]) -> list[str]:
    """The command of nginx."""
    text = told("nginx").replace("listen 443", f"listen 127.0.0.1:{port}")
    text = re.sub(r"ssl_certificate .*;", f"ssl_certificate {files[0]};", text)
    text = re.sub(r"ssl_certificate_key .*;", f"ssl_certificate_key {files[1]};", text)
    places = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"pid {folder}/pid; daemon off; master_process off; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{ access_log off;\n{places}{text}}}\n"
    )
    return ["nginx", "-p", str(folder), "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"]


def caddy(folder: Path, port: int, files: tuple[Path, Path]) -> list[str]:
    """The command of Caddy."""
    text = told("caddy").replace("{\n\tservers", "{\n\tadmin off\n\tauto_https off\n\tservers", 1)
    for name in (SYNC, FLOWER):
        site = f"https://{name}:{port} {{\n\ttls {files[0]} {files[1]}\n"
        text = text.replace(f"{name} {{\n", site)
    (folder / "Caddyfile").write_text(text)
    return ["caddy", "run", "--adapter", "caddyfile", "--config", f"{folder}/Caddyfile"]


@contextmanager
def proxied(kind: str, folder: Path, web: int, watched: int) -> Iterator[int]:
    """The proxy in front of both; its port."""
    port, files = free_port(), certificate(folder)
    command = {"nginx": nginx, "caddy": caddy}[kind](folder, port, files)
    file = folder / ("nginx.conf" if kind == "nginx" else "Caddyfile")
    text = file.read_text()
    assert "127.0.0.1:8080" in text
    assert "127.0.0.1:5555" in text
    text = text.replace("127.0.0.1:8080", f"127.0.0.1:{web}")
    file.write_text(text.replace("127.0.0.1:5555", f"127.0.0.1:{watched}"))
    environment = {**os.environ, "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with subprocess.Popen(command, env=environment, cwd=folder) as process:
        try:
            until(lambda: process.poll() is not None or listens(port))
            yield port
        finally:
            process.terminate()


class Through(http.client.HTTPSConnection):
    """HTTPS to a name that leads to this machine."""

    def __init__(self, name: str, port: int, trusted: Path) -> None:
        self._trusting = ssl.create_default_context(cafile=str(trusted))
        super().__init__(name, port, timeout=20, context=self._trusting)

    def connect(self) -> None:
        """To here."""
        plain = socket.create_connection(("127.0.0.1", self.port), self.timeout)
        self.sock = self._trusting.wrap_socket(plain, server_hostname=self.host)


@pytest.mark.parametrize("kind", ["nginx", "caddy"])
def test_the_proxies_of_the_manual_work(kind: str, tmp_path: Path) -> None:
    """Over TLS a notice gets in and nothing else does; Flower asks for its password; a head that drips ends."""
    if shutil.which(kind) is None:
        pytest.skip(f"{kind} is not installed here")
    with (
        listening(tmp_path, hosts=(SYNC, FLOWER)) as web,
        flower(tmp_path, SYNCENGINE_HOSTS=f"{SYNC},{FLOWER}") as (service, _),
        proxied(kind, tmp_path, web, service.flower_port) as port,
    ):

        def ask(name: str, method: str, path: str, body: str = "", **more: str) -> int:
            connection = Through(name, port, tmp_path / "proxy.pem")
            connection.request(method, path, body, {"Host": name, **more})
            return connection.getresponse().status

        assert ask(SYNC, "POST", "/events/hr", notice(), **signed(notice())) == 202
        assert ask(SYNC, "POST", "/events/hr", notice()) == 401
        assert ask(SYNC, "POST", "/events/hr", "x" * (bodies.LARGEST + 1)) == 413
        assert {ask(SYNC, "GET", path) for path in ("/metrics", "/healthz", "/")} == {404}
        assert ask(FLOWER, "GET", "/metrics") == 401
        login = service.flower_login
        assert login is not None
        assert ask(FLOWER, "GET", "/tasks", **basic(":".join(login))) == 200
        started = time.monotonic()
        plain = socket.create_connection(("127.0.0.1", port), 10)
        trusting = ssl.create_default_context(cafile=str(tmp_path / "proxy.pem"))
        with trusting.wrap_socket(plain, server_hostname=SYNC) as client:
            client.sendall(b"POST /events/hr HTTP/1.1\r\nHost: ")
            client.settimeout(30)
            while client.recv(1000):
                pass
        assert time.monotonic() - started < 20
