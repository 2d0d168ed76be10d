"""``python -m syncengine.demo [--people N] [--keep]``."""

from __future__ import annotations

import argparse
import sys

from syncengine.demo.story import run


def main() -> int:
    """Tell the story; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m syncengine.demo", description=__doc__)
    parser.add_argument("--people", type=int, default=50, help="employees (default 50)")
    parser.add_argument("--keep", action="store_true", help="leave everything running")
    given = parser.parse_args()
    return run(given.people, given.keep)


if __name__ == "__main__":
    sys.exit(main())
