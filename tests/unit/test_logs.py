from __future__ import annotations

import io
import json
import logging
import time
from typing import Any

import pytest
import structlog

from syncengine import logs
from syncengine.errors import Bug, VendorDown
from syncengine.logs import Scrubbed, configure_logs


def _last(logged: io.StringIO) -> dict[str, Any]:
    entry: dict[str, Any] = json.loads(logged.getvalue().splitlines()[-1])
    return entry


def test_rows_are_never_shown(logged: io.StringIO) -> None:
    """A structured value, such as a vendor's row, is shown by its type alone."""
    row = {"name": "Anna", "salary": 1000}
    structlog.get_logger().info("seen", row=row, rows=[row], count=3)
    assert "Anna" not in logged.getvalue()
    assert _last(logged)["count"] == 3


def test_counts_are_shown(logged: io.StringIO) -> None:
    """Counts by name stay readable."""
    structlog.get_logger().info("sent", outcomes={"applied": 2})
    assert _last(logged)["outcomes"] == {"applied": 2}


def test_credentials_in_urls_are_cut_out(logged: io.StringIO) -> None:
    """A URL is shown without user and password."""
    structlog.get_logger().info("connect", url="amqp://user:hush@host/v")
    assert _last(logged)["url"] == "amqp://host/v"


@pytest.mark.parametrize("library", [False, True])
def test_a_strangers_message_is_not_shown(logged: io.StringIO, library: bool) -> None:
    """An unexpected exception is shown by class and place, for its message may quote a row; whoever logs it."""
    log = logging.getLogger("library") if library else structlog.get_logger()
    try:
        int("Anna")
    except ValueError:
        log.exception("failed")
    assert "Anna" not in logged.getvalue()
    assert _last(logged)["error"].startswith("ValueError at test_logs.py:")


def test_our_own_message_is_shown(logged: io.StringIO) -> None:
    """An error of the engine says what to do."""
    try:
        raise VendorDown("hakuna refused the connection")
    except VendorDown:
        structlog.get_logger().exception("failed")
    assert _last(logged)["message"] == "hakuna refused the connection"


def test_scrubbed_hides_a_strangers_message() -> None:
    """What leaves a scrubbed block names the class and place of a stranger and nothing else of it."""
    with pytest.raises(Bug) as caught, Scrubbed():
        int("Anna")
    assert "Anna" not in str(caught.value)
    assert "ValueError at test_logs.py:" in str(caught.value)
    assert caught.value.__suppress_context__


def test_scrubbed_lets_our_own_errors_through() -> None:
    """An error of the engine keeps its class, which says what happens next."""
    with pytest.raises(VendorDown), Scrubbed():
        raise VendorDown("down")


def test_libraries_are_heard_from_warning_on(logged: io.StringIO) -> None:
    """A library's chatter is left out, its warnings are not."""
    logging.getLogger("httpx").info("HTTP Request: GET /people?email=anna")
    logging.getLogger("kombu").warning("lost")
    assert [json.loads(line)["event"] for line in logged.getvalue().splitlines()] == ["lost"]


def test_whoever_typed_a_command_reads_a_sentence(logged: io.StringIO) -> None:
    """On a terminal a warning says what it is about, what happened and why, on one line."""
    configure_logs("told", logged)
    why = "GET /users: HTTP 401; the vendor refuses the credentials of this connection"
    log = structlog.get_logger()
    log.warning("could not be called", connection="hakuna", error="Unauthorized", why=why)
    log.warning("broker not reached", task="sweep", error="OSError")
    assert logged.getvalue().splitlines() == [
        f"warning: hakuna: could not be called: {why}",
        "warning: sweep: broker not reached: OSError",
    ]


@pytest.mark.parametrize(
    "name", ["asyncio", "syncengine.web", "tornado.application", "uvicorn.error"]
)
def test_what_strangers_cause_is_said_once_in_a_while(
    logged: io.StringIO, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that is repeated is one line a minute, its details aside; another message, or another cause, is a line
    of its own."""
    now = time.monotonic()
    monkeypatch.setattr(logs.time, "monotonic", lambda: now)

    def said() -> int:
        for number in range(50):
            logging.getLogger(name).warning(f"no room\nclient: {number}")
            structlog.get_logger(name).warning("no room", connection="hr")
        for key in (None, "Anna"):
            try:
                {}[key] if key else int("Anna")
            except (KeyError, ValueError):
                logging.getLogger(name).exception("failed")
        return len(logged.getvalue().splitlines())

    assert said() == said() == 4
    now += 61
    assert said() == 8
