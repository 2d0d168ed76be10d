"""Receivers of notifications: a mail server and a web server on this machine, which take, refuse or drip."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from syncengine.process import free_port


@dataclass
class Inbox:
    """A mail server. ``refuses``: what it answers instead of taking: to a recipient (RCPT) or to the mail (DATA)."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    refuses: dict[str, str] = field(default_factory=dict)
    users: list[str] = field(default_factory=list)

    async def _rcpt(self, _: Any, __: Any, envelope: Any, address: str, ___: Any) -> str:
        """A recipient."""
        if "RCPT" in self.refuses:
            return self.refuses["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def _data(self, _: Any, __: Any, envelope: Any) -> str:
        """A mail."""
        if "DATA" in self.refuses:
            return self.refuses["DATA"]
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"

    # As the library calls them.
    locals().update(handle_RCPT=_rcpt, handle_DATA=_data)


@contextmanager
def mail_server(
    certificate: ssl.SSLContext | None = None, password: str = "", tls: bool = False
) -> Iterator[Inbox]:
    """A mail server; with a certificate it wants STARTTLS, or TLS from the first byte; with a password a login."""
    inbox = Inbox(free_port())

    def login(_: Any, __: Any, ___: Any, ____: Any, given: Any) -> AuthResult:
        assert isinstance(given, LoginPassword)
        inbox.users.append(given.login.decode())
        return AuthResult(success=given.password.decode() == password, handled=False)

    more: dict[str, Any] = {"authenticator": login, "auth_required": True} if password else {}
    more |= {"auth_require_tls": certificate is not None and not tls} if password else {}
    if certificate is not None and not tls:
        more |= {"tls_context": certificate, "require_starttls": True}
    server = Controller(
        inbox, hostname="127.0.0.1", port=inbox.port, ready_timeout=20,
        ssl_context=certificate if tls else None, **more,
    )  # fmt: skip
    server.start()
    try:
        yield inbox
    finally:
        server.stop()


@dataclass
class Hooks:
    """A web server. ``status``: of its answers; ``slow``: seconds before each; ``posted``: path, headers and body."""

    url: str = ""
    status: int = 200
    slow: float = 0.0
    posted: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def bodies(self) -> list[Any]:
        """What was posted, as JSON."""
        return [json.loads(body) for _, _, body in self.posted]


@contextmanager
def web_server() -> Iterator[Hooks]:
    """Takes whatever is sent."""
    hooks = Hooks()

    class Handler(BaseHTTPRequestHandler):
        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            hooks.posted.append((self.path, headers, body))
            time.sleep(hooks.slow)
            self.send_response(hooks.status)
            if hooks.status in (301, 302):
                self.send_header("Location", f"{hooks.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        locals().update(do_GET=_take, do_POST=_take)  # as the library calls them

        def log_message(self, *_: Any) -> None:
            """Quietly."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hooks.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        yield hooks
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def dripping(text: bytes, pause: float = 0.1) -> Iterator[int]:
    """The port of a server that says this again and again, a byte at a time, and never ends."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        client, _ = listener.accept()
        with client:
            for byte in text * 100_000:
                if over.wait(pause):
                    return
                try:
                    client.send(bytes([byte]))
                except OSError:
                    return

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        over.set()
        listener.close()
