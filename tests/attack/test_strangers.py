"""The attacker reads what a service prints (a log server, a mail of cron, Flower): whatever breaks, wherever it does,
names its class and place, and no value."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import textwrap
import traceback

import pytest

from syncengine.errors import Bug, RowInvalid, SyncengineError
from syncengine.logs import Scrubbed

NAME = "Ottilie Ungefunden"
WHERE = {
    "the main thread": "raise ValueError(NAME)",
    "an exception that came from another": """
        from syncengine.errors import RowInvalid
        try:
            int(NAME)
        except ValueError as error:
            raise RowInvalid("it does not fit", {"name": NAME}) from error
        """,
    "a thread": """
        import threading
        thread = threading.Thread(target=int, args=(NAME,))
        thread.start()
        thread.join()
        """,
    "a finaliser": """
        class Odd:
            def __del__(self):
                int(NAME)
        Odd()
        """,
    "a future that nobody asked": """
        import asyncio, gc
        async def main():
            async def odd():
                int(NAME)
            task = asyncio.create_task(odd())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            del task
            gc.collect()
        asyncio.run(main())
        """,
    "a warning": "import warnings\nwarnings.warn(f'odd value {NAME}')",
    "an exception that a library formats": """
        import logging
        try:
            int(NAME)
        except ValueError as error:
            logging.getLogger("library").error("signal handler raised: %r", error)
            logging.getLogger("library").error("by name: %(exc)s", {"exc": error})
            logging.getLogger("library").error(error)
        """,
    "a function that an expression calls": """
        import cel, logging
        try:
            cel.compile("f(1)").execute(cel.Context({}, {"f": lambda _: int(NAME)}))
        except RuntimeError as error:
            logging.getLogger("library").error("not computed: %s", error)
        """,
    "a log line that cannot be formatted": """
        import logging
        logging.getLogger("library").error("%d rows", NAME)
        """,
    "a text instead of an exit code": """
        from syncengine.logs import Scrubbed
        with Scrubbed():
            raise SystemExit(NAME)
        """,
}  # fmt: skip
SAID = {
    "an exception that came from another": "it does not fit",
    "a future that nobody asked": "Task exception was never retrieved",
    "a warning": "UserWarning at ",
    "a function that an expression calls": "not computed: RuntimeError at ",
    "a log line that cannot be formatted": "a line of library could not be written",
    "a text instead of an exit code": "unexpected SystemExit at ",
}
"""What is said all the same, where it is not the class of the exception."""


@pytest.mark.parametrize("style", ["json", "console"])
@pytest.mark.parametrize("where", WHERE)
def test_what_breaks_names_no_value(where: str, style: str) -> None:
    """Neither a traceback nor a message of a stranger shows what it tripped over."""
    program = (
        "from syncengine.logs import configure_logs, hide_values\n"
        f"hide_values()\nconfigure_logs({style!r})\nNAME = 'Ottilie ' + 'Ungefunden'\n"
    )
    told = subprocess.run(
        [sys.executable, "-W", "default", "-c", program + textwrap.dedent(WHERE[where])],
        capture_output=True, text=True,
    )  # fmt: skip
    assert "Ungefunden" not in told.stdout + told.stderr
    assert SAID.get(where, "ValueError at ") in told.stderr
    assert "Traceback" not in told.stderr


def unfit() -> None:
    try:
        int(NAME)
    except ValueError as error:
        raise RowInvalid("it does not fit") from error


def test_what_leaves_a_task_came_from_nowhere() -> None:
    """Celery puts the traceback of a failed task into events, which Flower shows: no cause stands in it."""
    with pytest.raises(SyncengineError) as caught, Scrubbed():
        unfit()
    assert NAME not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(Bug) as ended, Scrubbed():
        raise SystemExit(NAME)
    assert NAME not in "".join(traceback.format_exception(ended.value))


def test_what_a_broker_says_is_told(logged: io.StringIO) -> None:
    """What the system or a broker says knows no row, and operators need it; credentials in it are cut out."""
    refused = ConnectionRefusedError(111, "Connection refused")
    logging.getLogger("celery").error("Cannot connect to %s: %s.", "redis://u:hush@h/0", refused)
    told = json.loads(logged.getvalue())["event"]
    assert told == "Cannot connect to redis://h/0: [Errno 111] Connection refused."
