"""``run``, ``web``, ``demo``, ``sandbox``: what stays until it is told to stop.

What these need (Celery, web servers, the simulators) is loaded by the command that needs it, so that the others
start at once.
"""

from __future__ import annotations

import os
from typing import Annotated, Literal

import typer

from syncengine.cli import ui
from syncengine.cli.door import first_way
from syncengine.process import require_port

PANEL = "Service"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (run, web, demo, sandbox):
        app.command(rich_help_panel=PANEL)(command)


def run(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the web side.")] = 8080,
    flower_port: Annotated[int, typer.Option(min=0, max=65535, help="Of Flower.")] = 5555,
    concurrency: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 2,
) -> None:
    """Run the whole service here until Ctrl-C: broker, worker, beat, web and Flower.

    Example: `syncengine run --port 8080`
    """
    from syncengine.bootstrap import open_engine, open_ledger, own_queue
    from syncengine.edition import exposed_files, load
    from syncengine.service import Service

    found = ui.settings()
    load(found)
    service = Service(
        own_queue(found),
        os.environ,
        web_port=port,
        flower_port=flower_port,
        concurrency=concurrency,
    )
    # A store that refuses to be written, for other keys say, is told here and not by each task.
    with open_ledger(found) as ledger, ledger.write():
        pass
    with service:
        for warning in exposed_files(found):
            ui.aside().print(f"warning: {warning}", markup=False, soft_wrap=True)
        ui.aside().print(f"web     {service.web_url}/healthz  {service.web_url}/metrics")
        ui.aside().print(f"console {service.web_url}/", markup=False, soft_wrap=True)
        with open_engine(found) as opened:
            for line in first_way(opened, found.web_url or service.web_url):
                ui.aside().print(f"        {line}", markup=False, soft_wrap=True)
        login = service.flower_login
        who = f"  user {login[0]}, password {login[1]}" if login else ""
        ui.aside().print(f"Flower  {service.flower_url}{who}", markup=False, soft_wrap=True)
        ui.aside().print("Ctrl-C stops it.", style="dim")
        service.wait()
    with open_ledger(found) as ledger, ledger.write() as tx:
        tx.forget_alive()


def web(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8080,
    only: Annotated[
        Literal["intake", "console"] | None,
        typer.Option(help="The webhooks alone, or the pages alone; both if not given."),
    ] = None,
) -> None:
    """Serve the console, the intake of webhooks, `/healthz` and `/metrics`.

    Examples: `syncengine web --host 0.0.0.0 --port 8080`; `syncengine web --only intake` where the outside may
    reach the webhooks and pages for people stand elsewhere.
    """
    from syncengine.edition import load
    from syncengine.web.__main__ import main

    load(ui.settings())
    require_port(port, host, "the web side", "stop that, or name another port: --port")
    try:
        main(host, str(port), only or "")
    except SystemExit as stop:
        # The server's own code for a port that is taken means something else among our exit codes.
        raise typer.Exit(ui.Exit.ERROR if stop.code else ui.Exit.DONE) from None


def demo(
    people: Annotated[int, typer.Option(min=20, max=2000, help="People in the company.")] = 50,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave everything running at the end.")
    ] = False,
) -> None:
    """Tell the whole story against simulated vendors. Touches nothing of yours.

    Example: `syncengine demo --keep`
    """
    from syncengine.demo.story import run as tell

    raise typer.Exit(tell(people=people, keep=keep))


def sandbox(
    people: Annotated[int, typer.Option(min=1, help="People in the company.")] = 20,
    seed: Annotated[int, typer.Option(help="The same seed makes the same company.")] = 1,
    port: Annotated[
        int,
        typer.Option(min=0, max=65500, help="Of the control server; vendors follow. 0: any free."),
    ] = 0,
    profile: Annotated[
        Literal["documented", "current"],
        typer.Option(help="As the vendors' pages say, or as they are seen to behave."),
    ] = "documented",
) -> None:
    """Run the vendors' simulators alone. Prints `export` lines for a shell, then `ready`.

    Example: `syncengine sandbox --people 50 --port 9000`
    """
    from syncengine.sandbox.server import serve
    from syncengine.sandbox.world import Options

    serve(Options(people=people, seed=seed, port=port, profile=profile))
