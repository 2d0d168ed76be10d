"""Mail over SMTP."""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from contextlib import suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Final

from syncengine.adapters.notify.text import plain_text
from syncengine.errors import ChannelDown
from syncengine.mapping.notify import Channel, MailServer
from syncengine.model.notification import Message

_SUBJECT: Final = 150
"""Characters of a subject."""


class Mail:
    """One mail for each message, to all addresses of the channel."""

    def __init__(self, channel: Channel, server: MailServer, longest: float) -> None:
        self._channel, self._server, self._longest = channel, server, longest

    def send(self, message: Message) -> None:
        """Hand it in; it counts as taken where the server took it for one address at least. Raises ChannelDown."""
        try:
            self._hand_in(self._mail(message))
        except smtplib.SMTPAuthenticationError as error:
            raise ChannelDown(
                f"the mail server refuses user and password ({error.smtp_code})"
            ) from None
        except smtplib.SMTPNotSupportedError:
            told = "the mail server knows no STARTTLS or no login; write security: tls or none"
            raise ChannelDown(told) from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = {code for code, _ in error.recipients.values()}
            told = ", ".join(map(str, sorted(codes)))
            raise ChannelDown(f"the mail server refuses all recipients ({told})") from None
        except smtplib.SMTPSenderRefused as error:
            raise ChannelDown(f"the mail server refuses the sender ({error.smtp_code})") from None
        except smtplib.SMTPResponseException as error:
            raise ChannelDown(f"the mail server refuses the mail ({error.smtp_code})") from None
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise ChannelDown(_why(error)) from None

    def _mail(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        head = f"syncengine: {message.head}"
        mail["Subject"] = head if len(head) <= _SUBJECT else f"{head[: _SUBJECT - 1]}…"
        mail["From"], mail["To"] = self._server.sender, ", ".join(self._channel.to)
        mail["Date"] = format_datetime(datetime.fromtimestamp(message.at, UTC))
        domain = self._server.sender.rpartition("@")[2]
        mail["Message-ID"] = f"<{message.id}@{domain}>" if message.id else make_msgid(domain=domain)
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(plain_text(message))
        return mail

    def _hand_in(self, mail: EmailMessage) -> None:
        server, context = self._server, ssl.create_default_context()
        if server.security == "tls":
            client: smtplib.SMTP = smtplib.SMTP_SSL(timeout=self._longest, context=context)
        else:
            client = smtplib.SMTP(timeout=self._longest)
        # Its timeouts are for each wait; a server that drips is cut off when all of the time is over.
        end = threading.Timer(self._longest, _cut, [client])
        end.daemon = True
        end.start()
        try:
            client._host = server.host  # type: ignore[attr-defined]  # what the certificate is compared with
            client.connect(server.host, server.port)
            if server.security == "starttls":
                client.starttls(context=context)
            if server.user:
                client.login(server.user, server.password)
            client.send_message(mail, server.sender, list(self._channel.to))
            with suppress(smtplib.SMTPException, OSError):
                client.quit()
        finally:
            end.cancel()
            client.close()


def _cut(client: smtplib.SMTP) -> None:
    with suppress(OSError):
        if client.sock is not None:
            client.sock.shutdown(socket.SHUT_RDWR)


def _why(error: Exception) -> str:
    """What went wrong, without anything that a server said."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of the mail server does not hold: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return "the mail server speaks no TLS here; see security and port"
    if isinstance(error, socket.gaierror):
        return "the name of the mail server is not known"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens at the mail server's port"
    if isinstance(error, TimeoutError):
        return "the mail server does not answer in time"
    return f"the mail server hangs up ({type(error).__name__})"
