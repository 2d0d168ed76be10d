"""How questions are put."""

from __future__ import annotations

import pytest

from syncengine.planning.questions import one, sentence


@pytest.mark.parametrize(
    ("noun", "text"),
    [("absence", "an absence"), ("user", "a user"), ("update of users", "an update of users")],
)
def test_nouns_have_the_article_that_people_say(noun: str, text: str) -> None:
    """A vowel takes ``an``; where a word begins like ``you`` it takes ``a``."""
    assert one(noun) == text


def test_a_sentence_begins_with_a_capital_and_keeps_the_rest() -> None:
    """Names within keep their capitals."""
    assert sentence("an update of HR") == "An update of HR"
