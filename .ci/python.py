"""Tell in plain words what a machine lacks before an environment is made on it."""

from __future__ import annotations

import importlib.util
import sys


def lacking() -> str | None:
    """What is missing and how to get it, or None if nothing is."""
    if sys.version_info < (3, 11):
        have = ".".join(map(str, sys.version_info[:3]))
        return f"python3 is {have}; 3.11 or newer is needed. Name one: make PYTHON=python3.12"
    if any(importlib.util.find_spec(name) is None for name in ("venv", "ensurepip")):
        package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        return (
            "this python3 cannot make environments: its modules venv and ensurepip are missing.\n"
            f"On Debian and Ubuntu: apt-get install {package}"
        )
    return None


if __name__ == "__main__":
    sys.exit(lacking())
