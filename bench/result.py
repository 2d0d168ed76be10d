"""Result: what a bench found, as a table, a JSON document and a plot."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.plot import Bars, draw

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Goal:
    """What a ratio should be: ``most`` or ``least``; the other one is None. ``absolute``: it is about the figure of the
    engine and not about its ratio."""

    least: float | None = None
    most: float | None = None
    absolute: bool = False

    def met(self, value: float) -> bool:
        """Whether a value reaches the goal."""
        low, high = self.least, self.most
        return (low is None or value >= low) and (high is None or value <= high)

    def __str__(self) -> str:
        figure = f">= {self.least:g}" if self.most is None else f"<= {self.most:g}"
        return figure + " itself" * self.absolute


@dataclass(slots=True)
class Case:
    """One line of a result. ``engine`` and ``limit``: what was measured in each round, in the unit of the result; a
    round measures both, one after the other. Without a ``limit`` the goal is about the figure itself. ``more``: what
    else is known of each round, by name."""

    name: str
    engine: list[float] = field(default_factory=list)
    limit: list[float] = field(default_factory=list)
    goal: Goal | None = None
    more: dict[str, list[float]] = field(default_factory=dict)

    @property
    def ratios(self) -> list[float]:
        """Engine over limit, round by round."""
        return [e / m for e, m in zip(self.engine, self.limit, strict=True)] if self.limit else []

    @property
    def met(self) -> bool | None:
        """Whether the median reaches the goal; None without a goal."""
        if self.goal is None:
            return None
        figures = self.engine if self.goal.absolute or not self.limit else self.ratios
        return self.goal.met(statistics.median(figures))

    def note(self, **figures: float) -> None:
        """Keep what else is known of this round."""
        for name, value in figures.items():
            self.more.setdefault(name, []).append(value)


@dataclass(slots=True)
class Result:
    """What a bench found. ``unit``: of the figures, ``changes/s``; ``limit``: what the engine is held against.
    ``of_ratios``: its cases have different units, so that the plot shows ratios alone. ``plots``: more of them, by what
    comes behind the name of the file."""

    name: str
    title: str
    unit: str
    limit: str
    cases: list[Case] = field(default_factory=list)
    options: Mapping[str, Any] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    of_ratios: bool = False
    plots: dict[str, str] = field(default_factory=dict)

    def case(self, name: str, goal: Goal | None = None) -> Case:
        """The case of this name, made if it is new."""
        for case in self.cases:
            if case.name == name:
                return case
        self.cases.append(Case(name, goal=goal))
        return self.cases[-1]

    def table(self) -> str:
        """Markdown: medians, and in brackets the least and the most."""
        extra = list(dict.fromkeys(name for case in self.cases for name in case.more))
        head = [
            "case",
            self.unit,
            *[self.limit, "ratio"][: 2 * bool(self._limited)],
            *extra,
            "goal",
            "met",
        ]
        lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        for case in self.cases:
            cells = [case.name, spread(case.engine)]
            if self._limited:
                cells += [spread(case.limit), spread(case.ratios)]
            cells += [spread(case.more.get(name, [])) for name in extra]
            met = {True: "yes", False: "NO", None: ""}[case.met]
            cells += ["" if case.goal is None else str(case.goal), met]
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines + [f"\nSkipped: {why}" for why in self.skipped]) + "\n"

    @property
    def _limited(self) -> bool:
        return any(case.limit for case in self.cases)

    def document(self) -> dict[str, Any]:
        """The JSON document."""
        return {
            "bench": self.name,
            "title": self.title,
            "unit": self.unit,
            "limit": self.limit,
            "options": dict(self.options),
            "machine": machine(),
            "cases": [
                {
                    "name": case.name,
                    "engine": summary(case.engine),
                    "limit": summary(case.limit),
                    "ratio": summary(case.ratios),
                    "goal": None if case.goal is None else str(case.goal),
                    "met": case.met,
                    **{name: summary(values) for name, values in case.more.items()},
                }
                for case in self.cases
            ],
            "skipped": self.skipped,
        }

    def _bars(self, case: Case) -> Bars:
        text = spread(case.engine) + (f", ratio {spread(case.ratios)}" if case.ratios else "")
        text += "" if case.goal is None else f"; goal {case.goal}"
        if self.of_ratios:
            return Bars(case.name, case.ratios, (), text)
        return Bars(case.name, case.engine, case.limit, text)

    def save(self, folder: Path = RESULTS) -> list[Path]:
        """Write NAME.json and NAME.svg; their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        files = [folder / f"{self.name}.{end}" for end in ("json", "svg")]
        files[0].write_text(json.dumps(self.document(), indent=2, default=str) + "\n", "utf-8")
        bars = [bars for case in self.cases if (bars := self._bars(case)).engine]
        unit = f"over {self.limit}" if self.of_ratios else self.unit
        files[1].write_text(draw(self.title, unit, self.limit, bars), "utf-8")
        for name, plot in self.plots.items():
            files.append(folder / f"{self.name}-{name}.svg")
            files[-1].write_text(plot, "utf-8")
        return files


def spread(values: Sequence[float]) -> str:
    """``0.42 (0.40 to 0.45)``: median, least and most."""
    if not values:
        return ""
    middle = shown(statistics.median(values))
    if len(values) == 1:
        return middle
    return f"{middle} ({shown(min(values))} to {shown(max(values))})"


def shown(value: float) -> str:
    """Three digits that count; none of them behind the point of a large figure."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return (
        f"{value:.1f}"
        if abs(value) >= 10
        else f"{value:.2f}"
        if abs(value) >= 0.1
        else f"{value:.3f}"
    )


def summary(values: Sequence[float]) -> dict[str, Any] | None:
    """Least, median, most, and each; None where there are none."""
    if not values:
        return None
    each = [round(value, 4) for value in values]
    return {"min": min(each), "median": statistics.median(each), "max": max(each), "rounds": each}


def machine() -> dict[str, Any]:
    """What it was measured on, and when."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        if line.startswith("model name")
    ]
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def say(text: str) -> None:
    """Progress, for people."""
    print(text, file=sys.stderr, flush=True)
