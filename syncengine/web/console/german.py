"""German of what is stored or said as an English sentence: questions, answers, waits, what was done.

Each phrase (syncengine/web/console/locale/de/phrases.txt) is such a sentence with its parts in braces. A text that has
the form of one is put together in German from the same parts; of those whose name is in ``SPOKEN`` the German word is
taken, of lists what joins them, the others stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

SPOKEN: Final = frozenset({"what", "entity", "kind", "done", "why", "first", "then"})
HERE: Final = Path(__file__).parent / "locale" / "de" / "phrases.txt"
LISTS: Final = frozenset({"names", "keys", "others"})
"""Parts that are lists of names: what joins these is said in German."""
_JOINS: Final = {" and ": " und ", " or ": " oder ", " with ": " mit "}
_PART: Final = re.compile(r"\{(\w+)\}")
_ARTICLE: Final = re.compile(r"(?:a|an|A|An) (\S+)")
_DEEPEST: Final = 4


@cache
def phrases() -> Mapping[str, str]:
    """English -> German."""
    lines = HERE.read_text("utf-8").splitlines()
    pairs = [line for line in lines if line and not line.startswith("#")]
    return dict(zip(pairs[::2], pairs[1::2], strict=True))


@cache
def _forms() -> list[tuple[re.Pattern[str], str]]:
    """The phrases that have parts, those with the most of their own words first."""
    found = []
    for english, german in phrases().items():
        if "{" in english:
            pieces = _PART.split(english)
            # Every second piece is the name of a part; counts are numbers, so that they take nothing else in.
            told = [
                re.escape(piece)
                if n % 2 == 0
                else rf"(?P<{piece}>[\d,.]+)"
                if piece in _NUMBERS
                else rf"(?P<{piece}>.+?)"
                for n, piece in enumerate(pieces)
            ]
            own = sum(len(piece) for n, piece in enumerate(pieces) if n % 2 == 0)
            found.append((own, re.compile("".join(told), re.DOTALL), german))
    return [(form, german) for _, form, german in sorted(found, key=lambda f: -f[0])]


_NUMBERS: Final = frozenset({"count", "people", "refused", "given", "needed", "more", "allowed"})


def spoken(text: str, word: Callable[[str], str], depth: int = 0) -> str:
    """A text in German, as far as it is known. ``word``: the German of a single word or text, itself if there is
    none."""
    if text in phrases():
        return phrases()[text]
    known = word(text)
    if known != text or depth > _DEEPEST:
        return known
    article = _ARTICLE.fullmatch(text)
    if article and word(article[1]) != article[1]:
        return word(article[1])
    for form, german in _forms():
        found = form.fullmatch(text)
        if found is not None:
            parts = {
                name: spoken(given, word, depth + 1) if name in SPOKEN else _joined(name, given)
                for name, given in found.groupdict().items()
            }
            return german.format(**parts)
    return text


def _joined(name: str, given: str) -> str:
    if name in LISTS:
        for english, german in _JOINS.items():
            given = given.replace(english, german)
    return given


def sums(text: str, word: Callable[[str], str]) -> str:
    """The same of sums that are joined by ``; `` and ``, ``."""
    return "; ".join(
        told if (told := spoken(part, word)) != part
        else ", ".join(spoken(one, word) for one in part.split(", "))
        for part in text.split("; ")
    )  # fmt: skip
