"""The page: what the words mean, and all tables."""

from __future__ import annotations

from typing import Final

from tests.situations.book import TABLES
from tests.situations.tables import render
from tests.support.places import DOCS

PAGE: Final = DOCS / "situations.md"
HEAD: Final = """\
# Situations

What happens when who changed what, and why it is not always the same. This page is made by the code that decides:
each combination was put to it, and rows that end alike were drawn together. A test holds the page to the code.

<!-- python -m tests.situations writes this page -->

*Here* is the system whose row is looked at; *our record* is what all the other systems agreed on so far, or what a
person decided. The words in ticks are those of the mapping: [mapping.md](mapping.md). *any* means that it makes no
difference.

Three things come after these tables and are in none of them. A connection in `mode: observe` is never written to, and
neither is a paused one. Writes beyond `safety` wait for a person as one question. And each write reads the row once
more before it is sent; what moved since is decided anew.

## What the outcomes mean

| outcome | means |
| --- | --- |
"""
LEGEND: Final = {
    "nothing": "Nothing is to be done; it stays as it is.",
    "apart": "The two sides differ and stay so: the mapping neither takes the value from here nor writes ours here. "
    "Each side keeps its own, `syncengine explain` shows both, and it is judged anew when the record is back in scope.",
    "learned": "Our record takes the value from here, and every other system gets it.",
    "written": "Our value is written here.",
    "joined": "Our record and this system both get the joined set.",
    "other kept": "The value that lost was somebody's change. `syncengine history --lost` lists it, and "
    "`syncengine undo` brings it back.",
    "here wins": "The value from here becomes ours.",
    "ours wins": "Our value is written here.",
    "asked: conflict": "A person decides which of two changes counts, or whether a row that was changed may be "
    "deleted. Until then nothing moves.",
    "asked: drift": "A person decides whether a change by somebody who does not own the field is taken back or "
    "adopted.",
    "asked: missing": "A person decides whether the record stays, goes too, or gets its row again.",
    "asked: identity": "A person decides to whom the row belongs. Nobody is linked by a guess.",
    "asked: quarantined": "A person looks at a value that does not fit; the rest of the row is not held back once it "
    "is linked.",
    "linked": "The row becomes the row of that record; see *A field at the first link* for its values.",
    "record made": "A new record is made of the row, and the other systems get it.",
    "alone": "The row stays with nobody; `syncengine links list --unlinked` shows it.",
    "created": "A row is made here.",
    "deleted here": "The row is deleted here.",
    "leave written": "What `set.leave` says is written here.",
    "left": "The row stays here as it is and is read on, but written no more.",
    "linked again": "The row belongs to its record as before, and is written again.",
    "told anew": "The row is looked at like one that was never seen: see *A row that belongs to nobody*.",
    "record deleted": "Our record is deleted, and each other system does with its row what its `on_leave` says.",
    "tombstone": "It is remembered that the row was here and is gone.",
    "waits": "It waits for something that `syncengine status` names, and goes on by itself when that comes.",
}


def words(outcome: str) -> list[str]:
    """The words of the legend that an outcome consists of."""
    return outcome.split("; ")


def page() -> str:
    """The whole page as Markdown."""
    legend = "".join(f"| {word} | {meaning} |\n" for word, meaning in LEGEND.items())
    return HEAD + legend + "".join(f"\n{render(table)}" for table in TABLES)
