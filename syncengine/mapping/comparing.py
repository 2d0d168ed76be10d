"""Where an expression compares texts: there they are taken as they are seen, and everywhere else as they are spelled.

CEL has no say in how it compares, so what is compared is normalised before: names and literals in their places, what is
computed by a call around it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from syncengine.mapping.functions import BUILT_IN, MACROS, NAMES
from syncengine.model.spelling import as_seen, folded

Token = tuple[str, str, int]
"""Kind, text and offset."""

SAME: Final = "_same"
SEEN: Final = "_seen"


def _as_seen(value: Any) -> Any:
    return as_seen(value) if isinstance(value, str) else value


COMPARING: Final[dict[str, Callable[[Any], Any]]] = {SAME: folded, SEEN: _as_seen}
"""What is done to the sides of a comparison, and to texts that are searched or searched for: there ends count."""

_SEARCHES: Final = frozenset({"contains", "startsWith", "endsWith", "matches"})
_TEXTUAL: Final = frozenset({"string", "lower", "upper", "trim", "join", "coalesce"})
_OPEN, _CLOSE = "([{", ")]}"


@dataclass(slots=True)
class Comparing:
    """``names``: index of the first token of a name -> what is done to its value. ``texts``: index of a literal -> its
    text. ``opens``: index -> calls to open before the token. ``closes``: index -> how many to close after it."""

    tokens: Sequence[Token]
    names: dict[int, str] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)
    opens: dict[int, list[tuple[int, str]]] = field(default_factory=dict)
    closes: dict[int, int] = field(default_factory=dict)
    _local: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        text = self._text
        self._local = frozenset(
            text(at + 2)
            for at in range(len(self.tokens))
            if text(at) in MACROS and text(at - 1) == "."
        )
        for at in range(len(self.tokens)):
            width = self._relation(at)
            if width:
                sides = (self._left(at), at - 1), (at + width, self._right(at + width))
                if not any(self._plain(*side) for side in sides):
                    for side in sides:
                        self._compare(SAME, *side)
            elif text(at) in _SEARCHES and text(at - 1) == "." and text(at + 1) == "(":
                self._compare(SEEN, self._receiver(at - 2), at - 2)
                self._compare(SEEN, at + 2, self._right(at + 2))

    def opened(self, at: int) -> str:
        """The calls that begin before a token, the outermost first."""
        return "".join(f"{name}(" for _, name in sorted(self.opens.get(at, ()), reverse=True))

    @property
    def called(self) -> set[str]:
        """Which of ``COMPARING`` are called."""
        return {name for of in self.opens.values() for _, name in of}

    def _text(self, at: int) -> str:
        return self.tokens[at][1] if 0 <= at < len(self.tokens) else ""

    def _relation(self, at: int) -> int:
        """How many tokens a relation that begins here has."""
        pair = self._text(at) + self._text(at + 1)
        adjacent = at + 1 < len(self.tokens) and self.tokens[at + 1][2] == self.tokens[at][2] + 1
        if adjacent and pair in ("==", "!=", "<=", ">="):
            return 2
        if self._text(at) in "<>" and self._text(at):
            return 1
        return 1 if self._text(at) == "in" and self._text(at - 1) != "." else 0

    def _ends(self, at: int) -> bool:
        """Whether an operand of a relation ends before this token."""
        if self.tokens[at][0] == "text":
            return False
        second = self._text(at) == "=" and self._relation(at - 1) == 2
        return self._text(at) in "&|?:," or self._relation(at) > 0 or second

    def _left(self, at: int) -> int:
        depth, first = 0, at
        while first > 0:
            sign = self._text(first - 1) if self.tokens[first - 1][0] == "sign" else ""
            depth += (sign in _CLOSE) - (sign in _OPEN) if sign else 0
            if depth < 0 or (depth == 0 and self._ends(first - 1)):
                break
            first -= 1
        return first

    def _right(self, at: int) -> int:
        depth, last = 0, at - 1
        while last + 1 < len(self.tokens):
            sign = self._text(last + 1) if self.tokens[last + 1][0] == "sign" else ""
            depth += (sign in _OPEN) - (sign in _CLOSE) if sign else 0
            if depth < 0 or (depth == 0 and self._ends(last + 1)):
                break
            last += 1
        return last

    def _receiver(self, at: int) -> int:
        """Where what stands before the dot of a method begins."""
        while True:
            if self._text(at) in _CLOSE and self.tokens[at][0] == "sign":
                depth = 1
                while depth and at > 0:
                    at -= 1
                    sign = self._text(at) if self.tokens[at][0] == "sign" else ""
                    depth += (sign in _CLOSE) - (sign in _OPEN) if sign else 0
                if at > 0 and self.tokens[at - 1][0] == "name" and self._text(at) in "([":
                    at -= 1
            if self._text(at - 1) != ".":
                return at
            at -= 2

    def _plain(self, first: int, last: int) -> bool:
        """Whether an operand is no text for certain: null, a number, what a function of another type gives."""
        if first > last:
            return True
        kind, text, _ = self.tokens[first]
        if first == last:
            return kind == "number" or text in ("null", "true", "false")
        call = (
            kind == "name" and self._text(first + 1) == "(" and self._right(first + 2) + 1 == last
        )
        return call and text in (NAMES | BUILT_IN) - _TEXTUAL

    def _compare(self, how: str, first: int, last: int) -> None:
        if first > last or self._in_place(how, first, last):
            return
        if (
            self._text(first) == "["
            and self._right(first + 1) >= 0
            and self._items(how, first, last)
        ):
            return
        self.opens.setdefault(first, []).append((last - first, how))
        self.closes[last] = self.closes.get(last, 0) + 1

    def _items(self, how: str, first: int, last: int) -> bool:
        """Whether a list could be normalised item by item."""
        parts, at = list[tuple[int, int]](), first + 1
        while at < last:
            end = self._right(at)
            parts.append((at, end))
            at = end + 2
        simple = all(self._simple(*part) for part in parts) and self._text(last) == "]"
        for part in parts if simple and at == last + 1 else ():
            self._in_place(how, *part)
        return simple and at == last + 1

    def _simple(self, first: int, last: int) -> bool:
        kind, text, _ = self.tokens[first]
        if kind == "text":
            return (
                first == last
                and "\\" not in text
                and text[0] in "'\""
                and text[:3] not in ("'''", '"""')
            )
        if kind != "name" or text in self._local:
            return kind == "number" and first == last
        chain = range(first + 1, last + 1)
        return (
            all(
                self._text(at) == "." if (at - first) % 2 else self.tokens[at][0] == "name"
                for at in chain
            )
            and (last - first) % 2 == 0
        )

    def _in_place(self, how: str, first: int, last: int) -> bool:
        if not self._simple(first, last):
            return False
        kind, text, _ = self.tokens[first]
        if kind == "text":
            self.texts[first] = f"{text[0]}{COMPARING[how](text[1:-1])}{text[0]}"
        elif kind == "name" and text not in ("null", "true", "false"):
            self.names[first] = how
        return True
