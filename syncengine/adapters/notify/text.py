"""A message as plain text: one line for each item, with a sign of how bad it is, and a link below it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from syncengine.model.notification import Item, Message, News

MOST: Final = 20
"""Items of one message; the rest is counted."""
SIGNS: Final[Mapping[str, str]] = {"fault": "!", "ask": "?", "held": "-", "note": "i"}


def plain_text(message: Message, safe: Callable[[str], str] = str) -> str:
    """The whole message. ``safe``: makes of a text one in which nothing steers."""
    return "\n".join(_lines(message, safe)).strip() + "\n"


def _lines(message: Message, safe: Callable[[str], str]) -> Iterator[str]:
    if message.verdict:
        yield safe(message.verdict)
        yield ""
    if not message.items and message.head != message.verdict:
        yield safe(message.head)
    for item in message.items[:MOST]:
        yield f"{sign(item)} {safe(item.text)}"
        if item.link:
            yield f"  {item.link}"
    if len(message.items) > MOST:
        yield f"+ {len(message.items) - MOST}"
    if message.link and message.items:
        yield ""
        yield f"{message.link}/"


def sign(item: Item) -> str:
    """How bad it is, or that it is over."""
    return "✓" if item.news is News.ENDED else SIGNS[item.level]
