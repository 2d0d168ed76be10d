"""Web hooks: Slack, Mattermost, Teams, and a signed one for programs of your own; and the heartbeat."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import httpx
from standardwebhooks import Webhook

from syncengine.adapters.notify.text import MOST, plain_text, sign
from syncengine.adapters.rest.network import Network, until
from syncengine.errors import ChannelDown
from syncengine.mapping.notify import Channel
from syncengine.model.notification import Message

_AGENT: Final = {"User-Agent": "syncengine"}


class Hook:
    """One POST for each message."""

    def __init__(self, channel: Channel, longest: float) -> None:
        self._channel, self._longest = channel, longest

    def send(self, message: Message) -> None:
        """Post it. Raises ChannelDown unless it is answered with a 2xx."""
        body, headers = self._body(message)
        call("POST", self._channel.url, self._longest, body, headers)

    def _body(self, message: Message) -> tuple[bytes, dict[str, str]]:
        kind = self._channel.kind
        told = {"slack": _slack, "mattermost": _mattermost, "teams": _teams}.get(kind, _event)
        body = json.dumps(told(message), ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json"}
        if kind == "webhook":
            at = datetime.now(tz=UTC)
            signed = Webhook(self._channel.secret).sign(message.id, at, body.decode())
            headers |= {
                "webhook-id": message.id,
                "webhook-timestamp": str(int(at.timestamp())),
                "webhook-signature": signed,
            }
        return body, headers


class Heartbeat:
    """One GET for each sign of life."""

    def __init__(self, url: str, longest: float) -> None:
        self._url, self._longest = url, longest

    def send(self, _: Message) -> None:
        """Ask for the address. Raises ChannelDown unless it is answered with a 2xx."""
        call("GET", self._url, self._longest)


def call(
    method: str,
    url: str,
    longest: float,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> None:
    """One request that is over in time; no redirect is followed. Raises ChannelDown, which shows no part of the
    address, since whoever knows that may write there."""
    transport = Network(ssl.create_default_context(), 1, 0.0)
    sent = {**_AGENT, **(headers or {})}
    try:
        with (
            until(time.monotonic() + longest),
            httpx.Client(transport=transport, timeout=longest, trust_env=False) as client,
            client.stream(method, url, content=body or None, headers=sent) as answer,
        ):
            status = answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise ChannelDown(_why(error)) from None
    if not 200 <= status < 300:
        raise ChannelDown(f"it answers {status}{_MEANS.get(status, '')}")


_MEANS: Final = {
    301: ", a redirect; write the address that it leads to",
    302: ", a redirect; write the address that it leads to",
    401: ", not permitted; make a new address or secret there",
    403: ", not permitted; make a new address or secret there",
    404: ", there is no such hook; make a new one there",
    410: ", the hook was removed; make a new one there",
    429: ", too many messages; it is tried again later",
}


def _why(error: Exception) -> str:
    """What went wrong, without the address."""
    text = str(error).lower()
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return "it does not answer in time"
    if "certificate" in text:
        return "its certificate does not hold"
    if "ssl" in text or "tls" in text:
        return "it speaks no TLS there"
    if "name or service" in text or "nodename" in text or "name resolution" in text:
        return "its name is not known"
    if "refused" in text:
        return "nobody listens there"
    return f"it cannot be reached ({type(error).__name__})"


def _slack(message: Message) -> dict[str, Any]:
    def safe(text: str) -> str:
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    return {"text": plain_text(message, safe)}


def _mattermost(message: Message) -> dict[str, Any]:
    return {"text": plain_text(message, _no_markdown)}


def _no_markdown(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\`*_[]()#<>@|~" else c for c in text)


def _teams(message: Message) -> dict[str, Any]:
    """An adaptive card, which both workflows and the older connectors take."""
    blocks: list[dict[str, Any]] = [
        {
            "type": "TextBlock",
            "text": message.verdict or message.head,
            "weight": "Bolder",
            "wrap": True,
        }
    ]
    for item in message.items[:MOST]:
        text = f"{sign(item)} {_no_markdown(item.text)}"
        blocks.append({"type": "TextBlock", "text": text, "wrap": True})
    card: dict[str, Any] = {
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": "1.4",
        "body": blocks,
    }
    if message.link:
        card["actions"] = [
            {"type": "Action.OpenUrl", "title": "syncengine", "url": f"{message.link}/"}
        ]
    content = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [content]}


def _event(message: Message) -> dict[str, Any]:
    """For programs: as Standard Webhooks lay it out."""
    return {
        "type": f"syncengine.{message.kind}",
        "timestamp": datetime.fromtimestamp(message.at, UTC).isoformat().replace("+00:00", "Z"),
        "data": {
            "head": message.head,
            "verdict": message.verdict,
            "link": message.link,
            "items": [
                {
                    "news": str(item.news),
                    "code": item.code,
                    "level": item.level,
                    "count": item.count,
                    "since": item.since,
                    "about": dict(item.about),
                    "text": item.text,
                    "link": item.link,
                }
                for item in message.items
            ],
        },
    }
