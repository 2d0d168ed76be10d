"""``simulate``: runs of drawn companies against vendors in memory, to try the engine itself."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syncengine.cli import ui

if TYPE_CHECKING:
    from rich.progress import Progress

if TYPE_CHECKING:
    from syncengine.simulation.run import Run, Step

PANEL = "Service"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel=PANEL)(simulate)


def simulate(
    runs: Annotated[int, typer.Option(min=1, help="How many runs, each with the next seed.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Of the first run.")] = 1,
    steps: Annotated[
        str | None,
        typer.Option(help="Play exactly these steps in the company of --seed.", metavar="STEPS"),
    ] = None,
    as_json: ui.Json = False,
) -> None:
    """Try the engine out: companies, vendors, mappings and faults drawn from seeds; all in memory, in its own time.

    At the end of each run all must agree, no write may have happened twice, and no entry may be lost. What breaks is
    shown as the shortest run that breaks it, and the command exits 1. Touches nothing of yours.

    Example: `syncengine simulate --runs 200 --seed 7`
    """
    import structlog

    from syncengine.simulation.run import drawn_steps, played, read_steps

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        given = None if steps is None else read_steps(steps)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--steps") from None
    seeds = range(seed, seed + (runs if given is None else 1))
    document: dict[str, Any] = {"runs": 0, "steps": 0, "faults": {}, "broken": None}
    faults: Counter[str] = Counter()
    started = time.monotonic()
    with _bar(len(seeds)) as bar:
        task = bar.add_task("runs", total=len(seeds))
        for number in seeds:
            run, broken = played(number, drawn_steps(number) if given is None else given)
            faults += run.faults()
            document["runs"] += 1
            document["steps"] += len(run.story)
            bar.update(task, advance=1)
            if broken:
                bar.update(task, description="looking for a shorter run")
                document["broken"] = _broken(run, broken)
                break
    document["faults"] = dict(sorted(faults.items()))
    document["duration_s"] = round(time.monotonic() - started, 3)
    if as_json:
        ui.emit(document)
    else:
        _show(document)
    ui.leave(ui.Exit.ERROR if document["broken"] else ui.Exit.DONE)


def _bar(runs: int) -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn())
    console = ui.aside()
    hidden = runs == 1 or not console.is_terminal
    return Progress(*columns, console=console, transient=True, disable=hidden)


def _broken(run: Run, what: str) -> dict[str, Any]:
    """The shortest run that breaks the same promise."""
    from syncengine.simulation.run import played, shortest

    def same(steps: Sequence[Step]) -> bool:
        return played(run.seed, steps)[1].partition(":")[0] == what.partition(":")[0]

    kept = shortest([step for _, step, _ in run.story], same)
    short, told = played(run.seed, kept)
    return {
        "seed": run.seed,
        "what": told,
        "steps": " ".join(str(step) for step in kept),
        "story": [
            {"at": round(at, 2), "step": str(step), "what": done} for at, step, done in short.story
        ],
        "setting": short.company.setting.told(),
    }


def _in_words(fault: str) -> str:
    from syncengine.simulation.acts import ACTS

    told = (
        ACTS[fault][1].__doc__
        if fault in ACTS
        else "A vendor's {}: {}".format(*fault.split(" ", 1))
    )
    return (told or fault).partition("\n")[0].rstrip(".")


def _show(document: dict[str, Any]) -> None:
    console, broken = ui.screen(), document["broken"]
    if broken:
        console.print(
            ui.cell(f"Seed {broken['seed']} breaks a promise: {broken['what']}", "bold red")
        )
        console.print("\nThe company:")
        for line in broken["setting"]:
            console.print(ui.cell(f"  {line}", "dim"))
        console.print("\nThe shortest run that was found:")
        for line in broken["story"]:
            console.print(ui.cell(f"  {line['at']:7.2f} s  {line['step']:16} {line['what']}"))
        again = f"syncengine simulate --seed {broken['seed']} --steps '{broken['steps']}'"
        console.print(f"\nAgain: {again}\n", markup=False, soft_wrap=True)
    table = ui.table("what befell", "times", right=("times",))
    for name, count in document["faults"].items():
        table.add_row(_in_words(name), f"{count:,}")
    console.print(table)
    pace = document["steps"] / max(document["duration_s"], 0.001)
    told = f"{ui.counted(document['runs'], 'run')}, {ui.counted(document['steps'], 'step')}"
    ending = "." if broken else ": every promise held."
    console.print(f"\n{told} in {document['duration_s']:.0f} s, {pace:.0f} steps a second{ending}")
