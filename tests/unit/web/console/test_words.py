"""The words of pages, in other languages too; times and values as people read them."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from babel.messages.pofile import read_po

from syncengine.flows.people.members import note
from syncengine.flows.people.signing_in import Busy
from syncengine.flows.views.standing_text import UNREAD
from syncengine.model.case import CaseKind
from syncengine.model.member import AuditWord, Outcome, Role, Scope, Way
from syncengine.model.operation import OperationState
from syncengine.web.console.german import phrases
from syncengine.web.console.screens import home
from syncengine.web.console.screens.questions import _SPOKEN
from syncengine.web.console.templating import (
    HERE,
    breakable,
    environment,
    language_of,
    say,
    translations,
)
from syncengine.web.console.times import Times
from syncengine.web.console.words import plain

ROOT = Path(__file__).parents[4]
PO = HERE / "locale" / "de" / "LC_MESSAGES" / "console.po"


def _messages() -> Iterator[tuple[str, str]]:
    """File and text of all that templates say."""
    for path in sorted((HERE / "templates").glob("*.html")):
        for _, _, told in environment("en").extract_translations(path.read_text("utf-8")):
            texts = told if isinstance(told, tuple) else (told,)
            yield from ((path.name, text) for text in texts[:1] if text)


def _known() -> set[str]:
    with PO.open("rb") as file:
        catalogue = read_po(file)
    return {m.id[0] if isinstance(m.id, tuple) else m.id for m in catalogue if m.string}


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("anna@x.de", ["anna@x.de"]), ("a name of many words", ["a name of many words"]),
        ("maximiliane.schulze-berghof@alpenblick.example",
         ["maximiliane.", "schulze-", "berghof@", "alpenblick.", "example"]),
        ("https://host.example/a?b=c", ["https://", "host.", "example/", "a?", "b=", "c"]),
        ("x" * 50, ["x" * 24, "x" * 24, "xx"]),
    ],
)  # fmt: skip
def test_a_long_word_breaks_where_people_would_break_it(text: str, pieces: list[str]) -> None:
    """Behind a sign; nothing of it is lost, and a short one stays whole."""
    told = str(breakable(text))
    assert told.split("<wbr>") == pieces
    assert (
        str(breakable("<b>" * 10)).count("&lt;b&gt;") + str(breakable("<b>" * 10)).count("<b>")
        <= 10
    )


def test_every_text_of_the_templates_is_there_in_german() -> None:
    """None is left out, and none is there that nobody says."""
    known = _known()
    assert [pair for pair in _messages() if pair[1] not in known] == []


def test_words_that_are_put_together_are_there_in_german() -> None:
    """Kinds, states, answers, roles, and the sentence of home."""
    said = {
        *map(str, CaseKind),
        *map(str, OperationState),
        *map(str, Role),
        *_SPOKEN.values(),
        UNREAD,
    }
    said |= {label for _, label, _ in home._PLACES.values()} | {s[2] for s in home.SIGNS.values()}
    said |= {
        "Everything agrees.",
        "Everything else agrees.",
        "Waits for a person.",
        "Not in order.",
    }
    assert said - _known() == set()


def test_every_word_of_the_audit_is_there_in_german() -> None:
    """What was done, how it ended, by which way, and how its details are called; none in half."""
    assert {*get_args(AuditWord)} - _known() - phrases().keys() == set()
    said = {*get_args(Outcome), *get_args(Way), *_details()}
    assert said - _known() == set()


def _details() -> set[str]:
    """How the details of a line are called, by all that write one."""
    own = {*inspect.signature(note).parameters}
    found = {*Scope.__dataclass_fields__, "count"}
    for path in sorted((ROOT / "syncengine").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if called in ("note", "noted", "_note", "call.note"):
                found |= {word.arg for word in node.keywords if word.arg}
    return found - own


def test_what_is_compiled_is_what_is_written() -> None:
    """Otherwise: make locale."""
    compiled = translations("de")
    with PO.open("rb") as file:
        for message in read_po(file):
            if message.id and not isinstance(message.id, tuple):
                assert compiled.gettext(message.id) == message.string, "make locale"


def test_phrases_have_the_same_parts_in_german() -> None:
    """A part that is left out would be lost, one that is made up would break the page."""
    for english, german in phrases().items():
        assert set(re.findall(r"\{\w+\}", german)) <= set(re.findall(r"\{\w+\}", english)), english
        assert german.count("{") == german.count("}")


@pytest.mark.parametrize(
    ("english", "german"),
    [
        ("12 deletes of person in weekly10 wait: safety allows 5 at a time.",
         "12 Löschungen (Person) in weekly10 warten: safety erlaubt 5 auf einmal."),
        ("1 leaver of person in weekly10 waits: safety allows 5 at a time.",
         "1 Austritt (Person) in weekly10 wartet: safety erlaubt 5 auf einmal."),
        ("3 deletes of person in hakuna wait, all for a row there that is gone: safety allows 2 at a time.",
         "3 Löschungen (Person) in hakuna warten, alle für eine Zeile, die dort weg ist: safety erlaubt 2 auf einmal."),
        ("send them; records whose row is gone are deleted, and leave Haekka",
         "senden; Datensätze, deren Zeile weg ist, werden gelöscht und verlassen Haekka"),
        ("Done: 3 writes may be sent now; 9 are still asked about. The next sync carries it on.",
         ("Erledigt: 3 Schreibvorgänge dürfen nun gesendet werden; nach 9 wird weiter gefragt. "
          "Der nächste Abgleich führt es aus.")),
        ("active is no, until 2026-12-01", "active ist nein, bis 2026-12-01"),
        ("rejected by {0.__class__}", "abgelehnt von {0.__class__}"),
        ("nobody knows this sentence", "nobody knows this sentence"),
    ],
)  # fmt: skip
def test_sentences_that_are_stored_are_said_in_german(english: str, german: str) -> None:
    """As far as they are known; what stands in them is taken as it is."""
    assert say("de")(english) == german
    assert say("en")(english) == english


def test_who_is_told_to_try_again_at_the_door_is_told_so_in_german() -> None:
    """It is no fault of theirs."""
    assert "melden sich zu viele an" in say("de")(f"{Busy()}")


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("de-DE,de;q=0.9,en;q=0.8", "de"), ("en-GB,en;q=0.9,de;q=0.8", "en"), ("fr", "en"), ("", "en"),
        ("fr, de;q=0.1", "de"), ("de;q=0", "en"), ("*;q=x,;;,", "en"),
    ],
)  # fmt: skip
def test_the_language_is_the_one_that_the_browser_likes_best(accepted: str, language: str) -> None:
    """Among those that there are."""
    assert language_of(accepted) == language


def test_times_are_short_where_they_are_near() -> None:
    """In the project's zone, with all of it at hand."""
    now = datetime(2026, 11, 26, 10, 0, tzinfo=UTC).timestamp()
    times = Times(ZoneInfo("Europe/Berlin"), now)
    assert times.short(now - 3600) == "10:00"
    assert times.short(now - 2 * 86_400) == "Tue 11:00"
    assert times.short(now - 20 * 86_400) == "6 Nov"
    assert times.short(now - 400 * 86_400) == "22 Oct 2025"
    assert times.full(now) == "Thu 26 Nov 2026, 11:00:00 CET"
    assert (times.ago(now - 7300), times.ago(None)) == ("2 h ago", "never")


def test_a_value_is_one_line_that_is_cut() -> None:
    """Nothing in it steers what stands around it."""
    assert plain(None) == plain("") == "–"
    assert plain(True) == "yes"
    assert plain(["a", 1]) == "a, 1"
    assert plain("a\u202eb\nc\x00") == "a b c "
    assert len(plain("x" * 10_000)) == 300


def test_moments_are_shown_in_the_zone_of_the_project() -> None:
    """What a field holds as UTC is read on the clock of whoever looks; the value itself is at hand."""
    times = Times(ZoneInfo("Europe/Berlin"), 0.0)
    shown = environment("en").from_string("{{ given|value }}")
    text = shown.render(given="2026-11-27T10:00:00.998Z", times=times)
    assert "27 Nov 2026, 11:00" in text
    assert 'title="2026-11-27T10:00:00.998Z"' in text
    assert shown.render(given="2026-11-27", times=times) == "<bdi>2026-11-27</bdi>"
