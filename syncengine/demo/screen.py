"""How the story is shown: steps, what is done, what is checked, tables."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

Cell = str | Text


class Check:
    """A check under way; ``note`` is shown behind it when it holds."""

    note: str = ""


class Screen:
    """A terminal, or whatever else a console writes to. Texts are plain: square brackets mean themselves."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.checks = 0

    def title(self, text: str, below: str) -> None:
        """The head of the story."""
        self.console.print(Text(text, style="bold"))
        self.console.print(Text(below, style="dim"))

    def step(self, number: int, of: int, text: str) -> None:
        """A step begins."""
        self.console.print()
        head = Text.assemble((f" {number}/{of} ", "bold reverse"), " ", (text, "bold"))
        self.console.print(head)

    def say(self, text: str) -> None:
        """What somebody does, or what is so."""
        self.console.print(Padding(Text(text), (0, 0, 0, 2)))

    @contextmanager
    def check(self, text: str) -> Iterator[Check]:
        """What is expected: it turns while it is waited for, and is ticked when it holds."""
        check, started = Check(), time.monotonic()
        try:
            with self.console.status(Text(text, style="dim"), spinner="line"):
                yield check
        except BaseException:
            self.console.print(Padding(Text.assemble(("✗ ", "bold red"), text), (0, 0, 0, 2)))
            raise
        self.checks += 1
        took = f"{time.monotonic() - started:.1f} s"
        grid = Table.grid(padding=(0, 1), expand=True)
        grid.add_column(width=1)
        grid.add_column(ratio=1)
        grid.add_column(justify="right", no_wrap=True)
        told = Text.assemble(text, (f"  {check.note}" if check.note else "", "cyan"))
        grid.add_row(Text("✓", style="bold green"), told, Text(took, style="dim"))
        self.console.print(Padding(grid, (0, 0, 0, 2)))

    def table(
        self,
        heads: Sequence[str],
        rows: Sequence[Sequence[Cell]],
        title: str = "",
        numbers: int = 0,
    ) -> None:
        """A table; the last ``numbers`` columns are set to the right."""
        table = Table(
            box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False
        )
        for place, head in enumerate(heads):
            right = place >= len(heads) - numbers
            table.add_column(Text(head), justify="right" if right else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
        self.console.print(Padding(table, (0, 0, 0, 2)))

    def fail(self, where: str, expected: str, found: str) -> None:
        """A step does not hold."""
        self.console.print()
        self.console.print(Text(f"{where} does not hold.", style="bold red"))
        self.console.print(Text(f"  expected: {expected}"))
        self.console.print(Text(f"  found:    {found[:1000]}"))
