"""How questions are put."""

from __future__ import annotations

from typing import Any

import pytest

from syncengine.model.case import Case
from syncengine.planning.questions import one, sentence, staged


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


def put(count: int = 12, gone: int = 0, kind: str = "delete", **told: Any) -> Case:
    """The question about held writes of people in weekly10."""
    return staged("person", "weekly10", kind, [str(n) for n in range(count)], 5, gone, **told)


def test_held_deletes_say_that_rows_are_deleted() -> None:
    """One of them is no plural."""
    case = put()
    assert case.question == "12 deletes of person in weekly10 wait: safety allows 5 at a time."
    assert case.answers["approve"] == "send them; each row is deleted there"
    assert put(1).question == "1 delete of person in weekly10 waits: safety allows 5 at a time."
    assert put(kind="update").answers["approve"] == "send them"


def test_people_whose_rows_stay_are_called_leavers() -> None:
    """What their rows are set to stands in the answer; nobody reads there of a delete that does not happen."""
    case = put(said="leaver", leaving={"active": False})
    assert case.question.startswith("12 leavers of person in weekly10 wait: ")
    assert case.answers["approve"] == "send them; each row stays there, set to active = false"


def test_records_that_go_name_the_systems_that_they_leave() -> None:
    """The system that is asked about is where they are gone already."""
    case = put(gone=12, said="leaver", leaving={"active": False}, others=["HeavenHR", "Haekka"])
    assert case.question.startswith(
        "12 deletes of person in weekly10 wait, all for a row there that is gone: "
    )
    says = "send them; records whose row is gone are deleted, and leave HeavenHR, Haekka"
    assert case.answers["approve"] == says
