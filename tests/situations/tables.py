"""Decision tables: every combination is tried, and what makes no difference is found by comparing outcomes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import permutations, product
from textwrap import fill
from typing import NamedTuple

Given = Mapping[str, str]
"""What is so: question -> answer."""
Cell = tuple[str, ...]
"""The answers of one question that a row stands for."""


class Line(NamedTuple):
    """One row of a table: question -> the answers it stands for, all of which end alike."""

    when: Mapping[str, Cell]
    outcome: str


@dataclass(frozen=True, eq=False)
class Table:
    """``asks``: question -> its possible answers. ``outcome``: what becomes of one combination, in words of the
    legend. ``parts``: the question whose answers make parts of the table, for long ones. ``notes``: what a reader may
    wonder about."""

    title: str
    about: str
    asks: Mapping[str, Cell]
    outcome: Callable[[Given], str]
    parts: str = ""
    notes: str = ""

    def everything(self) -> Iterator[dict[str, str]]:
        """All combinations."""
        for answers in product(*self.asks.values()):
            yield dict(zip(self.asks, answers, strict=True))


Tree = str | tuple[tuple[Cell, "Tree"], ...]
"""An outcome, or the answers of the next question, those together that go on alike."""


@cache
def outcomes(table: Table) -> Mapping[Cell, str]:
    """What becomes of every combination."""
    return {tuple(given.values()): table.outcome(given) for given in table.everything()}


@cache
def collapse(table: Table) -> list[Line]:
    """The fewest rows that say the same, over all orders in which the questions can be asked."""
    known = outcomes(table)
    names = list(table.asks)
    first, rest = (
        ([table.parts], [n for n in names if n != table.parts]) if table.parts else ([], names)
    )
    found: list[Line] | None = None
    for order in permutations(rest):
        lines = list(_lines(table, known, [*first, *order]))
        if found is None or len(lines) < len(found):
            found = lines
    return found or []


def _lines(table: Table, known: Mapping[Cell, str], order: list[str]) -> Iterator[Line]:
    def grow(given: dict[str, str], left: list[str]) -> Tree:
        if not left:
            return known[tuple(given[name] for name in table.asks)]
        name, *others = left
        groups: dict[Tree, list[str]] = {}
        for answer in table.asks[name]:
            groups.setdefault(grow({**given, name: answer}, others), []).append(answer)
        return tuple((tuple(answers), tree) for tree, answers in groups.items())

    def walk(tree: Tree, left: list[str], when: dict[str, Cell]) -> Iterator[Line]:
        if isinstance(tree, str):
            yield Line(when, tree)
            return
        for answers, below in tree:
            yield from walk(below, left[1:], {**when, left[0]: answers})

    yield from walk(grow({}, order), order, {})


def render(table: Table) -> str:
    """The table as Markdown; of several answers that end alike, one row."""
    groups: dict[Cell, list[Line]] = {}
    for line in collapse(table):
        groups.setdefault(line.when[table.parts] if table.parts else (), []).append(line)
    text = f"## {table.title}\n\n{_wrapped(table.about)}\n"
    for answers, of in groups.items():
        head = "; ".join(answers)
        text += f"\n### {head[0].upper()}{head[1:]}\n\n" if head else "\n"
        text += _markdown(table, of)
    return text + (f"\n{_wrapped(table.notes)}\n" if table.notes else "")


def _wrapped(text: str) -> str:
    return fill(text, 118, break_long_words=False, break_on_hyphens=False)


def _markdown(table: Table, lines: list[Line]) -> str:
    columns = [name for name in lines[0].when if name != table.parts]
    shown = [c for c in columns if any(len(line.when[c]) < len(table.asks[c]) for line in lines)]
    if not shown:
        return f"Always *{lines[0].outcome}*.\n"
    rows = [[*shown, "outcome"], ["---"] * (len(shown) + 1)]
    rows += [[*(_cell(table.asks[c], line.when[c]) for c in shown), line.outcome] for line in lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cell(every: Cell, answers: Cell) -> str:
    if len(answers) == len(every):
        return "any"
    if len(every) > 3 and len(every) - len(answers) == 1:
        return f"not: {next(a for a in every if a not in answers)}"
    told = []
    for answer in answers:
        kind = answer.split(", ")[0]
        alike = {a for a in every if a.split(", ")[0] == kind}
        told.append(kind if len(alike) > 1 and alike <= set(answers) else answer)
    return "; ".join(dict.fromkeys(told))
