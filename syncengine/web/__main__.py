"""``python -m syncengine.web [HOST [PORT [intake|console]]]``: the web side as a process."""

from __future__ import annotations

import sys

from syncengine.broker import ensure_broker
from syncengine.current import Current, Editions
from syncengine.errors import ConfigInvalid
from syncengine.logs import configure_logs, hide_values
from syncengine.process import keep_private
from syncengine.settings import Settings, read_settings
from syncengine.web import serve
from syncengine.web.apart import Apart
from syncengine.web.sql_thread import TIMEOUTS, PerThread
from workers.celery import make_app as make_celery
from workers.queue import CeleryQueue


def main(host: str = "127.0.0.1", port: str = "8080", only: str = "") -> None:
    """Serve with the settings of the environment; work is announced to the workers. ``only``: intake or console, both
    if empty. Raises ConfigInvalid."""
    keep_private()
    hide_values()
    settings = read_settings()
    configure_logs(settings.log_format)
    ensure_broker(settings)

    def queue(own: Settings) -> CeleryQueue:
        # Whoever posts a notice has just changed something.
        return CeleryQueue(make_celery(own), live=True)

    editions = Editions(settings)
    current = Current(settings, "web", queue, TIMEOUTS, editions)
    pages = PerThread(lambda: Current(settings, "", queue, TIMEOUTS, editions.follower()))
    try:
        serve(
            current.work, settings, host, int(port), pages.work if only != "intake" else None,
            Apart() if only != "intake" else None, pages.work, only != "console",
        )  # fmt: skip
    finally:
        pages.close()
        current.close()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:4])
    except ConfigInvalid as invalid:
        sys.exit(f"the project is invalid:\n{invalid}")
