"""Logs to stderr: structured, for people or for machines, without personal data and without secrets.

Four rules keep them clean: a value that is not a short plain one is dropped, an exception that is not our
own is shown by its class and place only (its message may quote a row), whoever logs it or lets it fall
(``hide_values``), text in a URL between ``//`` and ``@`` is cut out, and what libraries warn of is shown by
its place.
"""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TextIO

from syncengine.errors import Bug, SyncengineError

if TYPE_CHECKING:
    from structlog.typing import Processor

_LONGEST = 500
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]*@")
_QUIET = ("alembic", "amqp", "celery", "fakeredis", "httpcore", "httpx", "kombu", "uvicorn")

_SELDOM = ("asyncio", "syncengine.web", "tornado.application", "tornado.general", "uvicorn.error")
"""What strangers can make talk: each message of these once in a while."""
_PAUSE = 60.0

Entry = MutableMapping[str, Any]


def place(error: BaseException) -> str:
    """``Class at file.py:12``: where an exception came from, without its message."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


class Seldom(logging.Filter):
    """Lets each message through once a minute; who repeats it, connections by the thousand say, fills no disk."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[object, ...], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it has not been said for a while."""
        about = record.msg if isinstance(record.msg, Mapping) else {"event": record.msg}
        what = str(about.get("event")).partition("\n")[0]
        error = record.exc_info[1] if record.exc_info else None
        why = place(error) if error is not None else ""
        key = (record.levelno, what, str(about.get("connection")), why)
        now = time.monotonic()
        if now - self._said.get(key, -_PAUSE) < _PAUSE:
            return False
        self._said = {k: at for k, at in self._said.items() if now - at < _PAUSE}
        self._said[key] = now
        return True


class Scrubbed:
    """Within it, an exception that is not our own becomes a Bug that names its class and place alone, and one that is
    loses those that it came from, so that nothing that reports it (a log, a task event) can show a row or a secret."""

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Raises Bug in the place of a stranger, and of a wish to end with a text."""
        if isinstance(error, SyncengineError):
            error.__cause__ = error.__context__ = None
        elif isinstance(error, (Exception, SystemExit)):
            bug = Bug(f"unexpected {place(error)}")
            bug.__context__ = None
            raise bug from None


def hide_values() -> None:
    """Whatever nobody catches in this process, in a thread of it, or in a finaliser, and what libraries warn of, is one
    line on stderr that names its class and place."""
    sys.excepthook = lambda _, error, __: _fell("this process ended", error)
    threading.excepthook = lambda fell: _fell("a thread ended", fell.exc_value)
    sys.unraisablehook = lambda fell: _fell("a finaliser failed", fell.exc_value)
    warnings.showwarning = _warned


def show_values() -> None:
    """Python's own tracebacks again."""
    sys.excepthook, threading.excepthook = sys.__excepthook__, threading.__excepthook__
    sys.unraisablehook = sys.__unraisablehook__


def _fell(what: str, error: BaseException | None) -> None:
    told = place(error) if error is not None else "nobody knows of what"
    if isinstance(error, SyncengineError):
        told = f"{told}: {error}"
    # Whoever has configured logs has loaded the library; most commands end without it.
    structlog = sys.modules.get("structlog")
    if structlog is not None and structlog.is_configured():
        structlog.get_logger(__name__).error(what, error=told)
    else:
        print(f"error: {what}: {told}", file=sys.stderr)


def _warned(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    del message, file, line  # they may quote a value
    import structlog

    where = f"{category.__name__} at {Path(filename).name}:{lineno}"
    structlog.get_logger(__name__).warning("a library warns", error=where)


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


class _Strangers(logging.Filter):
    """What a library logs: an exception among its words is shown by class and place, but for those of the system and of
    brokers, who know no row; of what asyncio has lost, only that."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Changes a record in place and lets all pass."""
        if isinstance(record.args, Mapping):
            record.args = {name: _word(value) for name, value in record.args.items()}
        elif record.args:
            record.args = tuple(map(_word, record.args))
        if isinstance(record.msg, BaseException):
            record.msg = _word(record.msg)
        if record.name == "asyncio":
            record.msg = str(record.msg).partition("\n")[0]
        return True


def _word(value: object) -> object:
    if not isinstance(value, BaseException) or isinstance(value, SyncengineError):
        return value
    broker = type(value).__module__.partition(".")[0] in ("amqp", "kombu", "redis")
    return value if broker or (isinstance(value, OSError) and value.errno) else place(value)


class _Lines(logging.StreamHandler[TextIO]):
    """Lines to a stream; of one that cannot be written nothing is repeated."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - Python's name
        """Said by the logger's name."""
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(f"a line of {record.name} could not be written\n")


def _told(_logger: object, _method: str, entry: Entry) -> str:
    """A line for whoever typed a command: what it is about, what happened, and why."""
    about = entry.get("connection") or entry.get("task")
    parts = (about, entry["event"], entry.get("why") or entry.get("error"))
    return f"{entry['level']}: " + ": ".join(str(part) for part in parts if part)


def configure_logs(style: Literal["console", "json", "told"], stream: TextIO | None = None) -> None:
    """Send all logs of this process to ``stream`` (stderr): ours from INFO, those of libraries from WARNING. ``told``:
    as sentences, for whoever typed a command."""
    import structlog

    stream = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _only_places,
        _only_plain,
    ]
    renderers: dict[str, Processor] = {
        "json": structlog.processors.JSONRenderer(),
        "console": structlog.dev.ConsoleRenderer(colors=stream.isatty()),
        "told": _told,
    }
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderers[style]],
    )
    handler = _Lines(stream)
    handler.setFormatter(formatter)
    handler.addFilter(_Strangers())
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("cel").setLevel(logging.CRITICAL)  # it quotes what an expression was given
    for name in _SELDOM:
        logger = logging.getLogger(name)
        logger.filters[:] = [f for f in logger.filters if not isinstance(f, Seldom)]
        logger.addFilter(Seldom())
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=False,
    )
