"""About: what runs here, and the keys."""

from __future__ import annotations

import platform

from starlette.responses import Response

from syncengine.web.console.ask import Ask


def show(ask: Ask) -> Response:
    """Version, encryption, and the keys of the keyboard."""
    settings = ask.shared.settings
    return ask.page(
        "about.html", python=platform.python_version(),
        encrypted=bool(settings.encryption_keys),
        database=settings.database_url.partition(":")[0].partition("+")[0],
        zone=ask.engine.project.timezone, flower=settings.flower_url,
    )  # fmt: skip
