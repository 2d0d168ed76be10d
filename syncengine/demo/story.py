"""The told story: vendors, workers, and what people do, step by step, each step proved."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from rich.console import Console

from syncengine.demo.cast import Story
from syncengine.demo.figures import show_figures
from syncengine.demo.screen import Screen
from syncengine.demo.stage import NotSo, Stage
from syncengine.demo.steps import STEPS
from syncengine.errors import SyncengineError
from syncengine.flows.people.members import add_member
from syncengine.flows.people.signing_in import make_link
from syncengine.logs import configure_logs
from syncengine.model.member import Role

STOPPED = 130
"""The exit code after Ctrl-C, as shells have it."""


def run(people: int = 50, keep: bool = False, console: Console | None = None) -> int:
    """Tell the story with that many people (20 at least). Returns the exit code: 0 if every step held, 1 if one did
    not, 130 if it was stopped. ``keep``: everything runs on until Ctrl-C. Nothing runs when it returns."""
    screen = Screen(console or Console())
    stage = Stage(people)
    began, code = time.monotonic(), STOPPED
    try:
        with _terminated_like_ctrl_c(), stage:
            configure_logs("console", stage.output)
            code = tell(stage, screen)
            screen.say(f"{time.monotonic() - began:.0f} s in all.")
            if keep:
                _stay(stage, screen)
    except KeyboardInterrupt:
        screen.say("Stopped; nothing runs any more.")
    except (SyncengineError, RuntimeError, OSError, httpx.HTTPError) as error:
        screen.fail("The stage", "vendors and service to start and to answer", repr(error))
        code = 1
    finally:
        configure_logs("console")
    if code == 1:
        screen.say(f"What the service printed: {stage.log}")
    else:
        shutil.rmtree(stage.folder, ignore_errors=True)
    return code


def tell(stage: Stage, screen: Screen) -> int:
    """All steps, then the figures. Returns the exit code."""
    story = Story(stage, screen)
    screen.title(
        f"syncengine: {stage.people} people in HeavenHR, hakuna, Haekka and weekly10",
        "The vendors are simulated; broker, workers, beat, web and Flower are real.",
    )
    for number, (title, step) in enumerate(STEPS, 1):
        screen.step(f"{number}/{len(STEPS)}", title)
        try:
            step(story)
        except NotSo as wrong:
            screen.fail(f"Step {number} ({title})", wrong.expected, str(wrong.found))
            return 1
    screen.step("=", "What it took")
    return 0 if show_figures(stage, screen) else 1


def _stay(stage: Stage, screen: Screen) -> None:
    """Leave everything running until Ctrl-C."""
    login = ", ".join(stage.service.flower_login or ())
    screen.say("Everything is still running:")
    screen.table(
        ["", ""],
        [
            ["console", stage.service.web_url],
            ["Flower", f"{stage.service.flower_url} (user, password: {login})"],
            ["metrics", f"{stage.service.web_url}/metrics"],
            ["vendors", f"{stage.sandbox.env['SYNCENGINE_SANDBOX_URL']}/requests"],
            ["log", str(stage.log)],
        ],
    )
    screen.say("The console, which this link signs you in to, once:")
    screen.say(f"  {stage.service.web_url}/link/{_guest(stage)}")
    screen.say("To look at it with the commands of syncengine, begin with:")
    screen.say(f"  . {stage.write_exports()}")
    screen.say("Ctrl-C ends it.")
    threading.Event().wait()


def _guest(stage: Stage) -> str:
    """The secret of a link that signs somebody in to the console who may look, answer and pause."""
    roles = (Role.ANSWERER, Role.OPERATOR)
    add_member(stage.engine, "guest", roles, "demo")
    return make_link(stage.engine, "guest", "demo")


@contextmanager
def _terminated_like_ctrl_c() -> Iterator[None]:
    """SIGTERM unwinds as Ctrl-C does, so that no part is left behind; also where a shell that put us into the
    background had both ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, signal.default_int_handler) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
