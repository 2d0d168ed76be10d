"""``python -m syncengine.web [HOST [PORT]]``: the web side as a process."""

from __future__ import annotations

import sys

from syncengine.bootstrap import open_engine
from syncengine.broker import ensure_broker
from syncengine.logs import configure_logs
from syncengine.settings import read_settings
from syncengine.web import serve
from workers.celery import make_app as make_celery
from workers.queue import CeleryQueue


def main(host: str = "127.0.0.1", port: str = "8080") -> None:
    """Serve with the settings of the environment; work is announced to the workers."""
    settings = read_settings()
    configure_logs(settings.log_format)
    ensure_broker(settings)
    queue = CeleryQueue(make_celery(settings))
    serve(lambda: open_engine(settings, queue=queue), settings, host, int(port))


if __name__ == "__main__":
    main(*sys.argv[1:3])
