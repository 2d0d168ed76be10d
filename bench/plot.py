"""Plots as SVG: bars of what was measured, each with a line from the least to the most."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

ENGINE, LIMIT, INK, PALE = "#2a6fb0", "#b9bec5", "#222222", "#e4e6e9"
LETTER, WIDE, TEXTS, BAR, GAP = 7, 430, 380, 16, 18
"""Widths of a letter, of bars and of the texts behind them; height of a bar; between two cases."""


@dataclass(frozen=True, slots=True)
class Bars:
    """A case of a plot: bars of engine and limit, and a text behind them. Each is a figure per round."""

    name: str
    engine: Sequence[float]
    limit: Sequence[float]
    text: str


def draw(title: str, unit: str, limit: str, cases: Sequence[Bars]) -> str:
    """An SVG document."""
    names = 20 + LETTER * max((len(case.name) for case in cases), default=0)
    most = max((v for c in cases for v in (*c.engine, *c.limit)), default=0) or 1
    step = _step(most)
    end = step * -(-most // step)
    top, y, parts = 64, 64.0, list[str]()
    for case in cases:
        rows = [(case.engine, ENGINE), (case.limit, LIMIT)][: 2 if case.limit else 1]
        middle = y + BAR * len(rows) / 2 + 4
        parts.append(_text(names - 10, middle, case.name, "end"))
        reach = names + WIDE * max((*case.engine, *case.limit)) / end
        parts.append(_text(reach + 10, middle, case.text))
        for values, colour in rows:
            parts += _bar(names, y, values, colour, WIDE / end)
            y += BAR
        y += GAP
    grid = []
    for number in range(round(end / step) + 1):
        x = names + WIDE * number * step / end
        grid.append(f'<path d="M{x:.1f} {top - 8}V{y - GAP + 8:.1f}" stroke="{PALE}"/>')
        grid.append(_text(x, y + 8, f"{number * step:g}", "middle"))
    legend = [_key(names, ENGINE, f"engine, {unit}")]
    if any(case.limit for case in cases):
        legend.append(_key(names + 200, LIMIT, limit))
    width, height = names + WIDE + TEXTS, y + 20
    size = f'width="{width}" height="{height:.0f}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:.0f}" {size}'
    whole = [
        f'{head} font-family="sans-serif" font-size="12" fill="{INK}">',
        f'<rect {size} fill="white"/>',
        f'<text x="12" y="22" font-size="15" font-weight="bold">{escape(title)}</text>',
        *legend,
        *grid,
        *parts,
        "</svg>\n",
    ]
    return "\n".join(whole)


def _bar(left: float, y: float, values: Sequence[float], colour: str, scale: float) -> list[str]:
    length = statistics.median(values) * scale
    low, high = (left + scale * value for value in (min(values), max(values)))
    centre = y + BAR / 2
    bar = f'<rect x="{left}" y="{y + 1:.1f}" width="{length:.1f}" height="{BAR - 2}" fill="{colour}"/>'
    if len(values) == 1:
        return [bar]
    ends = "".join(f"M{x:.1f} {centre - 4:.1f}v8" for x in (low, high))
    return [bar, f'<path d="M{low:.1f} {centre:.1f}H{high:.1f}{ends}" stroke="{INK}" fill="none"/>']


def _step(most: float) -> float:
    """Between two lines of the grid, of which there are four to ten: 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(most))
    return next(power * part for part in (0.1, 0.2, 0.5, 1) if most / (power * part) <= 10)


def _key(x: float, colour: str, text: str) -> str:
    return f'<rect x="{x}" y="34" width="12" height="12" fill="{colour}"/>' + _text(
        x + 18, 44, text
    )


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
