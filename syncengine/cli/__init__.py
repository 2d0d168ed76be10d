"""The command line: thin commands over the flows. ``main`` is the entry point of the installed program."""

import sys

__all__ = ["main"]


def main() -> None:
    """The entry point ``syncengine``."""
    try:
        # Loading takes most of a second, in which Ctrl-C may come, too.
        from syncengine.cli.app import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()
