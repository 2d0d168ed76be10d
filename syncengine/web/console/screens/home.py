"""Home: how everything stands."""

from __future__ import annotations

from starlette.responses import Response

from syncengine.web.console.ask import Ask


def show(ask: Ask) -> Response:
    """What waits for a person."""
    return ask.page("home.html")
