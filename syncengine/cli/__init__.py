"""The command line: thin commands over the flows. ``main`` is the entry point of the installed program."""

from syncengine.cli.app import main

__all__ = ["main"]
