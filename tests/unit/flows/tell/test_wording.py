"""The words of notifications: of every line, in each language, and nobody's own."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from syncengine.flows.tell.wording import changes, headline, report
from syncengine.model.notification import News
from syncengine.model.standing import CODES, Line, Standing
from syncengine.planning.standing import LEVELS

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 27, 10, 4, tzinfo=ZONE).timestamp()
ABOUT = {"connection": "hakuna", "entity": "training_record", "resource": "users", "channel": "ops"}
KINDS = {
    "moving": "rows",
    "mapping": "invalid",
    "staged": "delete",
    "let_be": "delete",
    "off": "off",
}
WORDS = {
    "why": "Anna Meier", "by": "Kim Weiss", "what": "the account of Anna Meier", "faults": "3",
    "until": str(NOW + 60), "next": "2026-12-01",
}  # fmt: skip


def line(code: str, level: Any, count: int = 2) -> Line:
    """One of this code, with the words of people and vendors in it."""
    return Line(code, level, count, NOW - 3600, {**ABOUT, "kind": KINDS.get(code, "one")}, WORDS)


EVERY = [line(code, level, n) for code in CODES for level in LEVELS[code] for n in (1, 1234)]


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_line_has_a_sentence_without_words_of_people_or_vendors(language: Any) -> None:
    """However a line came about, a message names connections, entities and numbers alone."""
    news = [(what, each) for what in (News.BEGAN, News.ENDED) for each in EVERY]
    items = changes(news, Standing(NOW, tuple(EVERY)), language, ZONE, "https://sync.example")
    assert len(items) == len(news)
    for item in items:
        assert item.text.endswith(".")
        assert not any(word in f"{item}" for word in ("Anna", "Meier", "Kim", "Weiss"))
        assert item.link.startswith("https://sync.example/")


def test_the_worst_comes_first_and_what_is_over_last() -> None:
    """So that the subject of a mail is the worst of it."""
    lines = [line("off", LEVELS["off"][0]), line("question", LEVELS["question"][0])]
    news = [(News.ENDED, line("worker", LEVELS["worker"][0])), *((News.BEGAN, x) for x in lines)]
    items = changes(news, Standing(NOW), "en", ZONE, "")
    assert [item.code for item in items] == ["question", "off", "worker"]
    assert headline(items, Standing(NOW), "en", daily=False) == (
        "2 questions (one), the oldest since 09:04. And 2 more."
    )


def test_numbers_and_times_are_german_in_german() -> None:
    """With dots for thousands and the days of the week."""
    (item,) = report(
        Standing(NOW, (line("question", LEVELS["question"][0], 1234),)), "de", ZONE, ""
    )
    assert item.text == "1.234 Fragen, die älteste seit 09:04."
