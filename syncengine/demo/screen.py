"""How the story is shown: steps, what is done, what is checked, tables."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

INDENT = 2
"""Columns before whatever belongs to a step."""


class Check:
    """A check under way; ``note`` is shown behind it when it holds."""

    note: str = ""


class Screen:
    """A terminal, or whatever else a console writes to. Texts are plain: square brackets mean themselves."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def title(self, text: str, below: str) -> None:
        """The head of the story."""
        self.console.print(Text(text, style="bold"))
        self.console.print(Text(below, style="dim"))

    def step(self, place: str, text: str) -> None:
        """A step begins. ``place``: ``3/7``."""
        self.console.print()
        self.console.print(Text.assemble((f" {place} ", "bold reverse"), " ", (text, "bold")))

    def say(self, text: str, style: str = "") -> None:
        """What somebody does, or what is so."""
        self._print(Text(text, style=style))

    @contextmanager
    def check(self, text: str) -> Iterator[Check]:
        """What is expected: it turns while it is waited for, and is ticked when it holds."""
        check, started = Check(), time.monotonic()
        try:
            with self.console.status(Text(text, style="dim"), spinner="line"):
                yield check
        except BaseException:
            self._print(Text.assemble(("✗ ", "bold red"), text))
            raise
        took = f"{time.monotonic() - started:.1f} s"
        self._print(Text.assemble(("✓ ", "bold green"), text, (f"  {took}", "dim")))
        if check.note:
            self._print(Text(check.note, style="cyan"), INDENT + 2)

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: int = 0) -> None:
        """A table; the last ``numbers`` columns are set to the right. Without heads it has none."""
        table = Table(box=box.SIMPLE_HEAD, show_header=any(heads), pad_edge=False)
        for place, head in enumerate(heads):
            right = place >= len(heads) - numbers
            table.add_column(Text(head), justify="right" if right else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        self._print(table)

    def _print(self, shown: RenderableType, indent: int = INDENT) -> None:
        self.console.print(Padding(shown, (0, 0, 0, indent), expand=False))

    def fail(self, where: str, expected: str, found: str) -> None:
        """A step does not hold."""
        self.console.print()
        self.console.print(Text(f"{where} does not hold.", style="bold red"))
        self.console.print(Text(f"  expected: {expected}"))
        self.console.print(Text(f"  found:    {found[:1000]}"))
