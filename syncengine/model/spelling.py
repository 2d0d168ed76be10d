"""Normalisation of texts: values are compared in normal form and written as they are spelled.

One letter has several codes, there are several kinds of space, and some characters are invisible. Two texts that a
person cannot tell apart are equal.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from syncengine.model.values import Json, is_empty

VERSION: Final = 1
"""Grows with each change of what is one; identities in the store are then taken anew."""

_SPACES: Final = (0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)
_WIDTHLESS: Final = (
    0xAD, 0x34F, 0x61C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F),
    *range(0x2060, 0x2065), *range(0x2066, 0x2070), *range(0xFE00, 0xFE10), 0xFEFF,
)  # fmt: skip
_FILLERS: Final = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters that show nothing."""
_AS_SEEN: Final = {**dict.fromkeys(_SPACES, " "), **dict.fromkeys(_WIDTHLESS)}


def as_seen(text: str) -> str:
    """A text in normal form: composed letters (NFC), one kind of space, no invisible characters."""
    return text if text.isascii() else unicodedata.normalize("NFC", text.translate(_AS_SEEN))


def folded(value: Json) -> Json:
    """A value in the form in which it is compared: its texts normalised and stripped."""
    if isinstance(value, str):
        return as_seen(value).strip()
    if isinstance(value, list):
        return [folded(item) for item in value]
    if isinstance(value, dict):
        return {key: folded(item) for key, item in value.items()}
    return value


def blank(value: Json) -> bool:
    """Whether a vendor's value counts as empty: nothing, or a text of invisible characters only."""
    return is_empty(value) or (isinstance(value, str) and not any(map(_is_seen, value)))


def _is_seen(character: str) -> bool:
    hidden = ord(character) in _WIDTHLESS or character in _FILLERS
    return not (hidden or character.isspace() or unicodedata.category(character) == "Cf")


def alike(left: Json, right: Json) -> bool:
    """Whether two canonical values are equal in normal form; the order of a list counts."""
    return bool(left == right or folded(left) == folded(right))


def cut(text: str, units: int) -> str:
    """The first so many UTF-16 units of a text; half a character is none."""
    if len(text) * 2 <= units:
        return text
    return text.encode("utf-16-le", "surrogatepass")[: 2 * units].decode("utf-16-le", "ignore")


def cut_off(left: str, right: str, units: int) -> bool:
    """Whether one of two texts is the other one, cut after so many UTF-16 units."""
    short, full = sorted(
        (left, right), key=lambda text: len(text.encode("utf-16-le", "surrogatepass"))
    )
    if len(short.encode("utf-16-le", "surrogatepass")) < 2 * (units - 1):
        return False
    seen, whole = (
        unicodedata.normalize("NFD", as_seen(text).replace("\r\n", "\n")) for text in (short, full)
    )
    return whole.startswith(seen.rstrip())


_CALLED: Final = {
    "\r": "a carriage return", "\n": "a line break", "\t": "a tab", " ": "a space", "\0": "a zero byte",
    "\ufeff": "a byte order mark", "\xa0": "a no-break space", "\u200b": "a zero-width space",
}  # fmt: skip


def odd(text: str, spaces: bool = True) -> str:
    """What is wrong with the text of a setting: a control or invisible character, a byte that is no UTF-8, a space at
    an end (and, without ``spaces``, any). In words that do not repeat the text; empty if nothing is."""
    for at, character in enumerate(text):
        place = "at its beginning" if at == 0 else "at its end" if at == len(text) - 1 else "inside"
        if 0xDC80 <= ord(character) <= 0xDCFF:
            return f"a byte that is no UTF-8 {place}"
        kind = unicodedata.category(character)
        inner = spaces and kind == "Zs" and bool(text[:at].strip() and text[at:].strip())
        if (
            (character.isspace() and not inner)
            or kind in ("Cc", "Cf", "Cs")
            or ord(character) in _WIDTHLESS
        ):
            named = _CALLED.get(character, "a character that is not seen")
            return f"{named} (U+{ord(character):04X}) {place}"
    return ""
