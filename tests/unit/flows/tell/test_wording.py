"""The words of notifications: of every line, in each language, and nobody's own."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from syncengine.flows.tell.german import sentence as german
from syncengine.flows.tell.wording import changes, headline, report
from syncengine.flows.views.standing_text import sentence as english
from syncengine.model.case import CaseKind
from syncengine.model.notification import News
from syncengine.model.standing import CODES, Level, Line, Standing
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
    assert item.text == "1.234 Fragen (one), die älteste seit 09:04."


def _variants() -> list[Line]:
    """Each code, level and kind, of one and of many, near and long ago, with all that may be told."""
    kinds = {
        "mapping": ("invalid", "old"), "off": ("off", "unused"), "untold": ("off", "failing"),
        "moving": ("rows", "writes", "listings"), "staged": ("create", "update", "delete", "leave"),
        "let_be": ("delete", "update"), "unlinked": ("2 person, 12 visit", "person"),
        "question": ("3 identity, 9 conflict", "dead_event"),
    }  # fmt: skip
    parts = {**WORDS, "given": "0", "needed": "2"}
    return [
        Line(code, level, count, NOW - ago, {**ABOUT, "kind": kind}, told)
        for code in CODES
        for level in LEVELS[code]
        for kind in kinds.get(code, ("one",))
        for count in (1, 1234)
        for ago in (3600, 3 * 86_400)
        for told in (parts, *([parts | {"read": "3", "parts": "40"}] if code == "blind" else []))
    ]


_NAMES = ("hakuna", "training record", "users", "ops", "Kim Weiss", "Anna Meier", "visit")


def _figures(text: str, thousands: str) -> set[str]:
    plain = re.sub(rf"(?<=\d){re.escape(thousands)}(?=\d{{3}}\b)", "", text)
    return set(re.findall(r"\d+(?::\d\d)?", plain))


@pytest.mark.parametrize("each", _variants(), ids=lambda x: f"{x.code} {x.about['kind']} {x.count}")
def test_a_german_line_tells_no_less_than_the_english_one(each: Line) -> None:
    """Every figure, time and name of the one stands in the other, on screens and in messages."""
    said = english(each, NOW, ZONE)
    told = german(each, NOW, ZONE)
    assert _figures(said, ",") <= _figures(told, ".")
    assert [name for name in _NAMES if name in said and name not in told] == []
    (brief,), (kurz,) = (
        report(Standing(NOW, (each,)), x, ZONE, "") or [None] for x in ("en", "de")
    )
    if brief is not None and kurz is not None:
        assert _figures(brief.text, ",") <= _figures(kurz.text, ".")


def test_kinds_of_questions_and_writes_are_said_in_german() -> None:
    """Each of them, so that it is seen what waits."""
    for kind in CaseKind:
        if kind is not CaseKind.STAGED:
            asked = Line("question", Level.ASK, 2, NOW, {"kind": f"2 {kind}"})
            assert f"2 {kind})" not in german(asked, NOW, ZONE)
    held = Line(
        "staged", Level.ASK, 34, None, {**ABOUT, "kind": "delete"}, {"given": "1", "needed": "2"}
    )
    assert german(held, NOW, ZONE) == (
        "34 Löschungen (training record) in hakuna warten auf Freigabe, 1 von 2 erteilt."
    )
    old = Line("mapping", Level.FAULT, 2, NOW - 3600, {"kind": "old"})
    assert german(old, NOW, ZONE) == (
        "2 Prozesse des Dienstes arbeiten nach der Zuordnung von 09:04 und haben die Dateien nicht übernommen: "
        "starten Sie den Dienst neu."
    )
