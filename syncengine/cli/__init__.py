"""The command line: thin commands over the flows. ``main`` is the entry point of the installed program."""

import codecs
import gc
import io
import sys
from typing import Final

__all__ = ["main"]

_INSTEAD: Final = {"→": "->", "←": "<-", "↔": "<->", "–": "-", "·": ".", "…": "..."}
"""Signs of our own, for terminals that do not have them."""


def _as_can_be_shown(error: UnicodeError) -> tuple[str, int]:
    """What stands for characters that a terminal does not have."""
    assert isinstance(error, UnicodeEncodeError)
    missing = error.object[error.start : error.end]
    return "".join(_INSTEAD.get(character, "?") for character in missing), error.end


def show_what_can_be_shown() -> None:
    """A terminal that does not know UTF-8 gets something else for what it cannot show."""
    codecs.register_error("as can be shown", _as_can_be_shown)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="as can be shown")


def main() -> None:
    """The entry point ``syncengine``."""
    # Loading makes many objects, all of which stay: to look for garbage among them takes a tenth of a command's time.
    gc.set_threshold(50_000, 20, 50)
    show_what_can_be_shown()
    try:
        # Loading takes most of a second, in which Ctrl-C may come, too.
        from syncengine.cli.app import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()
