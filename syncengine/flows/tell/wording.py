"""The words of notifications, in English and German: counts, names of connections and entities, and links. No word of a
vendor or a person is in them, and no value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final
from zoneinfo import ZoneInfo

from syncengine.flows.tell.german import sentence as german
from syncengine.flows.tell.german import verdict as german_verdict
from syncengine.flows.views.standing_text import records_of
from syncengine.flows.views.standing_text import sentence as english
from syncengine.flows.views.standing_text import verdict as english_verdict
from syncengine.mapping.notify import Language
from syncengine.model.notification import Item, News
from syncengine.model.standing import Level, Line, Standing

_PLAIN: Final = ("faults", "until", "next", "given", "needed")
"""What a line has been told that is a number or a day, and no word of anybody."""
_PAGES: Final[Mapping[str, str]] = {
    "question": "/questions", "staged": "/questions?kind=staged", "observed": "/plan",
    "waiting": "/activity", "late": "/activity", "mapping": "/mappings",
}  # fmt: skip
"""Code -> the page of the console; those of a connection lead to it, all others to the first page."""
_OVER: Final[Mapping[Language, str]] = {"en": "Over", "de": "Vorbei"}
_WORSE: Final[Mapping[Language, str]] = {"en": "Worse", "de": "Schlimmer"}


def changes(
    news: Sequence[tuple[News, Line]], now: Standing, language: Language, zone: ZoneInfo,
    console: str,
) -> list[Item]:  # fmt: skip
    """Lines that began, got worse or ended, the worst first."""
    items = [_item(what, line, now.at, language, zone, console) for what, line in news]
    order = {"fault": 0, "ask": 1, "held": 2}
    items.sort(key=lambda item: (item.news is News.ENDED, order.get(item.level, 3)))
    return items


def report(now: Standing, language: Language, zone: ZoneInfo, console: str) -> list[Item]:
    """Everything that stands, but what goes on by itself."""
    lines = [line for line in now.lines if line.code != "moving"]
    return [_item(News.STANDS, line, now.at, language, zone, console) for line in lines]


def headline(items: Sequence[Item], now: Standing, language: Language, daily: bool) -> str:
    """One sentence for all of it."""
    if daily or not items:
        return verdict_words(now, language)
    more = len(items) - 1
    rest = {"en": f" And {more} more.", "de": f" Und {more} weitere."}[language] if more else ""
    return f"{items[0].text}{rest}"


def verdict_words(now: Standing, language: Language) -> str:
    """How everything stands."""
    return german_verdict(now) if language == "de" else english_verdict(now)


def test_words(language: Language, channel: str) -> str:
    """What a test says."""
    if language == "de":
        return f"Dies ist ein Versuch: {channel} bekommt Nachrichten von syncengine."
    return f"This is a test: {channel} gets notifications of syncengine."


def _item(
    news: News, line: Line, now: float, language: Language, zone: ZoneInfo, console: str
) -> Item:
    bare = replace(line, told={n: v for n, v in line.told.items() if n in _PLAIN})
    say = german if language == "de" else _english
    text = say(bare, now, zone)
    before = {News.ENDED: _OVER, News.WORSENED: _WORSE}.get(news)
    if before:
        text = f"{before[language]}: {text}"
    level = line.level.name.lower() if line.level else Level.NOTE.name.lower()
    return Item(
        news, line.code, level, line.count, line.since, dict(line.about), text, _link(line, console)
    )


def _english(line: Line, now: float, zone: ZoneInfo) -> str:
    """As screens say it, without words of anybody."""
    about = {name: value.replace("_", " ") for name, value in line.about.items()}
    count, place = f"{line.count:,}", about.get("connection", "")
    if line.code == "waiting":
        waits = "waits" if line.count == 1 else "wait"
        of = records_of(line.count, about.get("entity", "row"))
        return f"{of} in {place} {waits} for something else."
    if line.code == "let_be":
        kind = f"{about.get('kind', 'write')}{'' if line.count == 1 else 's'}"
        return f"{count} {kind} of {about.get('entity', 'row')} in {place} stay unsent, as decided."
    if line.code == "mapping" and "faults" not in line.told:
        line = replace(line, told={**line.told, "faults": "1"})
    if line.code == "limit" and "until" not in line.told:
        return f"{place} is not called for a while."
    return english(line, now, zone)


def _link(line: Line, console: str) -> str:
    if not console:
        return ""
    connection = line.about.get("connection")
    if line.code in _PAGES:
        return f"{console}{_PAGES[line.code]}"
    return f"{console}/connections/{connection}" if connection else f"{console}/"
