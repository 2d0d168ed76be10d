"""Channels against real servers: what arrives, and what is said where it does not."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from syncengine.adapters.notify import open_channels
from syncengine.adapters.notify.text import MOST
from syncengine.errors import ChannelDown
from syncengine.mapping.notify import Channel, MailServer, Notify
from syncengine.model.notification import Item, Message, News
from syncengine.model.secret import webhook_secret
from syncengine.planning.notifications import HEARTBEAT
from syncengine.ports import Channel as Port
from syncengine.process import free_port
from tests.support.certificates import Certificates
from tests.support.receivers import dripping, mail_server, web_server

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
LONGEST = 1.0
ITEM = Item(
    News.BEGAN, "question", "ask", 7, 1.0, {"kind": "identity"}, "7 questions <now> & *here*.",
    "https://sync.example/questions",
)  # fmt: skip
OVER = Item(News.ENDED, "halted", "fault", 1, 1.0, {"connection": "hakuna"}, "Over: hakuna.", "")
MESSAGE = Message(
    "msg_1", 1_795_777_200.0, "change", ITEM.text, (ITEM, OVER), "Waits for a person.",
    "https://sync.example",
)  # fmt: skip


def hook(kind: Any, url: str) -> Port:
    """A channel to a web server."""
    secret = webhook_secret(SECRET) if kind == "webhook" else b""
    channel = Channel("ops", kind, "en", (), url, secret, "")
    return open_channels(Notify({"ops": channel}), HEARTBEAT, LONGEST)["ops"]


def mail(port: int, security: Any = "none", host: str = "127.0.0.1", password: str = "") -> Port:
    """A channel of mail to two people."""
    to = ("hr@firma.example", "kim@firma.example")
    channel = Channel("hr", "mail", "en", to, "", b"", "")
    user = "sync" if password else ""
    server = MailServer(host, port, security, user, password, "sync@firma.example")
    return open_channels(Notify({"hr": channel}, mail=server), HEARTBEAT, LONGEST)["hr"]


def why(channel: Port) -> str:
    """What is said where a message is not taken."""
    with pytest.raises(ChannelDown) as raised:
        channel.send(MESSAGE)
    return str(raised.value)


def test_mail_has_all_lines_and_who_sent_it() -> None:
    """To all addresses at once; programs that answer mail see that no person wrote it."""
    with mail_server() as inbox:
        mail(inbox.port).send(MESSAGE)
    (got,) = inbox.mails
    assert got["subject"] == "syncengine: 7 questions <now> & *here*."
    assert (got["from"], got["to"]) == ("sync@firma.example", "hr@firma.example, kim@firma.example")
    assert got["auto-submitted"] == "auto-generated"
    assert got["message-id"] == "<msg_1@firma.example>"
    assert got.get_content().splitlines() == [
        "Waits for a person.", "", "? 7 questions <now> & *here*.", "  https://sync.example/questions",
        "✓ Over: hakuna.", "", "https://sync.example/",
    ]  # fmt: skip


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_is_encrypted_and_the_password_goes_nowhere_else(
    security: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a certificate that holds for the name; where it does not, nothing is sent, the password least of all."""
    made = Certificates(tmp_path)
    with mail_server(made.server("localhost"), "hunter2", tls=security == "tls") as inbox:
        told = why(mail(inbox.port, security, "localhost", "hunter2"))
        assert told.startswith("the certificate of the mail server does not hold")
        assert inbox.users == []
        monkeypatch.setenv("SSL_CERT_FILE", str(made.root))
        assert "does not hold" in why(mail(inbox.port, security, "127.0.0.1", "hunter2"))
        mail(inbox.port, security, "localhost", "hunter2").send(MESSAGE)
        assert (inbox.users, len(inbox.mails)) == (["sync"], 1)
        told = why(mail(inbox.port, security, "localhost", "wrong"))
        assert told == "the mail server refuses user and password (535)"


def test_a_mail_server_that_refuses_is_told_by_its_number_alone() -> None:
    """Its words may repeat an address."""
    with mail_server() as inbox:
        inbox.refuses = {"RCPT": "550 no such hr@firma.example"}
        assert why(mail(inbox.port)) == "the mail server refuses all recipients (550)"
        inbox.refuses = {"DATA": "554 you are on our list"}
        assert why(mail(inbox.port)) == "the mail server refuses the mail (554)"
        told = why(mail(inbox.port, "starttls"))
        assert told == "the mail server knows no STARTTLS or no login; write security: tls or none"


def test_a_mail_server_that_is_not_there_or_drips_costs_its_time_and_no_more() -> None:
    """A line that never ends is cut off when all of the time is over."""
    assert why(mail(free_port())) == "nobody listens at the mail server's port"
    assert why(mail(25, host="no-such-host.invalid")) == "the name of the mail server is not known"
    with dripping(b"220-") as port:
        started = time.monotonic()
        told = why(mail(port))
        assert time.monotonic() - started < 4 * LONGEST
    assert told.startswith(("the mail server hangs up", "the mail server does not answer"))


def _text(body: Any) -> str:
    return str(body["text"])


def _card(body: Any) -> str:
    (attachment,) = body["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert attachment["content"]["actions"][0]["url"] == "https://sync.example/"
    return "\n".join(block["text"] for block in attachment["content"]["body"])


@pytest.mark.parametrize(
    ("kind", "read", "line"),
    [
        ("slack", _text, "? 7 questions &lt;now&gt; &amp; *here*."),
        ("mattermost", _text, "? 7 questions \\<now\\> & \\*here\\*."),
        ("teams", _card, "? 7 questions \\<now\\> & \\*here\\*."),
    ],
)
def test_each_kind_of_hook_gets_its_own_form(
    kind: str, read: Callable[[Any], str], line: str
) -> None:
    """With what steers there made harmless."""
    with web_server() as hooks:
        hook(kind, f"{hooks.url}/T0/B0").send(MESSAGE)
    ((path, headers, _),) = hooks.posted
    assert (path, headers["content-type"]) == ("/T0/B0", "application/json")
    text = read(hooks.bodies[0])
    assert line in text.splitlines()
    assert text.splitlines()[0] == "Waits for a person."


def test_a_webhook_is_signed_as_standard_webhooks_say() -> None:
    """So that a program can tell that it is ours; what is sent again has the same id."""
    with web_server() as hooks:
        channel = hook("webhook", hooks.url)
        channel.send(MESSAGE)
        channel.send(MESSAGE)
    (_, headers, body), (_, again, _) = hooks.posted
    event = Webhook(SECRET).verify(body, headers)
    assert headers["webhook-id"] == again["webhook-id"] == "msg_1"
    assert event["type"] == "syncengine.change"
    assert event["data"]["items"][0] == {
        "news": "began", "code": "question", "level": "ask", "count": 7, "since": 1.0,
        "about": {"kind": "identity"}, "text": ITEM.text, "link": ITEM.link,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (302, "it answers 302, a redirect; write the address that it leads to"),
        (404, "it answers 404, there is no such hook; make a new one there"),
        (429, "it answers 429, too many messages; it is tried again later"),
        (500, "it answers 500"),
    ],
)
def test_a_hook_that_refuses_is_said_with_what_to_do(status: int, told: str) -> None:
    """A redirect is not followed: whoever sends one would get what was meant for another."""
    with web_server() as hooks:
        hooks.status = status
        assert why(hook("slack", hooks.url)) == told
        assert len(hooks.posted) == 1


def test_a_hook_that_is_not_there_or_slow_costs_its_time_and_shows_no_address() -> None:
    """Whoever knows the address may write there."""
    assert why(hook("slack", f"http://127.0.0.1:{free_port()}/T0")) == "nobody listens there"
    assert why(hook("slack", "http://no-such-host.invalid/T0")) == "its name is not known"
    with dripping(b"HTTP/1.1 200 OK\r\nX: ") as port:
        started = time.monotonic()
        assert why(hook("slack", f"http://127.0.0.1:{port}/T0")) == "it does not answer in time"
        assert time.monotonic() - started < 3 * LONGEST


def test_a_certificate_that_does_not_hold_is_refused(tmp_path: Path) -> None:
    """As for vendors."""
    made = Certificates(tmp_path)
    with mail_server(made.server("localhost"), tls=True) as inbox:
        assert (
            why(hook("slack", f"https://localhost:{inbox.port}/"))
            == "its certificate does not hold"
        )


def test_a_long_message_is_cut_and_counted() -> None:
    """Twenty lines are enough to look at the console."""
    many = Message("msg_2", 1.0, "change", "head", (ITEM,) * (MOST + 5), "v")
    with web_server() as hooks:
        hook("slack", hooks.url).send(many)
    assert hooks.bodies[0]["text"].splitlines()[-1] == "+ 5"


def test_the_heartbeat_is_one_get() -> None:
    """At the address as it stands."""
    with web_server() as hooks:
        notify = Notify(heartbeat=f"{hooks.url}/ping/1?x=2")
        open_channels(notify, HEARTBEAT, LONGEST)[HEARTBEAT].send(Message("", 1.0, HEARTBEAT, ""))
    assert [(path, body) for path, _, body in hooks.posted] == [("/ping/1?x=2", b"")]


def test_what_is_off_is_not_opened() -> None:
    """Its address may be half of one."""
    off = Channel("ops", "slack", "en", (), "", b"", "not set: OPS_HOOK")
    assert open_channels(Notify({"ops": off}), HEARTBEAT) == {}
