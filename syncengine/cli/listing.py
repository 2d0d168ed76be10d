"""Lists on a terminal: columns that stay readable in 80 characters, and addresses that break at their signs only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.text import Text

GAP = 2
"""Blanks between columns, and before what stands below a line."""
READABLE, SENTENCE = 16, 30
"""Characters that a column keeps that holds so many, before one goes below its line; one that may itself go."""
_PIECES = re.compile(r"[^@._/-]*[@._/-]?")


@dataclass
class Column:
    """One column. ``right``: of numbers; ``whole``: never folded; ``below``: goes below the others where there is no
    place beside them."""

    name: str
    right: bool = False
    whole: bool = False
    below: bool = False
    cells: list[Text] = field(default_factory=list)

    @property
    def natural(self) -> int:
        """Characters of the longest cell."""
        return max([cell_len(self.name), *(cell_len(cell.plain) for cell in self.cells)])

    @property
    def least(self) -> int:
        """Characters that it needs to be read."""
        if self.whole or self.right:
            return self.natural
        words = (
            word for text in (self.name, *(c.plain for c in self.cells)) for word in text.split()
        )
        longest = max((cell_len(word) for word in words), default=0)
        return max(longest, min(self.natural, SENTENCE if self.below else READABLE))


class Listing:
    """A table without lines. Columns are folded where they have to be: at blanks, then at the signs of addresses."""

    def __init__(self, columns: Sequence[Column], title: str | None = None) -> None:
        self.columns = list(columns)
        self.title = title
        self.show_header = True
        self.row_count = 0

    def add_row(self, *cells: str | Text) -> None:
        """One line; cells that are not given are empty."""
        self.row_count += 1
        for number, column in enumerate(self.columns):
            cell = cells[number] if number < len(cells) else ""
            column.cells.append(cell if isinstance(cell, Text) else Text(cell))

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> Iterator[Text]:
        beside = self._beside(options.max_width)
        below = [column for column in self.columns if column not in beside]
        widths = _widths(beside, options.max_width)
        if self.title:
            yield Text(self.title, "bold")
        if self.show_header:
            yield from _line([Text(c.name, "dim") for c in beside], beside, widths)
            if len(below) == 1:
                yield Text(" " * GAP + below[0].name, "dim")
        for number in range(self.row_count):
            yield from _line([c.cells[number] for c in beside], beside, widths)
            for column in below:
                cell = column.cells[number]
                named = Text.assemble((f"{column.name}: " * (len(below) > 1), "dim"), cell)
                for part in fold(named, options.max_width - GAP) if cell.plain else ():
                    yield Text(" " * GAP).append_text(part)

    def _beside(self, width: int) -> list[Column]:
        """The columns that stand beside each other: all, but for the widest of those that may go below, until the rest
        has its place."""
        beside = list(self.columns)
        while _gaps(beside) + sum(min(c.natural, c.least) for c in beside) > width:
            movable = [column for column in beside if column.below]
            if not movable or len(beside) < GAP:
                break
            beside.remove(max(movable, key=lambda c: c.natural))
        return beside


def _gaps(columns: Sequence[Column]) -> int:
    return GAP * (len(columns) - 1)


def _widths(columns: Sequence[Column], width: int) -> list[int]:
    """Of each column: what it has naturally, or, where that is too much, less of the widest ones."""
    found = [column.natural for column in columns]
    least = [min(c.natural, c.least) for c in columns]
    if sum(least) + _gaps(columns) > width:
        least = [c.natural if c.whole or c.right else 1 for c in columns]
    over = sum(found) + _gaps(columns) - width
    while over > 0:
        spare = [number for number, has in enumerate(found) if has > least[number]]
        if not spare:
            break
        found[max(spare, key=lambda number: found[number])] -= 1
        over -= 1
    return found


def _line(
    cells: Sequence[Text], columns: Sequence[Column], widths: Sequence[int]
) -> Iterator[Text]:
    """One row, in as many lines as its longest cell takes."""
    folded = [
        [cell] if column.whole else list(fold(cell, width))
        for cell, column, width in zip(cells, columns, widths, strict=True)
    ]
    for number in range(max((len(lines) for lines in folded), default=0)):
        line = Text()
        for lines, column, width in zip(folded, columns, widths, strict=True):
            cell = lines[number] if number < len(lines) else Text()
            room = " " * max(0, width - cell_len(cell.plain))
            line = (
                Text.assemble(line, room, cell) if column.right else Text.assemble(line, cell, room)
            )
            line.append(" " * GAP)
        line.rstrip()
        yield line


def fold(text: Text, width: int) -> Iterator[Text]:
    """A text in lines of so many characters: broken at blanks; within a word that is longer, behind its signs; within
    a piece that is longer still, anywhere."""
    if cell_len(text.plain) <= width:
        yield text
        return
    begin, end = 0, 0
    for start, stop in _pieces(text.plain, max(1, width)):
        if end > begin and cell_len(text.plain[begin:stop].rstrip()) > width:
            yield _part(text, begin, end)
            begin = start
        end = stop
    yield _part(text, begin, end)


def _part(text: Text, begin: int, end: int) -> Text:
    part = text[begin:end]
    part.rstrip()
    return part


def _pieces(plain: str, width: int) -> Iterator[tuple[int, int]]:
    """Where a text may be broken: begin and end of each piece, the blanks behind it included."""
    for word in re.finditer(r"\S+\s*|\s+", plain):
        if cell_len(word.group().rstrip()) <= width:
            yield word.span()
            continue
        for piece in _PIECES.finditer(plain, *word.span()):
            at = piece.start()
            while at < piece.end():
                stop = at + 1
                while stop < piece.end() and cell_len(plain[at : stop + 1].rstrip()) <= width:
                    stop += 1
                yield at, stop
                at = stop
