"""``python -P -m workers worker | beat | flower | inspect``: Celery's command on our application, which takes no code
from the folder that it is started in. ``celery -A workers`` would."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from celery.utils import imports

from syncengine.logs import hide_values


@contextmanager
def _nowhere() -> Iterator[None]:
    yield


def main() -> int | None:
    """Run the command of this process's arguments; its exit code."""
    # Celery puts the working directory in front of everything else while it loads a part by its name.
    imports.cwd_in_path = _nowhere
    hide_values()
    from workers.celery import app

    code: int | None = app.start(sys.argv[1:])
    return code


if __name__ == "__main__":
    sys.exit(main())
