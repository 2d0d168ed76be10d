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


@dataclass(frozen=True, slots=True)
class Line:
    """Figures over time: seconds, and the figure at each of them."""

    name: str
    at: Sequence[float]
    figures: Sequence[float]


def over_time(title: str, lines: Sequence[Line], marks: Sequence[tuple[float, str]]) -> str:
    """An SVG document: each line on a scale of its own, one above the other, and upright marks with what began then."""
    left, wide, tall, top = 60, 900, 160, 60
    end = max((at for line in lines for at in line.at), default=0.0) or 1.0
    parts = []
    for number, line in enumerate(lines):
        floor = top + (number + 1) * (tall + 40) - 40
        most = max(line.figures, default=0.0) or 1.0
        points = " ".join(
            f"{left + wide * at / end:.1f},{floor - tall * figure / most:.1f}"
            for at, figure in zip(line.at, line.figures, strict=True)
        )
        parts += [
            f'<path d="M{left} {floor}h{wide}" stroke="{LIMIT}"/>',
            f'<polyline points="{points}" fill="none" stroke="{ENGINE}" stroke-width="1.5"/>',
            _text(left, floor - tall - 6, f"{line.name}, at most {most:,.0f}"),
        ]
    floor = top + len(lines) * (tall + 40) - 40
    for number, (at, what) in enumerate(marks):
        x, y = left + wide * at / end, floor + 40 + 16 * number
        parts.append(f'<path d="M{x:.1f} {top}V{y:.1f}" stroke="{INK}" stroke-dasharray="2 4"/>')
        parts.append(_text(x + 4, y, f"{at:.0f} s: {what}"))
    step = _step(end)
    for number in range(int(end / step) + 1):
        x = left + wide * number * step / end
        parts.append(_text(x, floor + 18, f"{number * step:g} s", "middle"))
    return _page(title, left + wide + 240, floor + 60 + 16 * len(marks), parts)


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
    return _page(title, width, height, [*legend, *grid, *parts])


def _page(title: str, width: float, height: float, parts: Sequence[str]) -> str:
    """The document around the parts of a plot."""
    size = f'width="{width:.0f}" height="{height:.0f}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" {size}'
    whole = [
        f'{head} font-family="sans-serif" font-size="12" fill="{INK}">',
        f'<rect {size} fill="white"/>',
        f'<text x="12" y="22" font-size="15" font-weight="bold">{escape(title)}</text>',
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
