"""Logs to stderr: structured, for people or for machines, without personal data and without secrets.

Three rules keep them clean: a value that is not a short plain one is dropped, an exception that is not our
own is shown by its class and place only (its message may quote a row), and text in a URL between ``//`` and
``@`` is cut out.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TextIO

import structlog

from syncengine.errors import Bug, SyncengineError

_LONGEST = 500
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]*@")
_QUIET = ("alembic", "amqp", "celery", "fakeredis", "httpcore", "httpx", "kombu", "uvicorn")

Entry = MutableMapping[str, Any]


def place(error: BaseException) -> str:
    """``Class at file.py:12``: where an exception came from, without its message."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


class Scrubbed:
    """Within it, an exception that is not our own becomes a Bug that names its class and place alone, so that
    nothing that reports it (a log, a task event) can show a row or a secret."""

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Raises Bug in the place of a stranger."""
        if isinstance(error, Exception) and not isinstance(error, SyncengineError):
            raise Bug(f"unexpected {place(error)}") from None


def _plain(value: object) -> object:
    """A value that may be shown: short text, a number, or counts by name; else only its type."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return _CREDENTIALS.sub("", value)[:_LONGEST]
    if isinstance(value, Mapping) and all(isinstance(count, int) for count in value.values()):
        return dict(value)
    return f"<{type(value).__name__}>"


def _only_plain(_logger: object, _method: str, entry: Entry) -> Entry:
    return {key: value if key[0] == "_" else _plain(value) for key, value in entry.items()}


def _only_places(_logger: object, _method: str, entry: Entry) -> Entry:
    """An exception's class and place; its message too if it is our own, which quotes no row."""
    info = entry.pop("exc_info", None)
    error = info[1] if isinstance(info, tuple) else sys.exc_info()[1] if info is True else info
    if isinstance(error, BaseException):
        entry["error"] = place(error)
        if isinstance(error, SyncengineError):
            entry["message"] = str(error)
    return entry


def _told(_logger: object, _method: str, entry: Entry) -> str:
    """A line for whoever typed a command: what it is about, what happened, and why."""
    about = entry.get("connection") or entry.get("task")
    parts = (about, entry["event"], entry.get("why") or entry.get("error"))
    return f"{entry['level']}: " + ": ".join(str(part) for part in parts if part)


def configure_logs(style: Literal["console", "json", "told"], stream: TextIO | None = None) -> None:
    """Send all logs of this process to ``stream`` (stderr): ours from INFO, those of libraries from WARNING. ``told``:
    as sentences, for whoever typed a command."""
    stream = stream or sys.stderr
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _only_places,
        _only_plain,
    ]
    renderers: dict[str, structlog.typing.Processor] = {
        "json": structlog.processors.JSONRenderer(),
        "console": structlog.dev.ConsoleRenderer(colors=stream.isatty()),
        "told": _told,
    }
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderers[style]],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=False,
    )
